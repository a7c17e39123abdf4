//! Between a chain and the one that witnesses it: the next step for the witness' light client, and the proof that the
//! witness stored what some evidence rests on. Both are verified before they are returned.

use bytes::Bytes;
use chain_types::encoding::{Decode, Encode, from_slice};
use chain_types::evidence::{
    CheckName, City, CityProof, Evidence, Inputs, Link, MAX_LINK_HEADERS, Outcome, Subject, verify_with_city,
};
use chain_types::light::{MAX_UPDATE_CHANGES, StoredHeader, Update, header_key, header_prefix};
use chain_types::state::account_key;
use chain_types::{Fingerprint, Hash, Header};
use futures::{StreamExt, TryStreamExt};

use crate::client::Client;
use crate::error::Error;
use crate::evidence::Proven;
use crate::transport::Question;

/// Headers of a link that are asked for at once.
const AT_ONCE: usize = 16;
/// A stored header is looked for this far below a height, and then farther.
const ANCHOR_WINDOWS: [u64; 3] = [1_000, 100_000, u64::MAX];
const ANCHORS_A_PAGE: u32 = 100;
/// One a minute fills all of them in more than a day.
const ANCHOR_PAGES: usize = 20;

/// What a witness knows of a chain, as one of its nodes reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    /// The header that was stored last.
    pub header: StoredHeader,
    /// The chain was seen to fork at this height: nothing is stored of it any more.
    pub forked_at: Option<u64>,
}

impl Client {
    /// What this chain, as a witness, knows of another; `None` if it has no light client of it.
    pub async fn witnessed(&self, chain: &Client) -> Result<Option<Witnessed>, Error> {
        #[derive(serde::Deserialize)]
        struct Newest {
            height: u64,
            frozen: Option<Frozen>,
        }
        #[derive(serde::Deserialize)]
        struct Frozen {
            height: u64,
        }
        let fingerprint = chain.fingerprint();
        let Some(client) = self.state_value(&chain_types::light::client_key(&fingerprint)).await? else {
            return Ok(None);
        };
        let newest: Newest = serde_json::from_value(client.json).map_err(Error::unverified)?;
        match self.state_value(&header_key(&fingerprint, newest.height)).await? {
            Some(header) => {
                let header = from_slice(&header.value).map_err(Error::unverified)?;
                Ok(Some(Witnessed { header, forked_at: newest.frozen.map(|frozen| frozen.height) }))
            }
            None => Err(Error::unverified("the witness names a header that it does not have")),
        }
    }

    /// The highest header of another chain that this one, as its witness, has stored up to a height: the restored copy of that
    /// chain must have exactly this block. Proven, so that no single node of the witness is believed.
    pub async fn anchored(&self, chain: Fingerprint, height: u64) -> Result<Option<StoredHeader>, Error> {
        for window in ANCHOR_WINDOWS {
            if let Some(key) = self.highest_stored(chain, height, window).await? {
                let proven = self.evidence_of_state(&key).await?;
                let Subject::State(proof) = &proven.evidence.subject else {
                    return Err(Error::unverified("the evidence is not of a state"));
                };
                let stored: StoredHeader = from_slice(&proof.value).map_err(Error::unverified)?;
                return match stored.height <= height && header_key(&chain, stored.height) == key {
                    true => Ok(Some(stored)),
                    false => Err(Error::unverified("the witness has stored another header there")),
                };
            }
            if window >= height {
                break;
            }
        }
        Ok(None)
    }

    /// The key of the highest stored header of a window below `height`. Where the other chain began is no header.
    async fn highest_stored(&self, chain: Fingerprint, height: u64, window: u64) -> Result<Option<Vec<u8>>, Error> {
        let (mut after, most) = (header_key(&chain, height.saturating_sub(window)), header_key(&chain, height));
        let mut found = None;
        for _ in 0..ANCHOR_PAGES {
            let page = self.state_list(&header_prefix(&chain), Some(&after), ANCHORS_A_PAGE).await?;
            let below = page.iter().take_while(|entry| entry.key <= most).count();
            if let Some(last) = page.get(..below).and_then(<[_]>::last) {
                found = Some(last.key.clone());
                after.clone_from(&last.key);
            }
            if below < ANCHORS_A_PAGE as usize {
                break;
            }
        }
        Ok(found)
    }

    /// The step from a stored header to the newest one that is certified; `None` if there is nothing new. If this chain
    /// has another certified header at the stored height, the step is to that one, and shows the fork.
    ///
    /// More set changes than one step carries make a shorter step.
    pub async fn light_update(&self, base: &StoredHeader) -> Result<Option<Update>, Error> {
        if base.height > 0
            && let Some(fork) = self.fork_at(base).await?
        {
            return Ok(Some(fork));
        }
        let genesis = self.genesis().await?;
        let Some(organisation) = genesis.organisations.first() else { return Ok(None) };
        let Evidence { mut set_changes, sealing: mut header, mut certificate, .. } =
            self.evidence_of_state(&account_key(&organisation.administrator)).await?.evidence;
        set_changes.retain(|change| change.header.height >= base.height);
        if set_changes.len() > MAX_UPDATE_CHANGES {
            set_changes.truncate(MAX_UPDATE_CHANGES + 1);
            if let Some(last) = set_changes.pop() {
                (header, certificate) = (last.header, last.certificate);
            }
        }
        if header.height <= base.height {
            return Ok(None);
        }
        let consistency = self.consistency(base.log_size, &base.log_root, &header).await?;
        Ok(Some(Update { base: base.height, set_changes, header, certificate, consistency }))
    }

    async fn fork_at(&self, base: &StoredHeader) -> Result<Option<Update>, Error> {
        let (header, certificate) = match self.header(base.height).await {
            Ok(there) => there,
            // Pruned here, or not there yet.
            Err(Error::Refused { .. }) => return Ok(None),
            Err(e) => return Err(e),
        };
        let forked = header.id() != base.id && header.validators_hash == base.validators_hash;
        let (set_changes, consistency) = (Vec::new(), Vec::new());
        Ok(forked.then_some(Update { base: base.height, set_changes, header, certificate, consistency }))
    }

    /// The path between two sizes of this chain's log. A log that shrank has none: the step then shows that.
    async fn consistency(&self, old: u64, old_root: &Hash, header: &Header) -> Result<Vec<Hash>, Error> {
        let (new, new_root) = (header.log_size, header.log_root);
        if old == 0 || new < old {
            return Ok(Vec::new());
        }
        let question = Question::get("/consistency").with("old", old).with("new", new);
        let read = |body: Bytes| {
            let path: Vec<Hash> = serde_json::from_slice(&body).map_err(Error::unverified)?;
            match chain_types::merkle::verify_consistency(old, new, &path, old_root, &new_root) {
                true => Ok(path),
                false => Err(Error::unverified("the log does not continue the one that was stored")),
            }
        };
        self.transport().ask(&question, read).await
    }

    /// What `city` stored at or after the header that seals this evidence; `None` if it has stored nothing so new yet.
    /// The proof has passed the check `history`.
    pub async fn city_proof(&self, city: &Client, proven: &Proven) -> Result<Option<Vec<u8>>, Error> {
        let evidence = &proven.evidence;
        let (chain, sealing) = (self.fingerprint(), &evidence.sealing);
        let before = header_key(&chain, sealing.height.saturating_sub(1));
        let Some(entry) = city.state_list(&header_prefix(&chain), Some(&before), 1).await?.pop() else {
            return Ok(None);
        };
        let stored: StoredHeader = from_slice(&entry.value).map_err(Error::unverified)?;
        let link = self.link(evidence, &stored).await?;
        let evidence = city.evidence_of_state(&entry.key).await?.bytes;
        let proof = CityProof { evidence, link }.to_bytes();
        let read = City { proof: &proof, trust: Some(city.fingerprint()) };
        let report = verify_with_city(&proven.bytes, &Inputs { trust: Some(chain), file: None }, Some(&read));
        let history = report.checks.iter().find(|check| check.name == CheckName::History);
        match history.map(|check| &check.outcome) {
            Some(Outcome::Pass) => Ok(Some(proof)),
            Some(Outcome::Fail(reason) | Outcome::NotApplicable(reason)) => Err(Error::unverified(reason)),
            None => Err(Error::unverified("the evidence does not verify")),
        }
    }

    async fn link(&self, evidence: &Evidence, stored: &StoredHeader) -> Result<Link, Error> {
        let sealing = &evidence.sealing;
        let count = stored.height.saturating_sub(sealing.height);
        let headers = match usize::try_from(count) {
            Ok(count) if count <= MAX_LINK_HEADERS => self.headers(sealing.height + 1..=stored.height).await,
            _ => Err(Error::unverified("the header that was stored next is too far away")),
        };
        // Without an account record to vouch for, the log is enough where blocks are pruned.
        let log = evidence.account.is_none() && matches!(evidence.subject, Subject::Act { .. });
        match headers {
            Err(_) if log => {
                let header = Header { log_size: stored.log_size, log_root: stored.log_root, ..sealing.clone() };
                Ok(Link::Log(self.consistency(sealing.log_size, &sealing.log_root, &header).await?))
            }
            headers => headers.map(Link::Headers),
        }
    }

    /// Headers as a node gives them; that they hang together is for the proof to show.
    async fn headers(&self, heights: std::ops::RangeInclusive<u64>) -> Result<Vec<Header>, Error> {
        let one = |height: u64| async move {
            let question = Question::get(format!("/blocks/{height}/header"));
            let read = |body: Bytes| Header::from_bytes(&body).map_err(Error::unverified);
            self.transport().ask(&question, read).await
        };
        futures::stream::iter(heights.map(one)).buffered(AT_ONCE).try_collect().await
    }
}
