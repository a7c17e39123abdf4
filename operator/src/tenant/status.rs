//! What is said of a Tenant after a pass. Pure. Only the operator's fields: administrator keys and tokens are the console's.

use operator_api::{Condition, Tenant, Time, Usage, conditions, reason, set_condition};
use serde::Serialize;

use super::fetch::Found;
use crate::{city, objects::names};

/// The fields that the operator writes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub observed_generation: u64,
    pub conditions: Vec<Condition>,
    pub used: Usage,
}

/// How a pass ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The namespace and its guards are as they should be.
    Kept,
    /// The namespace is somebody else's.
    Foreign,
    /// It is being deleted and this many chains are still there.
    ChainsRemain(usize),
    /// It is being deleted, and volumes or keys of former chains are in its namespace.
    Retained { volumes: u32, keys: usize },
    /// It is being deleted, and these ChainBackups keep their runs in volumes of its namespace.
    BackupsInside(Vec<String>),
    /// It is being deleted and its namespace goes now.
    Leaving,
}

pub fn report(tenant: &Tenant, found: &Found, outcome: &Outcome, now_ms: u64) -> Report {
    let (ready, reason, message) = said(tenant, outcome);
    let mut conditions = tenant.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default();
    let condition = Condition {
        kind: conditions::READY.to_owned(),
        status: ready.into(),
        reason: reason.to_owned(),
        message,
        last_transition_time: Time::from_ms(now_ms / 1_000 * 1_000),
        observed_generation: tenant.metadata.generation,
    };
    set_condition(&mut conditions, condition);
    Report { observed_generation: tenant.metadata.generation, conditions, used: city::used(&found.chains) }
}

/// Whether what would be written is what stands there already.
pub fn is_written(tenant: &Tenant, report: &Report) -> bool {
    tenant.status.as_ref().is_some_and(|status| {
        status.observed_generation == report.observed_generation
            && status.conditions == report.conditions
            && status.used == report.used
    })
}

fn said(tenant: &Tenant, outcome: &Outcome) -> (bool, &'static str, String) {
    let namespace = names::namespace(tenant.name());
    match outcome {
        Outcome::Kept => {
            (true, reason::NAMESPACE_READY, format!("namespace {namespace} with its quota and policies is in place"))
        }
        Outcome::Foreign => (
            false,
            reason::NAMESPACE_FOREIGN,
            format!(
                "namespace {namespace} exists and belongs to somebody else; it is never adopted: remove it, or choose another \
                 name for the tenant"
            ),
        ),
        Outcome::ChainsRemain(count) => {
            (false, reason::CHAINS_REMAIN, format!("to be deleted once its {count} chain(s) are deleted"))
        }
        Outcome::Retained { volumes, keys } => (
            false,
            reason::VOLUMES_RETAINED,
            format!(
                "namespace {namespace} keeps {volumes} volume(s) and {keys} Secret(s) and genesis file(s) of former chains: delete \
                 what carries the label {}=true, or annotate the tenant with {}=delete",
                names::RETAINED,
                names::RETENTION
            ),
        ),
        Outcome::BackupsInside(backups) => (
            false,
            reason::BACKUPS_RETAINED,
            format!(
                "namespace {namespace} keeps backups in its volumes (ChainBackup {}): copy them elsewhere and delete these, or \
                 annotate the tenant with {}=delete",
                backups.join(", "),
                names::RETENTION
            ),
        ),
        Outcome::Leaving => (false, reason::DELETING, format!("namespace {namespace} is being deleted")),
    }
}
