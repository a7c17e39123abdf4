//! The same block on the same state gives the same bytes, on every machine and in every later version of the rules'
//! first release.

use chain_runtime::state::Entry;
use chain_runtime::{BlockContext, StateError, StateView, execute};
use chain_types::encoding::Encode;
use chain_types::genesis::Governance;
use chain_types::{Hash, Transaction};
use serde_json::json;

use crate::chain::*;
use crate::trace::{codes, stocked};

/// What a node would store and vote for, as one hash.
fn digest(effects: &chain_runtime::BlockEffects) -> Hash {
    let mut bytes = Vec::new();
    for (key, value) in &effects.changes {
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value.as_deref().unwrap_or(b"removed"));
    }
    for one in &effects.txs {
        bytes.extend_from_slice(&one.outcome.to_bytes());
        one.digests.iter().for_each(|d| bytes.extend_from_slice(&d.0));
    }
    Hash::of(&bytes)
}

fn busy_block(chain: &mut Chain) -> Vec<Transaction> {
    vec![
        chain.sign(CLERK, APP, "papers", "anchor", json!({"fields": {"topic": "one"}})),
        chain.sign(MAKER_DESK, APP, "goods", "ship", json!({"codes": codes(0..3), "destination": "shop"})),
        chain.sign(SHOP_DESK, APP, "goods", "receive", json!({"codes": codes(0..3)})),
        chain.sign(SHOP_DESK, APP, "goods", "sell", json!({"codes": codes(0..2)})),
        chain.sign(SHOP_DESK, APP, "goods", "sell", json!({"codes": codes(1..2)})),
        chain.sign(CITY, "chain", "application", "suspend", json!({"app": APP})),
        chain.sign(CLERK, APP, "papers", "anchor", json!({"fields": {"topic": "two"}})),
    ]
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let run = || {
        let mut chain = stocked("goods");
        let txs = busy_block(&mut chain);
        let effects = execute(&chain.state, &chain.context, &txs).unwrap();
        assert_eq!(effects, execute(&chain.state, &chain.context, &txs).unwrap());
        (digest(&effects), effects.txs.iter().map(|t| t.outcome.verdict.is_ok()).collect::<Vec<_>>())
    };
    let (one, verdicts) = run();
    assert_eq!(verdicts, [true, true, true, true, false, true, false]);
    assert_eq!(one, run().0);
}

/// A change of these bytes is a change of the rules: give it a new version, or chains of this one fork.
#[test]
fn the_bytes_of_rules_version_1_stay_as_they_are() {
    let genesis = chain_runtime::genesis_state(&genesis(Governance::Platform)).unwrap();
    let mut bytes = Vec::new();
    for (key, value) in genesis {
        bytes.extend_from_slice(&key);
        bytes.extend_from_slice(&value.unwrap());
    }
    assert_eq!(Hash::of(&bytes).to_string(), GENESIS_BYTES);
    let mut chain = stocked("goods");
    let txs = busy_block(&mut chain);
    let effects = execute(&chain.state, &chain.context, &txs).unwrap();
    assert_eq!(digest(&effects).to_string(), BLOCK_BYTES);
}

const GENESIS_BYTES: &str = "d360c67c8cc78bbce5169340d540fc5a73acdfa6b2dbb8ada844acaf9b50bed0";
const BLOCK_BYTES: &str = "13f6f43eac60a620b072211d4bc306364c000dd047396ba358ee8525db8adcdf";

#[test]
fn rules_of_another_version_are_not_carried_out() {
    let chain = Chain::new();
    for version in [0, chain_runtime::NEWEST_RULES + 1] {
        let unknown = BlockContext { version, ..chain.context.clone() };
        assert!(execute(&chain.state, &unknown, &[]).is_err());
    }
}

/// A store that cannot answer.
struct Broken;

impl StateView for Broken {
    fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        Err(StateError("disk".into()))
    }

    fn scan(&self, _: &[u8], _: Option<&[u8]>, _: usize) -> Result<Vec<Entry>, StateError> {
        Err(StateError("disk".into()))
    }
}

#[test]
fn a_store_that_cannot_answer_stops_the_block_instead_of_refusing_its_calls() {
    let mut chain = Chain::new();
    let tx = chain.sign(CLERK, APP, "papers", "anchor", json!({"fields": {"topic": "one"}}));
    assert!(execute(&Broken, &chain.context, &[tx]).is_err());
    assert_eq!(execute(&Broken, &chain.context, &[]).unwrap().txs, []);
}
