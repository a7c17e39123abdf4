//! Who carries out: the pure rule over what the Lease says and how long it has said so. Two replicas never compare clocks:
//! a Lease is taken over once it has not *changed* for its whole length by the clock of the replica that waits.

use std::time::Duration;

/// A leader that is gone is replaced after this long.
pub const LEASE: Duration = Duration::from_secs(15);
/// How often the leader renews.
pub const RENEW_EVERY: Duration = Duration::from_secs(5);
/// A leader that could not renew for this long stops carrying out, well before another may begin.
pub const RENEW_WITHIN: Duration = Duration::from_secs(10);
/// How often a replica that waits, or a leader whose renewal failed, tries again.
pub const RETRY_EVERY: Duration = Duration::from_secs(1);

/// What is known of the Lease; times are of this replica's own steady clock, from any beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Who holds it, `None` while nobody does: never made, or released.
    pub holder: Option<String>,
    /// How long it is good for after a change.
    pub length: Duration,
    /// When this replica first saw it as it is now.
    pub seen: Duration,
    /// When this replica last began a renewal that succeeded; `None` while it does not lead.
    pub renewed: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nobody carries out: take it.
    Acquire,
    /// It is ours: extend it.
    Renew,
    /// Somebody else holds it, for at least this long.
    Wait(Duration),
    /// It was ours: stop at once.
    Lost(Loss),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    #[error("another replica leads now: {0}")]
    Taken(String),
    #[error("the lease was released or deleted by somebody else")]
    Released,
    #[error("the lease could not be renewed for {} s", .0.as_secs())]
    NotRenewed(Duration),
}

/// What `me` does at `now`.
pub fn decide(view: &View, me: &str, now: Duration) -> Decision {
    match (view.renewed, view.holder.as_deref()) {
        (Some(_), None) => Decision::Lost(Loss::Released),
        (Some(_), Some(holder)) if holder != me => Decision::Lost(Loss::Taken(holder.to_owned())),
        (Some(renewed), Some(_)) => {
            let silent = now.saturating_sub(renewed);
            if silent >= RENEW_WITHIN { Decision::Lost(Loss::NotRenewed(silent)) } else { Decision::Renew }
        }
        // `me` is a pod's name: whoever had it before in this pod has ended.
        (None, None) => Decision::Acquire,
        (None, Some(holder)) if holder == me => Decision::Acquire,
        (None, Some(_)) => {
            let ends = view.seen.saturating_add(view.length);
            if now >= ends { Decision::Acquire } else { Decision::Wait(ends.saturating_sub(now)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn view(holder: Option<&str>, seen_s: u64, renewed_s: Option<u64>) -> View {
        View { holder: holder.map(str::to_owned), length: LEASE, seen: s(seen_s), renewed: renewed_s.map(s) }
    }

    #[test]
    fn one_leads_the_other_waits_and_whoever_lost_stops() {
        let table = [
            ("there is no lease yet", view(None, 0, None), 0, Decision::Acquire),
            ("it was released", view(None, 90, None), 100, Decision::Acquire),
            ("another holds it", view(Some("b"), 90, None), 100, Decision::Wait(s(5))),
            ("another has not renewed for its length", view(Some("b"), 85, None), 100, Decision::Acquire),
            ("the same pod held it before a restart", view(Some("a"), 99, None), 100, Decision::Acquire),
            ("it is ours", view(Some("a"), 99, Some(95)), 100, Decision::Renew),
            ("it is ours and renewing fails", view(Some("a"), 91, Some(91)), 100, Decision::Renew),
            ("renewing failed too long", view(Some("a"), 90, Some(90)), 100, Decision::Lost(Loss::NotRenewed(s(10)))),
            ("another took it", view(Some("b"), 99, Some(99)), 100, Decision::Lost(Loss::Taken("b".into()))),
            ("it was deleted", view(None, 99, Some(99)), 100, Decision::Lost(Loss::Released)),
        ];
        for (case, view, now_s, expected) in table {
            assert_eq!(decide(&view, "a", s(now_s)), expected, "{case}");
        }
    }

    #[test]
    fn a_leader_that_cannot_renew_stops_before_another_may_begin() {
        // The other sees the last renewal no earlier than it was begun.
        for began in [0, 7, 1_000] {
            let mine = view(Some("a"), began, Some(began));
            let theirs = view(Some("a"), began, None);
            for now in began..began + 60 {
                let leads = decide(&mine, "a", s(now)) == Decision::Renew;
                let takes = decide(&theirs, "b", s(now)) == Decision::Acquire;
                assert!(!(leads && takes), "both at {now}");
            }
        }
    }
}
