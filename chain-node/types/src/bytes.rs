//! Fixed-size byte values: hashes, ids, keys and signatures. Hexadecimal in text (JSON, YAML, display), byte strings in
//! CBOR.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::encoding::{Decode, DecodeError, Encode, Reader, Writer};

/// Text that is not the hexadecimal form of a value of this size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is written as {digits} hexadecimal digits")]
pub struct ParseBytesError {
    what: &'static str,
    digits: usize,
}

macro_rules! fixed_bytes {
    ($(#[$doc:meta])* $name:ident, $n:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $n]);

        impl $name {
            pub const LEN: usize = $n;

            pub fn as_bytes(&self) -> &[u8; $n] {
                &self.0
            }

            /// The value, if there are exactly as many bytes as it has.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }
        }

        impl Encode for $name {
            fn encode(&self, w: &mut Writer) {
                w.bytes(&self.0);
            }
        }

        impl Decode for $name {
            fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                r.fixed($what).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), hex::encode(&self.0[..6]))
            }
        }

        impl FromStr for $name {
            type Err = ParseBytesError;

            fn from_str(s: &str) -> Result<Self, ParseBytesError> {
                let error = ParseBytesError { what: $what, digits: 2 * $n };
                let bytes = hex::decode(s).map_err(|_| error.clone())?;
                Self::from_slice(&bytes).ok_or(error)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                match s.is_human_readable() {
                    true => s.serialize_str(&hex::encode(self.0)),
                    false => s.serialize_bytes(&self.0),
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                use serde::de::Error;
                match d.is_human_readable() {
                    true => std::borrow::Cow::<str>::deserialize(d)?.parse().map_err(D::Error::custom),
                    false => {
                        let bytes = serde_bytes::ByteBuf::deserialize(d)?;
                        Self::from_slice(&bytes).ok_or_else(|| D::Error::custom(concat!($what, " has another length")))
                    }
                }
            }
        }
    };
}

fixed_bytes!(
    /// A SHA-256 hash.
    Hash, 32, "a hash"
);
fixed_bytes!(
    /// SHA-256 of a chain's genesis as CBOR: what a chain *is*. Inside every signed byte string.
    Fingerprint, 32, "a genesis fingerprint"
);
fixed_bytes!(
    /// SHA-256 of a transaction's COSE `Sig_structure`: the same call signed twice has one id.
    TxId, 32, "a transaction id"
);
fixed_bytes!(
    /// SHA-256 of a block header.
    BlockId, 32, "a block id"
);
fixed_bytes!(
    /// An Ed25519 public key.
    PublicKey, 32, "a public key"
);
fixed_bytes!(
    /// An Ed25519 signature.
    Signature, 64, "a signature"
);

impl Hash {
    pub const ZERO: Self = Self([0; 32]);

    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// SHA-256 of the parts, one after the other.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }
}

impl PublicKey {
    /// Orders validators and stands for them inside the consensus engine.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..4])
    }
}
