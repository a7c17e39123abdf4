//! Fields of records: their types, where their content lives, and what a value on chain must be like.
//!
//! Only `chain` fields stand in chain state in clear. Of a `commitment` the chain holds a salted digest
//! ([`commitment`]), of a `private` field nothing. Values on chain have no floats: numbers are decimal text, money is an
//! integer of fen, times are milliseconds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calendar::{Date, parse_time_ms};
use super::codes::Check;
use super::faults::{Fault, FaultKind, bounds, fault};
use super::ordered::Ordered;
use super::value::FieldValue;
use crate::bytes::Hash;
use crate::encoding::Writer;
use crate::genesis::{Text, is_name};

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    Text,
    /// A decimal number, as text.
    Number,
    Integer,
    Boolean,
    /// `YYYY-MM-DD`
    Date,
    /// Milliseconds since 1970.
    Datetime,
    /// One of `values`.
    Enum,
    /// SHA-256 of something.
    Digest,
    /// SHA-256 of each of several files; each is a log entry of its own. At most one such field a record.
    Digests,
    /// SHA-256 of one file.
    File,
    /// An organisation of the chain, by id.
    Organisation,
    /// An account of the chain, by key.
    Account,
    /// A natural person's name: never on chain in clear.
    Person,
    /// A code of the outside world; see `check`.
    Code,
    /// Fen.
    Money,
    /// A place, by name or administrative code.
    Place,
    /// A whole number of `unit`.
    Quantity,
}

/// Where a field's content lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In chain state, in clear.
    Chain,
    /// Off chain; the chain holds a salted digest.
    Commitment,
    /// Off chain only.
    Private,
}

/// How a page shows a value to somebody who need not see all of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mask {
    /// 张*三
    Name,
    /// First six and last four characters.
    IdNumber,
    /// First three and last four digits.
    Phone,
    #[default]
    None,
}

/// A field of a record type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Field {
    #[serde(rename = "type")]
    pub kind: FieldType,
    pub place: Place,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// Said below the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<Text>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    #[serde(default, skip_serializing_if = "is_no_mask")]
    pub mask: Mask,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// Least value of a number, quantity or amount; least length of a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// Greatest value, length or count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// What an `enum` may be.
    #[serde(default, skip_serializing_if = "Ordered::is_empty")]
    pub values: Ordered<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Text>,
}

pub(super) fn is_false(b: &bool) -> bool {
    !b
}

fn is_no_mask(mask: &Mask) -> bool {
    *mask == Mask::None
}

/// Longest text where a field says nothing.
pub const MAX_TEXT: i64 = 200;
/// Longest text that a field may allow.
pub const MAX_LONG_TEXT: i64 = 4_000;
/// Files of one call.
pub const MAX_FILES: i64 = 1_000;

impl Field {
    /// A plain field of this type, in clear.
    pub fn plain(kind: FieldType) -> Self {
        Self {
            kind,
            place: Place::Chain,
            title: None,
            help: None,
            required: false,
            mask: Mask::None,
            check: None,
            min: None,
            max: None,
            values: Ordered::default(),
            unit: None,
        }
    }

    /// Whether the chain may hold this value for this field.
    pub fn accepts(&self, value: &FieldValue) -> Result<(), Fault> {
        if self.place == Place::Private {
            return fault(FaultKind::OffChain);
        }
        match (self.place, self.kind, value) {
            (Place::Commitment, _, FieldValue::Digest(_)) => Ok(()),
            (Place::Commitment, ..) => fault(FaultKind::Commitment),
            (_, FieldType::Digest | FieldType::File | FieldType::Account, FieldValue::Digest(_)) => Ok(()),
            (_, FieldType::Boolean, FieldValue::Boolean(_)) => Ok(()),
            (_, FieldType::Integer | FieldType::Money | FieldType::Quantity, FieldValue::Integer(n)) => {
                self.in_range(*n)
            }
            (_, FieldType::Datetime, FieldValue::Integer(n)) => time_in_range(*n),
            (_, FieldType::Digests, FieldValue::Digests(files)) => self.file_count(files.len()),
            (_, kind, FieldValue::Text(text)) => self.accepts_text(kind, text),
            _ => fault(FaultKind::Type),
        }
    }

    fn accepts_text(&self, kind: FieldType, text: &str) -> Result<(), Fault> {
        let held = |holds: bool, kind| if holds { Ok(()) } else { fault(kind) };
        match kind {
            FieldType::Text | FieldType::Place => self.length(text),
            FieldType::Code => match self.check {
                Some(check) if !check.accepts(text) => fault(check.into()),
                _ => self.length(text),
            },
            FieldType::Number => held(is_decimal(text), FaultKind::Number),
            FieldType::Date => held(Date::parse(text).is_some(), FaultKind::Date),
            FieldType::Enum => held(self.values.contains(text), FaultKind::Choice),
            FieldType::Organisation => held(is_name(text), FaultKind::Organisation),
            _ => fault(FaultKind::Type),
        }
    }

    fn in_range(&self, n: i64) -> Result<(), Fault> {
        let least = match (self.min, self.kind) {
            (Some(min), _) => min,
            (None, FieldType::Integer) => i64::MIN,
            (None, _) => 0,
        };
        let most = self.max.unwrap_or(i64::MAX);
        match (least..=most).contains(&n) {
            true => Ok(()),
            false if self.max.is_none() => bounds(FaultKind::Least, least, most),
            false => bounds(FaultKind::Range, least, most),
        }
    }

    fn length(&self, text: &str) -> Result<(), Fault> {
        let (least, most) = (self.min.unwrap_or(1), self.max.unwrap_or(MAX_TEXT));
        if text.chars().any(|c| c.is_control() && c != '\n') {
            return fault(FaultKind::Control);
        }
        match i64::try_from(text.chars().count()) {
            Ok(n) if (least..=most).contains(&n) => Ok(()),
            _ => bounds(FaultKind::Length, least, most),
        }
    }

    fn file_count(&self, n: usize) -> Result<(), Fault> {
        let (least, most) = (self.min.unwrap_or(0), self.max.unwrap_or(MAX_FILES));
        match i64::try_from(n) {
            Ok(n) if (least..=most).contains(&n) => Ok(()),
            _ => bounds(FaultKind::Files, least, most),
        }
    }

    /// What a person typed, or a program sent as JSON text, as a value for the chain.
    pub fn parse(&self, text: &str) -> Result<FieldValue, Fault> {
        let text = text.trim();
        let value = match (self.place, self.kind) {
            (Place::Commitment, _) | (_, FieldType::Digest | FieldType::File | FieldType::Account) => {
                text.parse().ok().map(FieldValue::Digest)
            }
            (_, FieldType::Boolean) => text.parse().ok().map(FieldValue::Boolean),
            (_, FieldType::Integer | FieldType::Quantity) => text.parse().ok().map(FieldValue::Integer),
            (_, FieldType::Money) => parse_yuan(text).map(FieldValue::Integer),
            (_, FieldType::Datetime) => parse_time_ms(text).or_else(|| text.parse().ok()).map(FieldValue::Integer),
            (_, FieldType::Digests) => {
                let parts = text.split([' ', ',', '\n']).filter(|t| !t.is_empty());
                parts.map(|t| t.parse::<Hash>().ok()).collect::<Option<_>>().map(FieldValue::Digests)
            }
            _ => Some(FieldValue::Text(text.to_owned())),
        };
        let Some(value) = value else { return fault(self.unreadable()) };
        self.accepts(&value).map(|()| value)
    }

    /// Why a text could not be read at all.
    fn unreadable(&self) -> FaultKind {
        match (self.place, self.kind) {
            (Place::Commitment, _) => FaultKind::Commitment,
            (_, FieldType::Boolean) => FaultKind::Boolean,
            (_, FieldType::Integer | FieldType::Quantity) => FaultKind::Whole,
            (_, FieldType::Money) => FaultKind::Amount,
            (_, FieldType::Datetime) => FaultKind::Time,
            _ => FaultKind::Digest,
        }
    }
}

fn time_in_range(ms: i64) -> Result<(), Fault> {
    // Years 1970 to 9999: what every reader can show.
    match (0..253_402_300_800_000).contains(&ms) {
        true => Ok(()),
        false => fault(FaultKind::TimeRange),
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = |t: &str| (1..=18).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    match text.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(text),
    }
}

/// An amount in yuan as fen.
fn parse_yuan(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let plain = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    if !plain(whole) || !plain(fraction) || fraction.len() > 2 {
        return None;
    }
    let fen: i64 = fraction.parse().ok()?;
    let fen = if fraction.len() == 1 { fen * 10 } else { fen };
    whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(fen)
}

/// What the chain holds of a commitment field: SHA-256 of `["citychain/commitment/1", field, salt, value]`. Whoever has
/// value and salt can show it; without the salt a short value cannot be guessed.
pub fn commitment(field: &str, salt: &[u8; 32], value: &str) -> Hash {
    let mut w = Writer::default();
    w.array(4).text("citychain/commitment/1").text(field).bytes(salt).text(value);
    Hash::of(&w.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: FieldType) -> Field {
        Field::plain(kind)
    }

    #[test]
    fn each_type_takes_its_own_values_and_no_others() {
        let digest = "ab".repeat(32);
        for (kind, good, bad) in [
            (FieldType::Text, "合同", ""),
            (FieldType::Number, "-12.50", "1e5"),
            (FieldType::Integer, "-7", "7.0"),
            (FieldType::Boolean, "true", "yes"),
            (FieldType::Date, "2026-02-28", "2026-02-30"),
            (FieldType::Datetime, "2026-02-28T10:00", "yesterday"),
            (FieldType::Digest, &digest, "abc"),
            (FieldType::Digests, &digest, "abc"),
            (FieldType::File, &digest, "file.txt"),
            (FieldType::Account, &digest, "gateway"),
            (FieldType::Organisation, "notary-office", "Notary"),
            (FieldType::Money, "12.50", "12.505"),
            (FieldType::Quantity, "5", "-5"),
            (FieldType::Place, "云川市", "\u{7}"),
            (FieldType::Code, "X1", ""),
        ] {
            assert!(of(kind).parse(good).is_ok(), "{kind:?}");
            assert!(of(kind).parse(bad).is_err(), "{kind:?}");
        }
        assert_eq!(of(FieldType::Money).parse("12.5"), Ok(FieldValue::Integer(1250)));
        assert!(of(FieldType::Person).parse("张三").is_err());
        assert!(of(FieldType::Integer).accepts(&FieldValue::Text("7".into())).is_err());
        assert!(of(FieldType::Datetime).accepts(&FieldValue::Integer(-1)).is_err());
    }

    #[test]
    fn limits_checks_and_values_are_kept() {
        let mut text = of(FieldType::Text);
        text.max = Some(3);
        assert!(text.parse("一二三").is_ok() && text.parse("一二三四").is_err());
        let mut code = of(FieldType::Code);
        code.check = Some(Check::Gtin14);
        assert!(code.parse("09506000134352").is_ok() && code.parse("09506000134353").is_err());
        let mut choice = of(FieldType::Enum);
        choice.values = [("a".to_owned(), Text::default())].into_iter().collect();
        assert!(choice.parse("a").is_ok() && choice.parse("b").is_err());
        let mut files = of(FieldType::Digests);
        files.max = Some(1);
        assert!(files.accepts(&FieldValue::Digests(vec![Hash::ZERO; 2])).is_err());
    }

    #[test]
    fn personal_content_reaches_the_chain_only_as_a_salted_digest() {
        let mut party = of(FieldType::Person);
        party.place = Place::Commitment;
        assert!(party.accepts(&FieldValue::Text("张三".into())).is_err());
        let hidden = commitment("party", &[1; 32], "张三");
        assert!(party.accepts(&FieldValue::Digest(hidden)).is_ok());
        assert_ne!(hidden, commitment("party", &[2; 32], "张三"));
        assert_ne!(hidden, commitment("title", &[1; 32], "张三"));
        party.place = Place::Private;
        assert!(party.accepts(&FieldValue::Digest(hidden)).is_err());
    }
}
