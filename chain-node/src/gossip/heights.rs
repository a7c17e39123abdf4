//! How far peers are believed when they say in which height they are. Pure.
//!
//! What more than a third of the connected peers say is so, or a higher one is. One peer alone may be the only honest one
//! that entered the next height (a restarted validator does, and needs votes), or may lie: it can ask for one block more,
//! and that no more often than anybody can by a heartbeat. This must not let one peer's word make a node think that it is
//! behind.

use std::collections::HashMap;
use std::time::Duration;

use chain_types::PublicKey;
use tokio::time::Instant;

/// One peer alone wakes an idle chain no more often.
const ALONE_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub struct Heights {
    /// The highest height that each connected peer says it is in.
    claims: HashMap<PublicKey, u64>,
    /// When a peer's word alone last asked for a block.
    alone: HashMap<PublicKey, Instant>,
}

impl Heights {
    /// A connected peer says that it is in this height. Gives the highest height that some honest peer is in, or may be in.
    pub fn heard(&mut self, peer: PublicKey, height: u64, tip: u64, now: Instant) -> u64 {
        self.claims.insert(peer, height);
        let believed = self.believed();
        if height <= tip || believed > tip {
            return believed;
        }
        let waited = self.alone.get(&peer).is_none_or(|last| now.saturating_duration_since(*last) >= ALONE_EVERY);
        if !waited {
            return believed;
        }
        self.alone.insert(peer, now);
        tip.saturating_add(1)
    }

    /// A peer is no longer connected: what it said no longer counts.
    pub fn gone(&mut self, peer: PublicKey) {
        self.claims.remove(&peer);
    }

    /// What more than a third of the peers reach.
    fn believed(&self) -> u64 {
        let mut claims: Vec<u64> = self.claims.values().copied().collect();
        claims.sort_unstable_by(|a, b| b.cmp(a));
        claims.get(claims.len() / 3).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> PublicKey {
        PublicKey([n; 32])
    }

    #[test]
    fn one_peer_of_three_makes_no_node_think_that_it_is_behind() {
        let (mut heights, now) = (Heights::default(), Instant::now());
        assert_eq!(heights.heard(key(1), 8, 7, now), 8);
        assert_eq!(heights.heard(key(2), 8, 7, now), 8);
        assert_eq!(heights.heard(key(3), u64::MAX, 7, now), 8);
        // Two of three are more than can lie.
        assert_eq!(heights.heard(key(2), 90, 7, now), 90);
    }

    #[test]
    fn one_peer_alone_asks_for_one_block_a_second_whatever_it_says() {
        let (mut heights, start) = (Heights::default(), Instant::now());
        for honest in 1..=3 {
            heights.heard(key(honest), 7, 7, start);
        }
        let (mut tip, mut blocks) = (7, 0);
        for ms in 0..10_000 {
            if heights.heard(key(9), u64::MAX, tip, start + Duration::from_millis(ms)) > tip {
                (tip, blocks) = (tip + 1, blocks + 1);
                for honest in 1..=3 {
                    heights.heard(key(honest), tip, tip, start + Duration::from_millis(ms));
                }
            }
        }
        assert_eq!(blocks, 10);
    }

    #[test]
    fn the_only_peer_that_is_connected_is_believed_and_one_that_left_is_not() {
        let (mut heights, now) = (Heights::default(), Instant::now());
        assert_eq!(heights.heard(key(1), 500, 7, now), 500);
        heights.heard(key(2), 8, 7, now);
        heights.gone(key(1));
        assert_eq!(heights.heard(key(2), 8, 8, now), 8);
    }
}
