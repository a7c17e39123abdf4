//! How the node is.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use chain_types::api::{PeerStatus, Phase, Status, ValidatorInfo};
use chain_types::{Genesis, PublicKey, Validator, ValidatorSet};
use serde::Deserialize;

use super::{Api, ApiError, Shared};
use crate::consensus::{Connections, now_ms};
use crate::identity::Standing;
use crate::ledger::Tip;

/// A transaction or heartbeat that waits longer means that the chain has stalled.
const STALLED_AFTER_MS: u64 = 10_000;
const HEARTBEAT_EVERY_MS: u64 = 1_000;

/// `GET /healthz`: the process answers.
pub async fn health() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: caught up, able to vote, and connected to enough other validators for a quorum.
pub async fn ready(State(api): State<Shared>) -> (StatusCode, String) {
    let status = api.status();
    let not = |why: &str| (StatusCode::SERVICE_UNAVAILABLE, why.to_owned());
    match () {
        () if !status.validator => {
            return not("this node's key is not in the validator set: it follows without voting\n");
        }
        () if !status.caught_up => return not("the node is fetching blocks that it missed\n"),
        () if status.waits.is_some() => return not("the node makes sure that its key votes nowhere else\n"),
        () => {}
    }
    let set = api.ledger.tip().validators.clone();
    match api.peers.connections().await {
        Ok(connections) => match unreached(&set, api.consensus_key, &connections) {
            Some(why) => not(&why),
            None => (StatusCode::OK, "ready\n".into()),
        },
        Err(e) => not(&format!("{e}\n")),
    }
}

/// Why the connections of consensus do not make a quorum with this node; none if they do. A peer that has proven no key may be
/// a validator and counts; one that has proven a key outside of the set only follows.
fn unreached(set: &ValidatorSet, own: PublicKey, connections: &Connections) -> Option<String> {
    let follows = |key: &Option<PublicKey>| key.is_some_and(|key| key != own && set.index_of(&key).is_none());
    let others = connections.connected.iter().filter(|key| !follows(key)).count();
    let all = set.len();
    let reached = (others + 1).min(all);
    // Powers are equal within a chain.
    let power = set.validators().iter().take(reached).fold(0u64, |sum, v| sum.saturating_add(v.power));
    if set.is_quorum(power) {
        return None;
    }
    let needed = all * 2 / 3 + 1;
    let missing = match connections.missing.as_slice() {
        [] => "its configuration names no other peer; add the other validators to `peers`".to_owned(),
        names => format!("no connection to {}; check these nodes and the network between", names.join(", ")),
    };
    Some(format!(
        "with itself the node reaches {reached} of {all} validators over consensus, a quorum needs {needed}: {missing}\n"
    ))
}

/// `GET /status`
pub async fn show(State(api): State<Shared>) -> Json<Status> {
    Json(api.status())
}

/// `GET /genesis`
pub async fn genesis(State(api): State<Shared>) -> Json<Genesis> {
    Json(api.ledger.store().genesis().clone())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeightQuery {
    height: Option<u64>,
}

/// `GET /validators`: the set that decides a height, by default the next.
pub async fn validators(
    State(api): State<Shared>,
    Query(query): Query<HeightQuery>,
) -> Result<Json<Vec<ValidatorInfo>>, ApiError> {
    let next = api.ledger.tip().height + 1;
    let height = query.height.unwrap_or(next);
    if height > next {
        return Err(ApiError::not_found(format!("the set of height {height} is not decided yet")));
    }
    let set = api.ledger.store().validators(height)?;
    let one = |(index, v): (u64, &Validator)| ValidatorInfo {
        index,
        consensus_key: v.consensus_key,
        organisation: v.organisation.clone(),
        power: v.power,
    };
    Ok(Json((0u64..).zip(set.validators()).map(one).collect()))
}

/// `POST /heartbeat`: an empty block now, at most one a second.
pub async fn heartbeat(State(api): State<Shared>) -> Result<StatusCode, ApiError> {
    let mut last = api.last_heartbeat.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let now = now_ms();
    if now.saturating_sub(*last) < HEARTBEAT_EVERY_MS {
        let detail = "one heartbeat a second is enough; try again in a second";
        return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate", detail).retry(1));
    }
    *last = now;
    api.heartbeat.notify_one();
    Ok(StatusCode::ACCEPTED)
}

/// A peer that is in the next height has committed ours; two above means blocks that we lack. On a busy chain the newest
/// few are always on their way to somebody: who has a block of the last two seconds is not behind.
fn is_caught_up(peer_height: u64, height: u64, age_ms: u64) -> bool {
    let lacks = peer_height.saturating_sub(height + 1);
    lacks == 0 || (lacks <= 100 && age_ms < 2_000)
}

impl Api {
    /// Everything that there is to know from outside.
    pub(super) fn status(&self) -> Status {
        let (tip, progress, now) = (self.ledger.tip(), *self.progress.borrow(), now_ms());
        let peer_height = self.gossip.peer_height();
        let caught_up = is_caught_up(peer_height, tip.height, now.saturating_sub(tip.time_ms));
        let waited_ms = self.mempool.oldest_ms();
        let total = tip.validators.len() as u64;
        Status {
            name: self.config.name.clone(),
            chain_id: self.ledger.store().genesis().chain_id.clone(),
            fingerprint: self.ledger.fingerprint(),
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            started_ms: self.started_ms,
            consensus_key: self.consensus_key,
            validator: tip.validators.index_of(&self.consensus_key).is_some(),
            waits: match self.guard.standing() {
                Standing::Votes => None,
                Standing::Waits(why) => Some(why.to_string()),
            },
            set_change_pending: tip.is_set_changing,
            height: tip.height,
            block_id: tip.id,
            block_time_ms: tip.time_ms,
            round_height: progress.height,
            round: progress.round,
            peer_height,
            caught_up,
            state_root: tip.roots.state_root,
            log_size: tip.roots.log_size,
            phase: self.phase(&tip, caught_up, waited_ms, now),
            pending_since_ms: waited_ms.map(|waited| now.saturating_sub(waited)),
            pending: self.mempool.len() as u64,
            validators: total,
            quorum: total * 2 / 3 + 1,
            peers: self.peers(),
            disk_free_bytes: crate::node::disk_free(&self.config).unwrap_or(0),
            newest_rules: chain_runtime::NEWEST_RULES,
            config: *self.text_hash.read().unwrap_or_else(std::sync::PoisonError::into_inner),
            next_key: crate::keys::waiting(&self.config.keys_dir(), self.consensus_key),
        }
    }

    fn phase(&self, tip: &Tip, caught_up: bool, waited_ms: Option<u64>, now: u64) -> Phase {
        let heartbeat_ms = self.ledger.store().genesis().heartbeat_ms;
        // From the later of the last block and our own start: a restarted node has not waited yet.
        let quiet_ms = now.saturating_sub(tip.time_ms.max(self.started_ms));
        let waits = waited_ms.is_some_and(|waited| waited.min(quiet_ms) > STALLED_AFTER_MS);
        match () {
            () if !caught_up => Phase::Syncing,
            () if waits || quiet_ms > heartbeat_ms + STALLED_AFTER_MS => Phase::Stalled,
            () if waited_ms.is_some() || !tip.is_empty => Phase::Active,
            () => Phase::Idle,
        }
    }

    fn peers(&self) -> Vec<PeerStatus> {
        let one = |(peer, state): (crate::config::Peer, crate::gossip::PeerState)| PeerStatus {
            name: peer.name,
            organisation: peer.organisation,
            connected: state.incoming > 0 && state.sending,
            height: state.height,
            since_ms: state.since_ms,
            version: state.version,
            clock_offset_ms: state.clock_offset_ms,
        };
        self.gossip.peers().into_iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quorum_is_reached_with_itself_or_the_missing_are_named() {
        let key = |n: u8| PublicKey([n; 32]);
        let one = |n| Validator {
            consensus_key: key(n),
            cosigner_key: key(n + 100),
            log_key: key(n + 200),
            power: 1,
            organisation: "bureau".into(),
        };
        let set = ValidatorSet::new((1..=4).map(one).collect());
        let to = |keys: &[Option<u8>], missing: &[&str]| {
            let missing = missing.iter().map(|name| (*name).to_owned()).collect();
            let connected = keys.iter().map(|n| n.map(key)).collect();
            unreached(&set, key(1), &Connections { connected, missing })
        };
        assert_eq!(to(&[Some(2), None], &["validator-4"]), None);
        assert_eq!(to(&[Some(2), Some(3), Some(4)], &[]), None);
        let said = to(&[Some(3), Some(9)], &["validator-2", "validator-4"]).unwrap();
        assert!(said.contains("reaches 2 of 4") && said.contains("needs 3"), "an observer does not count: {said}");
        assert!(said.contains("no connection to validator-2, validator-4"), "{said}");
        assert!(to(&[], &[]).unwrap().contains("names no other peer"));
    }

    #[test]
    fn who_has_the_newest_blocks_is_caught_up_and_who_fetches_old_ones_is_not() {
        assert!(is_caught_up(8, 7, 600_000), "a resting chain");
        assert!(is_caught_up(0, 7, 600_000), "no peer is heard");
        assert!(is_caught_up(2_163, 2_159, 80), "a few blocks on their way");
        assert!(!is_caught_up(2_163, 2_159, 5_000), "they do not come");
        assert!(!is_caught_up(2_163, 9, 5_000));
        assert!(!is_caught_up(2_163, 9, 10), "an hour's blocks made in a second are no sign of being there");
    }
}
