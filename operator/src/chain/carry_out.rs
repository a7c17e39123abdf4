//! Carries out what `chain_plan::next` says, one function an action. Decides nothing; every action may be carried out twice, and a crash
//! between two calls leaves what the next look finds and goes on from.

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow, bail};
use chain_client::{Client as ChainClient, Node, SetChanges, node::endpoints};
use chain_plan::{Action, Keys, Observed, Plan, PlannedNode, Process, quorum::Act, self_check, situation::Situation};
use chain_types::{Genesis, PublicKey, membership::Change as SetChange};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, Pod, Service},
};
use kube::{
    Resource,
    api::{Api, DeleteParams, Patch, PatchParams, Preconditions},
};
use operator_api::ValidatorName;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{
    ask::{self, Heard},
    facts::Facts,
    fetch::Children,
    keys, lasting,
    resources::{Place, config_map, stateful_set},
    resync::Resync,
    rotation, upkeep,
};
use crate::{
    clock::now_ms,
    context::Context,
    objects::{Change, Child, is_conflict, is_not_found, names},
};

/// What actions need to know and may change.
pub struct Hands<'a> {
    pub context: &'a Context,
    pub place: &'a Place,
    pub plan: &'a Plan,
    pub keys: &'a Keys,
    pub founded: Option<&'a Genesis>,
    pub children: &'a Children,
    pub facts: &'a Facts,
    /// Nodes that answered at this look.
    pub reachable: Vec<ValidatorName>,
    /// The consensus keys of the voting set, empty while nobody has said it.
    pub voting_keys: BTreeSet<PublicKey>,
    /// Some node holds a transaction that waits for a block.
    pub pending: bool,
    /// Whose volume goes when it is restarted.
    pub resync: Option<&'a Resync>,
    pub heard: &'a mut Heard,
    pub set_changes: &'a mut SetChanges,
    pub self_check: &'a mut Option<chain_plan::SelfCheck>,
}

impl Hands<'_> {
    /// Whether anything was done: a wait is nothing, and neither is what is done already.
    pub async fn carry_out(&mut self, action: &Action) -> anyhow::Result<bool> {
        let client = &self.context.client;
        match action {
            Action::CreateNodeKeys { node, organisation } => {
                keys::create_node_keys(client, self.place, *node, organisation).await
            }
            Action::CreateStewardKey => keys::create_steward(client, self.place).await,
            Action::CreateNextKeys { node } => rotation::begin(client, self.place, self.plan, *node).await,
            Action::EndRotation { node } => {
                let next = self.planned(*node)?.next_keys.as_ref().context("keys that take over have waited")?;
                rotation::end(client, self.place, self.plan, *node, next.consensus_key).await
            }
            Action::WriteGenesis { genesis } => self.write_genesis(genesis).await,
            Action::WriteConfig { node, config } => {
                self.ensure(&Child::of(&config_map::config(self.place, *node, &config.text))?).await
            }
            Action::ReloadConfig { node } => self.reload(*node).await,
            Action::Start { node, .. } => self.start(*node).await,
            Action::ForgetExit { node } | Action::Stop { node, .. } => self.scale_down(*node).await,
            Action::Restart { node, .. } => self.restart(*node).await,
            Action::StopChain { nodes } => {
                // All at once, so that none waits alone for the others.
                let stopped = futures::future::try_join_all(nodes.iter().map(|node| self.scale_down(*node))).await?;
                Ok(stopped.into_iter().any(|stopped| stopped))
            }
            Action::VoteIn { node, .. } => {
                let change = self.keys.joining(*node).context("a validator that joins has its keys")?;
                self.change_set(&change).await
            }
            Action::VoteOut { node, .. } => {
                let change = self.keys.leaving(*node, self.founded, &self.voting_keys);
                let change = change.context("a validator that leaves has a key")?;
                self.change_set(&change).await
            }
            Action::Rotate { validator, keys, .. } => {
                let change = SetChange::Rotate { validator: *validator, keys: keys.clone() };
                self.change_set(&change).await
            }
            Action::SetAside { node } => self.set_aside(*node).await,
            Action::SelfCheck => self.check_itself().await,
            Action::Wait { .. } => Ok(false),
        }
    }

    fn planned(&self, node: ValidatorName) -> anyhow::Result<&PlannedNode> {
        self.plan.node(node).context("what is acted upon is planned")
    }

    async fn ensure(&self, child: &Child) -> anyhow::Result<bool> {
        Ok(child.ensure(&self.context.client, self.children.of(child)).await? != Change::None)
    }

    /// Never over an existing one: a chain is its genesis.
    async fn write_genesis(&self, genesis: &Genesis) -> anyhow::Result<bool> {
        genesis.check()?;
        let wanted = config_map::genesis(self.place, genesis)?;
        let api: Api<ConfigMap> = self.api();
        match api.create(&kube::api::PostParams::default(), &wanted).await {
            Ok(_) => Ok(true),
            Err(error) if is_conflict(&error) => bail!("there is a genesis already and it is not overwritten"),
            Err(error) => Err(error.into()),
        }
    }

    /// Brings the template up to date and has the set make its pod. A pod whose process does not run goes, or the kubelet would try it
    /// on as it was.
    async fn start(&self, node: ValidatorName) -> anyhow::Result<bool> {
        let child = upkeep::set(self.context, self.place, self.planned(node)?, true, self.children)?;
        let changed = self.ensure(&child).await?;
        Ok(self.delete_pod(node).await? || changed)
    }

    /// The template first: the pod that comes after the old one is made from it. A crash between the two leaves a running pod that is
    /// outdated still, and it is restarted by the next pass.
    async fn restart(&self, node: ValidatorName) -> anyhow::Result<bool> {
        let child = upkeep::set(self.context, self.place, self.planned(node)?, true, self.children)?;
        self.ensure(&child).await?;
        self.drop_volume(node).await?;
        self.delete_pod(node).await
    }

    /// Before its pod: the volume is kept by Kubernetes until the pod has ended, and the set makes the next pod only with another.
    async fn drop_volume(&self, node: ValidatorName) -> kube::Result<()> {
        match self.resync.filter(|resync| resync.validator == node) {
            Some(resync) => {
                let claim = stateful_set::claim_name(self.place, node);
                resync.drop_volume(&self.context.client, self.place, &claim).await?;
                self.drop_set(node).await
            }
            None => Ok(()),
        }
    }

    /// What only a cluster needs, beside what is planned.
    pub async fn beside_the_plan(&self, observed: &Observed) -> anyhow::Result<bool> {
        let brought = rotation::bring(&self.context.client, self.place, self.plan, self.facts).await?;
        Ok(self.resync_ended(observed).await? || brought)
    }

    /// With a volume that goes, where the next one shall have another size or class: a set's claim template never changes. Its pod
    /// goes with it, and what starts the validator then makes the set as it is asked for now.
    async fn drop_set(&self, node: ValidatorName) -> kube::Result<()> {
        let changed = |node: &PlannedNode| upkeep::claims_otherwise(self.context, self.place, node, self.children);
        match self.plan.node(node).is_some_and(changed) {
            true => self.delete::<StatefulSet>(&names::node(&self.place.chain, node)).await,
            false => Ok(()),
        }
    }

    /// A validator whose process has ended for good is not restarted by anybody: what it could not start with is replaced. Nothing
    /// is taken from the quorum, but the others must be able to give it its data.
    async fn resync_ended(&self, observed: &Observed) -> anyhow::Result<bool> {
        let Some(node) = self.resync.map(|resync| resync.validator) else { return Ok(false) };
        if !matches!(observed.node(node).process, Process::Exited { .. }) {
            return Ok(false);
        }
        let situation = Situation::of(self.plan, observed);
        if !situation.without(&[node], Act::Restart(node)).holds() {
            return Ok(false);
        }
        self.drop_volume(node).await?;
        self.delete_pod(node).await
    }

    async fn delete_pod(&self, node: ValidatorName) -> anyhow::Result<bool> {
        let Some(pod) = self.facts.validators.get(&node).and_then(|facts| facts.pod.as_ref()) else { return Ok(false) };
        if pod.is_deleted {
            return Ok(false);
        }
        // Exactly the pod that was looked at: its successor has the same name.
        let exactly = Preconditions { uid: Some(pod.uid.clone()), resource_version: None };
        let api: Api<Pod> = self.api();
        let name = stateful_set::pod_name(self.place, node);
        match api.delete(&name, &DeleteParams::default().preconditions(exactly)).await {
            Ok(_) => Ok(true),
            Err(error) if is_not_found(&error) || is_conflict(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn scale_down(&self, node: ValidatorName) -> anyhow::Result<bool> {
        let set = self.facts.validators.get(&node).and_then(|facts| facts.set.as_ref());
        if set.is_none_or(|set| set.replicas == 0) {
            return Ok(false);
        }
        let api: Api<StatefulSet> = self.api();
        let patch = Patch::Merge(json!({"spec": {"replicas": 0}}));
        let how = PatchParams { field_manager: Some(names::OPERATOR.to_owned()), ..PatchParams::default() };
        api.patch(&names::node(&self.place.chain, node), &how, &patch).await?;
        Ok(true)
    }

    async fn reload(&self, node: ValidatorName) -> anyhow::Result<bool> {
        let config = self.planned(node)?.config.as_ref().context("a running node has a configuration")?;
        let token = keys::admin_token(&self.context.client, self.place, node).await?;
        let token = token.context("a running node has an admin token")?;
        let base = self.context.config.node_admin(&self.place.tenant, &self.place.chain, node);
        // With the text: the kubelet brings the file into the pod a minute later.
        let reloaded = Node::at(&self.context.http, &base).reload(&token, Some(config.text.clone())).await;
        reloaded.map_err(|reason| anyhow!("{node} did not reload its configuration: {reason}"))?;
        Ok(true)
    }

    async fn change_set(&mut self, change: &SetChange) -> anyhow::Result<bool> {
        let now = now_ms();
        if !self.set_changes.may_send(self.pending, now) {
            tracing::info!(chain = %self.place.chain, "the set is changed once nothing that was sent before can be on its way");
            return Ok(false);
        }
        let fingerprint = self.founded.context("a chain whose set changes is founded")?.fingerprint();
        let bases: Vec<String> = self
            .reachable
            .iter()
            .map(|node| self.context.config.node_api(&self.place.tenant, &self.place.chain, *node))
            .collect();
        let secrets = keys::steward(&self.context.client, self.place).await?;
        let (steward, token) = secrets.context("the steward's key is not there")?;
        let token = token.map(|token| token.as_str().to_owned());
        let client = ChainClient::new(endpoints(bases.iter().map(String::as_str)), fingerprint, token)?;
        let mut salt = [0; 8];
        getrandom::fill(&mut salt).map_err(|error| anyhow!("the system gives no randomness: {error}"))?;
        // The set is asked for anew, however high the chain is.
        self.heard.forget_voters();
        let committed = self.set_changes.send(&client, &steward, change, salt, now).await?;
        if let Some(refusal) = committed.refusal {
            bail!("the chain refused the change of the validators: {}", chain_types::manifest::sentence(&refusal).en);
        }
        Ok(true)
    }

    async fn check_itself(&mut self) -> anyhow::Result<bool> {
        let mut answers = Vec::new();
        for node in self_check::founders(self.plan) {
            let base = self.context.config.node_api(&self.place.tenant, &self.place.chain, node);
            let answer = Node::at(&self.context.http, &base).first_block().await;
            let asked_no_more = answer.is_err();
            answers.push(self_check::FirstBlock { node, answer });
            if asked_no_more {
                break;
            }
        }
        *self.self_check = Some(self_check::self_check(self.founded, &answers, now_ms()));
        Ok(true)
    }

    /// What runs goes; volume and keys stay, marked, until a person removes them. The chain is asked once more: a validator that votes
    /// is never parted from its keys.
    async fn set_aside(&self, node: ValidatorName) -> anyhow::Result<bool> {
        let keys = self.keys.nodes.get(&node).context("a validator that has left had keys")?;
        let mut asked = 0;
        for other in self.reachable.iter().filter(|other| **other != node) {
            if let Some(set) = ask::voters(self.context, self.place, *other).await {
                asked += 1;
                if set.iter().any(|key| keys.votes_with(key)) {
                    bail!("{other} still counts {node} among the voters");
                }
            }
        }
        if asked == 0 {
            bail!("no validator answers to say who votes");
        }
        // Marked first: a crash after that leaves a validator that is found again and set aside to its end.
        lasting::retain(&self.context.client, self.place, node).await?;
        let name = names::node(&self.place.chain, node);
        self.delete::<StatefulSet>(&name).await?;
        self.delete::<Service>(&name).await?;
        self.delete::<ConfigMap>(&config_map::config_name(&self.place.chain, node)).await?;
        Ok(true)
    }

    async fn delete<K>(&self, name: &str) -> kube::Result<()>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        match self.api::<K>().delete(name, &DeleteParams::background()).await {
            Err(error) if !is_not_found(&error) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.context.client.clone(), &self.place.namespace)
    }
}
