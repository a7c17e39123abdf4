//! What tests of several modules start from: a genesis of one organisation.

use chain_types::genesis::{Genesis, GenesisOrganisation, GenesisValidator, Governance, Membership, Text};
use chain_types::{Custody, PublicKey, Validator};

/// A chain whose validators use one key for everything. One key administers its organisation and is its steward.
pub fn genesis(validators: &[PublicKey], administrator: PublicKey, time_ms: u64) -> Genesis {
    let validator = |(n, key): (usize, &PublicKey)| GenesisValidator {
        name: format!("validator-{}", n + 1),
        validator: validator(*key),
    };
    let title = Text { zh: "局".into(), en: "Bureau".into() };
    Genesis {
        chain_id: "city.tenant.main".into(),
        profile: "intl".into(),
        rules: 1,
        time_ms,
        governance: Governance::Platform,
        membership: Membership::Delegated,
        heartbeat_ms: 600_000,
        trusting_period_ms: 1_000_000,
        steward: administrator,
        validators: validators.iter().enumerate().map(validator).collect(),
        organisations: vec![GenesisOrganisation { id: "bureau".into(), title, administrator, custody: Custody::Own }],
        operator: "bureau".into(),
    }
}

pub fn validator(key: PublicKey) -> Validator {
    Validator { consensus_key: key, cosigner_key: key, log_key: key, power: 1, organisation: "bureau".into() }
}
