//! The bridge between `serde` types (call arguments, state records, manifests) and deterministic CBOR.

use ciborium::Value;
use serde::{Serialize, de::DeserializeOwned};

use super::reader::{DecodeError, Fault, Reader};
use super::writer::Writer;

/// A `serde` type as an open value. Fails only for types that CBOR cannot hold, such as 128-bit integers.
pub fn to_value<T: Serialize>(object: &T) -> Result<Value, DecodeError> {
    Value::serialized(object)
        .map_err(|_| DecodeError { offset: 0, fault: Fault::Invalid("value: CBOR cannot hold it") })
}

/// An open value as a `serde` type.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    value.deserialized().map_err(|e| e.to_string())
}

/// A `serde` type as deterministic CBOR; `None` fields are left out if the type says `skip_serializing_if`.
pub fn to_vec<T: Serialize>(object: &T) -> Result<Vec<u8>, DecodeError> {
    value_to_vec(&to_value(object)?)
}

/// An open value as deterministic CBOR; refuses floats and tags, which have no deterministic use here.
pub fn value_to_vec(value: &Value) -> Result<Vec<u8>, DecodeError> {
    let mut writer = Writer::default();
    write(value, &mut writer)?;
    Ok(writer.into_bytes())
}

/// Reads exactly one open value.
pub fn read_value(bytes: &[u8]) -> Result<Value, DecodeError> {
    let mut reader = Reader::new(bytes);
    let value = reader.value(0)?;
    reader.end()?;
    Ok(value)
}

/// Reads exactly one `serde` object.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let value = read_value(bytes).map_err(|e| e.to_string())?;
    from_value(&value)
}

fn write(value: &Value, w: &mut Writer) -> Result<(), DecodeError> {
    let unsupported = || DecodeError { offset: 0, fault: Fault::Unsupported };
    match value {
        Value::Integer(n) => match (u64::try_from(*n), i128::from(*n)) {
            (Ok(n), _) => drop(w.uint(n)),
            (Err(_), n) => w.negative(u64::try_from(-1 - n).map_err(|_| unsupported())?),
        },
        Value::Bytes(b) => drop(w.bytes(b)),
        Value::Text(t) => drop(w.text(t)),
        Value::Bool(b) => drop(w.bool(*b)),
        Value::Null => drop(w.null()),
        Value::Array(items) => {
            w.array(items.len());
            for item in items {
                write(item, w)?;
            }
        }
        Value::Map(pairs) => {
            let mut encoded = Vec::with_capacity(pairs.len());
            for (key, value) in pairs {
                encoded.push((value_to_vec(key)?, value));
            }
            encoded.sort_by(|a, b| a.0.cmp(&b.0));
            if encoded.windows(2).any(|w| matches!(w, [a, b] if a.0 == b.0)) {
                return Err(DecodeError { offset: 0, fault: Fault::KeyOrder });
            }
            w.map(encoded.len());
            for (key, value) in encoded {
                w.raw(&key);
                write(value, w)?;
            }
        }
        _ => return Err(unsupported()),
    }
    Ok(())
}
