//! How many calls a second one core executes, without store, consensus and signatures: `cargo run -p chain-runtime
//! --example speed`. Printed, never asserted: a number depends on the machine.

use std::collections::BTreeMap;
use std::time::Instant;

use chain_runtime::{BlockContext, MemoryState, Turn, execute, genesis_state};
use chain_types::account::Custody;
use chain_types::crypto::SigningKey;
use chain_types::encoding::to_value;
use chain_types::genesis::{GenesisOrganisation, GenesisValidator, Governance, Membership, Text};
use chain_types::manifest::{ChainPart, FieldValue};
use chain_types::{Call, Genesis, Hash, PublicKey, Transaction, Validator};
use serde::Serialize;

const APP: &str = "app";
const PRODUCT: &str = "09506000134352";
const BLOCK: usize = 2_000;
const BLOCKS: usize = 5;

struct Bench {
    key: SigningKey,
    state: MemoryState,
    context: BlockContext,
    salt: u64,
}

#[derive(Serialize)]
struct Install {
    app: &'static str,
    template: &'static str,
    version: &'static str,
    manifest: ChainPart,
    console_hash: Hash,
}

#[derive(Serialize)]
struct Admit {
    app: &'static str,
    organisation: &'static str,
    roles: Vec<&'static str>,
}

#[derive(Serialize)]
struct Assign {
    app: &'static str,
    key: PublicKey,
    roles: Vec<&'static str>,
}

#[derive(Serialize)]
struct Anchor {
    fields: BTreeMap<&'static str, FieldValue>,
    files: Vec<Hash>,
}

#[derive(Serialize)]
struct Digests {
    digests: Vec<Hash>,
}

impl Bench {
    fn new() -> Self {
        let key = SigningKey::from_seed(&[1; 32]);
        let title = Text { zh: "市".into(), en: "City".into() };
        let validator = Validator {
            consensus_key: key.public(),
            cosigner_key: key.public(),
            log_key: key.public(),
            power: 1,
            organisation: "city".into(),
        };
        let genesis = Genesis {
            chain_id: "city.bench.chain".into(),
            profile: "intl".into(),
            rules: 1,
            time_ms: 0,
            governance: Governance::Platform,
            membership: Membership::Delegated,
            heartbeat_ms: 600_000,
            trusting_period_ms: 1,
            steward: key.public(),
            validators: vec![GenesisValidator { name: "validator-1".into(), validator }],
            organisations: vec![GenesisOrganisation {
                id: "city".into(),
                title,
                administrator: key.public(),
                custody: Custody::Own,
            }],
            operator: "city".into(),
        };
        let mut state = MemoryState::default();
        state.apply(genesis_state(&genesis).expect("the genesis above is valid"));
        let context = BlockContext {
            version: 1,
            fingerprint: genesis.fingerprint(),
            height: 1,
            time_ms: 1_767_225_600_000,
            log_size: 0,
            turn: Turn { first: key.public(), round: 0 },
        };
        Self { key, state, context, salt: 0 }
    }

    fn sign<T: Serialize>(&mut self, app: &str, instance: &str, method: &str, args: &T) -> Transaction {
        self.salt += 1;
        let call = Call {
            fingerprint: self.context.fingerprint,
            valid_until_ms: self.context.time_ms,
            salt: self.salt.to_be_bytes(),
            app: app.to_owned(),
            instance: instance.to_owned(),
            method: method.to_owned(),
            args: to_value(args).expect("arguments are plain"),
        };
        Transaction::sign(call, &self.key).expect("arguments are small")
    }

    fn block(&mut self, txs: &[Transaction]) -> usize {
        let effects = execute(&self.state, &self.context, txs).expect("memory answers");
        let applied = effects.txs.iter().filter(|t| t.outcome.verdict.is_ok()).count();
        self.state.apply(effects.changes);
        self.context.log_size = effects.log_size;
        self.context.height += 1;
        applied
    }

    /// Prints calls a second; `work` items are handled by each call.
    fn measure(&mut self, name: &str, work: usize, txs: &[Transaction]) {
        let (wall, cpu) = (Instant::now(), cpu_seconds());
        let applied: usize = txs.chunks(BLOCK).map(|block| self.block(block)).sum();
        // Time on the processor, where the system tells it: a busy machine does not make the code slower.
        let seconds = match (cpu, cpu_seconds()) {
            (Some(before), Some(after)) => after - before,
            _ => wall.elapsed().as_secs_f64(),
        };
        assert_eq!(applied, txs.len(), "{name}: a call was refused");
        let (calls, items) = (applied as f64 / seconds, (applied * work) as f64 / seconds);
        println!("{name:<28} {calls:>10.0} calls/s {items:>12.0} items/s");
    }
}

/// Seconds that this thread has run.
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}

fn main() {
    let mut bench = Bench::new();
    let manifest =
        serde_yaml_ng::from_str(include_str!("../tests/it/application.yaml")).expect("the manifest is valid");
    let roles = vec!["clerk", "maker", "shop", "bureau"];
    let install = Install { app: APP, template: "bench", version: "1.0.0", manifest, console_hash: Hash::ZERO };
    let setup = [
        bench.sign("chain", "application", "install", &install),
        bench.sign("chain", "application", "admit", &Admit { app: APP, organisation: "city", roles: roles.clone() }),
        bench.sign("chain", "application", "assign", &Assign { app: APP, key: bench.key.public(), roles }),
    ];
    assert_eq!(bench.block(&setup), 3);
    anchors(&mut bench);
    goods(&mut bench);
}

fn anchors(bench: &mut Bench) {
    let txs: Vec<Transaction> = (0..BLOCK * BLOCKS)
        .map(|n| {
            let fields = BTreeMap::from([("topic", FieldValue::Text("one".into()))]);
            let args = Anchor { fields, files: vec![Hash::of(&n.to_be_bytes())] };
            bench.sign(APP, "papers", "anchor", &args)
        })
        .collect();
    bench.measure("anchor, one file each", 1, &txs);
    let txs: Vec<Transaction> = (0..50)
        .map(|n: usize| {
            let digests = (0..10_000usize).map(|m| Hash::of(&(n * 10_000 + m).to_be_bytes())).collect();
            bench.sign("chain", "anchor", "digests", &Digests { digests })
        })
        .collect();
    bench.measure("digests, 10,000 a call", 10_000, &txs);
}

fn goods(bench: &mut Bench) {
    let product = serde_json::json!({"product": PRODUCT, "fields": {"name": "milk"}});
    let lot = serde_json::json!({
        "product": PRODUCT, "lot": "L1", "made_on": "2026-01-01", "expire_on": "2026-02-01", "quantity": 100_000
    });
    let setup = [bench.sign(APP, "goods", "register_product", &product), bench.sign(APP, "goods", "open_lot", &lot)];
    assert_eq!(bench.block(&setup), 2);
    let codes = |n: usize| (0..100).map(|m| format!("{PRODUCT}{:020}", n * 100 + m)).collect::<Vec<_>>();
    let commission: Vec<Transaction> = (0..200)
        .map(|n| {
            let args = serde_json::json!({"product": PRODUCT, "lot": "L1", "codes": codes(n)});
            bench.sign(APP, "goods", "commission", &args)
        })
        .collect();
    bench.measure("commission, 100 codes a call", 100, &commission);
    let sell: Vec<Transaction> = (0..BLOCK * BLOCKS)
        .map(|n| {
            let args = serde_json::json!({"codes": [format!("{PRODUCT}{n:020}")]});
            bench.sign(APP, "goods", "sell", &args)
        })
        .collect();
    bench.measure("sell, one code a call", 1, &sell);
}
