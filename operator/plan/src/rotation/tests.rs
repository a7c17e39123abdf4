//! Rotations walked from the request to their end in a chain of values: keys that wait, nodes that hold them late, votes, and a loop that
//! is killed anywhere.

use std::collections::{BTreeMap, BTreeSet};

use chain_types::PublicKey;
use operator_api::{Step, StepState::*, ValidatorState};
use proptest::prelude::*;

use super::*;
use crate::{
    Keys, Quorum,
    fixtures::{addresses, chain, genesis, healthy, keys, spec, v, with_off},
    next::next,
    plan::plan,
    set_change_steps,
};

/// What lies with the provisioner, what the chain has decided, and what each node runs with.
struct World {
    count: u32,
    off: Vec<(u32, ValidatorState)>,
    request: Option<String>,
    keys: Keys,
    set: BTreeSet<PublicKey>,
    nodes: BTreeMap<ValidatorName, Node>,
    made: u8,
}

struct Node {
    runs_with: PublicKey,
    holds: Option<PublicKey>,
    is_down: bool,
}

impl World {
    fn of(count: u32, request: &str) -> Self {
        let keys = keys(&chain(&spec(count)));
        let node = |consensus| Node { runs_with: consensus, holds: None, is_down: false };
        Self {
            count,
            off: Vec::new(),
            request: Some(request.to_owned()),
            set: keys.nodes.values().map(|keys| keys.consensus).collect(),
            nodes: keys.nodes.iter().map(|(name, keys)| (*name, node(keys.consensus))).collect(),
            keys,
            made: 0,
        }
    }

    fn look(&self) -> (Plan, Observed) {
        let founded = genesis(&chain(&spec(self.count)));
        let plan = plan(&chain(&with_off(self.count, &self.off)), &self.keys, &addresses(), Some(&founded));
        let asked = Request::parse(self.request.as_deref().unwrap_or_default(), &plan).validators;
        let plan = plan.rotating(asked);
        let mut observed = healthy(&plan);
        let set: Vec<PublicKey> = self.set.iter().copied().collect();
        let voting = self.keys.voting(&set, Some(&founded));
        assert!(voting.whole, "every key of the set is known at every moment");
        (observed.voting_set, observed.voting_keys) = (Some(voting.names), Some(voting.keys));
        for (name, node) in &self.nodes {
            let seen = observed.nodes.get_mut(name).unwrap();
            seen.reachable = !node.is_down;
            // Not for so long that anybody would restart it.
            seen.missing_since_ms = node.is_down.then_some(observed.now_ms);
            (seen.consensus_key, seen.next_key) = (Some(node.runs_with), node.holds);
            seen.peers_connected = self.count - 1;
            seen.able_to_vote = self.set.contains(&node.runs_with);
        }
        (plan, observed)
    }

    fn asks_for(&self, name: ValidatorName) -> bool {
        let plan = self.look().0;
        plan.rotate.contains(&name)
    }

    /// `half`: the loop ends between the two writes of the last act.
    fn carry_out(&mut self, action: &Action, half: bool) {
        match action {
            Action::CreateNextKeys { node } => {
                assert!(self.asks_for(*node));
                self.made += 1;
                let key = |kind| PublicKey([100 + self.made * 4 + kind; 32]);
                let next = ValidatorKeys { consensus_key: key(0), cosigner_key: key(1), log_key: key(2) };
                let before = self.keys.nodes.get_mut(node).unwrap().next.replace(next);
                assert_eq!(before, None, "never over keys that wait");
            }
            Action::Rotate { node, validator, keys, .. } => {
                assert_eq!(self.nodes[node].holds, Some(keys.consensus_key), "or the chain loses it");
                assert!(self.set.remove(validator));
                self.set.insert(keys.consensus_key);
            }
            Action::EndRotation { node } => {
                let request = Request::parse(self.request.as_deref().unwrap_or_default(), &self.look().0);
                self.request = request.without(*node);
                if half {
                    return;
                }
                let keys = self.keys.nodes.get_mut(node).unwrap();
                let next = keys.next.take().unwrap();
                assert!(!self.set.contains(&keys.consensus) && self.nodes[node].runs_with == next.consensus_key);
                (keys.replaced, keys.rotated_ms) = (Some(keys.first()), Some(1));
                (keys.consensus, keys.cosigner, keys.log) = (next.consensus_key, next.cosigner_key, next.log_key);
            }
            Action::Wait { .. } | Action::ReloadConfig { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    /// The keys that wait reach the node; a minute later, or at once.
    fn deliver(&mut self) {
        for (name, node) in &mut self.nodes {
            let next = self.keys.nodes[name].next.as_ref().map(|next| next.consensus_key);
            node.holds = next.filter(|next| *next != node.runs_with);
        }
    }

    fn take_over(&mut self) {
        for node in self.nodes.values_mut().filter(|node| !node.is_down) {
            if let Some(next) = node.holds.take_if(|next| self.set.contains(next)) {
                node.runs_with = next;
            }
        }
    }

    fn told(&self) -> Vec<String> {
        let (plan, observed) = self.look();
        next(&plan, &observed).iter().map(|action| action.sentence().en).collect()
    }

    fn act(&mut self) {
        let (plan, observed) = self.look();
        next(&plan, &observed).iter().for_each(|action| self.carry_out(action, false));
    }
}

#[test]
fn the_whole_way_as_it_is_told() {
    let mut world = World::of(4, "validator-2");
    let mut steps: Vec<Step> = Vec::new();
    let mut shown = |world: &World| {
        let (plan, observed) = world.look();
        steps = set_change_steps(&plan, &observed, &steps);
        steps.iter().map(|step| (step.id.clone(), step.state)).collect::<Vec<_>>()
    };
    let is = |state| vec![("rotate-validator-2".to_owned(), state)];
    assert_eq!(world.told(), ["Make new keys for validator-2 to take over."]);
    assert_eq!(shown(&world), is(Running));
    world.act();
    let holds =
        "The new keys of validator-2 are made; it has to say that it holds them, which takes a minute or two at most.";
    assert_eq!(world.told(), [holds]);
    world.deliver();
    assert_eq!(world.told(), ["4 validators, 0 down, quorum 3: giving validator-2 new keys leaves 3 — allowed."]);
    world.act();
    assert_eq!(world.told(), ["The chain knows validator-2 by its new keys, and waits for it to vote with them."]);
    assert_eq!(shown(&world), is(Running));
    world.take_over();
    let (plan, mut observed) = world.look();
    observed.nodes.get_mut(&v(2)).unwrap().peers_connected = 1;
    assert!(next(&plan, &observed).iter().all(Action::is_wait), "it has not found the others yet");
    assert_eq!(world.told(), ["validator-2 votes with its new keys; the old ones are deleted."]);
    world.act();
    assert_eq!(world.told(), Vec::<String>::new());
    assert_eq!(shown(&world), is(Done));
    assert_eq!((world.request.as_deref(), world.made), (None, 1));
    let (plan, _) = world.look();
    assert!(
        plan.nodes.iter().all(|node| node.keys == KeyState::Present),
        "a founder with new keys has not lost its own"
    );
}

#[test]
fn nothing_is_made_or_voted_that_the_quorum_cannot_spare_and_the_sentence_says_so() {
    let mut world = World::of(4, "validator-2");
    world.nodes.get_mut(&v(3)).unwrap().is_down = true;
    let refused = "4 validators, 1 down, quorum 3: giving validator-2 new keys leaves 2 — refused.";
    assert_eq!(world.told(), [refused]);
    world.nodes.get_mut(&v(3)).unwrap().is_down = false;
    world.act();
    world.deliver();
    world.nodes.get_mut(&v(3)).unwrap().is_down = true;
    assert_eq!(world.told(), [refused]);
    // The same of the one that it is about, and of a chain whose set is its members' affair.
    let mut world = World::of(4, "validator-2");
    world.nodes.get_mut(&v(2)).unwrap().is_down = true;
    assert_eq!(world.told(), ["validator-2 gets new keys once it is live again: it has to take them over itself."]);
    let (plan, mut observed) = World::of(4, "all").look();
    observed.can_change_set = false;
    let waits = next(&plan, &observed);
    assert!(waits.iter().all(|action| matches!(action, Action::Wait { refused: true, .. })), "{waits:?}");
    (observed.can_change_set, observed.voting_keys) = (true, None);
    assert!(next(&plan, &observed).iter().all(Action::is_wait), "nobody has said who votes");
}

#[test]
fn one_that_cannot_is_passed_over_and_told_of_in_the_end() {
    let mut world = World::of(7, "validator-1,validator-2");
    world.off = vec![(1, ValidatorState::Stopped)];
    let node = world.nodes.get_mut(&v(1)).unwrap();
    node.is_down = true;
    let (plan, mut observed) = world.look();
    observed.nodes.get_mut(&v(1)).unwrap().process = crate::Process::Absent;
    assert_eq!(next(&plan, &observed), [Action::CreateNextKeys { node: v(2) }]);
    let asked = plan.rotating([v(1)].into());
    let told: Vec<String> = next(&asked, &observed).iter().map(|action| action.sentence().en).collect();
    assert_eq!(told, ["validator-1 gets new keys once it is live again: it has to take them over itself."]);
}

#[test]
fn a_request_names_validators_or_all_and_what_is_neither_is_told() {
    let (plan, _) = World::of(4, "").look();
    let read = |text: &str| Request::parse(text, &plan);
    assert_eq!(read("all").validators, (1..=4).map(v).collect());
    assert_eq!(read("all").without(v(1)).as_deref(), Some("validator-2,validator-3,validator-4"));
    let mistyped = read(" validator-2, validator-9,validator-x,ALL");
    assert_eq!(mistyped.validators, [v(2)].into());
    assert_eq!(
        mistyped.mistake(&plan).unwrap().en,
        "New keys are asked for validator-9, validator-x and ALL, which is no validator of this chain: write validator-1, \
         validator-2, validator-3 and validator-4, or all."
    );
    assert_eq!(
        mistyped.without(v(2)).as_deref(),
        Some("validator-9,validator-x,ALL"),
        "a mistake stays until it is mended"
    );
    assert_eq!((read("validator-2").without(v(2)), read("validator-2").mistake(&plan)), (None, None));
    assert_eq!(read(" , ").validators, BTreeSet::new());
}

#[test]
fn within_a_rotation_a_validator_is_voted_out_by_the_key_that_the_chain_knows() {
    let mut world = World::of(5, "validator-5");
    world.act();
    let keys = &world.keys.nodes[&v(5)];
    let (old, new) = (keys.consensus, keys.next.clone().unwrap().consensus_key);
    let leaving = |world: &World| match world.keys.leaving(v(5), None, &world.set) {
        Some(chain_types::membership::Change::Remove { validator }) => validator,
        other => panic!("{other:?}"),
    };
    assert_eq!(leaving(&world), old);
    world.deliver();
    world.act();
    assert_eq!(leaving(&world), new);
}

/// What happens between two looks.
#[derive(Clone, Copy, Debug)]
enum Between {
    Nothing,
    Delivered,
    TakenOver,
    Down(u32),
    Up,
    /// The loop is killed after so many acts of a pass, the last of them half done.
    Killed(usize),
}

fn between() -> impl Strategy<Value = Between> {
    prop_oneof![
        2 => Just(Between::Nothing),
        4 => Just(Between::Delivered),
        4 => Just(Between::TakenOver),
        1 => (1u32..=7).prop_map(Between::Down),
        2 => Just(Between::Up),
        2 => (0usize..3).prop_map(Between::Killed),
    ]
}

fn pass(world: &mut World, killed: Option<usize>) -> Result<(), TestCaseError> {
    let (plan, observed) = world.look();
    let actions = next(&plan, &observed);
    let live = observed.nodes.values().filter(|node| node.is_live()).count();
    let quorum = Quorum::of(world.count).needed() as usize;
    let disruptive = actions.iter().filter(|action| action.is_disruptive()).count();
    prop_assert!(disruptive <= 1, "{actions:?}");
    prop_assert!(disruptive == 0 || live > quorum, "{actions:?} with {live} live");
    let waiting = plan.nodes.iter().filter(|node| node.next_keys.is_some()).count();
    let begins = actions.iter().any(|action| matches!(action, Action::CreateNextKeys { .. }));
    prop_assert!(waiting + usize::from(begins) <= 1, "never two at once");
    for (number, action) in actions.iter().take(killed.unwrap_or(usize::MAX)).enumerate() {
        world.carry_out(action, killed == Some(number + 1));
    }
    Ok(())
}

proptest! {
    /// However late keys arrive, whoever is down meanwhile and wherever the loop is killed: each validator that was asked for gets new
    /// keys once, the chain and the store of keys agree in the end, and nothing is left to do.
    #[test]
    fn every_way_ends_with_new_keys_once_for_each_that_was_asked_for(
        count in 4u32..=7,
        asked in proptest::collection::btree_set(1u32..=4, 1..=4),
        way in proptest::collection::vec(between(), 0..60),
    ) {
        let names: Vec<String> = asked.iter().map(|number| v(*number).to_string()).collect();
        let mut world = World::of(count, &names.join(","));
        for step in way {
            match step {
                Between::Nothing => {}
                Between::Delivered => world.deliver(),
                Between::TakenOver => world.take_over(),
                Between::Down(number) => {
                    if let Some(node) = world.nodes.get_mut(&v(number)) {
                        node.is_down = true;
                    }
                }
                Between::Up => world.nodes.values_mut().for_each(|node| node.is_down = false),
                Between::Killed(after) => pass(&mut world, Some(after))?,
            }
            pass(&mut world, None)?;
        }
        world.nodes.values_mut().for_each(|node| node.is_down = false);
        for _ in 0..40 {
            world.deliver();
            world.take_over();
            pass(&mut world, None)?;
        }
        let (plan, observed) = world.look();
        prop_assert_eq!(next(&plan, &observed), []);
        prop_assert_eq!((&world.request, usize::from(world.made)), (&None, asked.len()));
        let present: BTreeSet<PublicKey> = world.keys.nodes.values().map(|keys| keys.consensus).collect();
        prop_assert_eq!(&present, &world.set);
        for node in &plan.nodes {
            let rotated = asked.contains(&u32::from(node.name.number()));
            prop_assert_eq!((node.keys, node.rotated_ms.is_some()), (KeyState::Present, rotated));
            prop_assert!(observed.node(node.name).is_live());
        }
    }
}
