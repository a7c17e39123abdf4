//! Deterministic CBOR (RFC 8949 §4.2.1): the only byte form of everything that is hashed or signed.
//!
//! [`Writer`] can produce nothing else; [`Reader`] refuses every other form (longer integers, indefinite lengths,
//! unsorted or repeated map keys, floats, trailing bytes), so decoding and encoding again gives the input back.
//! Why own code: general CBOR libraries accept several byte forms of one value, and a second form of a signed object is
//! a second transaction id. `ciborium` is used only for its [`Value`], the bridge to `serde` types.

mod reader;
mod value;
mod writer;

#[cfg(test)]
mod tests;

pub use ciborium::Value;
pub use reader::{DecodeError, Fault, Reader};
pub use value::{from_slice, from_value, read_value, to_value, to_vec, value_to_vec};
pub use writer::Writer;

/// An object with one byte form.
pub trait Encode {
    /// Appends the object.
    fn encode(&self, writer: &mut Writer);

    /// The object alone.
    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        self.encode(&mut writer);
        writer.into_bytes()
    }
}

/// The other direction; refuses whatever [`Encode`] would not have written.
pub trait Decode: Sized {
    /// Reads one object and leaves the reader behind it.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Reads exactly one object.
    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let object = Self::decode(&mut reader)?;
        reader.end()?;
        Ok(object)
    }
}
