//! The arithmetic of quorums and the sentence that shows it. It decides about numbers only; who is live is counted elsewhere.

use operator_api::{Text, ValidatorName};

use crate::words;

/// Fewer validators than this tolerate no fault; no chain is made with fewer, or shrunk below it.
pub const FEWEST_VALIDATORS: u32 = 4;

/// A number of validators of equal power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    pub validators: u32,
}

impl Quorum {
    pub fn of(validators: u32) -> Self {
        Self { validators }
    }

    /// How many may be faulty: `(n - 1) / 3`.
    pub fn faults(self) -> u32 {
        self.validators.saturating_sub(1) / 3
    }

    /// How many must vote for a block: `⌊2n / 3⌋ + 1`, more than two thirds.
    pub fn needed(self) -> u32 {
        // `2n` in 64 bits: the count comes from outside.
        u32::try_from(u64::from(self.validators) * 2 / 3 + 1).unwrap_or(u32::MAX)
    }

    pub fn held_by(self, live: u32) -> bool {
        live >= self.needed()
    }

    /// How many of the live may still be lost before blocks stop.
    pub fn tolerates(self, live: u32) -> u32 {
        live.saturating_sub(self.needed())
    }

    /// The voting power that a quorum needs when powers differ: more than two thirds of their sum.
    pub fn needed_power(powers: &[u64]) -> u128 {
        let total: u128 = powers.iter().copied().map(u128::from).sum();
        total * 2 / 3 + 1
    }
}

/// What would be done to validators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Ends their processes until somebody wants them back.
    Stop(Vec<ValidatorName>),
    /// Ends their processes and drops them from their peers' configuration.
    Fence(Vec<ValidatorName>),
    /// Ends a process and starts it again.
    Restart(ValidatorName),
    /// Has it take over new keys, which begins its process anew.
    Rotate(ValidatorName),
    /// Adds to the voting set.
    VoteIn(ValidatorName),
    /// Takes out of the voting set.
    VoteOut(ValidatorName),
}

/// One act and what it leaves of the quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arithmetic {
    /// The voting set before the act.
    pub validators: u32,
    /// Of these, how many are not live now, for whatever reason.
    pub down: u32,
    pub act: Act,
    /// Live voters afterwards.
    pub leaves: u32,
    /// Size of the voting set afterwards.
    pub validators_after: u32,
}

impl Arithmetic {
    /// Whether the act leaves a quorum of live validators, and never fewer than four in the set. Changing the set needs
    /// a quorum before as well: the old set decides about it.
    pub fn holds(&self) -> bool {
        let after = Quorum::of(self.validators_after).held_by(self.leaves);
        match self.act {
            Act::Stop(_) | Act::Fence(_) | Act::Restart(_) | Act::Rotate(_) => after,
            Act::VoteIn(_) | Act::VoteOut(_) => {
                let live = self.validators.saturating_sub(self.down);
                after
                    && Quorum::of(self.validators).held_by(live)
                    && (self.validators_after >= FEWEST_VALIDATORS || self.validators_after > self.validators)
            }
        }
    }

    /// "4 validators, 1 down, quorum 3: stopping validator-2 leaves 2 — refused."
    pub fn sentence(&self) -> Text {
        let Self { validators, down, leaves, validators_after, .. } = self;
        let quorum = Quorum::of(*validators).needed();
        let quorum_after = Quorum::of(*validators_after).needed();
        let (verdict_zh, verdict_en) =
            if self.holds() { ("可以执行", "allowed") } else { ("已拒绝", "refused") };
        let (act_zh, act_en) = self.act_words();
        if validators_after == validators {
            return Text::new(
                format!(
                    "{validators} 个验证者，{down} 个缺席，法定数 {quorum}：{act_zh}后剩 {leaves} 个，{verdict_zh}。"
                ),
                format!(
                    "{validators} validators, {down} down, quorum {quorum}: {act_en} leaves {leaves} — {verdict_en}."
                ),
            );
        }
        let below = *validators_after < FEWEST_VALIDATORS && validators_after < validators;
        let (floor_zh, floor_en) = if below { ("，不得少于 4 个", ", below the least of 4") } else { ("", "") };
        Text::new(
            format!(
                "{validators} 个验证者，{down} 个缺席，法定数 {quorum}：{act_zh}后共 {validators_after} 个、法定数 \
                 {quorum_after}、在线 {leaves} 个{floor_zh}，{verdict_zh}。"
            ),
            format!(
                "{validators} validators, {down} down, quorum {quorum}: {act_en} makes {validators_after}, quorum \
                 {quorum_after}, and leaves {leaves} live{floor_en} — {verdict_en}."
            ),
        )
    }

    fn act_words(&self) -> (String, String) {
        match &self.act {
            Act::Stop(names) => {
                (format!("停止 {} ", words::list(names).zh), format!("stopping {}", words::list(names).en))
            }
            Act::Fence(names) => {
                (format!("隔离 {} ", words::list(names).zh), format!("fencing {}", words::list(names).en))
            }
            Act::Restart(name) => (format!("重启 {name} "), format!("restarting {name}")),
            Act::Rotate(name) => (format!("更换 {name} 的密钥"), format!("giving {name} new keys")),
            Act::VoteIn(name) => (format!("加入 {name} "), format!("voting {name} in")),
            Act::VoteOut(name) => (format!("移出 {name} "), format!("voting {name} out")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(number: u32) -> ValidatorName {
        ValidatorName::numbered(number).unwrap()
    }

    fn stop(validators: u32, down: u32, leaves: u32) -> Arithmetic {
        Arithmetic { validators, down, act: Act::Stop(vec![name(2)]), leaves, validators_after: validators }
    }

    #[test]
    fn the_table_of_small_chains() {
        for (validators, faults, quorum) in
            [(1, 0, 1), (2, 0, 2), (3, 0, 3), (4, 1, 3), (5, 1, 4), (6, 1, 5), (7, 2, 5), (10, 3, 7), (16, 5, 11)]
        {
            let chain = Quorum::of(validators);
            assert_eq!((chain.faults(), chain.needed()), (faults, quorum), "{validators} validators");
        }
    }

    #[test]
    fn the_sentence_of_a_refusal() {
        let text = stop(4, 1, 2).sentence();
        assert_eq!(text.en, "4 validators, 1 down, quorum 3: stopping validator-2 leaves 2 — refused.");
        assert_eq!(text.zh, "4 个验证者，1 个缺席，法定数 3：停止 validator-2 后剩 2 个，已拒绝。");
    }

    #[test]
    fn the_sentence_of_a_permission() {
        let text = stop(4, 0, 3).sentence();
        assert_eq!(text.en, "4 validators, 0 down, quorum 3: stopping validator-2 leaves 3 — allowed.");
        assert_eq!(text.zh, "4 个验证者，0 个缺席，法定数 3：停止 validator-2 后剩 3 个，可以执行。");
    }

    #[test]
    fn the_sentences_of_a_set_change() {
        let grow = Arithmetic { validators: 4, down: 0, act: Act::VoteIn(name(5)), leaves: 5, validators_after: 5 };
        assert_eq!(
            grow.sentence().en,
            "4 validators, 0 down, quorum 3: voting validator-5 in makes 5, quorum 4, and leaves 5 live — allowed."
        );
        let shrink = Arithmetic { validators: 4, down: 0, act: Act::VoteOut(name(4)), leaves: 3, validators_after: 3 };
        assert_eq!(
            shrink.sentence().en,
            "4 validators, 0 down, quorum 3: voting validator-4 out makes 3, quorum 3, and leaves 3 live, below the least \
             of 4 — refused."
        );
        assert!(shrink.sentence().zh.contains("不得少于 4 个，已拒绝"));
    }

    #[test]
    fn new_keys_cost_what_a_restart_costs() {
        let act = Act::Rotate(name(2));
        let one_down = Arithmetic { validators: 4, down: 1, act, leaves: 2, validators_after: 4 };
        let refused = "4 validators, 1 down, quorum 3: giving validator-2 new keys leaves 2 — refused.";
        assert_eq!((one_down.sentence().en.as_str(), one_down.holds()), (refused, false));
        assert_eq!(
            one_down.sentence().zh,
            "4 个验证者，1 个缺席，法定数 3：更换 validator-2 的密钥后剩 2 个，已拒绝。"
        );
    }

    #[test]
    fn a_set_without_quorum_cannot_decide_about_itself() {
        let grow = Arithmetic { validators: 4, down: 2, act: Act::VoteIn(name(5)), leaves: 4, validators_after: 5 };
        assert!(!grow.holds());
    }

    proptest! {
        #[test]
        fn a_quorum_outvotes_two_thirds_and_any_two_share_an_honest_one(validators in 1u32..100_000) {
            let chain = Quorum::of(validators);
            prop_assert!(u64::from(chain.needed()) * 3 > u64::from(validators) * 2);
            prop_assert!(u64::from(chain.needed() - 1) * 3 <= u64::from(validators) * 2);
            prop_assert!(chain.needed() + chain.faults() <= validators);
            prop_assert!(2 * chain.needed() > validators + chain.faults());
            prop_assert_eq!(Quorum::needed_power(&[7; 4]), 19);
        }

        #[test]
        fn it_is_the_rule_by_which_the_nodes_count(count in 1u8..32, live in 0u8..33) {
            let validators = (1..=count).map(|number| chain_types::Validator {
                consensus_key: chain_types::PublicKey([number; 32]),
                cosigner_key: chain_types::PublicKey([0; 32]),
                log_key: chain_types::PublicKey([0; 32]),
                power: 1,
                organisation: "x".into(),
            });
            let set = chain_types::ValidatorSet::new(validators.collect());
            prop_assert_eq!(set.is_quorum(live.into()), Quorum::of(count.into()).held_by(live.into()));
        }
    }
}
