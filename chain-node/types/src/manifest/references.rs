//! The small texts by which parts of a manifest name each other: `instance.method`, `instance.kind`, `role@organisation`,
//! durations and versions. Each is parsed when it is read and written back as it was.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `[a-z][a-z0-9_]{0,39}`: roles, instances, fields, questions, pages.
pub fn is_label(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 40
        && bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Reads a type from its text. The error is raised while the text is read, so that a file's reader can add the line.
struct FromText<T>(PhantomData<T>);

impl<T: FromStr<Err = String>> Visitor<'_> for FromText<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

macro_rules! as_text {
    ($name:ident) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_str(FromText(PhantomData))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
    };
}

/// A call of an instance: `evidence.anchor`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String")]
pub struct MethodRef {
    pub instance: String,
    pub method: String,
}

impl FromStr for MethodRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('.') {
            Some((instance, method)) if is_label(instance) && is_label(method) => {
                Ok(Self { instance: instance.to_owned(), method: method.to_owned() })
            }
            _ => Err(format!("`{text}` is not of the form `instance.method`")),
        }
    }
}

impl fmt::Display for MethodRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.instance, self.method)
    }
}

as_text!(MethodRef);

/// Records of an instance: `evidence`, or `goods.lot` where a module has several kinds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String")]
pub struct Target {
    pub instance: String,
    pub kind: Option<String>,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (instance, kind) = match text.split_once('.') {
            Some((instance, kind)) => (instance, Some(kind)),
            None => (text, None),
        };
        match is_label(instance) && kind.is_none_or(is_label) {
            true => Ok(Self { instance: instance.to_owned(), kind: kind.map(str::to_owned) }),
            false => Err(format!("`{text}` is not of the form `instance` or `instance.kind`")),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Some(kind) => write!(f, "{}.{kind}", self.instance),
            None => f.write_str(&self.instance),
        }
    }
}

as_text!(Target);

/// Who carries out a step: a role of the deploying organisation, or of another: `applicant@other`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct Actor {
    pub role: String,
    pub organisation: Option<String>,
}

impl FromStr for Actor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (role, organisation) = match text.split_once('@') {
            Some((role, organisation)) => (role, Some(organisation)),
            None => (text, None),
        };
        match is_label(role) && organisation.is_none_or(is_label) {
            true => Ok(Self { role: role.to_owned(), organisation: organisation.map(str::to_owned) }),
            false => Err(format!("`{text}` is not of the form `role` or `role@organisation`")),
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.organisation {
            Some(organisation) => write!(f, "{}@{organisation}", self.role),
            None => f.write_str(&self.role),
        }
    }
}

as_text!(Actor);

/// A span of time: `200ms`, `10s`, `5m`, `12h`, `3d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String")]
pub struct Span {
    pub ms: u64,
}

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).unwrap_or((text, ""));
        let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
        let ms = number.parse::<u64>().ok().zip(factor).and_then(|(n, factor)| n.checked_mul(factor));
        // Ten years: longer spans are mistakes, and every sum with a time stays in range.
        match ms.filter(|ms| *ms <= 3_650 * 86_400_000) {
            Some(ms) => Ok(Self { ms }),
            None => Err(format!("`{text}` is not a span of time such as 10s, 5m or 3d")),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(_, factor)| self.ms > 0 && self.ms.is_multiple_of(*factor));
        let (unit, factor) = whole.unwrap_or(&("ms", 1));
        write!(f, "{}{unit}", self.ms / factor)
    }
}

as_text!(Span);

/// A version: `1.2.3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String")]
pub struct Version(pub u32, pub u32, pub u32);

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |t: &str| (t == "0" || !t.starts_with(['0', '+'])).then(|| t.parse().ok()).flatten();
        let parts: Vec<Option<u32>> = text.split('.').map(number).collect();
        match parts.as_slice() {
            [Some(major), Some(minor), Some(patch)] => Ok(Self(*major, *minor, *patch)),
            _ => Err(format!("`{text}` is not a version such as 1.2.3")),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

as_text!(Version);

#[cfg(test)]
mod tests {
    use super::*;

    fn back<T: FromStr<Err = String> + fmt::Display>(text: &str) -> Result<String, String> {
        text.parse::<T>().map(|v| v.to_string())
    }

    #[test]
    fn references_read_back_as_written() {
        assert_eq!(back::<MethodRef>("evidence.anchor").as_deref(), Ok("evidence.anchor"));
        assert_eq!(back::<Target>("goods.lot").as_deref(), Ok("goods.lot"));
        assert_eq!(back::<Target>("evidence").as_deref(), Ok("evidence"));
        assert_eq!(back::<Actor>("applicant@other").as_deref(), Ok("applicant@other"));
        assert_eq!(back::<Span>("10s").as_deref(), Ok("10s"));
        assert_eq!(back::<Span>("1500ms").as_deref(), Ok("1500ms"));
        assert_eq!(back::<Span>("72h").as_deref(), Ok("3d"));
        assert_eq!(back::<Version>("1.20.3").as_deref(), Ok("1.20.3"));
        assert!(Version(1, 10, 0) > Version(1, 9, 9));
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in ["", "anchor", "a.b.c", "A.b", "a.", ".b"] {
            assert!(bad.parse::<MethodRef>().is_err(), "{bad}");
        }
        for bad in ["", "1", "s", "1w", "-1s", "99999d", "18446744073709551615d"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
        for bad in ["", "1", "1.2", "1.2.3.4", "1.02.3", "1.2.x", "v1.2.3", "1.+2.3"] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
        assert!("a@b@c".parse::<Actor>().is_err() && "a.b.c".parse::<Target>().is_err());
    }
}
