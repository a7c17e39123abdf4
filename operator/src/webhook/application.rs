//! May an Application be made or changed so? Admission is all that the operator does about applications: the console installs
//! them. Whether the template exists and its answers fit is the console's to say, in the steps of the status.

use kube::{
    api::DynamicObject,
    core::admission::{AdmissionRequest, Operation},
};
use operator_api::{Application, ApplicationSpec, Chain, Tenant};

use super::{Judgement, Refusal, parsed};
use crate::{city, context::Shared, objects::names};

pub async fn judge(context: &Shared, request: &AdmissionRequest<DynamicObject>) -> Judgement {
    if request.operation == Operation::Delete {
        return Ok(Ok(()));
    }
    let new = match parsed::<ApplicationSpec>(request.object.as_ref()) {
        Ok(new) => new,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let old = parsed::<ApplicationSpec>(request.old_object.as_ref()).ok();
    let namespace = request.namespace.as_deref().unwrap_or_default();
    let Some(home) = names::tenant_of(namespace) else { return Ok(Err(not_a_tenants(namespace))) };
    let tenant = match city::tenant(&context.client, &home).await? {
        Some(Ok(tenant)) => tenant,
        Some(Err(_)) | None => return Ok(Err(not_a_tenants(namespace))),
    };
    let chains = city::chains_of(&context.client, &home).await?;
    Ok(decide(&new, old.as_ref(), &tenant, &chains))
}

fn decide(new: &Application, old: Option<&Application>, tenant: &Tenant, chains: &[Chain]) -> Result<(), Refusal> {
    let spec = &new.spec;
    if let Some(old) = old {
        let fixed =
            [("spec.chain", old.spec.chain != spec.chain), ("spec.template", old.spec.template != spec.template)];
        if let Some((field, _)) = fixed.into_iter().find(|(_, changed)| *changed) {
            return Err(Refusal::new(
                field,
                "安装后不能更改；需要不同的值请新建一个应用",
                "this never changes; for another value make a new application",
            ));
        }
    }
    let (name, chain) = (tenant.name(), &spec.chain);
    if !chains.iter().any(|found| found.name() == chain) {
        return Err(Refusal::new(
            "spec.chain",
            format!("租户 {name} 没有名为 {chain} 的链"),
            format!("tenant `{name}` has no chain `{chain}`"),
        ));
    }
    if !tenant.spec.organisations.iter().any(|organisation| organisation.id == spec.owner) {
        let owner = &spec.owner;
        return Err(Refusal::new(
            "spec.owner",
            format!("{owner} 不是租户 {name} 的机构"),
            format!("`{owner}` is not an organisation of tenant `{name}`"),
        ));
    }
    Ok(())
}

fn not_a_tenants(namespace: &str) -> Refusal {
    Refusal::new(
        "metadata.namespace",
        format!("{namespace} 不是租户的命名空间；应用应建在其链所在的命名空间中"),
        format!("`{namespace}` is no tenant's namespace; an application lives beside its chain"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn application(chain: &str, template: &str, owner: &str) -> Application {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "citychain.dev/v1alpha1", "kind": "Application", "metadata": {"name": "a"},
            "spec": {"chain": chain, "template": template, "version": "1.0.0", "owner": owner},
        }))
        .unwrap()
    }

    #[test]
    fn an_application_stands_on_a_chain_of_its_tenant() {
        let tenant = fixtures::tenant("notary");
        let chains = [fixtures::chain("notary", "main", 4), fixtures::chain("notary", "other", 4)];
        let right = application("main", "some", "court");
        assert_eq!(decide(&right, None, &tenant, &chains), Ok(()));
        for (new, old, sentence) in [
            (application("medical", "some", "court"), None, "tenant `notary` has no chain `medical`"),
            (application("main", "some", "police"), None, "`police` is not an organisation of tenant `notary`"),
            (application("other", "some", "court"), Some(&right), "spec.chain: this never changes"),
            (application("main", "another", "court"), Some(&right), "spec.template: this never changes"),
        ] {
            let Refusal(reason) = decide(&new, old, &tenant, &chains).unwrap_err();
            assert!(reason.contains(sentence), "{reason}");
        }
    }
}
