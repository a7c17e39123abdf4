//! One chain's loop: observe → `chain_plan::next` → carry out → report. Nothing is remembered that a restart would miss, and every
//! decision is the plan's.

use super::addresses::Numbers;
use super::hands::Hands;
use super::home::{self, Home};
use super::{keys, process};
use crate::app::App;
use crate::chains::report::gone;
use crate::chains::spec::{field_in_words, parse};
use crate::chains::{Entry, View, console_name, member_token_hash};
use crate::time::now_ms;
use chain_plan::{Keys, Observed, ValidChain, chain_status, next, plan, validate_change};
use operator_api::cluster::ROTATE_KEYS;
use operator_api::{Chain, ChainPhase, ChainStatus, Name, Text, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Runs until the console stops or the chain is deleted. Its nodes go on.
pub async fn run(app: App, home: Home, entry: Arc<Entry>, numbers: Arc<Numbers>) {
    let stopping = app.stopping.clone();
    let mut hands = match Hands::new(app.clone(), home, entry.clone(), numbers) {
        Ok(hands) => hands,
        Err(error) => {
            tracing::error!(chain = %entry.name, "{error:#}");
            let mut view = (*entry.view()).clone();
            view.problems = vec![Text::same(format!("{error:#}"))];
            entry.set(view);
            return;
        }
    };
    if let Some(status) = remembered(&hands) {
        let observed = Observed::remembered(&status);
        hands.self_check = observed.self_check.clone();
        let view = View { status, observed, ..(*entry.view()).clone() };
        entry.set(view);
    }
    loop {
        match hands.pass().await {
            Pass::Deleted => return,
            Pass::Again(pause) => tokio::select! {
                () = stopping.cancelled() => return,
                () = entry.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            },
        }
    }
}

/// The status that the console before reported.
fn remembered(hands: &Hands) -> Option<ChainStatus> {
    home::read_json(&hands.home.status(&hands.chain)).unwrap_or_else(|error| {
        // Rebuildable: the next look fills it.
        tracing::warn!(%error, "a status file doesn't fit and is ignored");
        None
    })
}

enum Pass {
    Again(Duration),
    Deleted,
}

impl Hands {
    async fn pass(&mut self) -> Pass {
        self.trouble = None;
        let mut problems = Vec::new();
        let before = self.entry.view();
        let object = match self.object() {
            Ok(object) => object.or_else(|| before.object.clone()),
            Err(problem) => {
                problems.push(problem);
                before.object.clone()
            }
        };
        if object.as_ref().is_some_and(|object| object.metadata.deletion_timestamp.is_some()) {
            return self.delete().await;
        }
        self.read_keys(object.as_ref()).await;
        let mut observed = self.look().await;
        observed.follow(&before.observed);
        // One that cannot be asked has not lost its blocks.
        for (name, node) in observed.nodes.iter_mut().filter(|(_, node)| !node.reachable) {
            node.height = before.observed.node(*name).height;
        }
        problems.extend(object.as_ref().and_then(keys_stay));
        let valid = self.accept(object.as_ref(), before.valid.as_ref(), &observed, &mut problems);
        let incidents = self.incidents(&before, &observed).await;
        let status = before.status.clone();
        let mut view = View { object, valid, observed, problems, incidents, status, ..View::default() };
        let acted = self.act(&mut view).await;
        view.problems.extend(self.trouble.clone());
        let phase = view.status.phase;
        self.report(view).await;
        self.look_after_logs();
        Pass::Again(pause(acted, phase))
    }

    /// Plans, does what may be done now, and judges.
    async fn act(&mut self, view: &mut View) -> bool {
        let Some(valid) = &view.valid else { return false };
        let founded = self.founded().cloned();
        let plan = plan(valid, &self.keys, &self.addresses(), founded.as_ref());
        let mut acted = false;
        for action in next(&plan, &view.observed) {
            match self.carry_out(&plan, &action).await {
                Ok(done) => {
                    acted |= done;
                    if done {
                        self.event_of(&action).await;
                    }
                }
                // The first failure ends the pass: what follows may rest on it.
                Err(error) => {
                    tracing::warn!(chain = %self.chain, "{error:#}");
                    let sentence = action.sentence();
                    self.trouble = Some(Text::new(
                        format!("未能完成：{}原因：{error:#}。稍后自动重试。", sentence.zh),
                        format!("Couldn't do this: {} Reason: {error:#}. It is tried again by itself.", sentence.en),
                    ));
                    break;
                }
            }
        }
        view.observed.self_check = self.self_check.clone();
        let generation = view.object.as_ref().map_or(1, |object| object.metadata.generation);
        view.status = chain_status(&plan, &view.observed, &view.status, generation);
        view.plan = Some(plan);
        acted
    }

    /// The object as the file has it now. A creation time that a person left out is written into the file, because it becomes
    /// genesis time and must not change.
    fn object(&mut self) -> Result<Option<Chain>, Text> {
        let path = self.home.chain_object(&self.chain);
        let Some(text) = home::read(&path).map_err(|error| home::in_words(&error))? else { return Ok(None) };
        let mut object: Chain =
            home::parse_object(&path, &self.chain, &text).map_err(|error| home::in_words(&error))?;
        if object.metadata.creation_timestamp.is_none() {
            let founded_ms = self.founded().map(|genesis| genesis.time_ms);
            object.metadata.creation_timestamp = Some(Time::from_ms(founded_ms.unwrap_or(now_ms().unsigned_abs())));
            let text = home::object_text(&object).map_err(|error| home::in_words(&error))?;
            home::write(&path, text.as_bytes()).map_err(|error| home::in_words(&error))?;
        }
        Ok(Some(object))
    }

    /// The spec in force: the file's, if it holds together and may be reached from the one before; else the one before.
    fn accept(
        &self,
        object: Option<&Chain>,
        before: Option<&ValidChain>,
        observed: &Observed,
        problems: &mut Vec<Text>,
    ) -> Option<ValidChain> {
        let valid = match parse(&self.app, object?) {
            Ok(valid) => valid,
            Err(errors) => {
                problems.extend(errors.iter().map(field_in_words));
                return before.cloned();
            }
        };
        let Some(before) = before.filter(|before| **before != valid) else { return Some(valid) };
        // Tenants' organisations are part of it; only what the chain's own spec says can be refused.
        match validate_change(before, &valid, observed) {
            Ok(()) => Some(valid),
            Err(refusal) => {
                problems.push(Text::new(
                    format!("对 {} 的更改未被采纳：{}", refusal.field, refusal.reason.zh),
                    format!("The change of {} is not taken: {}", refusal.field, refusal.reason.en),
                ));
                Some(before.clone())
            }
        }
    }

    async fn read_keys(&mut self, object: Option<&Chain>) {
        let tenant = object.and_then(|object| self.app.chains.city().tenants.get(&object.spec.tenant).cloned());
        let organisations: BTreeMap<Name, chain_types::PublicKey> = tenant
            .map(|tenant| tenant.status.organisations)
            .unwrap_or_default()
            .into_iter()
            .map(|published| (published.id, chain_types::PublicKey(published.public_key.0)))
            .collect();
        let hash = match member_token_hash(&self.app, &console_name(&self.chain)).await {
            Ok(hash) => vec![hash],
            Err(error) => {
                tracing::error!(%error, chain = %self.chain, "the chain's token couldn't be read");
                self.keys.token_hashes.clone()
            }
        };
        self.keys = Keys {
            steward: keys::steward(&self.home, &self.chain),
            organisations,
            nodes: keys::node_keys(&self.home, &self.chain),
            token_hashes: hash,
            used: BTreeSet::new(),
        };
    }

    fn look_after_logs(&self) {
        for node in self.home.validator_names(&self.chain) {
            if let Err(error) = process::rotate_log(&self.home.validator(&self.chain, node)) {
                tracing::warn!(%error, "a node's log couldn't be kept within bounds");
            }
        }
    }

    /// Ends the nodes, then moves the chain's folder aside: what was recorded stays until a person removes it.
    async fn delete(&mut self) -> Pass {
        let view = View { deleting: true, ..(*self.entry.view()).clone() };
        self.report(view).await;
        let result = async {
            self.stop_all().await?;
            let place = self.home.deleted().join(format!("{}-{}", self.chain, now_ms()));
            home::make_folder(&self.home.deleted())?;
            std::fs::rename(self.home.chain(&self.chain), &place)?;
            home::sync_folder(&self.home.chains())?;
            self.numbers.release(&self.chain)
        }
        .await;
        if let Err(error) = result {
            tracing::error!(chain = %self.chain, "the chain couldn't be deleted: {error:#}");
            return Pass::Again(Duration::from_secs(2));
        }
        self.app.chains.remove(&self.chain);
        gone(&self.app, &self.entry);
        Pass::Deleted
    }
}

/// New keys are asked for, which only the operator of a cluster makes.
fn keys_stay(object: &Chain) -> Option<Text> {
    object.metadata.annotations.contains_key(ROTATE_KEYS).then(|| {
        Text::new(
            format!("单机上的控制台不更换验证者密钥，只有集群的 operator 会做；请去掉注解 {ROTATE_KEYS}。"),
            format!(
                "A console on one machine does not replace validators' keys, only a cluster's operator does: take the annotation \
                 {ROTATE_KEYS} off."
            ),
        )
    })
}

/// How long until the next look: short while something moves.
fn pause(acted: bool, phase: ChainPhase) -> Duration {
    match (acted, phase) {
        (true, _) => Duration::from_millis(60),
        (false, ChainPhase::Healthy | ChainPhase::Idle | ChainPhase::Stopped) => Duration::from_secs(1),
        (false, ChainPhase::Provisioning | ChainPhase::Starting) => Duration::from_millis(150),
        (false, _) => Duration::from_millis(500),
    }
}
