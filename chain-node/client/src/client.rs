//! The questions that can be put to a chain, and what makes each answer acceptable.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chain_types::api::{BlockInfo, Committed, Problem, Status, TxInfo, TxStatus};
use chain_types::encoding::Decode;
use chain_types::state::account_key;
use chain_types::{CommitCertificate, Fingerprint, Genesis, Hash, Header, Transaction, TxId, ValidatorSet};
use reqwest::Url;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::RwLock;

use crate::error::Error;
use crate::evidence::{self, Proven, Wanted};
use crate::follow::Start;
use crate::sets::Sets;
use crate::stream::BlockStream;
use crate::transport::{Question, Transport};

/// Evidence of a fresh record waits at the node until the next block seals it.
pub(crate) const EVIDENCE_TIMEOUT: Duration = Duration::from_secs(15);
/// On top of how long a submission waits for its result.
const SUBMIT_GRACE: Duration = Duration::from_secs(5);
/// The longest that a node waits for a result.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// How long one submission of [`Client::commit`] waits for its result, and the pause before the next.
const COMMIT_WAIT: Duration = Duration::from_secs(10);
const COMMIT_PAUSE: Duration = Duration::from_millis(100);

/// One chain, asked through its validators. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Transport,
    fingerprint: Fingerprint,
    /// Genesis and the validator sets that follow from it, once somebody needed them.
    trusted: RwLock<Option<Trusted>>,
}

#[derive(Clone)]
struct Trusted {
    genesis: Arc<Genesis>,
    sets: Arc<Sets>,
}

/// A state record as a node reports it; [`Client::evidence_of_state`] proves one.
#[derive(Debug, Clone, PartialEq)]
pub struct StateValue {
    pub value: Vec<u8>,
    pub json: serde_json::Value,
    pub height: u64,
}

/// A record of a list, as a node reports it.
#[derive(Debug, Clone, PartialEq)]
pub struct StateEntry {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    pub json: serde_json::Value,
}

#[derive(Deserialize)]
struct RawValue {
    value: String,
    #[serde(default)]
    json: serde_json::Value,
    height: u64,
}

#[derive(Deserialize)]
struct RawEntry {
    key: String,
    value: String,
    #[serde(default)]
    json: serde_json::Value,
}

#[derive(Deserialize)]
struct RawEntries {
    entries: Vec<u64>,
}

impl Client {
    /// A client of the chain with this fingerprint. `token` is a member's; public questions need none.
    pub fn new(endpoints: Vec<Url>, fingerprint: Fingerprint, token: Option<String>) -> Result<Self, Error> {
        let transport = Transport::new(endpoints, token)?;
        Ok(Self { inner: Arc::new(Inner { transport, fingerprint, trusted: RwLock::new(None) }) })
    }

    pub fn fingerprint(&self) -> Fingerprint {
        self.inner.fingerprint
    }

    pub fn endpoints(&self) -> &[Url] {
        self.inner.transport.endpoints()
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.inner.transport
    }

    /// Whether some validator is caught up and able to vote.
    pub async fn ready(&self) -> bool {
        let question = Question::get("/readyz").within(Duration::from_secs(2));
        self.inner.transport.ask(&question, |_| Ok(())).await.is_ok()
    }

    /// A node's account of itself, of this chain.
    pub async fn status(&self) -> Result<Status, Error> {
        let question = Question::get("/status").within(Duration::from_secs(3));
        let chain = self.inner.fingerprint;
        self.inner.transport.ask(&question, |body| status_of(&body, chain)).await
    }

    /// The same, of each endpoint in the order given.
    pub async fn statuses(&self) -> Vec<Result<Status, Error>> {
        let (transport, chain) = (&self.inner.transport, self.inner.fingerprint);
        let question = Question::get("/status").within(Duration::from_secs(3));
        let one = async |index| transport.ask_one(index, &question).await.and_then(|body| status_of(&body, chain));
        futures::future::join_all((0..self.endpoints().len()).map(one)).await
    }

    /// Genesis, which is what the fingerprint says.
    pub async fn genesis(&self) -> Result<Arc<Genesis>, Error> {
        Ok(self.trusted().await?.genesis)
    }

    /// Hands a signed call over and waits up to `wait` for its result. Sending the same bytes again is safe and answers
    /// the same. The result is the node's word: [`Client::evidence_of_transaction`] proves it.
    pub async fn submit(&self, tx: &Transaction, wait: Duration) -> Result<TxInfo, Error> {
        if tx.call().fingerprint != self.inner.fingerprint {
            let detail = "the call is signed for another chain; sign it for this one".to_owned();
            return Err(refused(422, "other_chain", detail));
        }
        self.submit_bytes(tx.id(), Bytes::copy_from_slice(tx.bytes()), wait).await
    }

    async fn submit_bytes(&self, id: TxId, envelope: Bytes, wait: Duration) -> Result<TxInfo, Error> {
        let wait = wait.min(MAX_WAIT);
        let question = Question::post("/transactions", envelope, "application/cose")
            .with("wait_ms", wait.as_millis())
            .within(wait + SUBMIT_GRACE);
        self.inner.transport.ask(&question, |body| tx_info(&body, id)).await
    }

    /// Submits the same bytes until the transaction is in a block, can be in none any more, or `patience` is over.
    pub async fn commit(&self, tx: &Transaction, patience: Duration) -> Result<Committed, Error> {
        let start = tokio::time::Instant::now();
        loop {
            let failed = match self.submit(tx, COMMIT_WAIT).await {
                Ok(TxInfo { status: TxStatus::Committed(committed), .. }) => return Ok(committed),
                Ok(TxInfo { status: TxStatus::Expired, .. }) => {
                    return Err(refused(410, "expired", "no block took the call while it was valid".into()));
                }
                Ok(TxInfo { status: TxStatus::Pending, .. }) => {
                    refused(503, "stalled", "no block has taken the call yet; look at the nodes' /status".into())
                }
                // A validator that is being restarted; its peers have the call, or get it now.
                Err(e) if e.is_temporary() => e,
                Err(e) => return Err(e),
            };
            if start.elapsed() >= patience {
                return Err(failed);
            }
            tokio::time::sleep(COMMIT_PAUSE).await;
        }
    }

    /// The newest validator set that is proven, and the first height that it decides: changes are followed from genesis.
    pub async fn validators(&self) -> Result<(u64, ValidatorSet), Error> {
        Ok(self.learn_sets().await?.newest())
    }

    /// Where a transaction stands, as a node knows it.
    pub async fn transaction(&self, id: TxId) -> Result<TxInfo, Error> {
        let question = Question::get(format!("/transactions/{id}"));
        self.inner.transport.ask(&question, |body| tx_info(&body, id)).await
    }

    /// The signed call with this id, verbatim.
    pub async fn envelope(&self, id: TxId) -> Result<Transaction, Error> {
        let question = Question::get(format!("/transactions/{id}/envelope"));
        let read = |body: Bytes| {
            let tx = Transaction::decode(&body).map_err(Error::unverified)?;
            match tx.id() == id && tx.verify() {
                true => Ok(tx),
                false => Err(Error::unverified("the envelope is of another transaction or not signed")),
            }
        };
        self.inner.transport.ask(&question, read).await
    }

    /// The header of a height, certified by the validators of that height.
    pub async fn header(&self, height: u64) -> Result<(Header, CommitCertificate), Error> {
        let question = Question::get(format!("/blocks/{height}/header"));
        let header = self.inner.transport.ask(&question, decode::<Header>).await?;
        let question = Question::get(format!("/blocks/{height}/certificate"));
        let certificate = self.inner.transport.ask(&question, decode::<CommitCertificate>).await?;
        if header.height != height || header.fingerprint != self.inner.fingerprint {
            return Err(Error::unverified("the header is of another block"));
        }
        let sets = self.sets_for(&header).await?;
        let set = sets.of_header(&header).ok_or_else(|| Error::unverified("the header names unknown validators"))?;
        certificate.verify(self.inner.fingerprint, height, header.id(), set).map_err(Error::unverified)?;
        Ok((header, certificate))
    }

    /// A block's summary. Everything of the header is verified; the list of transactions and the size are the node's
    /// word (the block stream verifies bodies).
    pub async fn block(&self, height: u64) -> Result<BlockInfo, Error> {
        let (header, _) = self.header(height).await?;
        let question = Question::get(format!("/blocks/{height}"));
        let read = |body: Bytes| {
            let info: BlockInfo = json(&body)?;
            let same = info.id == header.id()
                && (info.height, info.time_ms, info.round) == (height, header.time_ms, header.round)
                && (info.parent, info.proposer, info.tx_root) == (header.parent, header.proposer, header.tx_root)
                && (info.state_root, info.results_root) == (header.state_root, header.results_root)
                && (info.log_size, info.log_root) == (header.log_size, header.log_root);
            if same { Ok(info) } else { Err(Error::unverified("the summary is not that of the certified header")) }
        };
        self.inner.transport.ask(&question, read).await
    }

    /// Evidence that a call was applied.
    pub async fn evidence_of_transaction(&self, id: TxId) -> Result<Proven, Error> {
        self.evidence(format!("/evidence/transactions/{id}"), None, Wanted::Transaction(id)).await
    }

    /// Evidence of the log's entry at `index`.
    pub async fn evidence_of_entry(&self, index: u64) -> Result<Proven, Error> {
        self.evidence(format!("/evidence/entries/{index}"), None, Wanted::Entry(index)).await
    }

    /// Evidence of the oldest entry of a digest.
    pub async fn evidence_of_digest(&self, digest: Hash) -> Result<Proven, Error> {
        self.evidence(format!("/evidence/digests/{digest}"), None, Wanted::Digest(digest)).await
    }

    /// Evidence of a state record as it is now.
    pub async fn evidence_of_state(&self, key: &[u8]) -> Result<Proven, Error> {
        self.evidence("/evidence/state".into(), Some(hex::encode(key)), Wanted::State(key.to_vec())).await
    }

    async fn evidence(&self, path: String, key: Option<String>, wanted: Wanted) -> Result<Proven, Error> {
        let mut question = Question::get(path).within(EVIDENCE_TIMEOUT);
        if let Some(key) = key {
            question = question.with("key", key);
        }
        let trust = self.inner.fingerprint;
        self.inner.transport.ask(&question, |body| evidence::check(&body, trust, &wanted)).await
    }

    /// The log entries of a digest, oldest first, as a node knows them.
    pub async fn entries_of_digest(&self, digest: Hash) -> Result<Vec<u64>, Error> {
        let question = Question::get(format!("/digests/{digest}"));
        Ok(self.inner.transport.ask(&question, |body| json::<RawEntries>(&body)).await?.entries)
    }

    /// A state record, as a node reports it; `None` if it says that there is none.
    pub async fn state_value(&self, key: &[u8]) -> Result<Option<StateValue>, Error> {
        let question = Question::get("/state/value").with("key", hex::encode(key));
        let read = |body: Bytes| {
            let raw: RawValue = json(&body)?;
            Ok(StateValue { value: unhex(&raw.value)?, json: raw.json, height: raw.height })
        };
        match self.inner.transport.ask(&question, read).await {
            Ok(value) => Ok(Some(value)),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Records whose keys begin with `prefix`, by key, after `after`, as a node reports them.
    pub async fn state_list(&self, prefix: &[u8], after: Option<&[u8]>, limit: u32) -> Result<Vec<StateEntry>, Error> {
        let mut question = Question::get("/state/list").with("prefix", hex::encode(prefix)).with("limit", limit);
        if let Some(after) = after {
            question = question.with("after", hex::encode(after));
        }
        let read = |body: Bytes| {
            let raw: Vec<RawEntry> = json(&body)?;
            let one = |entry: RawEntry| {
                Ok(StateEntry { key: unhex(&entry.key)?, value: unhex(&entry.value)?, json: entry.json })
            };
            let entries: Vec<StateEntry> = raw.into_iter().map(one).collect::<Result<_, Error>>()?;
            let sorted = entries.windows(2).all(|pair| matches!(pair, [a, b] if a.key < b.key));
            let asked = entries.iter().all(|e| e.key.starts_with(prefix) && after.is_none_or(|a| e.key.as_slice() > a));
            match sorted && asked && entries.len() <= limit as usize {
                true => Ok(entries),
                false => Err(Error::unverified("the list holds other records than were asked for")),
            }
        };
        self.inner.transport.ask(&question, read).await
    }

    /// Asks for an empty block now, so that whatever waits for a later block's time gets one.
    pub async fn heartbeat(&self) -> Result<(), Error> {
        let question = Question::post("/heartbeat", Bytes::new(), "application/json");
        self.inner.transport.ask(&question, |_| Ok(())).await
    }

    /// Follows the chain from here on, verifying every block.
    pub fn blocks(&self, start: Start) -> BlockStream {
        BlockStream::new(self.clone(), start)
    }

    async fn trusted(&self) -> Result<Trusted, Error> {
        if let Some(trusted) = &*self.inner.trusted.read().await {
            return Ok(trusted.clone());
        }
        let chain = self.inner.fingerprint;
        let read = |body: Bytes| {
            let genesis: Genesis = json(&body)?;
            match genesis.fingerprint() == chain && genesis.check().is_ok() {
                true => Ok(genesis),
                false => Err(Error::unverified("this genesis has another fingerprint")),
            }
        };
        let genesis = self.inner.transport.ask(&Question::get("/genesis"), read).await?;
        let trusted = Trusted { sets: Arc::new(Sets::of(&genesis)), genesis: Arc::new(genesis) };
        Ok(self.inner.trusted.write().await.get_or_insert(trusted).clone())
    }

    /// The known validator sets.
    pub(crate) async fn sets(&self) -> Result<Arc<Sets>, Error> {
        Ok(self.trusted().await?.sets)
    }

    /// The known validator sets, after learning until the header's is among them or nothing more is to be learnt.
    pub(crate) async fn sets_for(&self, header: &Header) -> Result<Arc<Sets>, Error> {
        let trusted = self.trusted().await?;
        if trusted.sets.of_header(header).is_some() {
            return Ok(trusted.sets);
        }
        self.learn_sets().await
    }

    /// Learns every set change up to now: verified evidence of any record carries them, and the first administrator's
    /// account is a record of every chain.
    pub(crate) async fn learn_sets(&self) -> Result<Arc<Sets>, Error> {
        let trusted = self.trusted().await?;
        let Some(organisation) = trusted.genesis.organisations.first() else { return Ok(trusted.sets) };
        let proven = self.evidence_of_state(&account_key(&organisation.administrator)).await?;
        let mut sets = Sets::clone(&trusted.sets);
        sets.learn(&proven.evidence.set_changes);
        let sets = Arc::new(sets);
        *self.inner.trusted.write().await = Some(Trusted { sets: sets.clone(), ..trusted });
        Ok(sets)
    }
}

fn refused(status: u16, code: &str, detail: String) -> Error {
    let problem = Problem { kind: "about:blank".into(), title: code.into(), status, code: code.into(), detail };
    Error::Refused { problem: Box::new(problem), retry_after_s: None }
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|e| Error::unverified(format!("the answer is not what the API says: {e}")))
}

fn decode<T: Decode>(body: Bytes) -> Result<T, Error> {
    T::from_bytes(&body).map_err(Error::unverified)
}

fn unhex(text: &str) -> Result<Vec<u8>, Error> {
    hex::decode(text).map_err(|_| Error::unverified("bytes are not hexadecimal"))
}

fn status_of(body: &[u8], chain: Fingerprint) -> Result<Status, Error> {
    let status: Status = json(body)?;
    match status.fingerprint == chain {
        true => Ok(status),
        false => Err(Error::unverified(format!("the node is of chain {}", status.fingerprint))),
    }
}

fn tx_info(body: &[u8], id: TxId) -> Result<TxInfo, Error> {
    let info: TxInfo = json(body)?;
    match info.id == id {
        true => Ok(info),
        false => Err(Error::unverified("the answer is about another transaction")),
    }
}
