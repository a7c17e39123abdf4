//! A chain of real processes for one test. Ends exactly the processes it started.

mod caller;
mod members;
mod process;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use chain_client::{Client, Url};
use chain_node::keys::load_key;
use chain_types::api::{Phase, Status};
use chain_types::crypto::SigningKey;
use chain_types::{Call, Genesis, Hash, Transaction, Value};

pub use caller::{Caller, digest};
pub use process::{NODE, Process, check, copy_dir, free_net, node, spawn};

/// How long a condition may take to come true on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Cluster {
    pub home: tempfile::TempDir,
    pub net: u8,
    _mark: TcpListener,
    pub genesis: Genesis,
    pub administrator: SigningKey,
    pub steward: SigningKey,
    pub token: String,
    /// Where each validator listens.
    pub hosts: Vec<String>,
    /// Words before each validator's command, where it runs in a network of its own.
    pub within: Vec<Vec<String>>,
    nodes: Vec<Option<Child>>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for n in 0..self.nodes.len() {
            self.kill(n);
            // The folder goes with the test; what its nodes said last is what a failure is understood from.
            if std::thread::panicking() {
                let log = std::fs::read_to_string(self.validator_dir(n).join("log.txt")).unwrap_or_default();
                let last: Vec<&str> = log.lines().rev().take(3).collect();
                eprintln!("validator-{}: {}", n + 1, last.into_iter().rev().collect::<Vec<_>>().join("\n  "));
            }
        }
    }
}

impl Cluster {
    /// Makes a chain; nothing runs yet.
    pub fn make(validators: usize) -> Self {
        let home = tempfile::tempdir().unwrap();
        let ((net, mark), dir) = (free_net(), home.path().join("chain"));
        let count = validators.to_string();
        let made = node(&["init", "--home", dir.to_str().unwrap(), "--validators", &count, "--net", &net.to_string()]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let genesis = serde_json::from_str(&std::fs::read_to_string(dir.join("genesis.json")).unwrap()).unwrap();
        let administrator = load_key(&dir.join("administrator.key")).unwrap();
        let steward = load_key(&dir.join("steward.key")).unwrap();
        let token = std::fs::read_to_string(dir.join("token")).unwrap().trim().to_owned();
        let nodes = (0..validators).map(|_| None).collect();
        let hosts = (1..=validators).map(|n| format!("127.{net}.1.{n}")).collect();
        let within = vec![Vec::new(); validators];
        Self { home, net, _mark: mark, genesis, administrator, steward, token, hosts, within, nodes }
    }

    /// Makes a chain, starts it and waits for its first block on every node.
    pub async fn start(validators: usize) -> Self {
        let mut cluster = Self::make(validators);
        for n in 0..validators {
            cluster.run(n);
        }
        cluster
            .until("every node has the first block", |all| all.len() == validators && all.iter().all(|s| s.height >= 1))
            .await;
        cluster
    }

    pub fn dir(&self) -> PathBuf {
        self.home.path().join("chain")
    }

    pub fn validator_dir(&self, n: usize) -> PathBuf {
        self.dir().join(format!("validators/validator-{}", n + 1))
    }

    pub fn run(&mut self, n: usize) {
        self.nodes[n] = Some(spawn(&self.within[n], &self.validator_dir(n)));
    }

    /// Takes a process over that may end by itself.
    pub fn take(&mut self, n: usize) -> Process {
        Process(self.nodes[n].take().unwrap())
    }

    /// `kill -9`, as a power cut would.
    pub fn kill(&mut self, n: usize) {
        if let Some(mut child) = self.nodes[n].take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// The exit code of a node that ended by itself.
    pub fn ended(&mut self, n: usize) -> Option<i32> {
        self.gone(n)?.code()
    }

    /// How a node ended, by itself or by a signal; none while it runs.
    pub fn gone(&mut self, n: usize) -> Option<ExitStatus> {
        let status = self.nodes[n].as_mut()?.try_wait().unwrap()?;
        self.nodes[n] = None;
        Some(status)
    }

    fn running(&self) -> usize {
        self.nodes.iter().flatten().count()
    }

    /// What `/readyz` says of a node.
    pub async fn ready(&self, n: usize) -> (u16, String) {
        let answer = reqwest::get(format!("{}/readyz", self.api(n))).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub async fn status(&self, n: usize) -> Status {
        reqwest::get(format!("{}/status", self.api(n))).await.unwrap().json().await.unwrap()
    }

    pub fn kill_all(&mut self) {
        // All die before any is waited for.
        for child in self.nodes.iter_mut().flatten() {
            let _ = child.kill();
        }
        for n in 0..self.nodes.len() {
            self.kill(n);
        }
    }

    pub fn api(&self, n: usize) -> String {
        format!("http://{}:8080", self.hosts[n])
    }

    pub fn client(&self) -> Client {
        self.client_of(0)
    }

    /// A client that asks this node first.
    pub fn client_of(&self, first: usize) -> Client {
        let many = self.nodes.len();
        let nodes: Vec<Url> = (0..many).map(|n| self.api((first + n) % many).parse().unwrap()).collect();
        Client::new(nodes, self.genesis.fingerprint(), Some(self.token.clone())).unwrap()
    }

    pub async fn statuses(&self) -> Vec<Status> {
        self.client().statuses().await.into_iter().flatten().collect()
    }

    /// Waits until the nodes that answer are as described.
    pub async fn until(&self, what: &str, holds: impl Fn(&[Status]) -> bool) {
        let start = Instant::now();
        loop {
            let statuses = self.statuses().await;
            if holds(&statuses) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "waited in vain until {what}: {statuses:#?}");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// What signs calls as the administrator.
    pub fn caller(&self) -> Caller {
        Caller::of(self.genesis.fingerprint(), self.administrator.clone())
    }

    /// An anchor call of some digests, signed by the administrator.
    pub fn anchor(&self, digests: &[Hash]) -> Transaction {
        self.caller().anchor(digests)
    }

    pub fn call(&self, instance: &str, method: &str, args: Value) -> Transaction {
        self.sign(self.draft(instance, method, args))
    }

    pub fn draft(&self, instance: &str, method: &str, args: Value) -> Call {
        self.caller().draft(instance, method, args)
    }

    pub fn sign(&self, call: Call) -> Transaction {
        Transaction::sign(call, &self.administrator).unwrap()
    }

    /// Waits until every node runs, all stand at one height, and no block follows: nothing waits, the last block is
    /// sealed, and it is older than any round of consensus on a busy machine takes. A node whose identity waits does not
    /// rest: it starts anew once it may vote, and answers nobody meanwhile.
    pub async fn rest(&self) {
        let size = self.running();
        let resting = |all: &[Status]| {
            let (first, now) = (all.first().map(|s| s.height), chain_node::consensus::now_ms());
            let quiet = |s: &Status| s.phase == Phase::Idle && s.waits.is_none() && s.block_time_ms + 2_000 < now;
            let rests = |s: &Status| quiet(s) && Some(s.height) == first;
            all.len() == size && all.iter().all(rests)
        };
        self.until("all nodes rest at one height", resting).await;
    }

    /// `chain-node check` on every stopped node; gives what they agree on.
    pub fn check_all(&mut self) -> serde_json::Value {
        self.kill_all();
        let reports: Vec<serde_json::Value> = (0..self.nodes.len()).map(|n| check(&self.validator_dir(n))).collect();
        for report in &reports {
            assert_eq!(report, &reports[0], "the stores differ");
        }
        reports[0].clone()
    }
}
