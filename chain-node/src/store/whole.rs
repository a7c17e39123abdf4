//! A block with everything that belongs to it: what archives and snapshots carry, and what pruning removes.

use chain_types::encoding::{Decode, DecodeError, Encode, Reader, Writer};
use chain_types::log_entry::DigestEntry;
use chain_types::{Block, CommitCertificate, Hash, TxOutcome};

use super::tiles::Entries;
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
            self.digests_of(envelope, outcome, &mut digests)?;
        }
        Ok(Some(WholeBlock { block: record.block, certificate, outcomes, digests }))
    }

    /// What a call put into the log beside itself: the digests that its entries are found by. The log's hashes tell which
    /// of its arguments those are.
    pub(super) fn digests_of(
        &self,
        envelope: &[u8],
        outcome: &TxOutcome,
        found: &mut Vec<(u64, Hash)>,
    ) -> Result<(), StoreError> {
        let call = Entries::of(outcome.first_entry, envelope)?;
        for index in outcome.first_entry.saturating_add(1)..outcome.first_entry.saturating_add(outcome.entries) {
            let leaf = self.leaf(index)?.ok_or_else(|| damaged("the log ends before its last call"))?;
            let entry = call.entry(index, &leaf)?;
            // A registered statement is found by the digest of its bytes.
            let digest = DigestEntry::from_bytes(&entry).map_or_else(|_| Hash::of(&entry), |entry| entry.digest);
            found.push((index, digest));
        }
        Ok(())
    }
}
