//! A block with everything that belongs to it: what archives and snapshots carry, and what pruning removes.

use chain_types::encoding::{Decode, DecodeError, Encode, Reader, Writer};
use chain_types::{Block, CommitCertificate, Hash, Transaction, TxOutcome, Value};

use super::columns::Column;
use super::{Store, StoreError, damaged};

const DOMAIN: &str = "citychain/whole-block/1";

/// A decided block, its certificate, its results and the digests that it put into the log.
#[derive(Debug, Clone, PartialEq)]
pub struct WholeBlock {
    pub block: Block,
    pub certificate: CommitCertificate,
    pub outcomes: Vec<TxOutcome>,
    /// Log entry and what it holds, ascending.
    pub digests: Vec<(u64, Hash)>,
}

impl Encode for WholeBlock {
    fn encode(&self, w: &mut Writer) {
        w.array(5).text(DOMAIN);
        self.block.encode(w);
        self.certificate.encode(w);
        w.array(self.outcomes.len());
        for outcome in &self.outcomes {
            outcome.encode(w);
        }
        w.array(self.digests.len());
        for (entry, digest) in &self.digests {
            w.array(2).uint(*entry);
            digest.encode(w);
        }
    }
}

impl Decode for WholeBlock {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.domain(DOMAIN, 5)?;
        let (block, certificate) = (Block::decode(r)?, CommitCertificate::decode(r)?);
        let n = r.array()?;
        if n != block.txs.len() {
            return Err(r.invalid("number of results"));
        }
        let outcomes = (0..n).map(|_| TxOutcome::decode(r)).collect::<Result<_, _>>()?;
        let n = r.array()?;
        let one = |r: &mut Reader<'_>| {
            r.array_of(2)?;
            Ok((r.uint()?, Hash::decode(r)?))
        };
        let digests = (0..n).map(|_| one(r)).collect::<Result<_, _>>()?;
        Ok(Self { block, certificate, outcomes, digests })
    }
}

impl Store {
    /// A committed block with all that belongs to it; none below the first that is kept, unless an archive has it.
    pub fn whole_block(&self, height: u64) -> Result<Option<WholeBlock>, StoreError> {
        let decision = if height < self.first_block()? { None } else { self.decision(height)? };
        let Some((_, _, certificate)) = decision else {
            return self.archived(|archive| archive.block(height));
        };
        let Some(record) = self.block(height)? else { return Ok(None) };
        let outcomes = self.results(height)?;
        let mut digests = Vec::new();
        for (envelope, outcome) in record.block.txs.iter().zip(&outcomes).filter(|(_, o)| o.entries > 1) {
            let tx = Transaction::decode(envelope).map_err(|e| damaged(&format!("block {height}: {e}")))?;
            self.digests_of(&tx, outcome, &mut digests)?;
        }
        Ok(Some(WholeBlock { block: record.block, certificate, outcomes, digests }))
    }

    /// The digests that a call put into the log. They stand among its arguments, usually in the log's order.
    pub(super) fn digests_of(
        &self,
        tx: &Transaction,
        outcome: &TxOutcome,
        found: &mut Vec<(u64, Hash)>,
    ) -> Result<(), StoreError> {
        digests_where(tx, outcome, found, |entry, digest| {
            let key = [&digest.0[..], &entry.to_be_bytes()].concat();
            Ok(self.get(Column::Digest, &key)?.is_some())
        })
    }
}

/// The digests of a call, where `holds` tells whether a log entry is the one of a digest.
pub(super) fn digests_where(
    tx: &Transaction,
    outcome: &TxOutcome,
    found: &mut Vec<(u64, Hash)>,
    holds: impl Fn(u64, &Hash) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let mut candidates = Vec::new();
    collect_hashes(&tx.call().args, &mut candidates);
    let entries = outcome.first_entry.saturating_add(1)..outcome.first_entry.saturating_add(outcome.entries);
    for (n, entry) in entries.enumerate() {
        for digest in candidates.get(n).into_iter().chain(&candidates) {
            if holds(entry, digest)? {
                found.push((entry, *digest));
                break;
            }
        }
    }
    Ok(())
}

/// Every 32-byte string in a call's arguments, in order.
fn collect_hashes(value: &Value, found: &mut Vec<Hash>) {
    match value {
        Value::Bytes(bytes) => found.extend(Hash::from_slice(bytes)),
        Value::Array(items) => items.iter().for_each(|item| collect_hashes(item, found)),
        Value::Map(pairs) => pairs.iter().for_each(|(_, value)| collect_hashes(value, found)),
        _ => {}
    }
}
