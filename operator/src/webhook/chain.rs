//! May a Chain be made, changed or deleted so? The arithmetic is `chain-plan`'s; here are its facts and the order of questions.

use chain_plan::{Observed, ValidChain, validate_change};
use kube::{
    api::DynamicObject,
    core::admission::{AdmissionRequest, Operation},
};
use operator_api::{Chain, ChainSpec, Name, Tenant};

use super::{Judgement, Refusal, is_confirmed, observe, parsed};
use crate::{
    city::{self, Surroundings},
    context::Shared,
    objects::names,
};

pub async fn judge(context: &Shared, request: &AdmissionRequest<DynamicObject>) -> Judgement {
    if request.operation == Operation::Delete {
        return Ok(request.old_object.as_ref().map_or(Ok(()), deletion));
    }
    let (new, home) = match (parsed::<ChainSpec>(request.object.as_ref()), request.namespace.as_deref()) {
        (Err(refusal), _) => return Ok(Err(refusal)),
        (Ok(new), Some(namespace)) => match home(&new, namespace) {
            Err(refusal) => return Ok(Err(refusal)),
            Ok(home) => (new, home),
        },
        (Ok(_), None) => return Ok(Err(Refusal("a Chain lives in its tenant's namespace".to_owned()))),
    };
    let tenant = match city::tenant(&context.client, &home).await? {
        Some(Ok(tenant)) => tenant,
        Some(Err(reason)) => return Ok(Err(Refusal(format!("tenant `{home}` cannot be read: {reason}")))),
        None => return Ok(Err(no_tenant(&home))),
    };
    let chains = city::chains_around(&context.client, &home, new.name()).await?;
    let around = Surroundings::of(new.name(), &tenant, &chains, &context.config.city.name, context.config.versions());
    let old = match (&request.operation, parsed::<ChainSpec>(request.old_object.as_ref())) {
        (Operation::Update, Ok(old)) => Some(old),
        // What could not be read before is made good by what can.
        _ => None,
    };
    let observed = match &old {
        Some(old) => observe::now(context, old).await?,
        None => Observed::default(),
    };
    Ok(decide(&new, old.as_ref(), &tenant, &around, &observed))
}

/// The rule over the facts.
fn decide(
    new: &Chain,
    old: Option<&Chain>,
    tenant: &Tenant,
    around: &Surroundings,
    observed: &Observed,
) -> Result<(), Refusal> {
    if old.is_none() && tenant.metadata.deletion_timestamp.is_some() {
        let name = tenant.name();
        return Err(Refusal::new(
            "spec.tenant",
            format!("租户 {name} 正在删除"),
            format!("tenant `{name}` is being deleted"),
        ));
    }
    let created_ms = new.metadata.creation_timestamp.map_or(0, |at| at.ms());
    let valid = ValidChain::parse(new.name(), &new.spec, &around.context(created_ms)).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(|error| Refusal::of(&error.field, &error.reason).0).collect();
        Refusal(lines.join("; "))
    })?;
    let Some(old) = old else { return Ok(()) };
    let lenient = around.lenient(&old.spec);
    match ValidChain::parse(old.name(), &old.spec, &lenient.context(created_ms)) {
        Ok(before) => {
            validate_change(&before, &valid, observed).map_err(|refusal| Refusal::of(refusal.field, &refusal.reason))
        }
        // It never was a chain that could run, so no quorum is at stake.
        Err(_) => Ok(()),
    }
}

/// The tenant in whose namespace it is, which must be the one that it names.
fn home(chain: &Chain, namespace: &str) -> Result<Name, Refusal> {
    let named = &chain.spec.tenant;
    match names::tenant_of(namespace) {
        Some(tenant) if tenant == *named => Ok(tenant),
        _ => {
            let right = names::namespace(named);
            Err(Refusal::new(
                "spec.tenant",
                format!("租户 {named} 的链应建在命名空间 {right} 中，而不是 {namespace}"),
                format!("a chain of tenant `{named}` lives in the namespace `{right}`, not in `{namespace}`"),
            ))
        }
    }
}

fn no_tenant(tenant: &Name) -> Refusal {
    Refusal::new(
        "spec.tenant",
        format!("没有租户 {tenant}；请先创建它"),
        format!("there is no tenant `{tenant}`; make it first"),
    )
}

fn deletion(chain: &DynamicObject) -> Result<(), Refusal> {
    if is_confirmed(chain) {
        return Ok(());
    }
    let name = chain.metadata.name.as_deref().unwrap_or_default();
    let namespace = chain.metadata.namespace.as_deref().unwrap_or_default();
    let command = format!("kubectl annotate chain {name} -n {namespace} {}={name}", names::CONFIRM_DELETION);
    Err(Refusal::new(
        "metadata.annotations",
        format!("删除链须先确认：请运行 `{command}` 再删除（有备份计划的链会先做最后一次备份；数据卷与密钥默认保留）"),
        format!(
            "deleting a chain has to be confirmed: run `{command}` and delete again (its ChainBackups make a final backup first; \
             volumes and keys are kept by default)"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use chain_plan::{ObservedNode, Process};
    use operator_api::ValidatorState;

    use super::*;
    use crate::fixtures;

    fn live() -> ObservedNode {
        ObservedNode {
            process: Process::Running { pid: 1, since_ms: 0 },
            reachable: true,
            caught_up: true,
            able_to_vote: true,
            height: 9,
            ..ObservedNode::default()
        }
    }

    /// Four validators of which the first `up` are live.
    fn observed(up: u32) -> Observed {
        let nodes = (1..=4).filter_map(operator_api::ValidatorName::numbered);
        let seen =
            nodes.map(|name| (name, if u32::from(name.number()) <= up { live() } else { ObservedNode::default() }));
        Observed {
            nodes: seen.collect(),
            can_change_set: true,
            versions: fixtures::config().versions(),
            ..Observed::default()
        }
    }

    fn judged(change: impl Fn(&mut Chain), up: u32) -> Result<(), Refusal> {
        let old = fixtures::chain("notary", "main", 4);
        let mut new = old.clone();
        change(&mut new);
        let tenant = fixtures::tenant("notary");
        let chains = [old.clone(), fixtures::chain("health", "medical", 4)];
        let around =
            Surroundings::of(new.name(), &tenant, &chains, &"yunchuan".parse().unwrap(), fixtures::config().versions());
        decide(&new, Some(&old), &tenant, &around, &observed(up))
    }

    #[test]
    fn what_would_cost_the_quorum_is_refused_with_its_arithmetic() {
        let stop = |chain: &mut Chain| {
            chain.spec.validator_states.insert("validator-2".parse().unwrap(), ValidatorState::Stopped);
        };
        assert_eq!(judged(stop, 4), Ok(()));
        let Refusal(reason) = judged(stop, 3).unwrap_err();
        assert!(reason.contains("4 validators, 1 down, quorum 3: stopping validator-2 leaves 2"), "{reason}");
        assert!(reason.contains("验证者"), "{reason}");
    }

    /// What is changed and what the sentence must say.
    #[test]
    fn each_mistake_is_refused_with_its_field() {
        type Change = fn(&mut Chain);
        let mistakes: [(Change, &str); 6] = [
            (|chain| chain.spec.validators.count = Some(2), "spec.validators.count: must be 4 to"),
            (
                |chain| chain.spec.version = "9.9.9".parse().unwrap(),
                "node version 9.9.9 is not available here; available: 0.1.0",
            ),
            (
                |chain| chain.spec.resources.storage_gib = 5,
                "Storage only grows: it is 10 GiB and cannot shrink to 5 GiB",
            ),
            (|chain| chain.spec.heartbeat_ms = 5_000, "spec.heartbeatMs: This is part of genesis and never changes"),
            (|chain| chain.spec.resources.memory_mib = 1_000_000, "spec.resources.memoryMib: must lie between"),
            (|chain| chain.spec.validators.count = Some(17), "the tenant's quota is 16 validators"),
        ];
        for (change, sentence) in mistakes {
            let Refusal(reason) = judged(change, 4).unwrap_err();
            assert!(reason.contains(sentence), "{sentence}: {reason}");
        }
    }

    #[test]
    fn a_name_that_another_tenant_has_is_taken() {
        let new = fixtures::chain("notary", "medical", 4);
        let tenant = fixtures::tenant("notary");
        let chains = [fixtures::chain("health", "medical", 4)];
        let around =
            Surroundings::of(new.name(), &tenant, &chains, &"yunchuan".parse().unwrap(), fixtures::config().versions());
        let Refusal(reason) = decide(&new, None, &tenant, &around, &Observed::default()).unwrap_err();
        assert!(reason.contains("tenant health already has a chain `medical`"), "{reason}");
    }

    #[test]
    fn a_lowered_quota_or_a_vanished_version_does_not_lock_a_chain_up() {
        let old = fixtures::chain("notary", "main", 4);
        let mut wider = old.clone();
        wider.spec.public_reads = true;
        let tenant = fixtures::tenant("notary");
        let versions = ["0.1.0".parse().unwrap()].into();
        let around =
            Surroundings::of(old.name(), &tenant, std::slice::from_ref(&old), &"yunchuan".parse().unwrap(), versions);
        let mut before = old.clone();
        before.spec.version = "0.0.9".parse().unwrap();
        assert_eq!(decide(&wider, Some(&before), &tenant, &around, &observed(4)), Ok(()));
    }
}
