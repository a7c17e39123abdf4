//! Sets the engine up and runs it beside its application.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_malachitebft_app_channel::app::config::{ConsensusConfig, NodeConfig, PubSubProtocol, ValueSyncConfig};
use arc_malachitebft_app_channel::app::types::Keypair;
use arc_malachitebft_app_channel::app::types::codec::Codec as _;
use arc_malachitebft_app_channel::{
    Channels, ConsensusContext, EngineBuilder, NetworkContext, NetworkIdentity, NetworkMsg, NetworkRequest,
    RequestContext, Signer as _, SyncContext, WalContext,
};
use arc_malachitebft_core_types::{
    CommitCertificate as EngineCertificate, ExtendedCommitCertificate, ExtendedCommitSignature, Round,
};
use arc_malachitebft_engine::util::streaming::StreamMessage;
use bytesize::ByteSize;
use chain_types::limits::{MAX_BLOCK_BYTES, MAX_VALIDATORS};
use chain_types::{CommitCertificate, PublicKey, ValidatorSet};
use tokio::sync::{Mutex, Notify, mpsc, watch};
use tokio::task::JoinHandle;

use super::app::{App, Progress};
use super::codec::WireCodec;
use super::context::{Address, ChainContext, Height, Sig, ValueId};
use super::parts::Part;
use super::signing::{ChainSigner, ChainVerifier, round_number};
use crate::config::{Config, Peer};
use crate::identity::Guard;
use crate::keys::NodeKeys;
use crate::ledger::Ledger;
use crate::mempool::Mempool;
use crate::store::StoreError;

/// A sync message; a block must fit at least twice.
const SYNC_BYTES: u64 = 16 << 20;
const _: () = assert!((MAX_BLOCK_BYTES as u64) * 2 <= SYNC_BYTES);
/// Blocks that are asked for and given at a time.
pub(super) const SYNC_BLOCKS: u64 = 8;

/// The network's answer comes from memory.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Why consensus ended.
#[derive(Debug, thiserror::Error)]
pub enum ConsensusError {
    #[error("peer {name}: address `{address}` is not `host:port`")]
    Address { name: String, address: String },
    #[error("peer {name}: its peer key is not an Ed25519 point")]
    PeerKey { name: String },
    #[error("failed to start the consensus engine: {0}")]
    Start(String),
    #[error("failed to change the engine's peers: {0}; restart the node to take them over")]
    Peers(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the consensus engine ended, as it does when its write-ahead log cannot be written; start the node again")]
    Ended,
}

/// What consensus needs of the rest of the node.
pub struct Settings<'a> {
    pub config: &'a Config,
    pub keys: &'a NodeKeys,
    pub ledger: Arc<Ledger>,
    pub mempool: Arc<Mempool>,
    pub peer_height: watch::Receiver<u64>,
    pub heartbeat: Arc<Notify>,
    pub guard: Arc<Guard>,
}

/// Running consensus.
pub struct Consensus {
    pub progress: watch::Receiver<Progress>,
    pub peers: EnginePeers,
    /// Ends only with an error.
    pub task: JoinHandle<Result<(), ConsensusError>>,
}

struct EngineConfig {
    moniker: String,
    consensus: ConsensusConfig,
    sync: ValueSyncConfig,
}

impl NodeConfig for EngineConfig {
    fn moniker(&self) -> &str {
        &self.moniker
    }

    fn consensus(&self) -> &ConsensusConfig {
        &self.consensus
    }

    fn consensus_mut(&mut self) -> &mut ConsensusConfig {
        &mut self.consensus
    }

    fn value_sync(&self) -> &ValueSyncConfig {
        &self.sync
    }

    fn value_sync_mut(&mut self) -> &mut ValueSyncConfig {
        &mut self.sync
    }
}

/// Starts the engine; it runs until the process ends.
pub async fn start(settings: Settings<'_>) -> Result<Consensus, ConsensusError> {
    let Settings { config, keys, ledger, mempool, peer_height, heartbeat, guard } = settings;
    let fingerprint = ledger.fingerprint();
    let signer = ChainSigner { fingerprint, key: keys.consensus.clone(), guard: guard.clone() };
    let verifier = Box::new(ChainVerifier { fingerprint, guard: guard.clone() });
    let me = Address::of(keys.consensus.public());
    // Whoever is in the set by this address votes when the set says so, without a restart: an observer is one that is not.
    // A node that may not vote yet has an address that is in no set, and nothing to sign with.
    let consensus = match guard.waits() {
        false => ConsensusContext::new_validator(me, verifier, Box::new(signer.clone())),
        true => ConsensusContext::new_full_node(Address([0; 32]), verifier),
    };
    let identity = identity(config, keys, &signer).await?;
    std::fs::create_dir_all(config.wal_dir()).map_err(start_failed)?;
    let (channels, handle) = EngineBuilder::new(ChainContext, engine_config(config)?)
        .with_default_wal(WalContext::new(wal_path(config), WireCodec))
        .with_default_network(NetworkContext::new(identity, WireCodec))
        .with_default_sync(SyncContext::new(WireCodec))
        .with_default_consensus(consensus)
        .with_default_request(RequestContext::new(100))
        .build()
        .await
        .map_err(start_failed)?;
    // The engine syncs its log, not the log's name; without its name a log of votes is none.
    super::wal::sync(&config.wal_dir()).and_then(|()| super::wal::sync(&config.home)).map_err(start_failed)?;
    let (progress, watch_progress) = watch::channel(Progress::default());
    let timeouts = config.timeouts.clone();
    let clock = Arc::new(super::now_ms);
    let peers = EnginePeers { requests: channels.net_requests.clone(), list: Mutex::new(config.peers.clone()) };
    let app = App { ledger, mempool, signer, timeouts, progress, peer_height, heartbeat, clock, guard };
    let task = tokio::spawn(async move {
        tokio::select! {
            result = app.run(channels) => result?,
            _ = handle.handle => {}
        }
        Err(ConsensusError::Ended)
    });
    Ok(Consensus { progress: watch_progress, peers, task })
}

/// The peers that the engine keeps connections to and takes connections from.
pub struct EnginePeers {
    requests: mpsc::Sender<NetworkRequest>,
    list: Mutex<Vec<Peer>>,
}

impl EnginePeers {
    /// Replaces the list while consensus runs: who is gone is disconnected, who is new is dialled. One caller at a time.
    pub async fn set(&self, peers: &[Peer]) -> Result<(), ConsensusError> {
        let mut list = self.list.lock().await;
        // Whoever cannot be addressed is found before anything is changed.
        peers.iter().try_for_each(|peer| multiaddr(peer).map(drop))?;
        let gone: Vec<Peer> = list.iter().filter(|p| !peers.contains(p)).cloned().collect();
        for peer in gone {
            // The engine knows a peer by the very string that it was added with.
            let address = multiaddr(&peer)?.parse().map_err(start_failed)?;
            let done = NetworkRequest::remove_persistent_peer(&self.requests, address).await;
            if let Err(reason) = done.map_err(|e| ConsensusError::Peers(e.to_string()))? {
                tracing::warn!(peer = peer.name, %reason, "the engine did not know a peer that was removed");
            }
            list.retain(|p| *p != peer);
        }
        for peer in peers {
            if list.contains(peer) {
                continue;
            }
            let address = multiaddr(peer)?.parse().map_err(start_failed)?;
            let done = NetworkRequest::add_persistent_peer(&self.requests, address).await;
            if let Err(reason) = done.map_err(|e| ConsensusError::Peers(e.to_string()))? {
                tracing::warn!(peer = peer.name, %reason, "the engine knew a peer that was added");
            }
            list.push(peer.clone());
        }
        Ok(())
    }
}

/// Whom the engine can exchange votes with now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connections {
    /// Each connected peer's consensus key, where it has proven one: the engine does not always come to that.
    pub connected: Vec<Option<PublicKey>>,
    /// Names of the configured peers without a connection.
    pub missing: Vec<String>,
}

impl EnginePeers {
    /// As the engine has it now; an engine that does not answer is connected to nobody.
    pub async fn connections(&self) -> Result<Connections, ConsensusError> {
        let list = self.list.lock().await.clone();
        let asked = tokio::time::timeout(ANSWER_WITHIN, NetworkRequest::dump_state(&self.requests)).await;
        let connected = asked.ok().and_then(Result::ok).flatten().map(|dump| dump.peers).unwrap_or_default();
        let mut found = Connections::default();
        for peer in &list {
            let id = peer_id(peer)?;
            let info = connected.iter().find(|(other, _)| other.to_bytes() == id.to_bytes()).map(|(_, info)| info);
            let Some(info) = info else {
                found.missing.push(peer.name.clone());
                continue;
            };
            let key = info.consensus_public_key.as_deref().and_then(|key| <[u8; 32]>::try_from(key).ok());
            found.connected.push(key.map(PublicKey));
        }
        Ok(found)
    }
}

fn start_failed(e: impl std::fmt::Display) -> ConsensusError {
    ConsensusError::Start(e.to_string())
}

fn wal_path(config: &Config) -> PathBuf {
    config.wal_dir().join(super::wal::FILE)
}

async fn identity(config: &Config, keys: &NodeKeys, signer: &ChainSigner) -> Result<NetworkIdentity, ConsensusError> {
    let keypair = Keypair::ed25519_from_bytes(keys.peer.seed()).map_err(start_failed)?;
    let key = keys.consensus.public();
    let peer_id = keypair.public().to_peer_id().to_bytes();
    let proof = signer.sign_validator_proof(key.0.to_vec(), peer_id).await.map_err(start_failed)?;
    let proof = WireCodec.encode(&proof).map_err(start_failed)?;
    Ok(NetworkIdentity::new_validator(config.name.clone(), keypair, Address::of(key).to_string(), proof))
}

fn engine_config(config: &Config) -> Result<EngineConfig, ConsensusError> {
    let mut consensus = ConsensusConfig::default();
    let listen = config.listen.consensus;
    let family = if listen.is_ipv4() { "ip4" } else { "ip6" };
    let address = format!("/{family}/{}/tcp/{}", listen.ip(), listen.port());
    consensus.p2p.listen_addr = address.parse().map_err(start_failed)?;
    let peers = config.peers.iter().map(multiaddr).collect::<Result<Vec<_>, _>>()?;
    consensus.p2p.persistent_peers =
        peers.iter().map(|address| address.parse().map_err(start_failed)).collect::<Result<_, _>>()?;
    // Only configured peers; they send directly to each other (no relaying, so every pair must be configured).
    consensus.p2p.persistent_peers_only = true;
    consensus.p2p.protocol = PubSubProtocol::Broadcast;
    consensus.p2p.discovery.enabled = false;
    // Many validators may share an address (one machine, one gateway): the allow-list is what limits connections.
    consensus.p2p.discovery.max_connections_per_ip = 256;
    // Every validator and as many observers and joiners.
    consensus.p2p.discovery.num_outbound_peers = 2 * MAX_VALIDATORS;
    consensus.p2p.discovery.num_inbound_peers = 2 * MAX_VALIDATORS;
    consensus.p2p.discovery.ip_throttle_duration = Duration::from_millis(50);
    consensus.p2p.pubsub_max_size = ByteSize::mib(4);
    consensus.p2p.rpc_max_size = ByteSize::b(SYNC_BYTES + (1 << 20));
    let sync = ValueSyncConfig {
        status_update_interval: Duration::from_secs(1),
        max_response_size: ByteSize::b(SYNC_BYTES),
        batch_size: SYNC_BLOCKS as usize,
        ..Default::default()
    };
    Ok(EngineConfig { moniker: config.name.clone(), consensus, sync })
}

fn multiaddr(peer: &Peer) -> Result<String, ConsensusError> {
    let bad = || ConsensusError::Address { name: peer.name.clone(), address: peer.consensus.clone() };
    let (host, port) = peer.consensus.rsplit_once(':').ok_or_else(bad)?;
    let port: u16 = port.parse().map_err(|_| bad())?;
    let host = match host.trim_matches(['[', ']']).parse() {
        Ok(std::net::IpAddr::V4(ip)) => format!("ip4/{ip}"),
        Ok(std::net::IpAddr::V6(ip)) => format!("ip6/{ip}"),
        Err(_) => format!("dns/{host}"),
    };
    Ok(format!("/{host}/tcp/{port}/p2p/{}", peer_id(peer)?))
}

fn peer_id(peer: &Peer) -> Result<libp2p_identity::PeerId, ConsensusError> {
    let PublicKey(bytes) = peer.peer_key;
    let key = libp2p_identity::ed25519::PublicKey::try_from_bytes(&bytes)
        .map_err(|_| ConsensusError::PeerKey { name: peer.name.clone() })?;
    Ok(libp2p_identity::PublicKey::from(key).to_peer_id())
}

/// A stored certificate as value sync sends it.
pub fn engine_certificate(
    certificate: &CommitCertificate,
    set: &ValidatorSet,
) -> Option<ExtendedCommitCertificate<ChainContext>> {
    let one = |(index, signature): &(u32, chain_types::Signature)| {
        let validator = set.get(usize::try_from(*index).ok()?)?;
        Some(ExtendedCommitSignature::new(Address::of(validator.consensus_key), Sig(signature.0), None))
    };
    Some(ExtendedCommitCertificate {
        height: Height(certificate.height),
        round: Round::new(certificate.round),
        value_id: ValueId::of(certificate.id),
        commit_signatures: certificate.signatures.iter().map(one).collect::<Option<_>>()?,
    })
}

/// The engine's certificate in our form; signers are indexes into the height's set.
pub fn own_certificate(certificate: &EngineCertificate<ChainContext>, set: &ValidatorSet) -> CommitCertificate {
    let index = |address: &Address| set.index_of(&address.key()).and_then(|i| u32::try_from(i).ok());
    let one = |(address, sig): (Address, Sig)| index(&address).map(|i| (i, chain_types::Signature(sig.0)));
    let all = certificate.commit_signatures.iter().map(|s| (s.address, s.signature));
    let mut signatures: Vec<_> = all.filter_map(one).collect();
    signatures.sort_by_key(|(index, _)| *index);
    let id = certificate.value_id.block();
    let round = round_number(certificate.round).unwrap_or(0);
    CommitCertificate { height: certificate.height.0, round, id, signatures }
}

/// Hands a block's messages to the network; an engine that has ended takes none.
pub(super) async fn publish(channels: &Channels<ChainContext>, messages: Vec<StreamMessage<Part>>) {
    for message in messages {
        let _ = channels.network.send(NetworkMsg::PublishProposalPart(message)).await;
    }
}
