//! One call while it is carried out: who calls, when, on which instance, and what it does so far.
//!
//! Modules work only through this: records of their own instance, events, anchored digests. What a call may not do has
//! been decided before ([`crate::modules`]), what remains of it is decided after ([`crate::execute()`]).

use chain_types::account::Account;
use chain_types::encoding::{from_value, to_value};
use chain_types::manifest::Code;
use chain_types::outcome::{Event, Refusal};
use chain_types::{Hash, PublicKey, TxId, ValidatorSet, Value, state};
use serde::{Serialize, de::DeserializeOwned};

use crate::execute::BlockContext;
use crate::overlay::Overlay;
use crate::state::StateError;

/// Why a call goes no further.
#[derive(Debug)]
pub enum CallError {
    /// The caller's business: nothing is changed and the result says why.
    Refused(Refusal),
    /// The node's business: execution of the block stops.
    State(StateError),
}

impl From<StateError> for CallError {
    fn from(e: StateError) -> Self {
        Self::State(e)
    }
}

impl From<Refusal> for CallError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

pub type CallResult<T = ()> = Result<T, CallError>;

/// Refuses the call.
pub fn refuse<T, const N: usize>(code: Code, params: [(&str, String); N]) -> CallResult<T> {
    Err(code.refusal(params).into())
}

/// Refuses the call unless `holds`; parameters are made only then.
pub fn ensure<const N: usize>(
    holds: bool,
    code: Code,
    params: impl FnOnce() -> [(&'static str, String); N],
) -> CallResult {
    if holds { Ok(()) } else { refuse(code, params()) }
}

/// A call in progress.
pub struct CallContext<'c, 'v> {
    pub state: &'c mut Overlay<'v>,
    pub block: &'c BlockContext,
    pub tx: TxId,
    pub kid: PublicKey,
    /// The caller's account, active. The steward has none: for its calls of governance this one says so.
    pub account: &'c Account,
    /// The caller is the chain's steward, which may change or propose validators and nothing else.
    pub is_steward: bool,
    pub app: &'c str,
    pub instance: &'c str,
    pub method: &'c str,
    pub events: Vec<Event>,
    pub digests: Vec<Hash>,
    /// A signed statement that the call registers: a log entry of its own, verbatim.
    pub statement: Option<Vec<u8>>,
    /// The application that the call installs or changes.
    pub changed_app: Option<String>,
    /// The validator set that the call leads to.
    pub next_validators: Option<ValidatorSet>,
}

impl CallContext<'_, '_> {
    /// The call's arguments as their type.
    pub fn arguments<T: DeserializeOwned>(&self, args: &Value) -> CallResult<T> {
        // The library's own words are left out: results are hashed, and another release of it would word them otherwise.
        let wrong = |_| Code::BadArguments.refusal([("method", self.method.to_owned())]);
        Ok(from_value(args).map_err(wrong)?)
    }

    /// A key of this instance.
    pub fn key(&self, kind: &str, id: &[u8]) -> Vec<u8> {
        state::key(self.app, self.instance, kind, id)
    }

    pub fn get<T: DeserializeOwned>(&mut self, kind: &str, id: &[u8]) -> CallResult<Option<T>> {
        let key = self.key(kind, id);
        Ok(self.state.get(&key)?)
    }

    pub fn contains(&mut self, kind: &str, id: &[u8]) -> CallResult<bool> {
        let key = self.key(kind, id);
        Ok(self.state.contains(&key)?)
    }

    pub fn put<T: Serialize>(&mut self, kind: &str, id: &[u8], record: &T) -> CallResult {
        let key = self.key(kind, id);
        Ok(self.state.put(key, record)?)
    }

    /// The next number of a sequence of this instance, from 1; never given twice, since a refused call takes none.
    pub fn next_number(&mut self, sequence: &[u8]) -> CallResult<u64> {
        let last: u64 = self.get("sequence", sequence)?.unwrap_or(0);
        let next = last.checked_add(1).ok_or_else(|| StateError("a sequence is exhausted".into()))?;
        self.put("sequence", sequence, &next)?;
        Ok(next)
    }

    /// Reports what happened, for indexes and subscribers.
    pub fn emit<T: Serialize>(&mut self, name: &str, fields: &T) -> CallResult {
        let fields = to_value(fields).map_err(|e| StateError(format!("event `{name}` cannot be encoded: {e}")))?;
        let (app, instance) = (self.app.to_owned(), self.instance.to_owned());
        self.events.push(Event { app, instance, name: name.to_owned(), fields });
        Ok(())
    }

    /// Refuses the call unless the account is an administrator of its organisation.
    pub fn ensure_administrator(&self) -> CallResult {
        ensure(self.account.administrator, Code::NotAdministrator, || [])
    }
}

/// Refuses a list that is too short or too long.
pub fn ensure_size(name: &str, len: usize, min: usize, max: usize) -> CallResult {
    match (min..=max).contains(&len) {
        true => Ok(()),
        false => {
            let params = [("name", name.to_owned()), ("min", min.to_string()), ("max", max.to_string())];
            refuse(Code::ListSize, params)
        }
    }
}
