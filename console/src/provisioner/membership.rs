//! Changes of the voting set, signed with the steward's key, and what is left of a validator that is out of it. Decides nothing: what is
//! asked for here is what `chain_plan::next` found from the set as the chain has it, so a console that ends anywhere in it goes on.

use super::hands::Hands;
use super::home;
use crate::names::random_bytes;
use crate::time::now_ms;
use anyhow::{Context, bail};
use chain_types::membership::Change;
use operator_api::ValidatorName;

impl Hands {
    pub async fn vote_in(&mut self, node: ValidatorName) -> anyhow::Result<bool> {
        let change = self.keys.joining(node).context("a validator that joins has its keys")?;
        self.change_set(node, &change).await
    }

    pub async fn vote_out(&mut self, node: ValidatorName) -> anyhow::Result<bool> {
        let founded = self.founded().cloned();
        let set = self.voting.as_ref().map(|(_, voting)| voting.keys.clone()).unwrap_or_default();
        let change = self.keys.leaving(node, founded.as_ref(), &set).context("a validator that leaves has a key")?;
        self.change_set(node, &change).await
    }

    /// Whether the change was made; not yet, while an earlier one may still be on its way.
    async fn change_set(&mut self, node: ValidatorName, change: &Change) -> anyhow::Result<bool> {
        let now = now_ms().unsigned_abs();
        if !self.set_changes.may_send(self.pending, now) {
            tracing::info!(chain = %self.chain, %node, "the set is changed once nothing that was sent before can be on its way");
            return Ok(false);
        }
        let way = self.app.reach.find(self.chain.as_str()).context("no validator of the chain answers")?;
        let steward = super::keys::steward_key(&self.home, &self.chain).context("the steward's key is not there")?;
        // The set is asked for anew, however high the chain is.
        self.voting = None;
        let committed = self.set_changes.send(&way.client, &steward, change, random_bytes::<8>(), now).await?;
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
