//! When an idle chain rests. After each block the engine asks to go on; the answer is held while nothing calls for another
//! block. Pure.

/// What this node knows when it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// A waiting transaction could go into the next block.
    pub has_includable: bool,
    /// The last block had no transactions: nothing waits for another block to prove it.
    pub is_sealed: bool,
    /// A change of the validator set is executed, and the first block of the new set is not decided yet.
    pub set_change_pending: bool,
    /// The last block is older than the heartbeat.
    pub heartbeat_due: bool,
    /// A peer is in a height above the last committed one, so it proposes or waits for votes.
    pub peer_is_ahead: bool,
}

/// Whether to wait for one of these to change.
pub fn rests(s: Situation) -> bool {
    !s.has_includable && s.is_sealed && !s.set_change_pending && !s.heartbeat_due && !s.peer_is_ahead
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_rests_only_when_nothing_calls_for_a_block() {
        let quiet = Situation {
            has_includable: false,
            is_sealed: true,
            set_change_pending: false,
            heartbeat_due: false,
            peer_is_ahead: false,
        };
        assert!(rests(quiet));
        assert!(!rests(Situation { has_includable: true, ..quiet }));
        assert!(!rests(Situation { is_sealed: false, ..quiet }));
        assert!(!rests(Situation { set_change_pending: true, ..quiet }));
        assert!(!rests(Situation { heartbeat_due: true, ..quiet }));
        assert!(!rests(Situation { peer_is_ahead: true, ..quiet }));
    }
}
