//! Who belongs to the chain: its nodes' configurations and keys, observers, and changes of the validators.

use chain_node::config::{Config, Listen, Peer};
use chain_node::keys::NodeKeys;
use chain_types::Transaction;
use chain_types::api::Status;
use chain_types::membership::Change;

use super::caller::{salt, valid_until_ms};
use super::{Cluster, PATIENCE, node};

impl Cluster {
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
        let call = change.call(self.genesis.fingerprint(), valid_until_ms(), salt()).unwrap();
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
}
