//! A chain that witnesses another, on real processes: history is proven by what the witness stored, and a second chain of
//! the same genesis, run by whoever still holds its keys, is not believed.

use chain_types::Value;
use chain_types::api::Status;
use chain_types::encoding::{Encode, to_value};
use chain_types::light::{StoredHeader, Update};

use super::cluster::{Cluster, PATIENCE, copy_dir, digest, node};

async fn applied(cluster: &Cluster, instance: &str, method: &str, args: Vec<(&str, Value)>) {
    let args = Value::Map(args.into_iter().map(|(name, value)| (name.into(), value)).collect());
    let tx = cluster.call(instance, method, args);
    let committed = cluster.client().commit(&tx, PATIENCE).await.unwrap();
    assert!(committed.applied, "{instance}.{method}: {:?}", committed.refusal);
}

/// One version after the other, as the operator's administrator may decide.
async fn upgrade_rules(cluster: &Cluster) {
    for version in 2..=3u32 {
        let from = cluster.status(0).await.height + 6;
        let upgrade = serde_json::json!({ "upgrade_rules": { "version": version, "from_height": from } });
        applied(cluster, "governance", "propose", vec![("action", to_value(&upgrade).unwrap())]).await;
        let mut n = u64::from(version) << 40;
        while cluster.status(0).await.height <= from {
            anchored(cluster, n).await;
            n += 1;
        }
    }
}

async fn anchored(cluster: &Cluster, n: u64) -> u64 {
    let committed = cluster.client().commit(&cluster.anchor(&[digest(n)]), PATIENCE).await.unwrap();
    assert!(committed.applied, "{:?}", committed.refusal);
    let sealed = |all: &[Status]| all.len() == 4 && all.iter().all(|s| s.height > committed.height);
    cluster.until("all have the block and its seal", sealed).await;
    committed.entry.unwrap() + 1
}

async fn stored(city: &Cluster, tenant: &Cluster) -> StoredHeader {
    let witnessed = city.client().witnessed(&tenant.client()).await.unwrap().unwrap();
    assert_eq!(witnessed.forked_at, None);
    witnessed.header
}

async fn carry(city: &Cluster, tenant: &Cluster) {
    let base = stored(city, tenant).await;
    let update = tenant.client().light_update(&base).await.unwrap().expect("something new");
    feed(city, tenant, &update).await;
}

async fn feed(city: &Cluster, tenant: &Cluster, update: &Update) {
    let chain = Value::Bytes(tenant.genesis.fingerprint().0.to_vec());
    let args = vec![("chain", chain), ("update", Value::Bytes(update.to_bytes()))];
    applied(city, "clients", "update", args).await;
}

/// What a backup of any height is held against: the highest header that is stored up to there.
async fn anchors_are_found(city: &Cluster, tenant: &Cluster) {
    let (chain, newest) = (tenant.genesis.fingerprint(), stored(city, tenant).await);
    let mut height = newest.height + 1_000_000;
    let mut found = Vec::new();
    while let Some(anchored) = city.client().anchored(chain, height).await.unwrap() {
        assert!(anchored.height <= height);
        assert_eq!(tenant.client().header(anchored.height).await.unwrap().0.id(), anchored.id);
        assert_eq!(city.client().anchored(chain, anchored.height).await.unwrap().as_ref(), Some(&anchored));
        height = anchored.height - 1;
        found.push(anchored.height);
    }
    assert_eq!((found.first(), found.len()), (Some(&newest.height), 3), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_proven_by_the_city_chain_and_a_second_history_is_not() {
    let city = Cluster::start(4).await;
    upgrade_rules(&city).await;
    let mut tenant = Cluster::start(4).await;
    applied(&city, "clients", "create", vec![("genesis", Value::Bytes(tenant.genesis.to_bytes()))]).await;
    // What the consortium's keys can do twice: everything up to here is in both histories.
    tenant.kill_all();
    let (chain, copy) = (tenant.dir(), tenant.home.path().join("before"));
    copy_dir(&chain, &copy);
    (0..4).for_each(|n| tenant.run(n));
    let entry = anchored(&tenant, 1).await;
    let true_one = tenant.client().evidence_of_entry(entry).await.unwrap();
    assert!(tenant.client().city_proof(&city.client(), &true_one).await.unwrap().is_none(), "nothing is stored yet");
    carry(&city, &tenant).await;
    for n in 2..20 {
        anchored(&tenant, n).await;
    }
    carry(&city, &tenant).await;
    let late = anchored(&tenant, 20).await;
    carry(&city, &tenant).await;
    let late = tenant.client().evidence_of_entry(late).await.unwrap();
    anchors_are_found(&city, &tenant).await;
    let good = tenant.client().city_proof(&city.client(), &true_one).await.unwrap().expect("stored since");
    assert!(tenant.client().city_proof(&city.client(), &late).await.unwrap().is_some());

    // The same validators, from their old stores: another entry in the same place. The identity guard holds copies back;
    // who rewrites a chain tells each of them that it is the only one.
    tenant.kill_all();
    std::fs::remove_dir_all(&chain).unwrap();
    copy_dir(&copy, &chain);
    for n in 0..4 {
        let adopted = node(&["adopt", "--only-copy", "--home", tenant.validator_dir(n).to_str().unwrap()]);
        assert!(adopted.status.success(), "{}", String::from_utf8_lossy(&adopted.stderr));
    }
    (0..4).for_each(|n| tenant.run(n));
    let forged_entry = anchored(&tenant, 99).await;
    let forged = tenant.client().evidence_of_entry(forged_entry).await.unwrap();
    assert_ne!(forged.bytes, true_one.bytes);
    let headers = stored(&city, &tenant).await;
    while tenant.status(0).await.height <= headers.height {
        anchored(&tenant, 100 + tenant.status(0).await.height).await;
    }
    assert!(tenant.client().city_proof(&city.client(), &forged).await.is_err());

    let write = |name: &str, bytes: &[u8]| {
        let path = city.home.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (one, other) = (write("true.cbor", &true_one.bytes), write("forged.cbor", &forged.bytes));
    let proof = write("city.cbor", &good);
    let (trust, city_trust) = (tenant.genesis.fingerprint().to_string(), city.genesis.fingerprint().to_string());
    let verify = |file: &str| {
        let with_city = ["--city", &proof, "--city-trust", &city_trust, "--require", "history"];
        let alone = node(&["verify", file, "--trust", &trust]);
        let both = node(&[&["verify", file, "--trust", &trust][..], &with_city[..]].concat());
        [alone, both].map(|out| (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned()))
    };
    let [alone, both] = verify(&one);
    assert!(alone.1.contains("valid, history not proven") && alone.0 == Some(0), "{}", alone.1);
    assert!(both.0 == Some(0) && both.1.contains("pass  history"), "{}", both.1);
    let [alone, both] = verify(&other);
    assert!(alone.1.contains("valid, history not proven") && alone.0 == Some(0), "{}", alone.1);
    assert!(both.0 == Some(1) && both.1.contains("FAIL  history"), "{}", both.1);

    // The next step shows the fork, and the witness stores nothing of this chain any more.
    let fork = tenant.client().light_update(&headers).await.unwrap().expect("another header is at that height");
    feed(&city, &tenant, &fork).await;
    let witnessed = city.client().witnessed(&tenant.client()).await.unwrap().unwrap();
    assert_eq!((witnessed.forked_at, witnessed.header), (Some(headers.height), headers));
}
