//! What the city chain's record of a header adds to a package: the header, and with it everything before, was there when
//! the city chain stored it. Keys that were retired since cannot have made it up (check `history`).
//!
//! `["citychain/city-proof/1", evidence of the city chain, ["headers", [header…]] or ["log", [hash…]]]`.
//! The link leads from the package's sealing header to the stored one. Headers link all that the sealing header commits
//! to. A log link (RFC 9162 §2.1.4) is short and outlives pruned blocks, but vouches for the log's entry alone: not for
//! the state that names the signer's organisation, nor for the block's own time.

use super::{Evidence, Inputs, Subject, verify};
use crate::block::Header;
use crate::bytes::{Fingerprint, Hash};
use crate::encoding::{Decode, DecodeError, Encode, Reader, Writer, from_slice};
use crate::light::{StoredHeader, header_key};
use crate::merkle::verify_consistency;

const DOMAIN: &str = "citychain/city-proof/1";
/// Headers of one link, some 4 MB.
pub const MAX_LINK_HEADERS: usize = 10_000;
/// Hashes of a consistency path in a log of 2^64 entries.
const MAX_CONSISTENCY: usize = 65;

/// How the sealing header hangs together with the stored one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// From the child of the sealing header to the stored header, which stands last; none if they are the same.
    Headers(Vec<Header>),
    /// Between the two logs, from the smaller to the larger.
    Log(Vec<Hash>),
}

/// The city chain's evidence of a stored header, and how a package hangs together with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CityProof {
    /// `evidence.cbor` of the city chain about the record.
    pub evidence: Vec<u8>,
    pub link: Link,
}

/// What a reader brings along for the check `history`.
#[derive(Debug, Clone, Copy)]
pub struct City<'a> {
    /// [`CityProof`], encoded.
    pub proof: &'a [u8],
    /// The city chain that is trusted; without it the check does not apply.
    pub trust: Option<Fingerprint>,
}

impl CityProof {
    /// The record that the city chain holds about `chain`, if its evidence is good for whoever trusts `city`.
    pub fn stored(&self, chain: Fingerprint, city: Fingerprint) -> Result<StoredHeader, String> {
        let report = verify(&self.evidence, &Inputs { trust: Some(city), file: None });
        if let Some(check) = report.failures().next() {
            return Err(format!("the city chain's evidence, check {}: {}", check.name.code(), check.detail));
        }
        let evidence = Evidence::from_bytes(&self.evidence).map_err(|e| e.to_string())?;
        let Subject::State(proof) = &evidence.subject else {
            return Err("the city chain's evidence is not about a record of its state".into());
        };
        let stored: Option<StoredHeader> = from_slice(&proof.value).ok();
        match stored.filter(|stored| proof.key == header_key(&chain, stored.height)) {
            Some(stored) => Ok(stored),
            None => Err("the city chain's evidence is not about a header of this chain".into()),
        }
    }
}

/// The verdict of `history`, for people.
pub(super) fn check_history(evidence: &Evidence, city: &City<'_>, trust: Fingerprint) -> Result<String, String> {
    let proof = CityProof::from_bytes(city.proof).map_err(|e| format!("not a city proof: {e}"))?;
    let stored = proof.stored(evidence.fingerprint(), trust)?;
    let what = match &proof.link {
        Link::Headers(headers) => follow_headers(&evidence.sealing, headers, &stored).map(|()| "the sealing header")?,
        Link::Log(path) => follow_log(evidence, path, &stored).map(|()| "the log's entry (not the block's time)")?,
    };
    Ok(format!("{what} stands under height {}, stored by the city chain at {} ms", stored.height, stored.stored_ms))
}

const REWRITTEN: &str = "the city chain stored another history of this chain";

fn follow_headers(sealing: &Header, headers: &[Header], stored: &StoredHeader) -> Result<(), String> {
    let (mut id, mut height) = (sealing.id(), sealing.height);
    for header in headers {
        if header.parent != id || Some(header.height) != height.checked_add(1) {
            return Err(format!("header {} does not follow the one before", header.height));
        }
        (id, height) = (header.id(), header.height);
    }
    match (id, height) == (stored.id, stored.height) {
        true => Ok(()),
        false if height == stored.height => Err(format!("{REWRITTEN}: height {height} has another header there")),
        false => Err(format!("the headers lead to height {height}, the city chain stored {}", stored.height)),
    }
}

fn follow_log(evidence: &Evidence, path: &[Hash], stored: &StoredHeader) -> Result<(), String> {
    let sealing = &evidence.sealing;
    let Subject::Act { index, .. } = &evidence.subject else {
        return Err("a state is not in the log; its proof links headers".into());
    };
    if evidence.account.is_some() {
        return Err("the log does not vouch for the account record in the package; such a proof links headers".into());
    }
    if *index >= stored.log_size {
        return Err(format!("entry {index} came after the {} that the city chain vouches for", stored.log_size));
    }
    let ((old, old_root), (new, new_root)) = {
        let (own, city) = ((sealing.log_size, &sealing.log_root), (stored.log_size, &stored.log_root));
        if own.0 <= city.0 { (own, city) } else { (city, own) }
    };
    match verify_consistency(old, new, path, old_root, new_root) {
        true => Ok(()),
        false => Err(format!("{REWRITTEN}, or the path between the two logs is wrong")),
    }
}

impl Encode for CityProof {
    fn encode(&self, w: &mut Writer) {
        w.array(3).text(DOMAIN).bytes(&self.evidence).array(2);
        match &self.link {
            Link::Headers(headers) => {
                w.text("headers").array(headers.len());
                headers.iter().for_each(|header| header.encode(w));
            }
            Link::Log(path) => {
                w.text("log").array(path.len());
                path.iter().for_each(|hash| hash.encode(w));
            }
        }
    }
}

impl Decode for CityProof {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.domain(DOMAIN, 3)?;
        let evidence = r.bytes()?.to_vec();
        r.array_of(2)?;
        let kind = r.text()?;
        let n = r.array()?;
        let link = match kind {
            "headers" if n <= MAX_LINK_HEADERS => {
                Link::Headers((0..n).map(|_| Decode::decode(r)).collect::<Result<_, _>>()?)
            }
            "log" if n <= MAX_CONSISTENCY => Link::Log((0..n).map(|_| Decode::decode(r)).collect::<Result<_, _>>()?),
            _ => return Err(r.invalid("link to the stored header")),
        };
        Ok(Self { evidence, link })
    }
}
