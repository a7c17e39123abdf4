//! Seeds by the thousand, each twice; and the proof that a run notices what it is there to notice.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use arc_malachitebft_core_types::Round;
use chain_types::CommitCertificate;

use super::faults::Faults;
use super::message::{Message, encode};
use super::random::Random;
use super::verdict::Violation;
use super::{Bug, Report, chain, run};
use crate::store::Proposal;

const SEEDS: u64 = 1_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs seeds on all cores; gives what was asked of each report.
fn over_seeds<T: Send>(seeds: std::ops::Range<u64>, each: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let (next, results) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let result = each(seed);
            results.lock().unwrap().push(result);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // Joined by hand: only that waits for what a thread keeps for itself, here an open store, which must not be closed while
    // the process ends.
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    results.into_inner().unwrap()
}

fn describe(report: &Report) -> String {
    format!(
        "seed {} ended at height {} after {} virtual ms with {:#?}\nfaults: {:#?}\nagain, with all that happened: \
         SIMULATION_SEED={} cargo test -p chain-node --lib simulation -- --nocapture",
        report.seed, report.height, report.virtual_ms, report.violations, report.faults, report.seed
    )
}

#[test]
fn whatever_fails_honest_validators_agree_and_go_on_after_healing() {
    let (seeds, from) = (number("SIMULATION_SEEDS").unwrap_or(SEEDS), number("SIMULATION_FROM").unwrap_or(0));
    let started = Instant::now();
    let outcomes = over_seeds(from..from + seeds, |seed| {
        let (first, second) = (run(seed, Bug::None, false), run(seed, Bug::None, false));
        assert!(first.violations.is_empty(), "{}", describe(&first));
        assert_eq!(first.digest, second.digest, "seed {seed} ran differently the second time");
        (first.height, first.transactions as u64, first.highest_round, first.misbehaviour, first.steps)
    });
    assert_eq!(outcomes.len() as u64, seeds);
    let (mut blocks, mut txs, mut rounds, mut caught, mut steps) = (0, 0, 0, 0, 0);
    for (height, transactions, round, misbehaviour, step) in outcomes {
        (blocks, txs, rounds) = (blocks + height, txs + transactions, rounds.max(round));
        (caught, steps) = (caught + misbehaviour, steps + step);
    }
    // A simulation in which nothing happens would pass as well.
    assert!(blocks > 5 * seeds && txs > 4 * seeds && steps > 1_000 * seeds, "{blocks} blocks, {txs} transactions");
    println!(
        "{seeds} seeds twice in {:.1} s: {blocks} blocks, {txs} transactions, {steps} steps, rounds up to {rounds}, \
         misbehaviour seen {caught} times",
        started.elapsed().as_secs_f64()
    );
}

#[test]
fn a_seed_runs_again_with_its_trace() {
    let Some(seed) = number("SIMULATION_SEED") else {
        assert!(run(1, Bug::None, true).trace.len() > 100);
        return;
    };
    let report = run(seed, Bug::None, true);
    for line in &report.trace {
        println!("{line}");
    }
    assert!(report.violations.is_empty(), "{}", describe(&report));
}

/// Whether one of some seeds shows a violation of the kind.
fn is_caught(bug: Bug, seeds: u64, kind: impl Fn(&Violation) -> bool + Sync) -> bool {
    let caught = AtomicBool::new(false);
    over_seeds(0..seeds, |seed| {
        if !caught.load(Ordering::Relaxed) && run(seed, bug, false).violations.iter().any(&kind) {
            caught.store(true, Ordering::Relaxed);
        }
    });
    caught.into_inner()
}

#[test]
fn a_quorum_of_two_of_four_splits_the_chain_and_is_caught() {
    assert!(is_caught(Bug::WeakQuorum, 24, |v| matches!(v, Violation::Agreement { .. })));
    assert!(is_caught(Bug::WeakQuorum, 24, |v| matches!(v, Violation::Certificate { .. })));
}

#[test]
fn a_ledger_that_takes_any_block_is_caught() {
    assert!(is_caught(Bug::AnyBlock, 60, |v| matches!(v, Violation::Stopped { .. } | Violation::Validity { .. })));
}

#[test]
fn a_restart_that_forgets_its_votes_is_caught() {
    assert!(is_caught(Bug::ForgetsLock, 60, |v| matches!(v, Violation::DoubleSigned { .. })));
}

#[test]
fn a_restart_that_forgets_its_blocks_is_caught() {
    assert!(is_caught(Bug::ForgetsBlocks, 60, |v| matches!(v, Violation::Stopped { .. } | Violation::Stalled { .. })));
}

#[test]
fn votes_with_any_signature_are_caught() {
    assert!(is_caught(Bug::AnySignature, 60, |v| matches!(v, Violation::Certificate { .. })));
}

#[test]
fn a_chain_without_value_sync_stalls_and_is_caught() {
    assert!(is_caught(Bug::NoSync, 24, |v| matches!(v, Violation::Stalled { .. })));
}

#[test]
fn chance_from_elsewhere_is_caught() {
    let differ = |seed| run(seed, Bug::Unseeded, false).digest != run(seed, Bug::Unseeded, false).digest;
    assert!(over_seeds(0..4, differ).into_iter().any(|d| d));
}

#[test]
fn of_a_proposer_that_makes_many_blocks_two_are_stored_and_of_others_none() {
    let mut random = Random::new(1);
    let faults = std::iter::repeat_with(|| Faults::draw(&mut random)).find(|f| f.validators == 4).unwrap();
    let mut chain = chain::make(&faults, Bug::None, &mut Random::new(2));
    chain.nodes.iter_mut().for_each(super::node::Node::boot);
    let set = chain.nodes[0].store.validators(1).unwrap();
    let turn = set.index_of(&set.proposer(1, 0).unwrap().consensus_key).unwrap();
    for (from, stored) in [((turn + 1) % 4, 0), (turn, 2)] {
        let (me, to) = (chain.nodes[from].address(), (turn + 2) % 4);
        let app = &mut chain.nodes[from].live.as_mut().unwrap().app;
        let own = app.on_get_value(1, Round::new(0)).unwrap().proposal;
        for n in 0..6 {
            let mut block = own.block.clone();
            block.header.time_ms += n;
            let proposal = Proposal { id: block.header.id(), block, ..own.clone() };
            let app = &mut chain.nodes[from].live.as_mut().unwrap().app;
            for message in app.messages(&proposal, Round::new(0), me) {
                chain.nodes[to].deliver(from, Message::Part(encode(&message)));
            }
        }
        assert_eq!(chain.nodes[to].store.open_proposals(0).unwrap().len(), stored);
    }
}

#[test]
fn a_peer_that_asks_for_every_block_is_given_eight() {
    let mut chain = chain::make(&Faults::draw(&mut Random::new(1)), Bug::None, &mut Random::new(2));
    chain.nodes.iter_mut().for_each(super::node::Node::boot);
    let (set, sig) = (chain.nodes[0].store.validators(1).unwrap(), chain_types::Signature([1; 64]));
    for height in 1..=12 {
        let turn = set.proposer(height, 0).unwrap().consensus_key;
        let proposer = chain.nodes.iter_mut().find(|node| node.address().key() == turn).unwrap();
        let candidate = proposer.live.as_mut().unwrap().app.on_get_value(height, Round::new(0)).unwrap();
        let certificate = CommitCertificate { height, round: 0, id: candidate.proposal.id, signatures: vec![(0, sig)] };
        for node in &chain.nodes {
            node.store.save_proposal(&candidate.proposal).unwrap();
            node.ledger().unwrap().commit(&candidate, &certificate).unwrap();
        }
    }
    let app = &chain.nodes[0].live.as_ref().unwrap().app;
    assert_eq!(app.decided_values(1, u64::MAX).len(), 8);
    assert_eq!(app.decided_values(11, 20).len(), 2);
}
