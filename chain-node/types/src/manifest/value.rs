//! The value of a field as the chain holds it.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::bytes::Hash;

/// A value. In CBOR a digest is a byte string; in JSON it is hexadecimal text, which reads back as text: whoever takes
/// JSON reads it through the field ([`super::Field::parse`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldValue {
    Text(String),
    Integer(i64),
    Boolean(bool),
    Digest(Hash),
    Digests(Vec<Hash>),
}

impl Serialize for FieldValue {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => s.serialize_str(text),
            Self::Integer(n) => s.serialize_i64(*n),
            Self::Boolean(b) => s.serialize_bool(*b),
            Self::Digest(digest) => digest.serialize(s),
            Self::Digests(digests) => digests.serialize(s),
        }
    }
}

impl<'de> Deserialize<'de> for FieldValue {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = FieldValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a whole number, true or false, a digest of 32 bytes, or a list of digests")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<FieldValue, E> {
        Ok(FieldValue::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<FieldValue, E> {
        Ok(FieldValue::Text(text))
    }

    fn visit_i64<E: Error>(self, n: i64) -> Result<FieldValue, E> {
        Ok(FieldValue::Integer(n))
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<FieldValue, E> {
        i64::try_from(n).map(FieldValue::Integer).map_err(|_| E::custom("a number is too large"))
    }

    fn visit_bool<E: Error>(self, b: bool) -> Result<FieldValue, E> {
        Ok(FieldValue::Boolean(b))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<FieldValue, E> {
        let digest = Hash::from_slice(bytes).ok_or_else(|| E::custom("a digest has 32 bytes"))?;
        Ok(FieldValue::Digest(digest))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<FieldValue, E> {
        self.visit_bytes(&bytes)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<FieldValue, A::Error> {
        let mut digests = Vec::new();
        while let Some(digest) = seq.next_element::<Hash>()? {
            digests.push(digest);
        }
        Ok(FieldValue::Digests(digests))
    }
}

impl JsonSchema for FieldValue {
    fn schema_name() -> Cow<'static, str> {
        "FieldValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "text, a whole number, true or false, a SHA-256 in hexadecimal, or a list of those",
            "oneOf": [
                { "type": "string" },
                { "type": "integer" },
                { "type": "boolean" },
                { "type": "array", "items": { "type": "string" } }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{from_slice, to_vec};

    #[test]
    fn every_value_reads_back_from_cbor_as_itself() {
        for value in [
            FieldValue::Text("合同".into()),
            FieldValue::Integer(-5),
            FieldValue::Integer(i64::MAX),
            FieldValue::Boolean(true),
            FieldValue::Digest(Hash([7; 32])),
            FieldValue::Digests(vec![Hash([7; 32]), Hash::ZERO]),
            FieldValue::Digests(vec![]),
        ] {
            assert_eq!(from_slice::<FieldValue>(&to_vec(&value).unwrap()), Ok(value));
        }
        assert!(from_slice::<FieldValue>(&to_vec(&u64::MAX).unwrap()).is_err());
        assert!(from_slice::<FieldValue>(&[0x41, 7]).is_err());
    }
}
