//! Receipts of registered statements (SCITT): asked of a node, believed when a validator's log key signed them.

use bytes::Bytes;
use chain_types::tlog::{self, Receipt, SignedStatement};

use crate::client::{Client, EVIDENCE_TIMEOUT};
use crate::error::Error;
use crate::transport::Question;

impl Client {
    /// The receipt of a registered statement (RFC 9942), signed by one of the validators of the newest block.
    pub async fn receipt(&self, statement: &[u8]) -> Result<Receipt, Error> {
        let genesis = self.genesis().await?;
        let (header, _) = self.header(self.status().await?.height).await?;
        let sets = self.sets_for(&header).await?;
        let set = sets.of_header(&header).ok_or_else(|| Error::unverified("the header names unknown validators"))?;
        let origin = tlog::origin(&genesis);
        let read = |body: Bytes| {
            let receipt = Receipt::from_bytes(&body).map_err(Error::unverified)?;
            let signer = set.validators().iter().find(|v| tlog::key_thumbprint(&v.log_key) == receipt.kid);
            let signer = signer.ok_or_else(|| Error::unverified("the receipt is signed by no validator"))?;
            receipt.verify(statement, &origin, &signer.log_key).map_err(Error::unverified)?;
            Ok(receipt)
        };
        let question = Question::get(format!("/entries/{}", SignedStatement::id(statement))).within(EVIDENCE_TIMEOUT);
        self.transport().ask(&question, read).await
    }
}
