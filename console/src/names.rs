//! Names that are valid by construction: tenants, sign-in names, and random identifiers. No database, no texts.

use std::fmt;

/// `[a-z][a-z0-9-]{0,29}`: tenants, chains, applications and organisations are named alike, because the name becomes a folder, a label and a URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// `None` unless the text has the form above.
    pub fn parse(text: &str) -> Option<Self> {
        let mut characters = text.chars();
        let starts = characters.next().is_some_and(|c| c.is_ascii_lowercase());
        let continues = characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        (starts && continues && text.len() <= 30).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What a person signs in with: lower case, 2 to 60 characters, letters, digits and `.-_@`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login(String);

impl Login {
    /// `None` unless the trimmed, lower-cased text has the form above.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        let length = text.chars().count();
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_@".contains(c);
        ((2..=60).contains(&length) && text.chars().all(allowed)).then_some(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// 128 random bits as hex: identifiers of users and requests.
pub fn random_id() -> String {
    hex::encode(random_bytes::<16>())
}

/// Random bytes of the operating system.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_starts_with_a_letter_and_fits_a_label() {
        for good in ["a", "medical", "notary-2", "a12345678901234567890123456789"] {
            assert!(Name::parse(good).is_some(), "{good}");
        }
        for bad in ["", "1a", "-a", "A", "a_b", "a b", "医疗", "a123456789012345678901234567890", "a/b", "a\n"] {
            assert!(Name::parse(bad).is_none(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_accepted_name_is_its_own_text(text in ".{0,40}") {
            if let Some(name) = Name::parse(&text) { prop_assert_eq!(name.as_str(), text.as_str()); }
            if let Some(login) = Login::parse(&text) { prop_assert_eq!(Login::parse(login.as_str()), Some(login.clone())); }
        }
    }
}
