//! The webhook's serving certificate: an authority of the operator's own and a leaf signed by it, both in the Secret
//! `citychain-webhook`. Here is the decision when to make which, and the making; who writes them is [`crate::setup`] and the
//! leader, who serves them is [`crate::webhook`].
//!
//! Order of a rotation: the API server must trust a new authority before a replica serves a leaf of it. So the Secret keeps
//! the former authority's certificate beside the new one, and the bundle is written before the leaf.

mod issue;
pub mod keep;

use std::{collections::BTreeMap, time::Duration};

pub use issue::issue;
use k8s_openapi::ByteString;

/// The Secret.
pub const SECRET: &str = "citychain-webhook";

/// Keys of the Secret.
pub mod key {
    /// Certificates of every authority that is to be trusted, the newest first.
    pub const AUTHORITIES: &str = "ca.crt";
    /// The newest authority's private key.
    pub const AUTHORITY_KEY: &str = "ca.key";
    pub const LEAF: &str = "tls.crt";
    pub const LEAF_KEY: &str = "tls.key";
    /// Ends of authority and leaf, and the names that the leaf is for.
    pub const FACTS: &str = "facts.json";
}

const DAY: Duration = Duration::from_secs(24 * 3_600);
const AUTHORITY_LASTS: Duration = DAY.saturating_mul(3_650);
const LEAF_LASTS: Duration = DAY.saturating_mul(90);
/// A leaf is made anew this long before its end.
const LEAF_EARLY: Duration = DAY.saturating_mul(30);
/// An authority is made anew this long before its end: longer than any leaf lasts, so that no leaf outlives it.
const AUTHORITY_EARLY: Duration = DAY.saturating_mul(180);

/// What the Secret holds. Its private keys never leave it but to the replica's memory.
#[derive(Clone, PartialEq)]
pub struct Held {
    pub authorities: String,
    pub authority_key: String,
    pub leaf: String,
    pub leaf_key: String,
    pub facts: Facts,
}

/// Times in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Facts {
    pub authority_ends_s: u64,
    pub leaf_ends_s: u64,
    pub names: Vec<String>,
}

/// What has to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    Nothing,
    /// A leaf of the authority that is there.
    Leaf,
    /// An authority and a leaf of it; the former authority stays trusted.
    Authority,
}

/// What has to be made now, for these names.
pub fn due(held: Option<&Facts>, names: &[String], now_s: u64) -> Due {
    let Some(held) = held else { return Due::Authority };
    if held.authority_ends_s < now_s.saturating_add(AUTHORITY_EARLY.as_secs()) {
        Due::Authority
    } else if held.leaf_ends_s < now_s.saturating_add(LEAF_EARLY.as_secs()) || held.names != names {
        Due::Leaf
    } else {
        Due::Nothing
    }
}

/// By which names the API server reaches the webhook's Service.
pub fn names(service: &str, namespace: &str) -> Vec<String> {
    vec![
        format!("{service}.{namespace}.svc"),
        format!("{service}.{namespace}.svc.cluster.local"),
        format!("{service}.{namespace}"),
    ]
}

impl Held {
    /// What a Secret holds, if it holds all of it; anything less is made anew.
    pub fn read(data: &BTreeMap<String, ByteString>) -> Option<Self> {
        let text = |key: &str| String::from_utf8(data.get(key)?.0.clone()).ok();
        Some(Self {
            authorities: text(key::AUTHORITIES)?,
            authority_key: text(key::AUTHORITY_KEY)?,
            leaf: text(key::LEAF)?,
            leaf_key: text(key::LEAF_KEY)?,
            facts: serde_json::from_str(&text(key::FACTS)?).ok()?,
        })
    }

    /// As the Secret holds it.
    pub fn data(&self) -> serde_json::Result<BTreeMap<String, ByteString>> {
        let facts = serde_json::to_string(&self.facts)?;
        let pairs = [
            (key::AUTHORITIES, &self.authorities),
            (key::AUTHORITY_KEY, &self.authority_key),
            (key::LEAF, &self.leaf),
            (key::LEAF_KEY, &self.leaf_key),
            (key::FACTS, &facts),
        ];
        Ok(pairs.map(|(key, text)| (key.to_owned(), ByteString(text.clone().into_bytes()))).into())
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("facts", &self.facts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_772_352_000;

    fn facts(authority_days: u64, leaf_days: u64) -> Facts {
        let after = |days: u64| NOW_S + DAY.as_secs() * days;
        Facts {
            authority_ends_s: after(authority_days),
            leaf_ends_s: after(leaf_days),
            names: names("operator", "system"),
        }
    }

    #[test]
    fn each_is_made_before_its_end_and_not_sooner() {
        let same = names("operator", "system");
        let table = [
            ("nothing is there", None, &same, Due::Authority),
            ("both are fresh", Some(facts(3_650, 90)), &same, Due::Nothing),
            ("the leaf has 31 days left", Some(facts(3_650, 31)), &same, Due::Nothing),
            ("the leaf has 29 days left", Some(facts(3_650, 29)), &same, Due::Leaf),
            ("the authority has 179 days left", Some(facts(179, 90)), &same, Due::Authority),
            ("the Service has another name", Some(facts(3_650, 90)), &names("other", "system"), Due::Leaf),
        ];
        for (case, held, names, expected) in table {
            assert_eq!(due(held.as_ref(), names, NOW_S), expected, "{case}");
        }
    }

    #[test]
    fn what_is_issued_is_read_back_and_keeps_the_former_authority() {
        let names = names("operator", "system");
        let first = issue(None, &names, NOW_S).unwrap();
        assert_eq!(Held::read(&first.data().unwrap()), Some(first.clone()));
        assert_eq!(due(Some(&first.facts), &names, NOW_S), Due::Nothing);
        let later = NOW_S + DAY.as_secs() * 61;
        let leaf = issue(Some(&first), &names, later).unwrap();
        assert_eq!((&leaf.authorities, &leaf.authority_key), (&first.authorities, &first.authority_key));
        assert_ne!(leaf.leaf, first.leaf);
        let much_later = NOW_S + DAY.as_secs() * 3_500;
        let second = issue(Some(&leaf), &names, much_later).unwrap();
        assert!(second.authorities.ends_with(&first.authorities) && second.authorities != first.authorities);
        assert!(!format!("{second:?}").contains("PRIVATE"), "a key is never printed");
    }

    #[test]
    fn a_leaf_of_a_kept_authority_is_believed_by_who_trusts_it() {
        use rustls::{
            client::{WebPkiServerVerifier, danger::ServerCertVerifier},
            pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
        };
        let names = names("operator", "system");
        let first = issue(None, &names, NOW_S).unwrap();
        let later = NOW_S + DAY.as_secs() * 61;
        let renewed = issue(Some(&first), &names, later).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(first.authorities.as_bytes()) {
            roots.add(authority.unwrap()).unwrap();
        }
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
        let leaf = CertificateDer::from_pem_slice(renewed.leaf.as_bytes()).unwrap();
        let believed = |name: &str, at_s: u64| {
            let name = ServerName::try_from(name.to_owned()).unwrap();
            verifier.verify_server_cert(&leaf, &[], &name, &[], UnixTime::since_unix_epoch(Duration::from_secs(at_s)))
        };
        believed("operator.system.svc", later + 60).unwrap();
        assert!(believed("console.system.svc", later + 60).is_err());
        assert!(believed("operator.system.svc", renewed.facts.leaf_ends_s + 60).is_err());
    }
}
