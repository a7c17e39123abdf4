//! A limit on events per address in a sliding window. In memory: a restart forgets, which only favours the honest.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// At most `most` events per address within `window_ms`.
pub struct RateLimit {
    most: usize,
    window_ms: i64,
    seen: Mutex<HashMap<IpAddr, VecDeque<i64>>>,
}

/// Addresses remembered at most; beyond it the idle ones are forgotten, so that a flood of addresses cannot fill the memory.
const ADDRESSES: usize = 10_000;

impl RateLimit {
    pub fn new(most: usize, window_ms: i64) -> Self {
        Self { most, window_ms, seen: Mutex::new(HashMap::new()) }
    }

    /// Seconds to wait if the address has used up its events.
    pub fn wait_s(&self, address: IpAddr, now_ms: i64) -> Option<u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let times = seen.get_mut(&address)?;
        forget(times, now_ms - self.window_ms);
        if times.len() < self.most {
            return None;
        }
        let first = *times.front()?;
        Some(((first + self.window_ms - now_ms).max(0) as u64).div_ceil(1000).max(1))
    }

    /// Counts one event.
    pub fn count(&self, address: IpAddr, now_ms: i64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= ADDRESSES {
            let oldest = now_ms - self.window_ms;
            seen.retain(|_, times| times.back().is_some_and(|last| *last > oldest));
            if seen.len() >= ADDRESSES {
                seen.clear();
            }
        }
        seen.entry(address).or_default().push_back(now_ms);
    }
}

fn forget(times: &mut VecDeque<i64>, until_ms: i64) {
    while times.front().is_some_and(|time| *time <= until_ms) {
        times.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_waits_until_its_oldest_event_leaves_the_window() {
        let limit = RateLimit::new(3, 10_000);
        let (one, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        for ms in [0, 1000, 2000] {
            assert_eq!(limit.wait_s(one, ms), None);
            limit.count(one, ms);
        }
        assert_eq!(limit.wait_s(one, 2000), Some(8));
        assert_eq!(limit.wait_s(other, 2000), None);
        assert_eq!(limit.wait_s(one, 10_000), None);
    }
}
