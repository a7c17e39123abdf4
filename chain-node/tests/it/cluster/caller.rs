//! Signed calls, apart from the processes that take them.

use chain_types::crypto::SigningKey;
use chain_types::{Call, Fingerprint, Hash, Transaction, Value};

/// Signs calls to a chain, apart from its processes.
#[derive(Clone)]
pub struct Caller {
    fingerprint: Fingerprint,
    key: SigningKey,
}

impl Caller {
    pub fn of(fingerprint: Fingerprint, key: SigningKey) -> Self {
        Self { fingerprint, key }
    }

    pub fn anchor(&self, digests: &[Hash]) -> Transaction {
        let digests = Value::Array(digests.iter().map(|d| Value::Bytes(d.0.to_vec())).collect());
        let call = self.draft("anchor", "digests", Value::Map(vec![("digests".into(), digests)]));
        Transaction::sign(call, &self.key).unwrap()
    }

    pub fn draft(&self, instance: &str, method: &str, args: Value) -> Call {
        Call {
            fingerprint: self.fingerprint,
            valid_until_ms: valid_until_ms(),
            salt: salt(),
            app: "chain".into(),
            instance: instance.into(),
            method: method.into(),
            args,
        }
    }
}

pub fn salt() -> [u8; 8] {
    let mut salt = [0; 8];
    getrandom::fill(&mut salt).unwrap();
    salt
}

/// Five minutes from now.
pub fn valid_until_ms() -> u64 {
    chain_node::consensus::now_ms() + 300_000
}

pub fn digest(n: u64) -> Hash {
    Hash::of(&n.to_be_bytes())
}
