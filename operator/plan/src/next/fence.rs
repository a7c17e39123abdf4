//! When the others may drop the address of a validator that shall be fenced: not before its process may be stopped. To be cut off
//! costs the quorum as much as to be stopped, and what was allowed when somebody asked need not be allowed any more.

use operator_api::{ValidatorName, ValidatorState};

use crate::{plan::Plan, quorum::Act, situation::Situation};

/// Whether peers keep the addresses that they have, because the quorum stands on one that shall be fenced.
pub fn keeps_addresses(plan: &Plan, situation: &Situation) -> bool {
    let counts = |name: &ValidatorName| situation.live.contains(name);
    let fenced = plan.nodes.iter().filter(|node| node.desired == ValidatorState::Fenced).map(|node| node.name);
    let fenced: Vec<ValidatorName> = fenced.filter(counts).collect();
    !fenced.is_empty() && !situation.without(&fenced, Act::Fence(fenced.clone())).holds()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::{
        Action, AppliedConfig, Observed, Plan, Process,
        fixtures::{changed, founded, healthy, kill, live, seen, spec, v, with_off},
        next,
        quorum::Quorum,
    };
    use operator_api::{ChainSpec, ValidatorState};

    fn fenced(numbers: &[u32], of: u32) -> ChainSpec {
        with_off(of, &numbers.iter().map(|number| (*number, ValidatorState::Fenced)).collect::<Vec<_>>())
    }

    /// Everybody has the configuration from before the wish.
    fn asked(from: &ChainSpec, to: &ChainSpec) -> (Plan, Observed) {
        (changed(from, to), healthy(&founded(from)))
    }

    fn cut_off(actions: &[Action]) -> bool {
        actions.iter().any(|action| matches!(action, Action::WriteConfig { .. } | Action::ReloadConfig { .. }))
    }

    #[test]
    fn it_is_cut_off_and_stopped_together_or_not_at_all() {
        let (plan, mut observed) = asked(&spec(4), &fenced(&[2], 4));
        kill(&mut observed, 3, 1_000, 9);
        let actions = next(&plan, &observed);
        assert!(!cut_off(&actions), "{actions:?}");
        let told: Vec<String> = actions.iter().map(|action| action.sentence().en).collect();
        assert!(told.iter().any(|told| told.contains("fencing validator-2 leaves 2 — refused")), "{told:?}");
        *seen(&mut observed, 3) = live(founded(&spec(4)).node(v(3)).unwrap());
        let actions = next(&plan, &observed);
        assert!(cut_off(&actions), "{actions:?}");
        assert!(matches!(actions.last(), Some(Action::Stop { node, .. }) if *node == v(2)), "{actions:?}");
    }

    #[test]
    fn one_that_takes_no_part_is_cut_off_whatever_the_others_do() {
        let (plan, mut observed) = asked(&spec(4), &fenced(&[2], 4));
        kill(&mut observed, 3, 1_000, 9);
        // Its machine does not answer, and it may come back.
        seen(&mut observed, 2).reachable = false;
        assert!(cut_off(&next(&plan, &observed)));
    }

    #[test]
    fn one_that_has_no_configuration_gets_it_in_any_case() {
        let (plan, mut observed) = asked(&spec(4), &fenced(&[2], 4));
        kill(&mut observed, 3, 100_000, 9);
        seen(&mut observed, 3).config = AppliedConfig::default();
        let actions = next(&plan, &observed);
        let written = |action: &Action| matches!(action, Action::WriteConfig { node, .. } if *node == v(3));
        assert_eq!(actions.iter().filter(|action| matches!(action, Action::WriteConfig { .. })).count(), 1);
        assert!(actions.iter().any(written), "{actions:?}");
    }

    #[test]
    fn one_that_comes_back_is_let_in_again() {
        let (plan, mut observed) = asked(&fenced(&[2], 4), &spec(4));
        seen(&mut observed, 2).process = Process::Absent;
        let actions = next(&plan, &observed);
        assert_eq!(actions.iter().filter(|action| matches!(action, Action::ReloadConfig { .. })).count(), 3);
        assert!(actions.iter().any(|action| matches!(action, Action::Start { node, .. } if *node == v(2))));
    }

    proptest! {
        /// Counted anew, from the observation alone.
        #[test]
        fn nobody_whom_the_quorum_needs_is_cut_off(
            of in 4u32..=7, wish in proptest::collection::btree_set(1u32..=7, 1..=2), down in any::<[bool; 7]>(),
        ) {
            let tolerated = (of - Quorum::of(of).needed()) as usize;
            let wish: Vec<u32> = wish.into_iter().filter(|number| *number <= of).take(tolerated).collect();
            let (plan, mut observed) = asked(&spec(of), &fenced(&wish, of));
            for number in (1..=of).filter(|number| down[*number as usize - 1]) {
                kill(&mut observed, number, 1_000, 9);
            }
            let is_live = |number: &u32| observed.node(v(*number)).is_live();
            let left = (1..=of).filter(|number| is_live(number) && !wish.contains(number)).count() as u32;
            let needed = wish.iter().any(is_live) && left < Quorum::of(of).needed();
            prop_assert!(!needed || !cut_off(&next(&plan, &observed)));
        }
    }
}
