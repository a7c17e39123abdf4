//! Validators' keys are replaced as a person asks for it, by an annotation: all four of a chain under load, while the operator that does
//! it is killed; and what cannot be done is told.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};

use crate::city::{City, sentences};
use crate::kubectl::{self, kubectl};
use crate::life::Watch;
use crate::load::{Load, longest_pause, lost};
use crate::measured;
use crate::operators::{SYSTEM, leads};
use crate::wait::until;

const ROTATE: &str = "citychain.dev/rotate-keys";

async fn ask(city: &City, text: &str) {
    let wish = format!("{ROTATE}={text}");
    kubectl(&["annotate", "chain", &city.chain, "-n", &city.namespace, "--overwrite", &wish], None).await.unwrap();
}

async fn asked(city: &City) -> anyhow::Result<Value> {
    Ok(city.object().await?["metadata"]["annotations"][ROTATE].clone())
}

/// What the Secrets of all validators hold, by entry, as it stands there.
async fn seeds(city: &City) -> BTreeSet<(String, String)> {
    let secrets =
        kubectl::list(&city.namespace, "secrets", &format!("citychain.dev/chain={}", city.chain)).await.unwrap();
    let mut found = BTreeSet::new();
    for secret in secrets.iter().filter(|secret| !secret["metadata"]["labels"]["citychain.dev/validator"].is_null()) {
        for (entry, value) in secret["data"].as_object().into_iter().flatten() {
            found.insert((entry.clone(), value.as_str().unwrap_or_default().to_owned()));
        }
    }
    found
}

fn keys<'a>(seeds: &'a BTreeSet<(String, String)>, entries: &[&str]) -> BTreeSet<&'a str> {
    seeds.iter().filter(|(entry, _)| entries.contains(&entry.as_str())).map(|(_, seed)| seed.as_str()).collect()
}

/// The consensus keys that the chain names for the next block.
async fn voters(city: &City) -> BTreeSet<String> {
    let (_, set) = city.client().await.unwrap().validators().await.unwrap();
    set.validators().iter().map(|validator| validator.consensus_key.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_validators_get_new_keys_under_load_and_the_operator_is_killed_meanwhile() {
    const REPLACED: [&str; 3] = ["consensus.key", "log.key", "cosigner.key"];
    let city = City::made("rotated", 4).await;
    let (old_seeds, old_voters) = (seeds(&city).await, voters(&city).await);
    let load = Load::start(&city).await;
    let watch = Watch::start(&city).await;
    let begun = Instant::now();
    ask(&city, "all").await;
    until("the first has new keys", Duration::from_secs(150), async || {
        let left = asked(&city).await?;
        Ok(if left != "all" { Ok(()) } else { Err(sentences(&city.status().await?)) })
    })
    .await;
    measured::took("first of four validators has new keys", begun.elapsed());
    let first = leads().await.unwrap().expect("somebody leads");
    kubectl(&["delete", "pod", &first, "-n", SYSTEM, "--grace-period=0", "--force"], None).await.unwrap();
    until("nobody is left to get new keys", Duration::from_secs(400), async || {
        let (left, status) = (asked(&city).await?, city.status().await?);
        Ok(if left.is_null() { Ok(()) } else { Err(format!("{left}; {}", sentences(&status))) })
    })
    .await;
    city.ready(4).await;
    let took = begun.elapsed();
    until("old keys are gone from the Secrets", Duration::from_secs(30), async || {
        let now = seeds(&city).await;
        let waits = now.iter().any(|(entry, _)| entry.starts_with("next."));
        let stays = keys(&now, &REPLACED).intersection(&keys(&old_seeds, &REPLACED)).count();
        Ok(if !waits && stays == 0 { Ok(()) } else { Err(format!("{stays} old ones are there")) })
    })
    .await;
    measured::took("new keys for four validators under load, operator killed", took);
    measured::exactly("new keys: validators down at once, at most", watch.most_down().await, 1);
    let acknowledged = load.finish().await;
    measured::within(
        "new keys: longest pause of acknowledgements",
        longest_pause(&acknowledged, begun),
        Duration::from_secs(10),
    );
    measured::exactly("new keys: acknowledged transactions lost", lost(&city, &acknowledged).await, 0);
    let new_voters = voters(&city).await;
    assert_eq!(
        (new_voters.len(), new_voters.intersection(&old_voters).count()),
        (4, 0),
        "the chain names new keys alone"
    );
    every_start_finds_the_new_keys(&city, &new_voters).await;
    a_name_that_is_no_validators_is_told(&city).await;
    city.removed().await;
}

/// A pod that is made anew mounts the Secret as it is after the exchange.
async fn every_start_finds_the_new_keys(city: &City, voters: &BTreeSet<String>) {
    let pod = city.pod("validator-2");
    let uid = kubectl::get(&city.namespace, "pod", &pod).await.unwrap().unwrap()["metadata"]["uid"].clone();
    kubectl(&["delete", "pod", &pod, "-n", &city.namespace], None).await.unwrap();
    until("another pod", Duration::from_secs(60), async || {
        let now = kubectl::get(&city.namespace, "pod", &pod).await?.unwrap_or_default()["metadata"]["uid"].clone();
        Ok(if !now.is_null() && now != uid { Ok(()) } else { Err(now.to_string()) })
    })
    .await;
    until("validator-2 votes with a key that the chain names", Duration::from_secs(90), async || {
        let clients = city.clients().await?;
        let (_, client) = clients.iter().find(|(name, _)| name == "validator-2").context("it does not vote")?;
        let status = client.status().await?;
        let votes = status.validator && status.waits.is_none() && voters.contains(&status.consensus_key.to_string());
        Ok(if votes { Ok(()) } else { Err(format!("{status:?}")) })
    })
    .await;
    city.ready(4).await;
}

async fn a_name_that_is_no_validators_is_told(city: &City) {
    ask(city, "validator-9").await;
    until("the mistake is told", Duration::from_secs(30), async || {
        let told = sentences(&city.status().await?);
        Ok(if told.contains("validator-9, which is no validator of this chain") { Ok(()) } else { Err(told) })
    })
    .await;
    kubectl::patch(&city.namespace, "chain", &city.chain, &json!({"metadata": {"annotations": {ROTATE: null}}}))
        .await
        .unwrap();
}
