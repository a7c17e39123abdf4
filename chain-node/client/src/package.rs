//! Packages (`.evp`): evidence with what other verifiers and people want beside it, verified member by member.

use chain_types::evidence::CheckName;
use chain_types::evidence::package::Package;
use chain_types::{Hash, TxId};

use crate::Client;
use crate::client::EVIDENCE_TIMEOUT;
use crate::error::Error;
use crate::evidence::{self, Proven, Wanted};
use crate::transport::Question;

impl Client {
    /// The package of an applied call; of a registered statement if the call registered one.
    pub async fn package_of_transaction(&self, id: TxId) -> Result<Proven, Error> {
        let question = Question::get(format!("/evidence/transactions/{id}"));
        self.package(question, Wanted::Transaction(id)).await
    }

    /// The package of the log's entry at `index`, cosigned.
    pub async fn package_of_entry(&self, index: u64) -> Result<Proven, Error> {
        let question = Question::get(format!("/evidence/entries/{index}"));
        self.package(question, Wanted::Entry(index)).await
    }

    /// The package of the oldest entry of a digest, cosigned.
    pub async fn package_of_digest(&self, digest: Hash) -> Result<Proven, Error> {
        let question = Question::get(format!("/evidence/digests/{digest}"));
        self.package(question, Wanted::Digest(digest)).await
    }

    /// The package of a state record as it is now. It holds no log proof: a state is no entry of the log.
    pub async fn package_of_state(&self, key: &[u8]) -> Result<Proven, Error> {
        let question = Question::get("/evidence/state").with("key", hex::encode(key));
        self.package(question, Wanted::State(key.to_vec())).await
    }

    async fn package(&self, question: Question, wanted: Wanted) -> Result<Proven, Error> {
        let question = question.with("package", 1).within(EVIDENCE_TIMEOUT);
        let trust = self.fingerprint();
        let read = |body: bytes::Bytes| {
            let proven = evidence::check(&body, trust, &wanted)?;
            let complete = matches!(wanted, Wanted::State(_)) || proven.report.passed(CheckName::Cosignatures);
            match Package::is_meant(&body) && complete {
                true => Ok(proven),
                false => Err(Error::unverified("the answer is no package, or one that no validator cosigned")),
            }
        };
        self.transport().ask(&question, read).await
    }
}
