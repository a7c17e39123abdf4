//! A tenant and its chains for tests, from the YAML that a person would apply.

use operator_api::{Chain, Tenant};
use serde_json::{Value, json};

use crate::{
    config::{Config, tests::FILE},
    context::{Context, Shared},
    mock::ApiServer,
};

pub fn config() -> Config {
    Config::parse(FILE).expect("the tests' configuration")
}

pub fn context(server: &ApiServer) -> Shared {
    Context::new(server.client(), config(), "operator-0").expect("a context")
}

pub fn tenant(name: &str) -> Tenant {
    serde_json::from_value(tenant_json(name)).expect("a tenant")
}

/// With two organisations, four chains of eight validators allowed.
pub fn tenant_json(name: &str) -> Value {
    json!({
        "apiVersion": "citychain.dev/v1alpha1", "kind": "Tenant",
        "metadata": {"name": name, "uid": format!("uid-of-{name}"), "generation": 1},
        "spec": {
            "title": {"zh": "公证处", "en": "Notary office"},
            "organisations": [
                {"id": "notary-office", "title": {"zh": "市公证处", "en": "City notary office"}},
                {"id": "court", "title": {"zh": "市中级法院", "en": "Intermediate court"}},
            ],
            "quota": {"chains": 2, "validators": 16, "storageGib": 400},
        },
    })
}

pub fn chain(tenant: &str, name: &str, validators: u32) -> Chain {
    serde_json::from_value(chain_json(tenant, name, validators)).expect("a chain")
}

pub fn chain_json(tenant: &str, name: &str, validators: u32) -> Value {
    json!({
        "apiVersion": "citychain.dev/v1alpha1", "kind": "Chain",
        "metadata": {
            "name": name, "namespace": format!("tenant-{tenant}"), "uid": format!("uid-of-{name}"), "generation": 1,
            "creationTimestamp": "2026-03-01T08:00:00Z",
        },
        "spec": {
            "tenant": tenant, "title": {"zh": "公证链", "en": "Notary chain"}, "validators": {"count": validators},
            "version": "0.1.0",
        },
    })
}

/// Rows of a chain's status: four validators that vote; those named are caught up.
pub fn four_validators(ready: &[u8]) -> Value {
    let row = |number: u8| {
        json!({
            "name": format!("validator-{number}"), "organisation": "court", "organisationTitle": {"zh": "", "en": ""},
            "desired": "running", "ready": ready.contains(&number), "voting": true, "text": {"zh": "", "en": ""}, "height": 9,
        })
    };
    (1..=4).map(row).collect()
}
