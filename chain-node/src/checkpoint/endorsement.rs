//! What a validator says about the log: three signatures over one size and root, by two keys of its own that sign
//! nothing else. Every node can put them where the formats want them: lines of a checkpoint, signatures of receipts.

use chain_types::crypto::{SigningKey, verify_strict};
use chain_types::encoding::{Decode, DecodeError, Encode, Reader, Writer};
use chain_types::tlog::{self, Checkpoint};
use chain_types::{Genesis, Hash, PublicKey, Signature, Validator};

const DOMAIN: &str = "citychain/endorsement/1";

/// A validator's word that the log of this chain had this root at this size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endorsement {
    /// Whose it is.
    pub cosigner: PublicKey,
    pub size: u64,
    pub root: Hash,
    /// When it was given, seconds since 1970.
    pub time_s: u64,
    /// As the log, over the checkpoint (Ed25519 note signature).
    pub log: Signature,
    /// As a cosigner, over time and checkpoint (`cosignature/v1`).
    pub cosignature: Signature,
    /// As the log, over the root alone: what makes receipts (RFC 9942).
    pub receipt: Signature,
}

/// The two keys.
#[derive(Debug, Clone)]
pub struct Signer {
    pub log: SigningKey,
    pub cosigner: SigningKey,
}

impl Signer {
    /// Signs. Whether it may be signed has been decided before.
    pub fn endorse(&self, origin: &str, size: u64, root: Hash, time_s: u64) -> Endorsement {
        let checkpoint = Checkpoint { origin: origin.to_owned(), size, root };
        Endorsement {
            cosigner: self.cosigner.public(),
            size,
            root,
            time_s,
            log: tlog::sign_log(&checkpoint, &self.log),
            cosignature: tlog::cosign(&checkpoint, time_s, &self.cosigner),
            receipt: self.log.sign(&tlog::root_message(origin, &self.log.public(), &root)),
        }
    }
}

impl Endorsement {
    pub fn checkpoint(&self, origin: &str) -> Checkpoint {
        Checkpoint { origin: origin.to_owned(), size: self.size, root: self.root }
    }

    /// Whether all three signatures are this validator's (strict rule).
    pub fn verify(&self, genesis: &Genesis, validator: &Validator) -> bool {
        let checkpoint = self.checkpoint(&tlog::origin(genesis));
        let cosigner = tlog::cosigner_vkey(genesis, validator);
        let line = cosigner.cosigner_line(self.time_s, &self.cosignature);
        self.cosigner == validator.cosigner_key
            && tlog::verify_cosignature(&cosigner, &checkpoint, &line.signature).is_some()
            && tlog::verify_log(&tlog::log_vkey(genesis, validator), &checkpoint, &self.log.0)
            && verify_strict(
                &validator.log_key,
                &tlog::root_message(&checkpoint.origin, &validator.log_key, &self.root),
                &self.receipt,
            )
    }
}

impl Encode for Endorsement {
    fn encode(&self, w: &mut Writer) {
        w.array(8).text(DOMAIN);
        self.cosigner.encode(w);
        w.uint(self.size);
        self.root.encode(w);
        w.uint(self.time_s);
        self.log.encode(w);
        self.cosignature.encode(w);
        self.receipt.encode(w);
    }
}

impl Decode for Endorsement {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.domain(DOMAIN, 8)?;
        Ok(Self {
            cosigner: Decode::decode(r)?,
            size: r.uint()?,
            root: Decode::decode(r)?,
            time_s: r.uint()?,
            log: Decode::decode(r)?,
            cosignature: Decode::decode(r)?,
            receipt: Decode::decode(r)?,
        })
    }
}
