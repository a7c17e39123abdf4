//! What goes wrong by itself: pods are killed, the operator is away, children are changed or deleted by hand. Under load where
//! transactions could be lost.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::city::{City, sentences};
use crate::kubectl::{self, kubectl};
use crate::load::{Load, longest_pause, lost};
use crate::measured;
use crate::operators::{OPERATOR, SYSTEM, leads, operators, pod_is_ready};
use crate::wait::until;

/// The validator that proposed the last block.
async fn proposer(city: &City) -> anyhow::Result<String> {
    let client = city.client().await?;
    let block = client.block(client.status().await?.height).await?;
    for (name, client) in city.clients().await? {
        if client.status().await?.consensus_key == block.proposer {
            return Ok(name);
        }
    }
    anyhow::bail!("nobody holds the proposer's key")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proposers_pod_is_killed_under_load_and_nothing_acknowledged_is_lost() {
    let city = City::made("proposer", 4).await;
    let load = Load::start(&city).await;
    // Traffic first, so that there is a pause to see.
    city.blocks(5, Duration::from_secs(20)).await;
    let victim = proposer(&city).await.unwrap();
    let pod = city.pod(&victim);
    let before = kubectl::get(&city.namespace, "pod", &pod).await.unwrap().unwrap()["metadata"]["uid"].clone();
    let killed = Instant::now();
    kubectl(&["delete", "pod", &pod, "-n", &city.namespace, "--grace-period=0", "--force"], None).await.unwrap();
    let look = async || {
        let now = kubectl::get(&city.namespace, "pod", &pod).await?.unwrap_or_default();
        let status = city.status().await?;
        let replaced = !now.is_null() && now["metadata"]["uid"] != before && pod_is_ready(&now);
        Ok(if replaced && status.validators_ready == 4 { Ok(()) } else { Err(sentences(&status)) })
    };
    until("full redundancy", Duration::from_secs(120), look).await;
    let redundant = killed.elapsed();
    let acknowledged = load.finish().await;
    measured::row("transactions acknowledged around the kill", &acknowledged.len().to_string(), "");
    measured::within(
        "proposer's pod killed: longest pause of acknowledgements",
        longest_pause(&acknowledged, killed),
        Duration::from_secs(10),
    );
    measured::within("proposer's pod killed: all four validators ready again", redundant, Duration::from_secs(60));
    measured::exactly("proposer's pod killed: acknowledged transactions lost", lost(&city, &acknowledged).await, 0);
    city.removed().await;
}

/// What identifies the run of every pod of the chain: its uid and how often its container started.
async fn runs(city: &City) -> anyhow::Result<BTreeMap<String, (Value, Value)>> {
    let pods = kubectl::list(&city.namespace, "pods", &format!("citychain.dev/chain={}", city.chain)).await?;
    let run = |pod: Value| {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        (name, (pod["metadata"]["uid"].clone(), pod["status"]["containerStatuses"][0]["restartCount"].clone()))
    };
    Ok(pods.into_iter().map(run).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_operator_chains_go_on_and_its_return_changes_nothing() {
    let city = City::made("absent", 4).await;
    let before = runs(&city).await.unwrap();
    assert_eq!(before.len(), 4);
    operators(0).await;
    let load = Load::start(&city).await;
    city.blocks(11, Duration::from_secs(30)).await;
    let refusal = city.change(json!({"publicReads": false})).await.unwrap_err().to_string();
    assert!(refusal.contains("failed calling webhook"), "admission of chains has to be closed: {refusal}");
    operators(2).await;
    until("somebody leads", Duration::from_secs(30), async || Ok(leads().await?.ok_or_else(|| "nobody".to_owned())))
        .await;
    city.ready(4).await;
    let acknowledged = load.finish().await;
    measured::exactly("operator away: acknowledged transactions lost", lost(&city, &acknowledged).await, 0);
    assert_eq!(runs(&city).await.unwrap(), before, "an operator that returns restarts nothing");
    city.removed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_leader_is_killed_the_other_replica_takes_over() {
    let first = until("somebody leads", Duration::from_secs(30), async || {
        Ok(leads().await?.ok_or_else(|| "nobody".to_owned()))
    })
    .await
    .0;
    let killed = Instant::now();
    kubectl(&["delete", "pod", &first, "-n", SYSTEM, "--grace-period=0", "--force"], None).await.unwrap();
    until("another leads", Duration::from_secs(60), async || {
        let now = leads().await?;
        Ok(now.filter(|now| *now != first).ok_or_else(|| "still the dead one".to_owned()))
    })
    .await;
    measured::within("leading operator killed: the other leads", killed.elapsed(), Duration::from_secs(20));
    operators(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_upgrade_hands_the_lead_over_and_restarts_no_validator() {
    let city = City::made("upgraded", 4).await;
    let before = runs(&city).await.unwrap();
    let first = until("somebody leads", Duration::from_secs(30), async || {
        Ok(leads().await?.ok_or_else(|| "nobody".to_owned()))
    })
    .await
    .0;
    let asked = Instant::now();
    kubectl::delete(SYSTEM, "pod", &first).await.unwrap();
    until("another leads", Duration::from_secs(60), async || {
        let now = leads().await?;
        Ok(now.filter(|now| *now != first).ok_or_else(|| "not yet".to_owned()))
    })
    .await;
    // Far below the Lease's length: it was given back.
    measured::within("leading operator asked to end: the other leads", asked.elapsed(), Duration::from_secs(8));
    let deployment = format!("deployment/{OPERATOR}");
    kubectl(&["rollout", "restart", &deployment, "-n", SYSTEM], None).await.unwrap();
    kubectl(&["rollout", "status", &deployment, "-n", SYSTEM, "--timeout=120s"], None).await.unwrap();
    operators(2).await;
    until("somebody leads", Duration::from_secs(30), async || Ok(leads().await?.ok_or_else(|| "nobody".to_owned())))
        .await;
    // The new leader acts: what is deleted now is its to mend.
    let service = format!("{}-api", city.chain);
    kubectl::delete(&city.namespace, "service", &service).await.unwrap();
    until("the Service is back", Duration::from_secs(30), async || {
        Ok(kubectl::get(&city.namespace, "service", &service).await?.map(drop).ok_or_else(|| "not there".to_owned()))
    })
    .await;
    city.ready(4).await;
    assert_eq!(runs(&city).await.unwrap(), before, "the same pods, and no container started again");
    city.removed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn children_changed_or_deleted_by_hand_are_restored_and_keys_are_never_made_anew() {
    let city = City::made("mended", 4).await;
    let namespace = city.namespace.as_str();
    let budget = || kubectl::get(namespace, "pdb", &city.chain);
    kubectl::patch(namespace, "pdb", &city.chain, &json!({"spec": {"minAvailable": 1}})).await.unwrap();
    let (_, took) = until("the budget is restored", Duration::from_secs(30), async || {
        let now = budget().await?.unwrap_or_default()["spec"]["minAvailable"].clone();
        Ok(if now == 3 { Ok(()) } else { Err(format!("minAvailable {now}")) })
    })
    .await;
    measured::within("hand-edited disruption budget restored", took, Duration::from_secs(30));
    let service = format!("{}-api", city.chain);
    kubectl::delete(namespace, "service", &service).await.unwrap();
    until("the Service is back", Duration::from_secs(30), async || {
        Ok(kubectl::get(namespace, "service", &service).await?.map(drop).ok_or_else(|| "not there".to_owned()))
    })
    .await;
    let secret = format!("{}-validator-2-keys", city.chain);
    kubectl::delete(namespace, "secret", &secret).await.unwrap();
    until("the lost keys are named", Duration::from_secs(60), async || {
        let status = city.status().await?;
        let told = sentences(&status);
        Ok(if told.contains("validator-2") { Ok(()) } else { Err(told) })
    })
    .await;
    assert!(kubectl::get(namespace, "secret", &secret).await.unwrap().is_none(), "keys in genesis are never made anew");
    city.removed().await;
}
