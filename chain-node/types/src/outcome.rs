//! What became of a transaction. The next header commits to all results of a block in `results_root`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bytes::{Hash, TxId};
use crate::encoding::{Decode, DecodeError, Encode, Reader, Value, Writer, read_value, value_to_vec};
use crate::merkle;

const DOMAIN: &str = "citychain/result/1";

/// Something that happened in an applied call, for indexes and subscribers.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub app: String,
    pub instance: String,
    /// Typed by the module, such as `anchored` or `shipped`.
    pub name: String,
    pub fields: Value,
}

/// Why a call changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable, for programs and translations, such as `not_holder`.
    pub code: String,
    /// What it is about, by name.
    pub params: BTreeMap<String, String>,
}

/// The result of one transaction of a block.
#[derive(Debug, Clone, PartialEq)]
pub struct TxOutcome {
    pub tx: TxId,
    pub verdict: Result<Vec<Event>, Refusal>,
    /// The log entry of the call; digests of an anchor call follow it.
    pub first_entry: u64,
    /// Entries that the call added; none if it was refused.
    pub entries: u64,
}

/// What the next header commits to.
pub fn results_root(outcomes: &[TxOutcome]) -> Hash {
    merkle::root_of_leaves(outcomes.iter().map(|o| merkle::leaf_hash(&o.to_bytes())))
}

impl Encode for TxOutcome {
    fn encode(&self, w: &mut Writer) {
        w.array(5).text(DOMAIN);
        self.tx.encode(w);
        w.uint(self.first_entry).uint(self.entries);
        match &self.verdict {
            Ok(events) => {
                w.array(1).array(events.len());
                for e in events {
                    w.array(4).text(&e.app).text(&e.instance).text(&e.name);
                    // Modules build fields from typed records, which CBOR can always hold; null stands for what it cannot.
                    w.raw(&value_to_vec(&e.fields).unwrap_or_else(|_| vec![0xf6]));
                }
            }
            Err(refusal) => {
                w.array(2).text(&refusal.code).array(refusal.params.len());
                for (name, value) in &refusal.params {
                    w.array(2).text(name).text(value);
                }
            }
        }
    }
}

impl Decode for TxOutcome {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.domain(DOMAIN, 5)?;
        let (tx, first_entry, entries) = (Decode::decode(r)?, r.uint()?, r.uint()?);
        let verdict = match r.array()? {
            1 => {
                let n = r.array()?;
                Ok((0..n).map(|_| decode_event(r)).collect::<Result<_, _>>()?)
            }
            2 => {
                let code = r.text()?.to_owned();
                let n = r.array()?;
                let param = |r: &mut Reader<'_>| {
                    r.array_of(2)?;
                    Ok((r.text()?.to_owned(), r.text()?.to_owned()))
                };
                let params = (0..n).map(|_| param(r)).collect::<Result<_, _>>()?;
                Err(Refusal { code, params })
            }
            _ => return Err(r.invalid("result")),
        };
        Ok(Self { tx, verdict, first_entry, entries })
    }
}

fn decode_event(r: &mut Reader<'_>) -> Result<Event, DecodeError> {
    r.array_of(4)?;
    Ok(Event {
        app: r.text()?.to_owned(),
        instance: r.text()?.to_owned(),
        name: r.text()?.to_owned(),
        fields: read_value(r.raw()?)?,
    })
}
