//! Five hundred chains of four validators on simulated machines, as `.make/scale` starts it: pods are KWOK's, volumes exist
//! in name only, and the nodes' answers come from here ([`nodes`]). The operator, its admission and the API server are real.
//!
//! What it must hold: the operator's memory, a cold start, no writes at rest, and one change that touches one chain.

mod nodes;
mod operator;
mod surroundings;

use std::time::{Duration, Instant};

use e2e::cluster::operators::{audited_writes, operators};
use e2e::cluster::wait::until;
use e2e::cluster::{kubectl, measured};
use serde_json::{Value, json};

use self::operator::Replica;

pub const VERSION: &str = env!("CARGO_PKG_VERSION");
const TENANTS: usize = 100;
const CHAINS_EACH: usize = 5;
pub const CHAINS: usize = TENANTS * CHAINS_EACH;
pub const VALIDATORS: usize = 4;
/// Resident memory of the leading replica, in bytes.
const MEMORY: u64 = 150 << 20;
const COLD_START: Duration = Duration::from_secs(60);
const QUIET: Duration = Duration::from_secs(60);

fn tenant_name(number: usize) -> String {
    format!("bureau-{}", number + 1)
}

fn tenant(number: usize) -> Value {
    let name = tenant_name(number);
    let key =
        chain_types::crypto::SigningKey::from_seed(&chain_types::Hash::of(name.as_bytes()).0).public().to_string();
    json!({
        "apiVersion": operator_api::API_VERSION, "kind": "Tenant", "metadata": {"name": name},
        "spec": {
            "title": {"zh": "测试", "en": "Test"},
            "organisations": [
                {"id": name, "title": {"zh": "测试", "en": "Test"}, "custody": "self", "publicKey": key},
            ],
            "quota": {"chains": CHAINS_EACH, "validators": CHAINS_EACH * VALIDATORS, "storageGib": CHAINS_EACH * VALIDATORS},
        },
    })
}

fn chain(number: usize) -> Value {
    let tenant = tenant_name(number / CHAINS_EACH);
    json!({
        "apiVersion": operator_api::API_VERSION, "kind": "Chain",
        "metadata": {"name": chain_name(number), "namespace": namespace(number)},
        "spec": {
            "tenant": tenant, "title": {"zh": "测试链", "en": "Test chain"}, "validators": {"count": VALIDATORS},
            // No block is due while this runs: simulated nodes make none.
            "heartbeatMs": 86_400_000, "version": VERSION,
            "resources": {"memoryMib": 192, "storageGib": 1}, "publicReads": true,
        },
    })
}

fn namespace(number: usize) -> String {
    format!("tenant-{}", tenant_name(number / CHAINS_EACH))
}

fn chain_name(number: usize) -> String {
    // Unique in the city.
    format!("chain-{}", number + 1)
}

fn list(items: impl Iterator<Item = Value>) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": items.collect::<Vec<_>>()})
}

/// All of them founded, by two documents as large as a city.
async fn found(leader: &Replica) {
    kubectl::apply(&list((0..TENANTS).map(tenant))).await.unwrap();
    until("every tenant's namespace", Duration::from_secs(120), async || {
        let made =
            kubectl::list("default", "namespaces", "app.kubernetes.io/managed-by=citychain-operator").await?.len();
        Ok(if made >= TENANTS { Ok(()) } else { Err(format!("{made} of {TENANTS}")) })
    })
    .await;
    let applied = Instant::now();
    kubectl::apply(&list((0..CHAINS).map(chain))).await.unwrap();
    measured::took(&format!("{CHAINS} chains let in, one after the other"), applied.elapsed());
    until("every chain is well", Duration::from_secs(1_800), async || leader.all_chains_are_well().await).await;
    measured::took(&format!("{CHAINS} chains × {VALIDATORS} validators applied: all well"), applied.elapsed());
}

/// Waits until a few seconds pass without a write, then counts those of a minute.
async fn no_writes_at_rest() {
    until("a quiet moment", Duration::from_secs(300), async || {
        let first = audited_writes().await.len();
        tokio::time::sleep(Duration::from_secs(5)).await;
        let second = audited_writes().await.len();
        Ok(if first == second { Ok(()) } else { Err(format!("{} writes in 5 s", second - first)) })
    })
    .await;
    let before = audited_writes().await.len();
    tokio::time::sleep(QUIET).await;
    let after = audited_writes().await;
    for line in after[before..].iter().take(20) {
        println!("written: {line}");
    }
    measured::exactly(&format!("writes of the operator in {} s at rest", QUIET.as_secs()), after.len() - before, 0);
}

/// Changes what the nodes of one chain are told; whose objects are written.
async fn one_change_touches_one_chain() {
    let number = CHAINS / 2;
    let (name, namespace) = (chain_name(number), namespace(number));
    let before = audited_writes().await.len();
    kubectl::patch(&namespace, "chain", &name, &json!({"spec": {"publicReads": false}})).await.unwrap();
    until("the change is carried out", Duration::from_secs(60), async || {
        let chain = kubectl::get(&namespace, "chain", &name).await?.unwrap_or_default();
        let (asked, seen) = (&chain["metadata"]["generation"], &chain["status"]["observedGeneration"]);
        let ready = kubectl::condition(&chain, "Ready").as_deref() == Some("True");
        Ok(if asked == seen && ready { Ok(()) } else { Err(format!("generation {asked}, observed {seen}")) })
    })
    .await;
    let written: Vec<Value> =
        audited_writes().await[before..].iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let own = |event: &&Value| {
        let object = &event["objectRef"];
        object["namespace"] == namespace.as_str()
            && object["name"].as_str().is_some_and(|object| object == name || object.starts_with(&format!("{name}-")))
    };
    measured::row("one chain changed: writes to it", &written.iter().filter(own).count().to_string(), "≥ 1");
    assert!(written.iter().any(|event| own(&event)), "the change was carried out by somebody else: {written:?}");
    for other in written.iter().filter(|event| !own(event)) {
        println!("written: {other}");
    }
    let others = written.len() - written.iter().filter(own).count();
    measured::exactly("one chain changed: writes to anything else", others, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_chains_cost_little_and_are_found_again_in_a_minute() {
    surroundings::make().await;
    let _nodes = nodes::serve().await;
    found(&operator::leader().await).await;
    no_writes_at_rest().await;
    operator::leader().await.note_memory("after founding them all");

    operators(0).await;
    let started = Instant::now();
    operators(2).await;
    let leader = operator::leader().await;
    until("every chain is looked at again", Duration::from_secs(300), async || leader.all_chains_are_well().await)
        .await;
    measured::within("operator started anew: every chain looked at", started.elapsed(), COLD_START);
    no_writes_at_rest().await;
    let resident = leader.note_memory("after a cold start");
    assert!(resident <= MEMORY, "the leader holds {} MB, limit {} MB", resident >> 20, MEMORY >> 20);
    one_change_touches_one_chain().await;
}
