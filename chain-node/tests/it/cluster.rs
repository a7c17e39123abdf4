//! A chain of real processes for one test. Ends exactly the processes it started.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use chain_client::{Client, Url};
use chain_node::config::{Config, Listen, Peer};
use chain_node::keys::{NodeKeys, load_key};
use chain_types::api::{Phase, Status};
use chain_types::crypto::SigningKey;
use chain_types::membership::Change;
use chain_types::{Call, Fingerprint, Genesis, Hash, Transaction, Value};

pub const NODE: &str = env!("CARGO_BIN_EXE_chain-node");
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

/// Signs calls to a chain, apart from its processes.
#[derive(Clone)]
pub struct Caller {
    fingerprint: Fingerprint,
    key: SigningKey,
}

impl Caller {
    pub fn anchor(&self, digests: &[Hash]) -> Transaction {
        let digests = Value::Array(digests.iter().map(|d| Value::Bytes(d.0.to_vec())).collect());
        let call = self.draft("anchor", "digests", Value::Map(vec![("digests".into(), digests)]));
        Transaction::sign(call, &self.key).unwrap()
    }

    fn draft(&self, instance: &str, method: &str, args: Value) -> Call {
        let mut salt = [0; 8];
        getrandom::fill(&mut salt).unwrap();
        Call {
            fingerprint: self.fingerprint,
            valid_until_ms: chain_node::consensus::now_ms() + 300_000,
            salt,
            app: "chain".into(),
            instance: instance.into(),
            method: method.into(),
            args,
        }
    }
}

static NEXT_NET: AtomicU8 = AtomicU8::new(0);

/// A loopback network 127.NET.1.x that is this cluster's for as long as the socket lives: other test programs on this
/// machine look for one, too, and a cluster may take a while before its nodes listen.
fn free_net() -> (u8, TcpListener) {
    loop {
        // Each program begins elsewhere, so that two seldom try the same one.
        let turn = std::process::id() % 120 + u32::from(NEXT_NET.fetch_add(1, Ordering::Relaxed) % 120);
        let net = 100 + (turn % 120) as u8;
        let mark = TcpListener::bind((std::net::Ipv4Addr::new(127, net, 1, 250), 26656));
        let unused = TcpListener::bind((std::net::Ipv4Addr::new(127, net, 1, 1), 8080)).is_ok();
        if let (Ok(mark), true) = (mark, unused) {
            return (net, mark);
        }
    }
}

pub fn node(args: &[&str]) -> Output {
    Command::new(NODE).args(args).stdin(Stdio::null()).output().unwrap()
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
        let status = self.nodes[n].as_mut()?.try_wait().unwrap()?;
        self.nodes[n] = None;
        status.code()
    }

    /// The node's configuration, with paths as they stand in the file.
    pub fn config(&self, n: usize) -> Config {
        toml::from_str(&std::fs::read_to_string(self.validator_dir(n).join("node.toml")).unwrap()).unwrap()
    }

    pub fn write_config(&self, n: usize, config: &Config) {
        std::fs::write(self.validator_dir(n).join("node.toml"), toml::to_string_pretty(config).unwrap()).unwrap();
    }

    pub fn keys(&self, n: usize) -> NodeKeys {
        NodeKeys::load(&self.validator_dir(n).join("keys")).unwrap()
    }

    /// How others reach a node.
    pub fn as_peer(&self, n: usize) -> Peer {
        let config = self.config(n);
        Peer {
            name: config.name,
            organisation: config.organisation,
            peer_key: self.keys(n).peer.public(),
            consensus: config.listen.consensus.to_string(),
            gossip: config.listen.gossip.to_string(),
        }
    }

    /// Starts a node that is in nobody's validator set, after every other has taken it over as a peer.
    pub async fn add_observer(&mut self) -> usize {
        let n = self.nodes.len();
        self.nodes.push(None);
        self.hosts.push(format!("127.{}.1.{}", self.net, n + 1));
        self.within.push(Vec::new());
        let keys = self.validator_dir(n).join("keys");
        let made = node(&["keygen", "--keys", keys.to_str().unwrap()]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut config = self.config(0);
        let at = |port: u16| format!("127.{}.1.{}:{port}", self.net, n + 1).parse().unwrap();
        config.name = format!("validator-{}", n + 1);
        config.listen =
            Listen { consensus: at(26656), gossip: at(26657), api: at(8080), metrics: None, admin: Some(at(8081)) };
        config.peers = (0..n).map(|other| self.as_peer(other)).collect();
        self.write_config(n, &config);
        for other in 0..n {
            let mut config = self.config(other);
            config.peers.push(self.as_peer(n));
            self.write_config(other, &config);
            if self.nodes[other].is_some() {
                self.reload(other).await;
            }
        }
        self.run(n);
        n
    }

    /// Has a running node take over its configuration's peers and tokens.
    pub async fn reload(&self, n: usize) {
        let token = std::fs::read_to_string(self.dir().join("admin-token")).unwrap();
        let url = format!("http://127.{}.1.{}:8081/reload", self.net, n + 1);
        let answer = reqwest::Client::new().post(url).bearer_auth(token.trim()).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success() && text.contains("\"restart_needed\":false"), "{status}: {text}");
    }

    /// Signed by the steward.
    pub fn change(&self, change: &Change) -> Transaction {
        let mut salt = [0; 8];
        getrandom::fill(&mut salt).unwrap();
        let valid_until_ms = chain_node::consensus::now_ms() + 300_000;
        let call = change.call(self.genesis.fingerprint(), valid_until_ms, salt).unwrap();
        Transaction::sign(call, &self.steward).unwrap()
    }

    /// Changes the set and waits until every node that runs knows that the first block of the new one is decided.
    pub async fn change_set(&self, change: &Change) {
        let committed = self.client().commit(&self.change(change), PATIENCE).await.unwrap();
        assert!(committed.applied, "{:?}", committed.refusal);
        let from = committed.height + 2;
        let done = |all: &[Status]| {
            all.len() == self.running() && all.iter().all(|s| s.height >= from && !s.set_change_pending)
        };
        self.until("the new set decides", done).await;
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
        Caller { fingerprint: self.genesis.fingerprint(), key: self.administrator.clone() }
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
    /// sealed, and it is older than any round of consensus on a busy machine takes.
    pub async fn rest(&self) {
        let size = self.running();
        let resting = |all: &[Status]| {
            let (first, now) = (all.first().map(|s| s.height), chain_node::consensus::now_ms());
            let rests = |s: &Status| s.phase == Phase::Idle && s.block_time_ms + 2_000 < now && Some(s.height) == first;
            all.len() == size && all.iter().all(rests)
        };
        self.until("all nodes rest at one height", resting).await;
    }

    /// `chain-node check` on every stopped node; gives what they agree on.
    pub fn check_all(&mut self) -> serde_json::Value {
        for child in self.nodes.iter_mut() {
            if let Some(child) = child {
                let _ = child.kill();
                let _ = child.wait();
            }
            *child = None;
        }
        let reports: Vec<serde_json::Value> = (0..self.nodes.len()).map(|n| check(&self.validator_dir(n))).collect();
        for report in &reports {
            assert_eq!(report, &reports[0], "the stores differ");
        }
        reports[0].clone()
    }
}

/// Starts the node of a folder.
/// Starts a node, behind these words if it runs in a network of its own.
pub fn spawn(within: &[String], dir: &Path) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(dir.join("log.txt")).unwrap();
    let mut command = match within {
        [] => Command::new(NODE),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(NODE);
            command
        }
    };
    command.arg("run").arg("--config").arg(dir.join("node.toml"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

/// One process; ends with the test.
pub struct Process(pub Child);

impl Process {
    /// Waits for its end; gives its exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(start.elapsed() < PATIENCE, "it goes on");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn check(home: &Path) -> serde_json::Value {
    let checked = node(&["check", "--json", "--home", home.to_str().unwrap()]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    serde_json::from_slice(&checked.stdout).unwrap()
}

pub fn digest(n: u64) -> Hash {
    Hash::of(&n.to_be_bytes())
}

pub fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy_dir(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}
