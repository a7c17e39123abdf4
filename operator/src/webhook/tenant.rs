//! May a Tenant be made, changed or deleted so? It must not take away what its chains stand on.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    api::{Api, DynamicObject},
    core::admission::{AdmissionRequest, Operation},
};
use operator_api::{Chain, Name, Tenant, TenantSpec};

use super::{Judgement, Refusal, parsed};
use crate::{city, context::Shared, objects::names};

pub async fn judge(context: &Shared, request: &AdmissionRequest<DynamicObject>) -> Judgement {
    let object = if request.operation == Operation::Delete { &request.old_object } else { &request.object };
    let tenant = match (parsed::<TenantSpec>(object.as_ref()), &request.operation) {
        (Ok(tenant), _) => tenant,
        // What cannot be read may go.
        (Err(_), Operation::Delete) => return Ok(Ok(())),
        (Err(refusal), _) => return Ok(Err(refusal)),
    };
    match request.operation {
        Operation::Create => {
            let namespaces: Api<Namespace> = Api::all(context.client.clone());
            let found = namespaces.get_metadata_opt(&names::namespace(tenant.name())).await?;
            let labelled = found.as_ref().map(|found| found.metadata.labels.clone().unwrap_or_default());
            Ok(creation(tenant.name(), labelled.map(|labels| labels.contains_key(names::TENANT))))
        }
        Operation::Delete => Ok(deletion(tenant.name(), &city::chains_of(&context.client, tenant.name()).await?)),
        _ => Ok(change(&tenant, &city::chains_of(&context.client, tenant.name()).await?)),
    }
}

/// `ours`: whether the namespace, if there is one, was made for a tenant.
fn creation(name: &Name, ours: Option<bool>) -> Result<(), Refusal> {
    if ours != Some(false) {
        return Ok(());
    }
    let namespace = names::namespace(name);
    Err(Refusal::new(
        "metadata.name",
        format!("命名空间 {namespace} 已存在，且不是为租户建立的；请换一个租户名"),
        format!("the namespace `{namespace}` exists and was not made for a tenant; choose another name"),
    ))
}

fn deletion(name: &Name, chains: &[Chain]) -> Result<(), Refusal> {
    if chains.is_empty() {
        return Ok(());
    }
    let listed: Vec<&str> = chains.iter().map(|chain| chain.name().as_str()).collect();
    let (count, listed) = (chains.len(), listed.join(", "));
    Err(Refusal::new(
        "metadata.name",
        format!("租户 {name} 还有 {count} 条链（{listed}）；请先删除它们"),
        format!("tenant `{name}` still has {count} chain(s): {listed}; delete them first"),
    ))
}

fn change(tenant: &Tenant, chains: &[Chain]) -> Result<(), Refusal> {
    let (used, quota) = (city::used(chains), tenant.spec.quota);
    let rows = [
        ("spec.quota.chains", "链", "chains", used.chains, quota.chains),
        ("spec.quota.validators", "验证者", "validators", used.validators, quota.validators),
        ("spec.quota.storageGib", "GiB 存储", "GiB of storage", used.storage_gib, quota.storage_gib),
    ];
    for (field, zh, en, used, allowed) in rows {
        if used > allowed {
            return Err(Refusal::new(
                field,
                format!("已用 {used} {zh}，配额不能低于它（{allowed}）；请先减少用量"),
                format!("{used} {en} are in use, so the quota cannot be {allowed}; use less first"),
            ));
        }
    }
    let kept: BTreeSet<&Name> = tenant.spec.organisations.iter().map(|organisation| &organisation.id).collect();
    for chain in chains {
        if let Some((organisation, role)) = needed(chain).find(|(organisation, _)| !kept.contains(organisation)) {
            let name = chain.name();
            return Err(Refusal::new(
                "spec.organisations",
                format!("机构 {organisation} 在链 {name} 上担任 {role}，不能移除"),
                format!("organisation `{organisation}` is {role} of chain `{name}` and cannot be removed"),
            ));
        }
    }
    Ok(())
}

/// Who a chain cannot do without, and as what.
fn needed(chain: &Chain) -> impl Iterator<Item = (&Name, String)> {
    let running = chain.status.iter().flat_map(|status| &status.validators);
    let running = running.map(|row| (&row.organisation, row.name.to_string()));
    let shares = chain.spec.validators.organisations.iter().map(|share| (&share.organisation, "validator".to_owned()));
    let operator = chain.spec.operator.iter().map(|operator| (operator, "operator".to_owned()));
    running.chain(shares).chain(operator)
}

#[cfg(test)]
mod tests {
    use operator_api::{ChainStatus, Text, ValidatorRow, ValidatorState};

    use super::*;
    use crate::fixtures;

    fn refused(change_of: impl Fn(&mut Tenant), sentence: &str) {
        let mut tenant = fixtures::tenant("notary");
        let mut chain = fixtures::chain("notary", "main", 4);
        let row = ValidatorRow {
            name: "validator-3".parse().unwrap(),
            organisation: "court".parse().unwrap(),
            organisation_title: Text::default(),
            desired: ValidatorState::Running,
            ready: true,
            voting: true,
            text: Text::default(),
            height: 1,
            version: None,
            pid: None,
            api: None,
            missing_since_ms: None,
            restarts: 0,
            keys_rotated_ms: None,
        };
        chain.status = Some(ChainStatus { validators: vec![row], ..ChainStatus::default() });
        assert_eq!(change(&tenant, std::slice::from_ref(&chain)), Ok(()));
        change_of(&mut tenant);
        let Refusal(reason) = change(&tenant, &[chain]).unwrap_err();
        assert!(reason.contains(sentence), "{sentence}: {reason}");
    }

    #[test]
    fn what_chains_stand_on_cannot_be_taken_away() {
        refused(|tenant| tenant.spec.quota.validators = 3, "spec.quota.validators: 4 validators are in use");
        refused(|tenant| tenant.spec.quota.storage_gib = 39, "40 GiB of storage are in use");
        refused(|tenant| tenant.spec.quota.chains = 0, "1 chains are in use");
        refused(|tenant| drop(tenant.spec.organisations.pop()), "organisation `court` is validator-3 of chain `main`");
    }

    #[test]
    fn a_tenant_with_chains_stays_and_a_foreign_namespace_is_not_taken() {
        let name: Name = "notary".parse().unwrap();
        let Refusal(reason) = deletion(&name, &[fixtures::chain("notary", "main", 4)]).unwrap_err();
        assert!(reason.contains("tenant `notary` still has 1 chain(s): main"), "{reason}");
        assert_eq!(
            (deletion(&name, &[]), creation(&name, None), creation(&name, Some(true))),
            (Ok(()), Ok(()), Ok(()))
        );
        assert!(creation(&name, Some(false)).unwrap_err().0.contains("the namespace `tenant-notary` exists"));
    }
}
