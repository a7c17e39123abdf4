//! Checks a store whose first blocks were dropped, without an archive. What cannot be checked then: that the results of
//! dropped blocks were right. Two thirds of each validator set since genesis signed that they were.

use chain_types::crypto;
use chain_types::evidence::SetChange;
use chain_types::merkle;
use chain_types::outcome::results_root;
use chain_types::{Transaction, TxOutcome, ValidatorSet, light};

use super::check::{Summary, fault};
use super::{BlockRecord, Roots, Store, StoreError};

pub(super) fn check(store: &Store, first: u64, tip: u64, mut progress: impl FnMut(u64)) -> Result<Summary, StoreError> {
    follow_sets(store)?;
    let mut parent: Option<(BlockRecord, Roots)> = None;
    let mut transactions = 0;
    for height in first..=tip {
        let checked = block(store, height, parent.as_ref()).map_err(|e| match e {
            StoreError::Damaged(reason) => StoreError::Damaged(format!("block {height}: {reason}")),
            e => e,
        })?;
        transactions += checked.0.block.txs.len() as u64;
        parent = Some(checked);
        progress(height);
    }
    let Some((_, roots)) = parent else { return Err(fault("it holds no block")) };
    let records = store.all_state().collect::<Result<Vec<_>, _>>()?;
    if roots.state_root != super::tree::root_of(&records)? {
        return Err(fault("the state's root is not the one that the records give"));
    }
    store.frontier_after(&roots)?;
    check_tiles(store, roots.log_size)?;
    Ok(Summary {
        height: tip,
        first: Some(first),
        transactions,
        log_size: roots.log_size,
        records: records.len() as u64,
        state_root: roots.state_root,
        log_root: roots.log_root,
    })
}

/// Every set that the store names follows from genesis' through certified headers.
fn follow_sets(store: &Store) -> Result<(), StoreError> {
    let first = store.genesis().validator_set();
    if store.validators(1)? != first {
        return Err(fault("the first validator set is not genesis'"));
    }
    let (mut changes, mut set): (Vec<SetChange>, _) = (Vec::new(), first.clone());
    for (height, next) in store.validator_changes()? {
        if next == set {
            continue;
        }
        let missing =
            || fault(&format!("the block that hands over to the validator set of height {height} is missing"));
        let record = store.block(height.saturating_sub(1))?.ok_or_else(missing)?;
        set = next.clone();
        changes.push(SetChange { header: record.block.header, certificate: record.certificate, next });
    }
    light::follow_changes(store.fingerprint(), first, 1, &changes).map_err(|e| fault(&e.to_string()))?;
    Ok(())
}

fn certified(store: &Store, height: u64, record: &BlockRecord, set: &ValidatorSet) -> Result<(), StoreError> {
    let verdict = record.certificate.verify(store.fingerprint(), height, record.id, set);
    verdict.map_err(|e| fault(&format!("block {height}: {e}")))
}

fn block(
    store: &Store,
    height: u64,
    parent: Option<&(BlockRecord, Roots)>,
) -> Result<(BlockRecord, Roots), StoreError> {
    let record = store.block(height)?.ok_or_else(|| fault("it is missing"))?;
    let (header, set) = (&record.block.header, store.validators(height)?);
    if header.height != height || header.validators_hash != set.hash() {
        return Err(fault("its header is for another height or validator set"));
    }
    certified(store, height, &record, &set)?;
    if let Some((before, roots)) = parent {
        let rules = [
            (header.parent == before.id, "parent"),
            (header.time_ms > before.block.header.time_ms, "time"),
            (header.state_root == roots.state_root, "state_root"),
            (header.log_size == roots.log_size && header.log_root == roots.log_root, "log_root"),
            (header.results_root == roots.results_root, "results_root"),
        ];
        if let Some((_, field)) = rules.into_iter().find(|(holds, _)| !holds) {
            return Err(fault(&format!("header field `{field}` does not follow the block before")));
        }
    }
    let (roots, outcomes) = (store.roots(height)?, store.results(height)?);
    if roots.results_root != results_root(&outcomes) {
        return Err(fault("its results are not those that the next header was certified with"));
    }
    transactions(store, height, &record, &outcomes)?;
    Ok((record, roots))
}

fn transactions(store: &Store, height: u64, record: &BlockRecord, outcomes: &[TxOutcome]) -> Result<(), StoreError> {
    let decoded = record.block.txs.iter().map(|bytes| Transaction::decode(bytes)).collect::<Result<Vec<_>, _>>();
    let txs = decoded.map_err(|e| fault(&e.to_string()))?;
    let items: Vec<_> = txs.iter().map(Transaction::batch_item).collect();
    let verdicts = crypto::verify_zip215_batch(&items, [0x5a; 32]);
    if txs.len() != outcomes.len() || verdicts.contains(&false) {
        return Err(fault("a transaction's signature does not verify, or has no result"));
    }
    for ((position, tx), outcome) in (0u32..).zip(&txs).zip(outcomes) {
        let place = store.find_transaction(&tx.id())?;
        if outcome.tx != tx.id() || place.is_none_or(|place| (place.height, place.position) != (height, position)) {
            return Err(fault(&format!("the index does not lead to transaction {}", tx.id())));
        }
        if outcome.entries > 0 {
            let leaf = merkle::leaf_hash(&chain_types::log_entry::call_entry(tx.bytes()));
            if store.log_node(merkle::NodeId { level: 0, index: outcome.first_entry })? != leaf {
                return Err(fault(&format!("the log does not hold transaction {}", tx.id())));
            }
        }
    }
    Ok(())
}

/// Every complete tile gives the hash that the tile above it holds.
fn check_tiles(store: &Store, log_size: u64) -> Result<(), StoreError> {
    for level in (8..64u8).step_by(8).take_while(|level| log_size >> level > 0) {
        for index in 0..log_size >> level {
            let whole = store.log_node(merkle::NodeId { level, index })?;
            if store.tile_root(level / 8 - 1, index)? != whole {
                return Err(fault(&format!(
                    "tile {index} of the log's level {} differs from the one above",
                    level / 8 - 1
                )));
            }
        }
    }
    Ok(())
}
