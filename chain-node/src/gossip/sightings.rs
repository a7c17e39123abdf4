//! Two processes with one peer key: two holders of one identity. Pure.
//!
//! What a process said before it died may be read late, so two are alive only if the older one is still heard well after
//! the younger was heard for the first time. Whoever waits must give way to one that votes; two that vote both stop.

use std::collections::HashMap;
use std::time::Duration;

use chain_types::PublicKey;
use tokio::time::Instant;

/// A process that was not heard for so long is gone.
const FORGET_AFTER: Duration = Duration::from_secs(30);

/// A living process is heard every two seconds; what is read so late was not left over by a dead one.
const ALIVE_AFTER: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy)]
struct Process {
    process: u64,
    votes: bool,
    first: Instant,
    last: Instant,
}

#[derive(Debug, Default)]
pub struct Sightings(HashMap<PublicKey, Vec<Process>>);

impl Sightings {
    /// Notes that a process was heard now. Gives whether it must stop because another of the same key is alive.
    pub fn heard(&mut self, key: PublicKey, process: u64, votes: bool, now: Instant) -> bool {
        let known = self.0.entry(key).or_default();
        known.retain(|p| now.duration_since(p.last) < FORGET_AFTER);
        let own = match known.iter_mut().find(|p| p.process == process) {
            Some(own) => {
                (own.last, own.votes) = (now, votes);
                *own
            }
            None => {
                let new = Process { process, votes, first: now, last: now };
                known.push(new);
                new
            }
        };
        let both_live = |other: &Process| {
            let younger = own.first.max(other.first);
            other.last >= younger + ALIVE_AFTER && own.last >= younger + ALIVE_AFTER
        };
        known.iter().any(|other| other.process != process && both_live(other) && (other.votes || !votes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: PublicKey = PublicKey([1; 32]);

    fn run(heard: &[(u64, u64, bool)]) -> Vec<bool> {
        let (mut sightings, start) = (Sightings::default(), Instant::now());
        let at = |s: u64| start + Duration::from_secs(s);
        heard.iter().map(|(s, process, votes)| sightings.heard(KEY, *process, *votes, at(*s))).collect()
    }

    #[test]
    fn one_process_after_another_is_a_restart() {
        let told =
            run(&[(0, 1, true), (2, 1, true), (3, 2, true), (4, 1, true), (5, 2, true), (9, 2, true), (20, 2, true)]);
        assert_eq!(told, [false; 7], "what the first left behind was read a second late");
    }

    #[test]
    fn two_that_vote_are_both_told() {
        let told =
            run(&[(0, 1, true), (1, 2, true), (3, 1, true), (5, 2, true), (6, 1, true), (7, 2, true), (8, 1, true)]);
        assert_eq!(told, [false, false, false, false, false, true, true]);
    }

    #[test]
    fn one_that_waits_gives_way_and_the_voter_stays() {
        let told = run(&[(0, 1, true), (1, 2, false), (6, 1, true), (7, 2, false), (8, 1, true), (9, 1, true)]);
        assert_eq!(told, [false, false, false, true, false, false]);
    }

    #[test]
    fn one_that_is_long_silent_is_forgotten() {
        let told = run(&[(0, 1, true), (1, 2, true), (6, 1, true), (40, 2, true), (41, 2, true)]);
        assert_eq!(told, [false, false, false, false, false]);
    }
}
