//! A chain in memory: organisations `city` (operator), `maker` and `shop`, an application `app` of `city`, and an account
//! with every role for each.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use chain_runtime::{BlockContext, BlockEffects, MemoryState, Turn, execute, genesis_state};
use chain_types::account::Custody;
use chain_types::crypto::SigningKey;
use chain_types::encoding::to_value;
use chain_types::genesis::{GenesisOrganisation, GenesisValidator, Governance, Membership, Text};
use chain_types::manifest::{ChainPart, Code};
use chain_types::outcome::Refusal;
use chain_types::{Call, Event, Genesis, Hash, PublicKey, Transaction, Validator};
use serde::Serialize;
use serde_json::json;

pub const START_MS: u64 = 1_767_225_600_000; // 2026-01-01 08:00 in the city
pub const APP: &str = "app";
pub const PRODUCT: &str = "09506000134352";

/// Whoever signs: a key from one byte.
pub fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(&[n; 32])
}

pub const CITY: u8 = 1;
pub const MAKER: u8 = 2;
pub const SHOP: u8 = 3;
/// Accounts with roles, of the organisations above in turn.
pub const CLERK: u8 = 11;
pub const MAKER_DESK: u8 = 12;
pub const SHOP_DESK: u8 = 13;
/// Bound to `shop`, without any role.
pub const IDLE: u8 = 14;
/// A block of round 0.
pub const ON_TIME: Turn = Turn { first: PublicKey([0; 32]), round: 0 };
/// Holds no account.
pub const STEWARD: u8 = 200;

pub fn genesis(governance: Governance) -> Genesis {
    let title = |t: &str| Text { zh: t.to_owned(), en: t.to_owned() };
    let organisation = |(id, n): (&str, u8)| GenesisOrganisation {
        id: id.to_owned(),
        title: title(id),
        administrator: key(n).public(),
        custody: if n == SHOP { Custody::Platform } else { Custody::Own },
    };
    let validator = |n: u8| GenesisValidator {
        name: format!("validator-{n}"),
        validator: Validator {
            consensus_key: key(100 + n).public(),
            cosigner_key: key(110 + n).public(),
            log_key: key(120 + n).public(),
            power: 1,
            organisation: "city".to_owned(),
        },
    };
    Genesis {
        chain_id: "yunchuan.market.goods".to_owned(),
        profile: "intl".to_owned(),
        rules: 1,
        time_ms: START_MS - 1,
        governance,
        membership: Membership::Delegated,
        heartbeat_ms: 600_000,
        trusting_period_ms: 14 * 86_400_000,
        steward: key(STEWARD).public(),
        validators: (0..4).map(validator).collect(),
        organisations: [("city", CITY), ("maker", MAKER), ("shop", SHOP)].into_iter().map(organisation).collect(),
        operator: "city".to_owned(),
    }
}

pub fn manifest() -> ChainPart {
    serde_yaml_ng::from_str(include_str!("application.yaml")).unwrap()
}

/// What tests have seen, by module: refusals and events.
#[derive(Default)]
pub struct Seen {
    pub refusals: BTreeSet<(&'static str, Code)>,
    pub events: BTreeSet<(&'static str, String)>,
}

thread_local! {
    static SEEN: RefCell<Seen> = RefCell::default();
}

/// What this thread's tests have seen since the last call.
pub fn seen() -> Seen {
    SEEN.take()
}

pub struct Chain {
    pub state: MemoryState,
    pub context: BlockContext,
    salt: u64,
}

impl Chain {
    /// Genesis and nothing else.
    pub fn bare(governance: Governance) -> Self {
        Self::of(&genesis(governance))
    }

    /// The chain of a genesis and nothing else.
    pub fn of(genesis: &Genesis) -> Self {
        let mut state = MemoryState::default();
        state.apply(genesis_state(genesis).unwrap());
        let fingerprint = genesis.fingerprint();
        Self {
            state,
            context: BlockContext { version: 1, fingerprint, height: 1, time_ms: START_MS, log_size: 0, turn: ON_TIME },
            salt: 0,
        }
    }

    /// With the application and its accounts.
    pub fn new() -> Self {
        let mut chain = Self::bare(Governance::Platform);
        for (admin, account) in [(CITY, CLERK), (MAKER, MAKER_DESK), (SHOP, SHOP_DESK), (SHOP, IDLE)] {
            chain.bind(admin, account);
        }
        chain.install(APP, &manifest());
        for (admin, organisation, account, roles) in [
            (CITY, "city", CLERK, vec!["clerk", "bureau"]),
            (MAKER, "maker", MAKER_DESK, vec!["clerk", "maker"]),
            (SHOP, "shop", SHOP_DESK, vec!["shop", "bureau"]),
        ] {
            chain.ok(
                CITY,
                "chain",
                "application",
                "admit",
                json!({"app": APP, "organisation": organisation, "roles": roles}),
            );
            let args = Assign { app: APP, key: key(account).public(), roles };
            chain.ok(admin, "chain", "application", "assign", args);
        }
        chain
    }

    pub fn bind(&mut self, admin: u8, account: u8) {
        let args = Bind { key: key(account).public(), label: "desk", custody: Custody::Platform, administrator: false };
        self.ok(admin, "chain", "identity", "bind_account", args);
    }

    pub fn install(&mut self, app: &str, manifest: &ChainPart) {
        self.ok(CITY, "chain", "application", "install", Install::of(app, manifest));
    }

    pub fn sign<T: Serialize>(&mut self, who: u8, app: &str, instance: &str, method: &str, args: T) -> Transaction {
        self.salt += 1;
        let call = Call {
            fingerprint: self.context.fingerprint,
            valid_until_ms: self.context.time_ms + 60_000,
            salt: self.salt.to_be_bytes(),
            app: app.to_owned(),
            instance: instance.to_owned(),
            method: method.to_owned(),
            args: to_value(&args).unwrap(),
        };
        Transaction::sign(call, &key(who)).unwrap()
    }

    /// Executes a block and applies it; a second passes.
    pub fn block(&mut self, txs: &[Transaction]) -> BlockEffects {
        let effects = execute(&self.state, &self.context, txs).unwrap();
        self.state.apply(effects.changes.clone());
        self.context.log_size = effects.log_size;
        self.context.height += 1;
        self.context.time_ms += 1_000;
        effects
    }

    pub fn call<T: Serialize>(
        &mut self,
        who: u8,
        app: &str,
        instance: &str,
        method: &str,
        args: T,
    ) -> Result<Vec<Event>, Refusal> {
        let tx = self.sign(who, app, instance, method, args);
        let before = self.context.log_size;
        let effects = self.block(&[tx]);
        let one = effects.txs.into_iter().next().unwrap();
        let own = one.digests.len() as u64 + u64::from(one.statement.is_some());
        let entries = if one.outcome.verdict.is_ok() { 1 + own } else { 0 };
        assert_eq!((one.outcome.first_entry, one.outcome.entries), (before, entries));
        assert_eq!(effects.log_size, before + entries);
        if one.outcome.verdict.is_err() {
            assert!(effects.changes.is_empty() && own == 0, "a refused call changes nothing");
        }
        one.outcome.verdict
    }

    /// A call that must apply.
    pub fn ok<T: Serialize>(&mut self, who: u8, app: &str, instance: &str, method: &str, args: T) -> Vec<Event> {
        let events =
            self.call(who, app, instance, method, args).unwrap_or_else(|r| panic!("{instance}.{method}: {r:?}"));
        let module = module_of(app, instance);
        SEEN.with_borrow_mut(|seen| seen.events.extend(events.iter().map(|e| (module, e.name.clone()))));
        events
    }

    /// A call that must be refused, with every parameter that its sentences use.
    pub fn refused<T: Serialize>(
        &mut self,
        who: u8,
        app: &str,
        instance: &str,
        method: &str,
        args: T,
        code: Code,
    ) -> Refusal {
        let refusal = self.call(who, app, instance, method, args).expect_err(code.as_str());
        assert_eq!(refusal.code, code.as_str(), "{refusal:?}");
        for param in code.params() {
            assert!(refusal.params.contains_key(param), "{} lacks {param}", refusal.code);
        }
        let module = module_of(app, instance);
        SEEN.with_borrow_mut(|seen| seen.refusals.insert((module, code)));
        refusal
    }

    /// A signed transaction that must be refused.
    pub fn refused_tx(&mut self, tx: &Transaction, module: &'static str, code: Code) {
        let effects = self.block(std::slice::from_ref(tx));
        assert_eq!(effects.txs[0].outcome.verdict.as_ref().unwrap_err().code, code.as_str());
        SEEN.with_borrow_mut(|seen| seen.refusals.insert((module, code)));
    }
}

fn module_of(app: &str, instance: &str) -> &'static str {
    match (app, instance) {
        ("chain", "identity") => "identity",
        ("chain", "governance") => "governance",
        ("chain", "application") => "application",
        ("chain", "clients") => "clients",
        (_, "goods" | "loose") => "trace",
        _ => "anchor",
    }
}

/// A field of an event as text.
pub fn field(events: &[Event], event: &str, name: &str) -> String {
    let event = events.iter().find(|e| e.name == event).unwrap_or_else(|| panic!("no event {event} in {events:?}"));
    let pairs = event.fields.as_map().unwrap();
    let value = pairs.iter().find(|(k, _)| k.as_text() == Some(name)).map(|(_, v)| v).unwrap();
    match value.as_text() {
        Some(text) => text.to_owned(),
        None => u64::try_from(value.as_integer().unwrap()).unwrap().to_string(),
    }
}

/// The n-th item code of the product.
pub fn code(n: u32) -> String {
    format!("{PRODUCT}{n:020}")
}

#[derive(Serialize)]
pub struct Bind {
    pub key: PublicKey,
    pub label: &'static str,
    pub custody: Custody,
    pub administrator: bool,
}

#[derive(Serialize)]
pub struct Key {
    pub key: PublicKey,
}

#[derive(Serialize, Clone)]
pub struct Assign {
    pub app: &'static str,
    pub key: PublicKey,
    pub roles: Vec<&'static str>,
}

#[derive(Serialize, Clone)]
pub struct Install {
    pub app: String,
    pub template: String,
    pub version: String,
    pub manifest: ChainPart,
    pub console_hash: Hash,
}

impl Install {
    pub fn of(app: &str, manifest: &ChainPart) -> Self {
        Self {
            app: app.to_owned(),
            template: "everything".to_owned(),
            version: "1.0.0".to_owned(),
            manifest: manifest.clone(),
            console_hash: Hash([9; 32]),
        }
    }
}

/// The arguments of `anchor` and `append`.
#[derive(Serialize, Default, Clone)]
pub struct Paper {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    pub fields: BTreeMap<String, chain_types::manifest::FieldValue>,
    pub files: Vec<Hash>,
}
