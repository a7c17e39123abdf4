//! New tenants as objects, and the annotations that only the console reads.

use crate::time::now_ms;
use operator_api::{Custody, Name, Organisation, Quota, Tenant, TenantSpec, Text, Time};

/// What a tenant may use unless its object says otherwise.
pub const QUOTA: Quota = Quota { chains: 2, validators: 16, storage_gib: 200 };

/// Annotations of a tenant: what the form for its chain is prefilled with.
pub const CHAIN_TITLE_ZH: &str = "citychain.dev/chain-title-zh";
pub const CHAIN_TITLE_EN: &str = "citychain.dev/chain-title-en";

/// A new tenant's object.
pub fn object(name: Name, title: Text, organisations: Vec<Organisation>) -> Tenant {
    let mut object = Tenant::new(name, TenantSpec { title, organisations, quota: QUOTA });
    object.metadata.creation_timestamp = Some(Time::from_ms(now_ms().unsigned_abs()));
    object
}

/// An organisation whose key the platform holds.
pub fn organisation(id: Name, title: Text) -> Organisation {
    Organisation { id, title, custody: Custody::Platform, public_key: None }
}
