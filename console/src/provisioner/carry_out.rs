//! Carries out what `chain_plan::next` says, one function an action. Decides nothing; every action may be carried out twice.

use super::hands::Hands;
use super::home;
use super::keys;
use super::process::{self, GRACE, Record, Start};
use crate::time::now_ms;
use anyhow::{Context, anyhow, bail};
use chain_client::node::{Node, http};
use chain_plan::{Action, Plan};
use chain_types::Genesis;
use operator_api::{ValidatorName, Version};
use std::path::PathBuf;

impl Hands {
    /// Whether anything was done: a wait is nothing.
    pub async fn carry_out(&mut self, plan: &Plan, action: &Action) -> anyhow::Result<bool> {
        match action {
            Action::CreateNodeKeys { node, organisation } => {
                keys::create_node_keys(&self.home, &self.chain, *node, organisation)?;
            }
            Action::CreateStewardKey => keys::create_steward_key(&self.home, &self.chain)?,
            Action::WriteGenesis { genesis } => self.write_genesis(genesis)?,
            Action::WriteConfig { node, config } => {
                home::write(&self.home.validator(&self.chain, *node).join("node.toml"), config.text.as_bytes())?;
            }
            Action::ReloadConfig { node } => self.reload(plan, *node).await?,
            Action::Start { node, version, .. } => self.start(plan, *node, *version).await?,
            Action::ForgetExit { node } => self.forget(*node)?,
            Action::SelfCheck => self.self_check = Some(self.check_itself(plan).await),
            Action::Stop { node, .. } => self.stop(*node).await?,
            Action::Restart { node, .. } => {
                self.stop(*node).await?;
                let planned = plan.node(*node).context("a node that is restarted is planned")?;
                self.start(plan, *node, planned.version).await?;
            }
            Action::StopChain { nodes } => self.stop_together(nodes).await?,
            Action::VoteIn { node, .. } => return self.vote_in(*node).await,
            Action::VoteOut { node, .. } => return self.vote_out(*node).await,
            Action::SetAside { node } => self.set_aside(*node).await?,
            // Asked for by nobody here: the request is answered with a sentence when the object is read.
            Action::CreateNextKeys { node } | Action::Rotate { node, .. } | Action::EndRotation { node } => {
                bail!("the keys of {node} stay as they are: a console on one machine does not replace them")
            }
            Action::Wait { .. } => return Ok(false),
        }
        Ok(true)
    }

    /// Never over an existing one: a chain is its genesis.
    fn write_genesis(&mut self, genesis: &Genesis) -> anyhow::Result<()> {
        let path = self.home.genesis(&self.chain);
        if path.exists() {
            bail!("there is a genesis already and it is not overwritten");
        }
        genesis.check()?;
        Ok(home::write_json(&path, genesis)?)
    }

    async fn start(&mut self, plan: &Plan, node: ValidatorName, version: Version) -> anyhow::Result<()> {
        let folder = self.home.validator(&self.chain, node);
        let config = plan
            .node(node)
            .and_then(|planned| planned.config.as_ref())
            .context("a started node has a configuration")?;
        // An old record would name a process that is long gone.
        Record::forget(&folder)?;
        self.unrecorded.remove(&node);
        let mut child = process::start(&Start {
            program: &self.program(version),
            folder: &folder,
            version,
            started: Some(config.start_hash),
            loaded: Some(config.hash),
            now_ms: now_ms().unsigned_abs(),
        })
        .with_context(|| format!("couldn't start {}", process::called(&self.chain, node)))?;
        process::recorded(&mut child, &folder).await;
        self.children.insert(node, child);
        Ok(())
    }

    /// The program of a version; for tests and for working on the node, the one that the environment names.
    fn program(&self, version: Version) -> PathBuf {
        super::given_program().unwrap_or_else(|| self.home.program(version))
    }

    async fn stop(&mut self, node: ValidatorName) -> anyhow::Result<()> {
        let folder = self.home.validator(&self.chain, node);
        if let Some(record) = Record::read(&folder)? {
            process::stop(&record, GRACE).await?;
            self.answered.remove(&record.pid);
        }
        self.forget(node)
    }

    /// A chain sleeps as a whole: asked all at once, so that none waits alone for the others.
    async fn stop_together(&mut self, nodes: &[ValidatorName]) -> anyhow::Result<()> {
        let mut records = Vec::new();
        for node in nodes {
            records.extend(Record::read(&self.home.validator(&self.chain, *node))?);
        }
        futures::future::try_join_all(records.iter().map(|record| process::stop(record, GRACE))).await?;
        nodes.iter().try_for_each(|node| self.forget(*node))
    }

    /// Everything that is left of a chain's processes, for its deletion.
    pub async fn stop_all(&mut self) -> anyhow::Result<()> {
        let nodes: Vec<ValidatorName> = self.home.validator_names(&self.chain).into_iter().collect();
        self.stop_together(&nodes).await
    }

    pub(super) fn forget(&mut self, node: ValidatorName) -> anyhow::Result<()> {
        if let Some(mut child) = self.children.remove(&node) {
            // Ended by now; waited for, or it stays as a zombie.
            let _ = child.try_wait();
        }
        self.unrecorded.remove(&node);
        Ok(Record::forget(&self.home.validator(&self.chain, node))?)
    }

    async fn reload(&mut self, plan: &Plan, node: ValidatorName) -> anyhow::Result<()> {
        let folder = self.home.validator(&self.chain, node);
        let token = keys::admin_token(&folder.join("keys")).context("a running node has an admin token")?;
        let base = http(&self.addresses().admin(node));
        let reloaded = Node::at(&self.app.http, &base).reload(&token, None).await;
        reloaded.map_err(|reason| anyhow!("{node} did not reload its configuration: {reason}"))?;
        let Some(mut record) = Record::read(&folder)? else { return Ok(()) };
        record.loaded = plan.node(node).and_then(|planned| planned.config.as_ref()).map(|config| config.hash);
        Ok(record.write(&folder)?)
    }
}
