//! Changes of the voting set, signed with the steward's key, and what is left of a validator that is out of it. Decides nothing: what is
//! asked for here is what `chain_plan::next` found from the set as the chain has it, so a console that ends anywhere in it goes on.
//!
//! A change that was sent and not seen in a block may still be taken until it expires. Another one is signed only after that, or once
//! no node holds anything that waits: whatever the console before may have sent is either in the set that is observed, or gone. The
//! chain itself refuses a change while another is on its way, and one that is made already.

use super::hands::Hands;
use super::home;
use crate::names::random_bytes;
use crate::time::now_ms;
use anyhow::{Context, bail};
use chain_types::Transaction;
use chain_types::membership::{Change, NewValidator, ValidatorKeys};
use operator_api::ValidatorName;
use std::time::Duration;

/// How long a signed change stays valid.
pub const VALID_MS: u64 = 20_000;
/// A chain that takes no block for so long is looked at again: a validator may have to be started first.
const PATIENCE: Duration = Duration::from_secs(3);

impl Hands {
    pub async fn vote_in(&mut self, node: ValidatorName) -> anyhow::Result<bool> {
        let keys = self.keys.nodes.get(&node).context("a validator that joins has its keys")?;
        let organisation = keys.organisation.to_string();
        let keys = ValidatorKeys { consensus_key: keys.consensus, cosigner_key: keys.cosigner, log_key: keys.log };
        self.change_set(node, &Change::Add(NewValidator { organisation, keys })).await
    }

    pub async fn vote_out(&mut self, node: ValidatorName) -> anyhow::Result<bool> {
        let here = self.keys.nodes.get(&node).map(|keys| keys.consensus);
        let genesis = self.founded().and_then(|genesis| {
            let named = genesis.validators.iter().find(|validator| validator.name == node.to_string());
            named.map(|named| named.validator.consensus_key)
        });
        let validator = here.or(genesis).context("a validator that leaves has a key")?;
        self.change_set(node, &Change::Remove { validator }).await
    }

    /// Whether the change was made; not yet, while an earlier one may still be on its way.
    async fn change_set(&mut self, node: ValidatorName, change: &Change) -> anyhow::Result<bool> {
        let now = now_ms().unsigned_abs();
        if self.pending && now < self.change_until_ms {
            tracing::info!(chain = %self.chain, %node, "the set is changed once nothing that was sent before can be on its way");
            return Ok(false);
        }
        let way = self.app.reach.find(self.chain.as_str()).context("no validator of the chain answers")?;
        let steward = super::keys::steward_key(&self.home, &self.chain).context("the steward's key is not there")?;
        let until_ms = now.saturating_add(VALID_MS);
        let call = change.call(way.client.fingerprint(), until_ms, random_bytes::<8>())?;
        let tx = Transaction::sign(call, &steward)?;
        drop(steward);
        self.change_until_ms = until_ms;
        // The set is asked for anew, however high the chain is.
        self.voting = None;
        let committed = tokio::time::timeout(PATIENCE, way.client.commit(&tx, PATIENCE)).await;
        let committed = committed.context("no block has taken the change of the validators yet")??;
        self.change_until_ms = 0;
        if let Some(refusal) = committed.refusal {
            bail!("the chain refused the change of the validators: {}", chain_types::manifest::sentence(&refusal).en);
        }
        tracing::info!(chain = %self.chain, %node, height = committed.height, "the voting set changes from the block after the next on");
        Ok(true)
    }

    /// Moves the folder of a validator that has left for good to where the data of deleted chains waits for a person. The chain is asked
    /// once more: a validator that votes is never parted from its keys.
    pub async fn set_aside(&mut self, node: ValidatorName) -> anyhow::Result<()> {
        let key =
            self.keys.nodes.get(&node).map(|keys| keys.consensus).context("a validator that has left had keys")?;
        let others: Vec<ValidatorName> = self.home.validator_names(&self.chain).into_iter().collect();
        let mut asked = 0;
        for other in others.into_iter().filter(|other| *other != node) {
            if let Some(set) = self.voters(other).await {
                asked += 1;
                if set.contains(&key) {
                    bail!("{other} still counts {node} among the voters");
                }
            }
        }
        if asked == 0 {
            bail!("no validator answers to say who votes");
        }
        self.forget(node)?;
        let place = self.home.deleted().join(format!("{}-{node}-{}", self.chain, now_ms()));
        home::make_folder(&self.home.deleted())?;
        std::fs::rename(self.home.validator(&self.chain, node), &place)?;
        home::sync_folder(&self.home.validators(&self.chain))?;
        home::sync_folder(&self.home.deleted())?;
        Ok(())
    }
}
