//! A moment as Kubernetes writes it (`2026-03-01T08:00:00Z`), kept as milliseconds since 1970. It never asks a clock.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A moment in milliseconds since 1970, RFC 3339 on the outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    /// The last moment of the year 9999: later ones cannot be written in RFC 3339.
    const LAST_MS: i64 = 253_402_207_200_999;

    /// A moment after the year 9999 becomes that year's end.
    pub fn from_ms(ms: u64) -> Self {
        Self(i64::try_from(ms).unwrap_or(Self::LAST_MS).min(Self::LAST_MS))
    }

    /// Milliseconds since 1970; a moment before that is 0.
    pub fn ms(self) -> u64 {
        u64::try_from(self.0).unwrap_or(0)
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) => write!(f, "{moment}"),
            // Unreachable by construction: both ways in are bounded.
            Err(_) => f.write_str("9999-12-30T22:00:00Z"),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let moment: jiff::Timestamp = text.parse().map_err(|_| {
            D::Error::custom(format!("`{text}` is not a time: write it as 2026-03-01T08:00:00Z (RFC 3339)"))
        })?;
        Ok(Self(moment.as_millisecond()))
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_as_kubernetes_writes_it_and_back() {
        let time = Time::from_ms(1_772_352_000_000);
        assert_eq!(serde_json::to_string(&time).unwrap(), "\"2026-03-01T08:00:00Z\"");
        assert_eq!(serde_json::from_str::<Time>("\"2026-03-01T16:00:00+08:00\"").unwrap(), time);
        assert_eq!(serde_json::from_str::<Time>("\"2026-03-01T08:00:00.250Z\"").unwrap().ms(), 1_772_352_000_250);
    }

    #[test]
    fn a_wrong_time_is_refused_with_the_right_form() {
        let error = serde_json::from_str::<Time>("\"yesterday\"").unwrap_err().to_string();
        assert!(error.contains("`yesterday` is not a time: write it as"), "{error}");
    }

    #[test]
    fn the_end_of_time_still_prints() {
        assert!(Time::from_ms(u64::MAX).to_string().starts_with("9999-12-30"));
    }
}
