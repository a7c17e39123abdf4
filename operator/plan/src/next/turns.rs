//! Whose turn it is when a set changes by one validator at a time, and the whole way from a set to the one that is wanted. One that
//! takes another's place votes before the other leaves, so that the chain never bears fewer failures than before or after.

use std::{cmp::Reverse, collections::BTreeSet};

use operator_api::{ValidatorName, ValidatorState};

use crate::{
    plan::{Plan, Role},
    quorum::Arithmetic,
    situation::{self, Situation},
    validate::{ValidChain, members::MOST_VALIDATORS},
};

/// Who votes, and who should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    voting: BTreeSet<ValidatorName>,
    wanted: BTreeSet<ValidatorName>,
    /// Of the wanted that do not vote, those that should run.
    joining: BTreeSet<ValidatorName>,
}

impl Set {
    pub fn of(plan: &Plan, situation: &Situation) -> Self {
        let wanted = plan.nodes.iter().filter(|node| node.role == Role::Validator);
        Self::new(wanted.map(|node| (node.name, situation::should_run(node))), situation)
    }

    /// Every wanted validator, and whether it should run.
    fn new(wanted: impl Iterator<Item = (ValidatorName, bool)>, situation: &Situation) -> Self {
        let wanted: Vec<(ValidatorName, bool)> = wanted.collect();
        let joins = |(name, runs): &&(ValidatorName, bool)| *runs && !situation.voting.contains(name);
        Self {
            joining: wanted.iter().filter(joins).map(|(name, _)| *name).collect(),
            wanted: wanted.iter().map(|(name, _)| *name).collect(),
            voting: situation.voting.clone(),
        }
    }

    /// Nobody is expected whose vote should come first; a full set has no room for that.
    pub fn may_leave(&self) -> bool {
        let full = self.voting.len() >= MOST_VALIDATORS as usize;
        self.joining.is_empty() || self.voting.len() > self.wanted.len() || full
    }
}

/// Each change on the way to what `chain` wants, one validator at a time from the set that the one before left, assuming that
/// whoever joins catches up. Ends with the first that the quorum forbids.
pub fn way(chain: &ValidChain, situation: &Situation) -> Vec<Arithmetic> {
    let wanted = || chain.members().iter().map(|member| (member.name, member.desired == ValidatorState::Running));
    let mut now = situation.clone();
    // What should be off is stopped first, so the set changes without it.
    let off: BTreeSet<ValidatorName> = wanted().filter(|(_, runs)| !runs).map(|(name, _)| name).collect();
    now.live.retain(|name| !off.contains(name));
    let mut steps = Vec::new();
    loop {
        let set = Set::new(wanted(), &now);
        let mut leaving: Vec<ValidatorName> = now.voting.difference(&set.wanted).copied().collect();
        leaving.sort_by_key(|name| (now.live.contains(name), Reverse(*name)));
        let step = match (leaving.first(), set.joining.first()) {
            (Some(name), _) if set.may_leave() => {
                let step = now.voted_out(*name);
                now.voting.remove(name);
                now.live.remove(name);
                step
            }
            (_, Some(name)) => {
                let step = now.voted_in(*name);
                now.voting.insert(*name);
                now.live.insert(*name);
                step
            }
            _ => return steps,
        };
        let holds = step.holds();
        steps.push(step);
        if !holds {
            return steps;
        }
    }
}
