//! The algorithm of a block: every call in order, each wholly or not at all.

use chain_types::account::{Account, AccountStatus};
use chain_types::manifest::Code;
use chain_types::outcome::Event;
use chain_types::{Fingerprint, Hash, Transaction, TxOutcome, ValidatorSet, state};

use crate::RULES_VERSION;
use crate::call::{CallContext, CallError, CallResult, refuse};
use crate::modules::{self, Applications};
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
    if context.version != RULES_VERSION {
        let found = context.version;
        return Err(StateError(format!(
            "block {} has rules {found}; this version knows {RULES_VERSION}",
            context.height
        )));
    }
    let mut block = Execution { state: Overlay::new(view), applications: Applications::default(), context };
    let mut log_size = context.log_size;
    let mut effects = Vec::with_capacity(txs.len());
    for tx in txs {
        let one = block.transaction(tx, log_size)?;
        log_size = add(log_size, one.outcome.entries)?;
        effects.push(one);
    }
    Ok(BlockEffects { changes: block.state.into_changes(), txs: effects, log_size, next_validators: None })
}

struct Execution<'v, 'c> {
    state: Overlay<'v>,
    applications: Applications,
    context: &'c BlockContext,
}

/// What a call leaves beside its changes.
struct Applied {
    events: Vec<Event>,
    digests: Vec<Hash>,
    statement: Option<Vec<u8>>,
    changed_app: Option<String>,
}

impl Execution<'_, '_> {
    fn transaction(&mut self, tx: &Transaction, log_size: u64) -> Result<TxEffects, StateError> {
        let outcome = |verdict, entries| TxOutcome { tx: tx.id(), verdict, first_entry: log_size, entries };
        match self.call(tx) {
            Ok(Applied { events, digests, statement, changed_app }) => {
                self.state.keep();
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
        let account = match account {
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
            app: &call.app,
            instance: &call.instance,
            method: &call.method,
            events: Vec::new(),
            digests: Vec::new(),
            statement: None,
            changed_app: None,
        };
        modules::dispatch(&mut context, &mut self.applications, &call.args)?;
        let CallContext { events, digests, statement, changed_app, .. } = context;
        Ok(Applied { events, digests, statement, changed_app })
    }
}

fn add(a: u64, b: u64) -> Result<u64, StateError> {
    a.checked_add(b).ok_or_else(|| StateError("the log is full".into()))
}
