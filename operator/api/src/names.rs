//! Names and ids, parsed once at the edge: a value of these types is always well formed. No lookup, no uniqueness.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Why a text is not the name it should be. The sentence names the text and the rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    #[error(
        "`{0}` is not a name: use 1 to 30 characters, a to z first, then a to z, 0 to 9 and `-`, for example `notary`"
    )]
    Name(String),
    #[error("`{0}` is not a chain id: write it as `<city>.<tenant>.<chain>`, for example `yunchuan.notary.main`")]
    ChainId(String),
    #[error("`{0}` is not a validator's name: write it as `validator-<n>` with n from 1 to 254")]
    Validator(String),
    #[error("`{0}` is not a version: write it as three numbers, for example `0.1.0`")]
    Version(String),
    #[error("`{0}` is not a public key: give the 32 bytes as 64 lower-case hexadecimal digits")]
    PublicKey(String),
}

/// `[a-z][a-z0-9-]{0,29}`: tenants, chains, organisations, applications, templates.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    pub const MAX_LENGTH: usize = 30;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn well_formed(text: &str) -> bool {
        text.len() <= Self::MAX_LENGTH
            && text.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if Self::well_formed(text) { Ok(Self(text.to_owned())) } else { Err(InvalidName::Name(text.to_owned())) }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `<city>.<tenant>.<chain>`: a label for people. A chain *is* its genesis fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId {
    pub city: Name,
    pub tenant: Name,
    pub chain: Name,
}

impl FromStr for ChainId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let wrong = || InvalidName::ChainId(text.to_owned());
        let mut parts = text.split('.').map(|part| part.parse::<Name>().map_err(|_| wrong()));
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(city), Some(tenant), Some(chain), None) => Ok(Self { city: city?, tenant: tenant?, chain: chain? }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.city, self.tenant, self.chain)
    }
}

/// `validator-<n>`, n from 1 to 254; ordered by number, never reused for another validator of the same chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValidatorName(u8);

impl ValidatorName {
    /// The n-th validator of a chain, from 1 to 254 (the last number of its loopback address).
    pub fn numbered(number: u32) -> Option<Self> {
        u8::try_from(number).ok().filter(|number| (1..=254).contains(number)).map(Self)
    }

    pub fn number(self) -> u8 {
        self.0
    }
}

impl FromStr for ValidatorName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        text.strip_prefix("validator-")
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0'))
            .and_then(|digits| digits.parse().ok())
            .and_then(Self::numbered)
            .ok_or_else(|| InvalidName::Validator(text.to_owned()))
    }
}

impl fmt::Display for ValidatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "validator-{}", self.0)
    }
}

/// The version of the node program or of an application template: `major.minor.patch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

impl FromStr for Version {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let number = |part: Option<&str>| -> Option<u32> {
            let digits = part?;
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
            if plain { digits.parse().ok() } else { None }
        };
        let mut parts = text.split('.');
        match (number(parts.next()), number(parts.next()), number(parts.next()), parts.next()) {
            (Some(major), Some(minor), Some(patch), None) => Ok(Self { major, minor, patch }),
            _ => Err(InvalidName::Version(text.to_owned())),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// An Ed25519 public key; 64 hexadecimal digits on the outside. Whether it is a point of the curve is the chain's check.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

impl FromStr for PublicKey {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let wrong = || InvalidName::PublicKey(text.to_owned());
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// Text on the outside, parsed on the way in; the schema carries the same rule as a pattern for the API server.
macro_rules! as_text {
    ($type:ident, $pattern:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }

        impl TryFrom<&str> for $type {
            type Error = InvalidName;

            fn try_from(text: &str) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

as_text!(Name, "^[a-z][a-z0-9-]{0,29}$");
as_text!(ChainId, "^[a-z][a-z0-9-]{0,29}(\\.[a-z][a-z0-9-]{0,29}){2}$");
as_text!(ValidatorName, "^validator-([1-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-4])$");
as_text!(Version, "^(0|[1-9][0-9]*)(\\.(0|[1-9][0-9]*)){2}$");
as_text!(PublicKey, "^[0-9a-f]{64}$");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_wrong_name_is_refused_with_the_rule() {
        for wrong in ["", "A", "1a", "-a", "a_b", "a.b", "公证", "abcdefghijklmnopqrstuvwxyz12345"] {
            let error = wrong.parse::<Name>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{wrong}` is not a name: use 1 to 30 characters")), "{error}");
        }
        assert!("abcdefghijklmnopqrstuvwxyz1234".parse::<Name>().is_ok());
    }

    #[test]
    fn a_chain_id_has_exactly_three_names() {
        let id: ChainId = "yunchuan.notary.main".parse().unwrap();
        assert_eq!((id.city.as_str(), id.tenant.as_str(), id.chain.as_str()), ("yunchuan", "notary", "main"));
        for wrong in ["", "a", "a.b", "a.b.c.d", "a..c", "a.B.c", "a.b.c "] {
            assert!(wrong.parse::<ChainId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn validators_are_ordered_by_number_and_have_one_spelling() {
        let nine: ValidatorName = "validator-9".parse().unwrap();
        let ten: ValidatorName = "validator-10".parse().unwrap();
        assert!(nine < ten);
        for wrong in ["validator-0", "validator-01", "validator-255", "validator-", "validator-+1", "node-1", "1"] {
            assert!(wrong.parse::<ValidatorName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn versions_compare_by_number() {
        let older: Version = "0.9.0".parse().unwrap();
        let newer: Version = "0.10.0".parse().unwrap();
        assert!(older < newer);
        for wrong in ["1", "1.0", "1.0.0.0", "v1.0.0", "1.00.0", "1.0.x", "1.0.0-rc1"] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_parses_as_a_name_is_the_pattern(text in "[a-zA-Z0-9.-]{0,40}") {
            let mut chars = text.chars();
            let by_rule = (1..=30).contains(&text.len())
                && chars.next().is_some_and(|c| c.is_ascii_lowercase())
                && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
            prop_assert_eq!(text.parse::<Name>().is_ok(), by_rule);
        }

        #[test]
        fn names_and_keys_come_back_as_they_were(number in 1u32..=254, version in any::<[u16; 3]>(), key in any::<[u8; 32]>()) {
            let name = ValidatorName::numbered(number).unwrap();
            prop_assert_eq!(name.to_string().parse::<ValidatorName>().unwrap(), name);
            let version = Version { major: version[0].into(), minor: version[1].into(), patch: version[2].into() };
            prop_assert_eq!(version.to_string().parse::<Version>().unwrap(), version);
            prop_assert_eq!(PublicKey(key).to_string().parse::<PublicKey>().unwrap(), PublicKey(key));
        }
    }
}
