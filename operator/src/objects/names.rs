//! Every name, label and annotation by which the operator's objects are found, each written once. Derived from the custom
//! resources' names alone, so nothing is searched for.

use std::collections::BTreeMap;

pub use operator_api::cluster::{CONFIRM_DELETION, ROTATE_KEYS, namespace, tenant_of};
use operator_api::{Name, ValidatorName};

/// Who made an object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`], and the name under which the operator's fields stand in an object's managed fields.
pub const OPERATOR: &str = "citychain-operator";
/// A selector of everything that the operator made.
pub const MANAGED: &str = "app.kubernetes.io/managed-by=citychain-operator";

pub const APP_NAME: &str = "app.kubernetes.io/name";
pub const APP_INSTANCE: &str = "app.kubernetes.io/instance";
/// The value of [`APP_NAME`] on whatever belongs to a chain.
pub const CHAIN_NODE: &str = "chain-node";

pub const TENANT: &str = "citychain.dev/tenant";
pub const CHAIN: &str = "citychain.dev/chain";
/// `validator-<n>`.
pub const VALIDATOR: &str = "citychain.dev/validator";
/// `true` on volumes, keys and genesis that outlive their chain.
pub const RETAINED: &str = "citychain.dev/retained";

/// On what belongs to a ChainBackup: its name.
pub const BACKUP: &str = "citychain.dev/backup";
/// `backup` or `drill`: what a Job of a ChainBackup does.
pub const BACKUP_JOB: &str = "citychain.dev/backup-job";
/// On such a Job: whose backup, by the chain's name. Not [`CHAIN`], which marks what the chain consists of.
pub const BACKUP_OF: &str = "citychain.dev/backup-of";
/// On such a Job: the run's name.
pub const BACKUP_RUN: &str = "citychain.dev/backup-run";
/// On a Chain: `validator-<n>=<uid of its volume>`, which is to be thrown away. Set and taken back by a ChainRestore.
pub const RESYNC: &str = "citychain.dev/resync";
/// On a drill's Job: the highest block that it must find as the city chain has it.
pub const ANCHORED: &str = "citychain.dev/anchored-height";
/// The value of [`APP_NAME`] on whatever belongs to a ChainBackup.
pub const CHAIN_BACKUP: &str = "chain-backup";
/// On the Job of a chain's final backup: the uid of the Chain that is deleted.
pub const FINAL_OF: &str = "citychain.dev/final-of";
/// On a ChainBackup: whenever it says something new, a backup is made at once.
pub const BACKUP_NOW: &str = "citychain.dev/backup-now";
/// On a ChainBackup: whenever it says something new, the newest backup is drilled at once.
pub const DRILL_NOW: &str = "citychain.dev/drill-now";

/// On a namespace: the uid of the Tenant that it was made for. A namespace without it is somebody else's.
pub const TENANT_UID: &str = "citychain.dev/tenant-uid";
/// `delete`: volumes, keys and genesis go with their chain; otherwise they are kept.
pub const RETENTION: &str = "citychain.dev/retention";
/// `skip` on a Chain: it is deleted without a final backup.
pub const FINAL_BACKUP: &str = "citychain.dev/final-backup";
/// `true`: the operator observes and reports, and changes nothing.
pub const PAUSE: &str = "citychain.dev/pause";

/// Keeps a Chain until its validators are stopped.
pub const CHAIN_FINALIZER: &str = "citychain.dev/chain";
/// Keeps a Tenant until its chains are gone.
pub const TENANT_FINALIZER: &str = "citychain.dev/tenant";

/// `<chain>-validator-<n>`: StatefulSet, Service, and the stem of a validator's other objects.
pub fn node(chain: &Name, validator: ValidatorName) -> String {
    format!("{chain}-{validator}")
}

/// What every object made for a tenant carries.
pub fn tenant_labels(tenant: &Name) -> BTreeMap<String, String> {
    labels([(MANAGED_BY, OPERATOR), (TENANT, tenant.as_str())])
}

/// What every object made for a chain carries.
pub fn chain_labels(tenant: &Name, chain: &Name) -> BTreeMap<String, String> {
    labels([
        (APP_NAME, CHAIN_NODE),
        (APP_INSTANCE, chain.as_str()),
        (MANAGED_BY, OPERATOR),
        (TENANT, tenant.as_str()),
        (CHAIN, chain.as_str()),
    ])
}

/// What every object made for one validator carries.
pub fn validator_labels(tenant: &Name, chain: &Name, validator: ValidatorName) -> BTreeMap<String, String> {
    let mut labels = chain_labels(tenant, chain);
    labels.insert(VALIDATOR.to_owned(), validator.to_string());
    labels
}

/// What every object made for a ChainBackup carries.
pub fn backup_labels(tenant: &Name, chain: &Name, backup: &Name) -> BTreeMap<String, String> {
    labels([
        (APP_NAME, CHAIN_BACKUP),
        (APP_INSTANCE, backup.as_str()),
        (MANAGED_BY, OPERATOR),
        (TENANT, tenant.as_str()),
        (BACKUP_OF, chain.as_str()),
        (BACKUP, backup.as_str()),
    ])
}

fn labels<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
