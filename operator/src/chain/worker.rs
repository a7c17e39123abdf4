//! One chain's passes: fetch → validate → observe → plan → upkeep → carry out → status. What it holds between two passes can be lost:
//! the next operator starts from the objects and the status.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use chain_client::SetChanges;
use chain_plan::{Action, Keys, Observed, Plan, SelfCheck, ValidChain, next, plan, situation::Situation};
use kube::api::DynamicObject;
use operator_api::{Chain, ChainPhase, ChainSpec, ChainStatus, Text, ValidatorName};

use super::{
    ask::{self, Heard},
    carry_out::Hands,
    city::City,
    deletion::{self, Progress},
    facts::Facts,
    fetch::{self, Children},
    foundation::{self, Foundation},
    observe,
    report::{self, Written},
    resources::Place,
    resync::{self, Resync},
    rotation,
    status::{self, Notes},
    upkeep, validate,
    volumes::{self, Growth},
};
use crate::{
    clock::now_ms,
    context::{Context, Shared},
    events::Severity,
    objects::{self, add_finalizer, names, within},
};

/// Every child is read again after this long, even if nobody told of a change.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(300);
/// On the chain: restart, one by one, what an earlier operator made.
const RESTART_PENDING: &str = "citychain.dev/restart-pending";

/// What all chains share.
pub struct Common {
    pub context: Shared,
    pub city: RwLock<City>,
    /// The cluster knows ServiceMonitors.
    pub monitors: AtomicBool,
}

pub struct Worker {
    common: Arc<Common>,
    memory: Option<Memory>,
    /// Its validators are being ended for good.
    is_ending: bool,
}

/// What is remembered of a chain.
struct Memory {
    observed: Observed,
    accepted: Option<ValidChain>,
    status: ChainStatus,
    written: Written,
    facts: Facts,
    read_at: Option<Instant>,
    heard: Heard,
    set_changes: SetChanges,
    self_check: Option<SelfCheck>,
    /// What the last pass that read all children found: between two such passes it holds on.
    growth: Option<Growth>,
    pending_restart: Vec<ValidatorName>,
}

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    After(Duration),
    /// The chain is gone.
    Never,
}

/// What a look found.
struct Look {
    object: Chain,
    place: Place,
    /// Only a look that read all children may act.
    children: Option<Children>,
    keys: Keys,
    foundation: Foundation,
    observed: Observed,
    valid: Option<ValidChain>,
    notes: Notes,
}

impl Memory {
    fn from(status: Option<ChainStatus>) -> Self {
        let remembered = status.clone().unwrap_or_default();
        let observed = Observed::remembered(&remembered);
        Self {
            self_check: observed.self_check.clone(),
            observed,
            accepted: None,
            status: remembered,
            written: Written::found(status),
            facts: Facts::default(),
            read_at: None,
            heard: Heard::default(),
            set_changes: SetChanges::since(now_ms()),
            growth: None,
            pending_restart: Vec::new(),
        }
    }
}

impl Worker {
    pub fn new(common: Arc<Common>) -> Self {
        Self { common, memory: None, is_ending: false }
    }

    /// One pass over the object as the watch told it last. `touched`: some child has changed since the last pass.
    pub async fn pass(&mut self, object: &DynamicObject, touched: bool) -> anyhow::Result<Again> {
        let context = self.common.context.clone();
        let chain = match objects::parse::<ChainSpec>(object) {
            Ok(chain) => chain,
            Err(sentence) => return self.unreadable(object, &sentence).await,
        };
        let place = Place::of(&chain.spec.tenant, &chain.metadata);
        let foreign = chain.metadata.namespace.as_deref() != Some(place.namespace.as_str());
        let mut leaving = None;
        match (chain.metadata.deletion_timestamp, foreign) {
            // Nothing was ever made for it, and what has its name elsewhere is another chain.
            (Some(_), true) => return Ok(Again::Never),
            (Some(_), false) => match deletion::delete(&context, &place, &chain, object, self.is_ending).await? {
                Progress::Gone => return Ok(Again::Never),
                Progress::Ending => {
                    self.is_ending = true;
                    return Ok(Again::After(Duration::from_secs(1)));
                }
                Progress::Waits(why) => leaving = Some(why),
            },
            (None, true) => {}
            (None, false) => {
                let api = within::<ChainSpec>(&context.client, &place.namespace);
                add_finalizer(&api, object, names::CHAIN_FINALIZER).await?;
            }
        }
        let mut memory = self.memory.take().unwrap_or_else(|| Memory::from(chain.status.clone()));
        let outcome = self.reconcile(&context, &mut memory, chain, place, (touched, leaving)).await;
        self.memory = Some(memory);
        outcome.map(Again::After)
    }

    async fn reconcile(
        &self,
        context: &Context,
        memory: &mut Memory,
        object: Chain,
        place: Place,
        (touched, leaving): (bool, Option<Text>),
    ) -> anyhow::Result<Duration> {
        let old = memory.read_at.is_none_or(|at| at.elapsed() >= READ_AGAIN_AFTER);
        // Until its volume is gone, a validator that shall be restored may have to wait for the others.
        let resync = object.metadata.annotations.contains_key(names::RESYNC);
        let mut look = self.look(context, memory, &object, &place, touched || old || resync).await?;
        let mut plan = planned(&mut look);
        // What is decided from remembered children is decided again from fresh ones before anything is done.
        let acts = |plan: &Option<Plan>, look: &Look| {
            plan.as_ref().is_some_and(|plan| next(plan, &look.observed).iter().any(|action| !action.is_wait()))
        };
        if look.children.is_none() && !look.notes.paused && acts(&plan, &look) {
            look = self.look(context, memory, &object, &place, true).await?;
            plan = planned(&mut look);
        }
        let (mut acted, mut waits) = (false, false);
        if let Some(plan) = &plan {
            waits = next(plan, &look.observed).iter().any(Action::is_wait);
            if !look.notes.paused && look.foundation.problem(&place).is_none() {
                acted = self.act(context, memory, plan, &mut look).await;
            }
        }
        look.notes.leaving = leaving;
        let generation = look.object.metadata.generation;
        let status = match &plan {
            Some(plan) => {
                look.observed.self_check = memory.self_check.clone();
                status::status(plan, &look.observed, &memory.status, generation, &look.notes)
            }
            None => status::unplanned(&memory.status, look.observed.now_ms, generation, &look.notes),
        };
        let before = memory.written.phase();
        memory.written.write(context, &look.place, &status).await?;
        report::phase(context, &look.object.metadata, before, &status).await;
        report::mistake(context, &look.object.metadata, &memory.status, look.notes.mistake.as_ref()).await;
        let phase = status.phase;
        (memory.observed, memory.accepted, memory.status) = (look.observed, look.valid, status);
        let waits = waits || resync || look.notes.trouble.is_some() || look.notes.leaving.is_some();
        Ok(pause(acted, waits, phase))
    }

    /// Reads everything anew, or with `fresh` unset only what nodes say.
    async fn look(
        &self,
        context: &Context,
        memory: &mut Memory,
        object: &Chain,
        place: &Place,
        fresh: bool,
    ) -> anyhow::Result<Look> {
        let mut children = None;
        if fresh {
            let monitors = self.common.monitors.load(Ordering::Relaxed);
            let read = fetch::children(&context.client, &place.namespace, &place.chain, monitors).await?;
            (memory.facts, memory.read_at) = (Facts::of(&read), Some(Instant::now()));
            children = Some(read);
        }
        let facts = &memory.facts;
        let foundation = Foundation::of(facts, memory.status.fingerprint.as_deref());
        let foundation = if fresh { foundation.recovered(context, place, facts).await } else { foundation };
        let keys = self.keys(facts, object);
        let now = now_ms();
        let mut observed = observe::observed(facts, &memory.heard.answered, &memory.observed, now);
        observed.genesis = facts.genesis.as_ref().map(|genesis| genesis.fingerprint().to_string());
        observed.versions = context.config.versions();
        observed.self_check = memory.self_check.clone();
        ask::nodes(context, place, (facts, &keys, foundation.genesis()), &mut memory.heard, &mut observed).await;
        observed.follow(&memory.observed);
        for (name, node) in observed.nodes.iter_mut().filter(|(_, node)| !node.reachable) {
            // One that cannot be asked has not lost its blocks.
            node.height = memory.observed.node(*name).height;
        }
        ask::explain_absent_pods(context, place, facts, &mut observed).await;
        ask::explain_silent_pods(context, &mut observed).await;
        let accepted = {
            let city = self.common.city.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            let before = (memory.accepted.as_ref(), foundation.genesis().is_some());
            validate::accept(&context.config, &city, object, before, &observed)
        };
        let mut problems = accepted.problems;
        problems.extend(foundation.problem(place));
        let paused = object.metadata.annotations.get(names::PAUSE).is_some_and(|value| value == "true");
        let notes = Notes { problems, paused, ..Notes::default() };
        let (object, place) = (object.clone(), place.clone());
        Ok(Look { object, place, children, keys, foundation, observed, valid: accepted.chain, notes })
    }

    /// Upkeep, then what may be done now; the first failure ends it, because what follows may rest on it.
    async fn act(&self, context: &Context, memory: &mut Memory, plan: &Plan, look: &mut Look) -> bool {
        let voting: Vec<_> = Situation::of(plan, &look.observed).voting.into_iter().collect();
        look.notes.crowded = status::crowded(&memory.facts, &voting);
        let Some(children) = &look.children else {
            look.notes.growth = memory.growth.clone();
            look.notes.pending_restart = memory.pending_restart.clone();
            return false;
        };
        let monitors = self.common.monitors.load(Ordering::Relaxed);
        let both = (&memory.facts, children);
        let mut acted = match upkeep::upkeep(context, &look.place, plan, &look.observed, both, monitors).await {
            Ok(done) => {
                look.notes.growth = done.growth;
                done.changed
            }
            Err(error) => {
                look.notes.trouble =
                    Some(report::couldnt(&Text::new("维护链的对象", "Keep the chain's objects."), &error));
                return false;
            }
        };
        look.notes.pending_restart = upkeep::pending_restart(context, &look.place, plan, &memory.facts, children);
        let resync = Resync::asked(&look.object, &memory.facts);
        mark_restarts(plan, look, &memory.facts, resync.as_ref());
        memory.growth = look.notes.growth.clone();
        memory.pending_restart = look.notes.pending_restart.clone();
        if let (Some(genesis), None) = (look.foundation.genesis(), &memory.facts.genesis) {
            acted |= foundation::put_back(context, &look.place, genesis).await;
        }
        let Look { object, place, children: Some(children), keys, foundation, observed, notes, .. } = look else {
            return acted;
        };
        let mut hands = Hands {
            context,
            place,
            plan,
            keys,
            founded: foundation.genesis(),
            children,
            facts: &memory.facts,
            reachable: observed.nodes.iter().filter(|(_, seen)| seen.reachable).map(|(name, _)| *name).collect(),
            voting_keys: observed.voting_keys.clone().unwrap_or_default(),
            pending: observed.pending_since_ms.is_some(),
            resync: resync.as_ref(),
            heard: &mut memory.heard,
            set_changes: &mut memory.set_changes,
            self_check: &mut memory.self_check,
        };
        match hands.beside_the_plan(observed).await {
            Ok(done) => acted |= done,
            Err(error) => {
                let what =
                    Text::new("更换验证者的卷或送达新密钥。", "Replace a validator's volume, or bring it new keys.");
                notes.trouble = Some(report::couldnt(&what, &error));
            }
        }
        for action in next(plan, observed) {
            match hands.carry_out(&action).await {
                Ok(false) => {}
                Ok(true) => {
                    acted = true;
                    report::done(context, &object.metadata, &action).await;
                }
                Err(error) => {
                    let sentence = report::couldnt(&action.sentence(), &error);
                    tracing::warn!(chain = %place.chain, tenant = %place.tenant, "{error:#}");
                    report::tell(context, &object.metadata, Severity::Warning, "ActionFailed", &sentence.en).await;
                    notes.trouble = Some(sentence);
                    break;
                }
            }
        }
        acted
    }

    fn keys(&self, facts: &Facts, object: &Chain) -> Keys {
        let city = self.common.city.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let tenant = city.tenants.get(&object.spec.tenant);
        let set_aside = |name| facts.keys.retained.contains(name) && object.spec.retired.contains(name);
        let mut token_hashes: Vec<_> = facts.keys.member_token_hash.into_iter().collect();
        let console = tenant.and_then(|tenant| tenant.tokens.get(object.name().as_str()));
        token_hashes.extend(console.into_iter().flatten());
        let volumes = facts.validators.iter().filter(|(_, validator)| validator.volume.is_some());
        Keys {
            steward: facts.keys.steward,
            organisations: tenant.map(super::city::KnownTenant::organisations).unwrap_or_default(),
            nodes: facts
                .keys
                .nodes
                .iter()
                .filter(|(name, _)| !set_aside(name))
                .map(|(n, k)| (*n, k.clone()))
                .collect::<BTreeMap<_, _>>(),
            token_hashes,
            used: volumes.map(|(name, _)| *name).collect(),
        }
    }

    /// An object that its kind cannot read: the sentence names the field.
    async fn unreadable(&mut self, object: &DynamicObject, sentence: &str) -> anyhow::Result<Again> {
        let metadata = &object.metadata;
        let previous: ChainStatus = serde_json::from_value(object.data["status"].clone()).unwrap_or_default();
        let notes = Notes { problems: vec![Text::same(sentence)], ..Notes::default() };
        let generation = metadata.generation.and_then(|generation| u64::try_from(generation).ok()).unwrap_or(1);
        let told = status::unplanned(&previous, now_ms(), generation, &notes);
        if told != previous {
            let namespace = metadata.namespace.clone().unwrap_or_default();
            let api = within::<ChainSpec>(&self.common.context.client, &namespace);
            objects::patch_status(&api, metadata.name.as_deref().unwrap_or_default(), &told).await?;
        }
        // A new version of the object wakes it.
        Ok(Again::After(READ_AGAIN_AFTER))
    }
}

/// What only a cluster knows a reason to restart for: the plan gives each its turn.
fn mark_restarts(plan: &Plan, look: &mut Look, facts: &Facts, resync: Option<&Resync>) {
    let asked = look.object.metadata.annotations.get(RESTART_PENDING).is_some_and(|value| value == "true");
    let pending = look.notes.pending_restart.iter().filter(|_| asked).copied();
    let to_mount = volumes::to_mount_anew(plan, facts, look.observed.now_ms);
    for name in pending.chain(to_mount).chain(resync.map(|resync| resync.validator)) {
        resync::mark_restart(&mut look.observed, name);
    }
}

fn planned(look: &mut Look) -> Option<Plan> {
    let plan = plan(look.valid.as_ref()?, &look.keys, &look.place.addresses(), look.foundation.genesis());
    let (plan, mistake) = rotation::asked(plan, &look.object);
    look.notes.mistake = mistake;
    Some(plan)
}

/// How long until the next look without a reason: short while something moves.
fn pause(acted: bool, waits: bool, phase: ChainPhase) -> Duration {
    match (acted, phase) {
        (true, _) => Duration::from_millis(100),
        (false, ChainPhase::Provisioning | ChainPhase::Starting) => Duration::from_millis(300),
        (false, ChainPhase::Healthy | ChainPhase::Idle) if !waits => Duration::from_secs(10),
        (false, ChainPhase::Stopped) => Duration::from_secs(60),
        (false, _) => Duration::from_secs(1),
    }
}
