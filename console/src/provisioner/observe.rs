//! One fresh look at a chain: its processes, what each node says of itself, what lies on disk. Everything is read anew; what only the
//! look before can tell is added by `Observed::follow`.

use super::hands::Hands;
use super::process::{Ended, Record, log_tail};
use crate::time::now_ms;
use chain_client::node::{Node, http};
use chain_plan::exit::Exit;
use chain_plan::{AppliedConfig, Observed, ObservedNode, Process, Voting};
use chain_types::api::Status;
use chain_types::{Hash, PublicKey};
use futures::future::join_all;
use operator_api::{Text, ValidatorName};

impl Hands {
    /// Looks at every node that has a folder.
    pub async fn look(&mut self) -> Observed {
        let mut observed = Observed { now_ms: now_ms().unsigned_abs(), ..Observed::default() };
        observed.genesis = self.founded().map(|genesis| genesis.fingerprint().to_string());
        observed.versions = self.app.chains.city().versions.clone();
        observed.self_check = self.self_check.clone();
        let nodes = self.home.validator_names(&self.chain);
        for node in &nodes {
            let seen = self.look_at_process(*node, observed.now_ms);
            observed.nodes.insert(*node, seen);
        }
        let up: Vec<(ValidatorName, u32)> = observed
            .nodes
            .iter()
            .filter_map(|(name, seen)| Some((*name, seen.process.pid().filter(|_| seen.process.is_up())?)))
            .collect();
        let answers = join_all(up.iter().map(|(node, _)| self.ask(*node))).await;
        for ((node, pid), answer) in up.into_iter().zip(answers) {
            self.take_in(&mut observed, node, pid, answer);
        }
        if let Some(voting) = self.voting_set(&observed).await {
            observed.can_change_set = voting.whole && self.is_steward();
            (observed.voting_set, observed.voting_keys) = (Some(voting.names), Some(voting.keys));
        }
        self.pending = observed.pending_since_ms.is_some();
        observed
    }

    /// The process and the files of one node.
    fn look_at_process(&mut self, node: ValidatorName, now_ms: u64) -> ObservedNode {
        let folder = self.home.validator(&self.chain, node);
        let record = Record::read(&folder).unwrap_or_else(|error| {
            tracing::warn!(%error, "a process record doesn't fit and is ignored");
            None
        });
        let record = self.reap(node, record, now_ms);
        let process = match (&record, self.unrecorded.get(&node)) {
            (Some(record), _) => match record.ended {
                Some(ended) => Process::Exited { exit: ended.exit(), at_ms: ended.at_ms },
                None if self.answered.contains(&record.pid) => {
                    Process::Running { pid: record.pid, since_ms: record.started_ms }
                }
                None => Process::Starting { pid: record.pid, since_ms: record.started_ms },
            },
            (None, Some(ended)) => Process::Exited { exit: ended.exit(), at_ms: ended.at_ms },
            (None, None) => match self.children.get(&node) {
                Some(child) => Process::Starting { pid: child.id(), since_ms: now_ms },
                None => Process::Absent,
            },
        };
        // A process that was killed did not say why.
        let by_itself = matches!(process, Process::Exited { exit: Exit::Code(_) | Exit::Unseen, .. });
        ObservedNode {
            process,
            version: record.as_ref().map(|record| record.version),
            config: AppliedConfig {
                on_disk: std::fs::read(folder.join("node.toml")).ok().map(|bytes| Hash::of(&bytes)),
                loaded: record.as_ref().and_then(|record| record.loaded),
                started: record.as_ref().and_then(|record| record.started),
            },
            disk_free_bytes: free_bytes(&folder),
            error: if by_itself { last_words(&folder) } else { None },
            ..ObservedNode::default()
        }
    }

    /// Notices that a process has ended and writes down how, so that a console that starts later knows it too.
    fn reap(&mut self, node: ValidatorName, record: Option<Record>, now_ms: u64) -> Option<Record> {
        let status = match self.children.get_mut(&node).map(std::process::Child::try_wait) {
            Some(Ok(Some(status))) => {
                let pid = self.children.remove(&node).map(|child| child.id());
                if record.as_ref().map(|record| record.pid) != pid {
                    // It ended before it could write its record.
                    self.unrecorded.insert(node, Ended::of(Some(status), now_ms));
                    return record.filter(|record| record.is_alive());
                }
                Some(status)
            }
            // Between its start and its record only the child itself tells that it is there.
            Some(Ok(None)) if record.as_ref().map(|record| record.pid) != self.children.get(&node).map(|c| c.id()) => {
                return None;
            }
            _ => None,
        };
        let mut record = record?;
        if record.ended.is_none() && !record.is_alive() {
            record.ended = Some(Ended::of(status, now_ms));
            if let Err(error) = record.write(&self.home.validator(&self.chain, node)) {
                tracing::warn!(%error, "how a node ended couldn't be written down");
            }
        }
        Some(record)
    }

    async fn ask(&self, node: ValidatorName) -> Result<Status, String> {
        Node::at(&self.app.http, &http(&self.addresses().api(node))).status().await
    }

    fn take_in(&mut self, observed: &mut Observed, node: ValidatorName, pid: u32, answer: Result<Status, String>) {
        let Ok(status) = answer else { return };
        let other =
            status.pid != pid || observed.genesis.as_ref().is_some_and(|ours| *ours != status.fingerprint.to_string());
        if other {
            let address = self.addresses().api(node);
            let seen = observed.nodes.entry(node).or_default();
            seen.error = Some(Text::new(
                format!("{address} 上应答的是另一个程序（进程 {}）；请停掉它", status.pid),
                format!("another program answers at {address} (process {}); stop it", status.pid),
            ));
            return;
        }
        self.answered.insert(pid);
        observed.heard(node, &status);
    }

    /// The voting set, asked of a node that has the newest block whenever there are new ones.
    async fn voting_set(&mut self, observed: &Observed) -> Option<Voting> {
        let height = observed.height();
        if let Some((at, voting)) = &self.voting
            && *at == height
        {
            return Some(voting.clone());
        }
        let newest = |seen: &ObservedNode| seen.reachable && seen.caught_up && seen.height == height;
        let node = observed.nodes.iter().find(|(_, seen)| newest(seen)).map(|(name, _)| *name)?;
        let keys = self.voters(node).await?;
        let founded = self.founded().cloned();
        let voting = self.keys.voting(&keys, founded.as_ref());
        self.voting = Some((height, voting.clone()));
        Some(voting)
    }

    /// The consensus keys of the set that decides the next block, as this node has it.
    pub async fn voters(&self, node: ValidatorName) -> Option<Vec<PublicKey>> {
        Node::at(&self.app.http, &http(&self.addresses().api(node))).voters().await.ok()
    }

    /// The steward's key is the one that genesis names.
    fn is_steward(&mut self) -> bool {
        let key = self.keys.steward;
        key.is_some() && self.founded().map(|genesis| genesis.steward) == key
    }
}

fn free_bytes(folder: &std::path::Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// What a node that ended said last, if that was why.
fn last_words(folder: &std::path::Path) -> Option<Text> {
    let line = log_tail(folder, 1).pop()?;
    // Lines of the log begin with their time; the reason for ending is a plain sentence.
    let said = line.strip_prefix("chain-node: ").unwrap_or(&line);
    if said.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some(Text::same(said.chars().filter(|c| !c.is_control()).take(240).collect::<String>()))
}
