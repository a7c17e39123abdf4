//! Endorsements that were heard, and the checkpoint that a quorum of them makes. Pure; signatures were checked before.
//!
//! Two are kept of each validator: while the others move on to the next checkpoint, the one before must not fall apart.

use std::collections::HashMap;

use chain_types::tlog::{self, NoteSignature, SignedCheckpoint};
use chain_types::{Genesis, Hash, PublicKey, Signature, ValidatorSet};

use super::endorsement::Endorsement;

const KEPT: usize = 2;
/// Lines of a note that every verifier must accept (signed-note v1.0.0).
const LINES: usize = 16;

/// What became of an endorsement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    New,
    /// It, or a newer one, was known.
    Known,
    /// The same validator endorsed another root at the same size: it is no honest cosigner.
    Conflict(Box<Endorsement>),
}

/// A checkpoint that a quorum of validators signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    pub signed: SignedCheckpoint,
    /// The set of this height is the quorum's.
    pub policy_height: u64,
    /// Each signer's log key and its signature over the root, for receipts.
    pub receipts: Vec<(PublicKey, Signature)>,
}

impl Cosigned {
    pub fn size(&self) -> u64 {
        self.signed.checkpoint.size
    }
}

#[derive(Debug, Default)]
pub struct Board {
    /// By cosigner key, newest first.
    heard: HashMap<PublicKey, Vec<Endorsement>>,
}

impl Board {
    /// Whether exactly this one is kept; asked before its signatures are checked.
    pub fn knows(&self, endorsement: &Endorsement) -> bool {
        self.heard.get(&endorsement.cosigner).is_some_and(|kept| kept.contains(endorsement))
    }

    pub fn add(&mut self, endorsement: Endorsement) -> Heard {
        let kept = self.heard.entry(endorsement.cosigner).or_default();
        let (size, root, time_s) = (endorsement.size, endorsement.root, endorsement.time_s);
        if let Some(other) = kept.iter().find(|e| e.size == size && e.root != root) {
            return Heard::Conflict(Box::new(other.clone()));
        }
        let is_late = kept.len() == KEPT && kept.iter().all(|e| e.size > size);
        match kept.iter_mut().find(|e| e.size == size) {
            Some(same) if same.time_s < time_s => *same = endorsement,
            Some(_) => return Heard::Known,
            None if is_late => return Heard::Known,
            None => kept.push(endorsement),
        }
        kept.sort_by_key(|e| std::cmp::Reverse(e.size));
        kept.truncate(KEPT);
        Heard::New
    }

    /// Forgets who is in neither of these sets.
    pub fn retain(&mut self, sets: [&ValidatorSet; 2]) {
        let votes = |key: &PublicKey| sets.iter().any(|set| set.validators().iter().any(|v| v.cosigner_key == *key));
        self.heard.retain(|key, _| votes(key));
    }

    /// Logs that a quorum of the set endorses, the largest first.
    fn quorums(&self, set: &ValidatorSet) -> Vec<(u64, Hash)> {
        let mut powers: HashMap<(u64, Hash), u64> = HashMap::new();
        for validator in set.validators() {
            for e in self.heard.get(&validator.cosigner_key).into_iter().flatten() {
                let power = powers.entry((e.size, e.root)).or_default();
                *power = power.saturating_add(validator.power);
            }
        }
        let mut logs: Vec<_> =
            powers.into_iter().filter(|(_, power)| set.is_quorum(*power)).map(|(log, _)| log).collect();
        logs.sort_unstable_by_key(|(size, _)| std::cmp::Reverse(*size));
        logs
    }

    /// The largest checkpoint of the set's quorum that `is_ours` knows. A quorum for a log that is not ours is skipped.
    pub fn assemble<E>(
        &self,
        genesis: &Genesis,
        set: &ValidatorSet,
        policy_height: u64,
        mut is_ours: impl FnMut(u64, &Hash) -> Result<bool, E>,
    ) -> Result<Option<Cosigned>, E> {
        for (size, root) in self.quorums(set) {
            if is_ours(size, &root)? {
                return Ok(Some(self.put_together(genesis, set, policy_height, size, root)));
            }
        }
        Ok(None)
    }

    fn put_together(
        &self,
        genesis: &Genesis,
        set: &ValidatorSet,
        policy_height: u64,
        size: u64,
        root: Hash,
    ) -> Cosigned {
        let (mut logs, mut cosignatures, mut receipts) = (Vec::new(), Vec::new(), Vec::new());
        for validator in set.validators() {
            let heard = self.heard.get(&validator.cosigner_key).into_iter().flatten();
            let Some(e) = heard.into_iter().find(|e| e.size == size && e.root == root) else { continue };
            logs.push(tlog::log_vkey(genesis, validator).log_line(&e.log));
            cosignatures.push(tlog::cosigner_vkey(genesis, validator).cosigner_line(e.time_s, &e.cosignature));
            receipts.push((validator.log_key, e.receipt));
        }
        // Every cosignature counts; of the log's own, one is enough.
        logs.truncate(LINES.saturating_sub(cosignatures.len()).max(1));
        let signatures: Vec<NoteSignature> = logs.into_iter().chain(cosignatures).collect();
        let checkpoint = tlog::Checkpoint { origin: tlog::origin(genesis), size, root };
        Cosigned { signed: SignedCheckpoint { checkpoint, signatures }, policy_height, receipts }
    }
}
