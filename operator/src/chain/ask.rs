//! What the nodes themselves say: each its own account, one of them the voting set. Asked afresh at every look; an answer that is not
//! of this validator of this chain counts as none.

use chain_client::Node;
use chain_plan::{Keys, Observed, Process, Voting};
use chain_types::{Genesis, PublicKey, api::Status};
use futures::future::join_all;
use operator_api::{Text, ValidatorName};

use super::{
    facts::{Container, Facts},
    fetch,
    observe::Answered,
    resources::Place,
};
use crate::{context::Context, objects::names};

/// A pod that stays away this long is asked about.
const NO_POD_AFTER_MS: u64 = 5_000;

/// What is remembered from one look to the next. All of it can be lost: the next look asks again.
#[derive(Default)]
pub struct Heard {
    pub answered: Answered,
    /// The voting set, in the chain's order, and the height at which it was asked for.
    voters: Option<(u64, Vec<PublicKey>)>,
}

impl Heard {
    /// The set is asked for anew, however high the chain is.
    pub fn forget_voters(&mut self) {
        self.voters = None;
    }
}

/// Completes `observed` with what the nodes say.
pub async fn nodes(
    context: &Context,
    place: &Place,
    (facts, keys, founded): (&Facts, &Keys, Option<&Genesis>),
    heard: &mut Heard,
    observed: &mut Observed,
) {
    let up: Vec<ValidatorName> =
        observed.nodes.iter().filter(|(_, seen)| seen.process.is_up()).map(|(name, _)| *name).collect();
    let answers = join_all(up.iter().map(|name| async {
        let base = context.config.node_api(&place.tenant, &place.chain, *name);
        Node::at(&context.http, &base).status().await
    }))
    .await;
    for (name, answer) in up.into_iter().zip(answers) {
        match answer {
            Ok(status) => take_in(facts, keys, founded, heard, observed, name, &status),
            Err(reason) => no_answer(observed, name, &reason),
        }
    }
    if let Some(voting) = voting(context, place, keys, founded, heard, observed).await {
        let steward = keys.steward.is_some() && founded.map(|genesis| genesis.steward) == keys.steward;
        observed.can_change_set = voting.whole && steward;
        (observed.voting_set, observed.voting_keys) = (Some(voting.names), Some(voting.keys));
    }
    observed.leader = leader(keys, heard, observed.height());
}

fn take_in(
    facts: &Facts,
    keys: &Keys,
    founded: Option<&Genesis>,
    heard: &mut Heard,
    observed: &mut Observed,
    name: ValidatorName,
    status: &Status,
) {
    let own = keys.nodes.get(&name).is_none_or(|keys| keys.votes_with(&status.consensus_key));
    let ours = founded.is_none_or(|genesis| genesis.fingerprint() == status.fingerprint);
    if !own || !ours {
        let seen = observed.nodes.entry(name).or_default();
        seen.error = Some(Text::new(
            "其地址上应答的是另一个节点；请检查它的 Service 与密钥",
            "another node answers at its address: check its Service and its keys",
        ));
        return;
    }
    let pod = facts.validators.get(&name).and_then(|validator| validator.pod.as_ref());
    if let Some((pod, Container::Running { since_ms })) = pod.map(|pod| (pod, &pod.container)) {
        heard.answered.insert(name, (pod.uid.clone(), *since_ms));
    }
    observed.heard(name, status);
}

/// A process that just starts has nothing to explain.
fn no_answer(observed: &mut Observed, name: ValidatorName, reason: &str) {
    let seen = observed.nodes.entry(name).or_default();
    if matches!(seen.process, Process::Running { .. }) && seen.error.is_none() {
        seen.error = Some(Text::same(reason.chars().filter(|c| !c.is_control()).take(160).collect::<String>()));
    }
}

/// The voting set, asked of a node that has the newest block whenever there are new ones.
async fn voting(
    context: &Context,
    place: &Place,
    keys: &Keys,
    founded: Option<&Genesis>,
    heard: &mut Heard,
    observed: &Observed,
) -> Option<Voting> {
    let height = observed.height();
    if heard.voters.as_ref().is_none_or(|(at, _)| *at != height) {
        let newest = |(_, seen): &(&ValidatorName, &chain_plan::ObservedNode)| {
            seen.reachable && seen.caught_up && seen.height == height
        };
        let (name, _) = observed.nodes.iter().find(newest)?;
        heard.voters = Some((height, voters(context, place, *name).await?));
    }
    let (_, set) = heard.voters.as_ref()?;
    Some(keys.voting(set, founded))
}

/// The consensus keys of the set that decides the next block, as this node has it.
pub async fn voters(context: &Context, place: &Place, name: ValidatorName) -> Option<Vec<PublicKey>> {
    let base = context.config.node_api(&place.tenant, &place.chain, name);
    Node::at(&context.http, &base).voters().await.ok()
}

/// Who proposes the next block, if everything goes well.
fn leader(keys: &Keys, heard: &Heard, height: u64) -> Option<ValidatorName> {
    let (_, set) = heard.voters.as_ref()?;
    let turn = (height + 1).checked_rem(u64::try_from(set.len()).ok()?)?;
    keys.names([set.get(usize::try_from(turn).ok()?)?]).into_iter().next()
}

/// A machine that is gone cannot say so of its pods: they seem to run and do not answer.
pub async fn explain_silent_pods(context: &Context, observed: &mut Observed) {
    for seen in observed.nodes.values_mut().filter(|seen| seen.process.is_up() && !seen.reachable) {
        let Some(machine) = seen.machine.as_deref() else { continue };
        if let Ok(Some(note)) = fetch::why_not_ready(&context.client, machine).await {
            let note: String = note.chars().filter(|c| !c.is_control()).take(240).collect();
            seen.error = Some(Text::new(
                format!("机器 {machine} 没有就绪：{note}；请恢复它，或从集群删除它"),
                format!("machine {machine} is not ready: {note}; bring it back, or delete it from the cluster"),
            ));
        }
    }
}

/// A pod that its set cannot make has no status to explain it; its set's events do.
pub async fn explain_absent_pods(context: &Context, place: &Place, facts: &Facts, observed: &mut Observed) {
    let now_ms = observed.now_ms;
    for (name, seen) in &mut observed.nodes {
        let Process::Preparing { since_ms } = seen.process else { continue };
        let has_pod = facts.validators.get(name).is_some_and(|validator| validator.pod.is_some());
        if has_pod || now_ms.saturating_sub(since_ms) < NO_POD_AFTER_MS {
            continue;
        }
        let set = names::node(&place.chain, *name);
        if let Ok(Some(note)) = fetch::why_no_pod(&context.client, &place.namespace, &set).await {
            let note: String = note.chars().filter(|c| !c.is_control()).take(240).collect();
            seen.error = Some(Text::new(
                format!("集群拒绝创建其 Pod：{note}"),
                format!("the cluster refuses to make its pod: {note}"),
            ));
        }
    }
}
