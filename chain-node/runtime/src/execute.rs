//! The algorithm of a block: every call in order, each wholly or not at all.

use chain_types::account::{Account, AccountStatus, Custody};
use chain_types::manifest::Code;
use chain_types::outcome::Event;
use chain_types::{Fingerprint, Hash, PublicKey, Transaction, TxOutcome, ValidatorSet, state};

use crate::NEWEST_RULES;
use crate::call::{CallContext, CallError, CallResult, refuse};
use crate::modules::{self, Applications, governance};
use crate::overlay::Overlay;
use crate::state::{Changes, StateError, StateView};

/// What execution knows of the block beside its transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockContext {
    /// Execution rules, from the header.
    pub version: u32,
    pub fingerprint: Fingerprint,
    pub height: u64,
    pub time_ms: u64,
    /// Log entries before the block.
    pub log_size: u64,
    /// Whose turn it was to propose, and how far the rounds went.
    pub turn: Turn,
}

/// What a header and the set of its height tell of its proposers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The proposer of round 0.
    pub first: PublicKey,
    /// The round in which the block was built; above 0 the first proposer missed its turn.
    pub round: u32,
}

/// What one transaction did.
#[derive(Debug, Clone, PartialEq)]
pub struct TxEffects {
    pub outcome: TxOutcome,
    /// Anchored digests in order: one log entry each, after the call's own.
    pub digests: Vec<Hash>,
    /// A registered statement: a log entry after those.
    pub statement: Option<Vec<u8>>,
}

/// What a block did.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockEffects {
    pub changes: Changes,
    pub txs: Vec<TxEffects>,
    /// Log entries after the block.
    pub log_size: u64,
    /// Set only if the block changes who votes.
    pub next_validators: Option<ValidatorSet>,
}

/// Executes a block. Fails only if the state cannot be read or the rules are of a later version.
pub fn execute<S: StateView>(
    view: &S,
    context: &BlockContext,
    txs: &[Transaction],
) -> Result<BlockEffects, StateError> {
    if !(1..=NEWEST_RULES).contains(&context.version) {
        let found = context.version;
        return Err(StateError(format!(
            "block {} has rules {found}; this version knows them up to {NEWEST_RULES}",
            context.height
        )));
    }
    let (state, applications) = (Overlay::new(view), Applications::default());
    let mut block = Execution { state, applications, context, next_validators: None };
    let mut log_size = context.log_size;
    let mut effects = Vec::with_capacity(txs.len());
    for tx in txs {
        let one = block.transaction(tx, log_size)?;
        log_size = add(log_size, one.outcome.entries)?;
        effects.push(one);
    }
    if context.version >= 2 {
        governance::turns::count(&mut block.state, &context.turn, context.height)?;
        block.state.keep();
    }
    let next_validators = block.next_validators;
    Ok(BlockEffects { changes: block.state.into_changes(), txs: effects, log_size, next_validators })
}

struct Execution<'v, 'c> {
    state: Overlay<'v>,
    applications: Applications,
    context: &'c BlockContext,
    next_validators: Option<ValidatorSet>,
}

/// What a call leaves beside its changes.
struct Applied {
    events: Vec<Event>,
    digests: Vec<Hash>,
    statement: Option<Vec<u8>>,
    changed_app: Option<String>,
    next_validators: Option<ValidatorSet>,
}

impl Execution<'_, '_> {
    fn transaction(&mut self, tx: &Transaction, log_size: u64) -> Result<TxEffects, StateError> {
        let outcome = |verdict, entries| TxOutcome { tx: tx.id(), verdict, first_entry: log_size, entries };
        match self.call(tx) {
            Ok(Applied { events, digests, statement, changed_app, next_validators }) => {
                self.state.keep();
                self.next_validators = next_validators.or(self.next_validators.take());
                changed_app.iter().for_each(|app| self.applications.forget(app));
                let entries = add(1, digests.len() as u64 + u64::from(statement.is_some()))?;
                Ok(TxEffects { outcome: outcome(Ok(events), entries), digests, statement })
            }
            Err(CallError::Refused(refusal)) => {
                self.state.discard();
                Ok(TxEffects { outcome: outcome(Err(refusal), 0), digests: Vec::new(), statement: None })
            }
            Err(CallError::State(e)) => Err(e),
        }
    }

    fn call(&mut self, tx: &Transaction) -> CallResult<Applied> {
        let call = tx.call();
        if call.fingerprint != self.context.fingerprint {
            return refuse(Code::WrongChain, []);
        }
        let account: Option<Account> = self.state.get(&state::account_key(&tx.kid()))?;
        let is_steward = account.is_none()
            && (call.app.as_str(), call.instance.as_str()) == (state::CHAIN_APP, "governance")
            && governance::steward(&mut self.state)? == Some(tx.kid());
        let account = match account {
            None if is_steward => nobody(),
            None => return refuse(Code::AccountUnbound, []),
            Some(a) if a.status == AccountStatus::Suspended => return refuse(Code::AccountSuspended, []),
            Some(account) => account,
        };
        let mut context = CallContext {
            state: &mut self.state,
            block: self.context,
            tx: tx.id(),
            kid: tx.kid(),
            account: &account,
            is_steward,
            app: &call.app,
            instance: &call.instance,
            method: &call.method,
            events: Vec::new(),
            digests: Vec::new(),
            statement: None,
            changed_app: None,
            next_validators: None,
        };
        modules::dispatch(&mut context, &mut self.applications, &call.args)?;
        let CallContext { events, digests, statement, changed_app, next_validators, .. } = context;
        Ok(Applied { events, digests, statement, changed_app, next_validators })
    }
}

/// The steward acts for no organisation and administers nothing.
fn nobody() -> Account {
    Account {
        organisation: String::new(),
        administrator: false,
        custody: Custody::Platform,
        status: AccountStatus::Active,
        label: String::new(),
    }
}

fn add(a: u64, b: u64) -> Result<u64, StateError> {
    a.checked_add(b).ok_or_else(|| StateError("the log is full".into()))
}
