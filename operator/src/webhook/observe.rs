//! The chain as it is at this moment, for the arithmetic of a change: every node is asked at once and has little time, because
//! a person waits for the answer. What cannot be asked counts as down, so the answer errs towards refusing.

use chain_client::Node;
use chain_plan::{Observed, Process};
use chain_types::api::Status;
use futures::future::join_all;
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use operator_api::{Chain, Name, ValidatorName};

use crate::{clock::now_ms, context::Shared, objects::names};

pub async fn now(context: &Shared, chain: &Chain) -> kube::Result<Observed> {
    let status = chain.status.clone().unwrap_or_default();
    let mut observed = Observed::remembered(&status);
    observed.now_ms = now_ms();
    observed.versions = context.config.versions();
    observed.can_change_set = has_steward(context, &chain.spec.tenant, chain.name()).await?;
    let rows: Vec<ValidatorName> = status.validators.iter().map(|row| row.name).collect();
    let answers = join_all(rows.iter().map(|name| ask(context, chain, *name))).await;
    for (name, answer) in rows.into_iter().zip(answers) {
        // Another chain at that address says nothing about this one.
        let ours =
            |answer: &Status| status.fingerprint.as_ref().is_none_or(|ours| *ours == answer.fingerprint.to_string());
        let Some(answer) = answer.filter(ours) else { continue };
        observed.nodes.entry(name).or_default().process = Process::Running { pid: answer.pid, since_ms: 0 };
        observed.heard(name, &answer);
    }
    Ok(observed)
}

async fn ask(context: &Shared, chain: &Chain, validator: ValidatorName) -> Option<Status> {
    let address = context.config.node_api(&chain.spec.tenant, chain.name(), validator);
    Node::at(&context.http, &address).status().await.ok()
}

/// Without the steward's key the voting set cannot be changed by the platform.
async fn has_steward(context: &Shared, tenant: &Name, chain: &Name) -> kube::Result<bool> {
    let secrets: Api<Secret> = Api::namespaced(context.client.clone(), &names::namespace(tenant));
    Ok(secrets.get_metadata_opt(&format!("{chain}-steward")).await?.is_some())
}
