//! The closed list of rules that an application can switch on. Each belongs to one module, which carries it out.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::references::Span;

/// A rule that a module keeps when a manifest asks for it. Written as its name, or `{name: value}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Form", into = "Form")]
#[schemars(with = "Form")]
pub enum Guard {
    /// Only the organisation that made a record adds versions to it.
    OwnerAppendsOnly,
    /// A record is withdrawn with a reason or not at all.
    WithdrawNeedsReason,
    /// No time in a record may be further ahead of the chain's clock.
    ClockOffsetMax(Span),
    /// Only the present holder ships, sells or destroys.
    HolderOfRecord,
    /// Only the declared destination receives.
    ReceiverMatches,
    /// A destroyed item never moves again.
    NoEventAfterDestroyed,
    /// Nothing is sold after the lot's last day.
    NotExpiredToSell,
    /// An item is sold once.
    SoldOnce,
    /// Nothing of a recalled lot is sold.
    RecallBlocksSale,
    /// A recall is closed when every item of its lots is sold or destroyed.
    RecallClosesWhenAllDisposed,
}

impl Guard {
    /// Its name in a manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OwnerAppendsOnly => "owner_appends_only",
            Self::WithdrawNeedsReason => "withdraw_needs_reason",
            Self::ClockOffsetMax(_) => "clock_offset_max",
            Self::HolderOfRecord => "holder_of_record",
            Self::ReceiverMatches => "receiver_matches",
            Self::NoEventAfterDestroyed => "no_event_after_destroyed",
            Self::NotExpiredToSell => "not_expired_to_sell",
            Self::SoldOnce => "sold_once",
            Self::RecallBlocksSale => "recall_blocks_sale",
            Self::RecallClosesWhenAllDisposed => "recall_closes_when_all_disposed",
        }
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Form {
    Name(String),
    With(BTreeMap<String, String>),
}

const PLAIN: [Guard; 9] = [
    Guard::OwnerAppendsOnly,
    Guard::WithdrawNeedsReason,
    Guard::HolderOfRecord,
    Guard::ReceiverMatches,
    Guard::NoEventAfterDestroyed,
    Guard::NotExpiredToSell,
    Guard::SoldOnce,
    Guard::RecallBlocksSale,
    Guard::RecallClosesWhenAllDisposed,
];

impl TryFrom<Form> for Guard {
    type Error = String;

    fn try_from(form: Form) -> Result<Self, String> {
        match form {
            Form::Name(name) => {
                let plain = PLAIN.into_iter().find(|g| g.name() == name);
                plain.ok_or_else(|| match name.as_str() {
                    "clock_offset_max" => {
                        "guard `clock_offset_max` needs a span, such as {clock_offset_max: 10s}".into()
                    }
                    _ => format!("no guard is called `{name}`"),
                })
            }
            Form::With(map) => match map.iter().collect::<Vec<_>>().as_slice() {
                [(name, value)] if *name == "clock_offset_max" => Ok(Self::ClockOffsetMax(value.parse()?)),
                [(name, _)] => Err(format!("no guard with a value is called `{name}`")),
                _ => Err("a guard is a name, or one name with a value".into()),
            },
        }
    }
}

impl From<Guard> for Form {
    fn from(guard: Guard) -> Self {
        match guard {
            Guard::ClockOffsetMax(span) => Self::With(BTreeMap::from([(guard.name().to_owned(), span.to_string())])),
            plain => Self::Name(plain.name().to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{from_slice, to_vec};

    #[test]
    fn guards_read_back_and_unknown_ones_are_refused() {
        let all = PLAIN.into_iter().chain([Guard::ClockOffsetMax(Span { ms: 10_000 })]);
        for guard in all {
            assert_eq!(from_slice::<Guard>(&to_vec(&guard).unwrap()), Ok(guard));
        }
        for bad in [
            "\"sold_twice\"",
            "\"clock_offset_max\"",
            "{\"clock_offset_max\":\"x\"}",
            "{\"sold_once\":\"1s\"}",
            "{}",
            "7",
        ] {
            assert!(serde_json::from_str::<Guard>(bad).is_err(), "{bad}");
        }
    }
}
