//! What keeps a chain's data: a last backup before it is deleted and the same chain when it is applied again; a validator that is
//! fenced, with whatever copy of it there is; volumes that are too small.

use std::time::{Duration, Instant};

use anyhow::Context;
use chain_client::Client;
use serde_json::{Value, json};

use crate::backups::{claim, documents, holds, object, phase, restore, said};
use crate::city::{City, sentences};
use crate::kubectl::{self, kubectl};
use crate::load::{Load, lost};
use crate::measured;
use crate::wait::{Look, until};

const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_chain_is_backed_up_a_last_time_and_goes_on_when_it_is_applied_again() {
    let city = City::made("kept", 4).await;
    let load = Load::start(&city).await;
    city.blocks(5, Duration::from_secs(60)).await;
    for document in documents(&city) {
        kubectl::apply(&document).await.unwrap();
    }
    holds(&city, "Ready", "True").await;
    city.blocks(5, Duration::from_secs(60)).await;
    let acknowledged = load.finish().await;
    let head = city.agree().await;
    let before = city.object().await.unwrap();
    let confirmed = json!({"metadata": {"annotations": {"citychain.dev/confirm-deletion": city.chain}}});
    kubectl::patch(&city.namespace, "chain", &city.chain, &confirmed).await.unwrap();
    let begun = Instant::now();
    kubectl::delete(&city.namespace, "chain", &city.chain).await.unwrap();
    until("the status says what it waits for", PATIENCE, async || {
        let chain = kubectl::get(&city.namespace, "chain", &city.chain).await?;
        let text = chain.map(|chain| chain["status"]["sentences"].to_string()).unwrap_or_default();
        Ok(if text.contains("citychain.dev/final-backup: skip") { Ok(()) } else { Err(text) })
    })
    .await;
    until("the chain is gone", PATIENCE, async || {
        let chain = kubectl::get(&city.namespace, "chain", &city.chain).await?;
        Ok(chain.map_or(Ok(()), |chain| Err(chain["status"]["sentences"].to_string())))
    })
    .await;
    measured::within("deleted: final backup made, validators ended", begun.elapsed(), Duration::from_secs(90));
    let backup = object(&city).await.unwrap();
    let last = &backup["status"]["runs"][0];
    assert_eq!(last["finalOf"], before["metadata"]["uid"], "{backup}");
    assert_eq!(last["holds"]["height"], head.height, "{backup}");
    assert_eq!(last["holds"]["stateRoot"], head.state_root.to_string(), "{backup}");
    until("it says that its chain is deleted", PATIENCE, async || {
        let told = said(&object(&city).await?);
        Ok(if told.contains("is deleted; the runs stay in") { Ok(()) } else { Err(told) })
    })
    .await;
    let retained = kubectl::list(&city.namespace, "pvc", "citychain.dev/retained=true").await.unwrap();
    assert_eq!(retained.len(), 4, "volumes are kept: {retained:?}");
    let begun = Instant::now();
    city.apply(4).await.unwrap();
    city.ready(4).await;
    measured::took("deleted chain applied again: all four validators ready", begun.elapsed());
    let after = city.object().await.unwrap();
    assert_eq!(after["status"]["fingerprint"], before["status"]["fingerprint"], "it is the same chain");
    assert_ne!(after["metadata"]["uid"], before["metadata"]["uid"]);
    let block = city.client().await.unwrap().block(head.height).await.unwrap();
    assert_eq!(block.id, head.block_id, "at the same head");
    measured::exactly("deleted and applied again: acknowledged transactions lost", lost(&city, &acknowledged).await, 0);
    city.removed().await;
}

/// It has no pod and is to have none.
async fn is_off(city: &City, validator: &str) -> Look<()> {
    let pod = kubectl::get(&city.namespace, "pod", &city.pod(validator)).await?;
    let set = kubectl::get(&city.namespace, "statefulset", &format!("{}-{validator}", city.chain)).await?;
    let replicas = set.context("no set")?["spec"]["replicas"].clone();
    Ok(if pod.is_none() && replicas == 0 { Ok(()) } else { Err(format!("{replicas} wanted")) })
}

/// Somebody has restored the validator elsewhere: its keys and configuration, in a pod that nobody asked for.
async fn copy(city: &City, validator: &str) -> Value {
    let set = format!("{}-{validator}", city.chain);
    let set = kubectl::get(&city.namespace, "statefulset", &set).await.unwrap().expect("its StatefulSet");
    let mut spec = set["spec"]["template"]["spec"].clone();
    let volumes = spec["volumes"].as_array_mut().expect("volumes");
    volumes.push(json!({"name": "data", "emptyDir": {}}));
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "spec": spec,
        "metadata": {"name": "copy", "namespace": city.namespace, "labels": {"e2e": "copy"}},
    });
    kubectl::apply(&pod).await.unwrap();
    let look = async || {
        let pod = kubectl::get(&city.namespace, "pod", "copy").await?.context("there is no copy")?;
        let runs = pod["status"]["phase"] == "Running" && pod["status"]["podIP"].is_string();
        Ok(if runs { Ok(pod) } else { Err(pod["status"].to_string()) })
    };
    until("the copy runs", PATIENCE, look).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fenced_validator_stays_out_with_every_copy_of_it_until_it_is_let_in() {
    let city = City::made("fenced", 4).await;
    let load = Load::start(&city).await;
    city.blocks(5, Duration::from_secs(60)).await;
    let begun = Instant::now();
    city.change(json!({"validatorStates": {"validator-2": "fenced"}})).await.unwrap();
    until("its pod is gone", PATIENCE, async || is_off(&city, "validator-2").await).await;
    measured::took("fenced under load: its pod is gone", begun.elapsed());
    let refusal = city.change(json!({"validatorStates": {"validator-3": "fenced"}})).await.unwrap_err().to_string();
    assert!(refusal.contains("quorum 3: only 2 should run"), "{refusal}");
    // By hand it does not come back either.
    let set = format!("{}-validator-2", city.chain);
    kubectl(&["scale", "statefulset", &set, "-n", &city.namespace, "--replicas=1"], None).await.unwrap();
    until("it is off again", PATIENCE, async || is_off(&city, "validator-2").await).await;
    let pod = copy(&city, "validator-2").await;
    let url = format!("http://{}:8080/", pod["status"]["podIP"].as_str().unwrap()).parse().unwrap();
    let fingerprint = city.status().await.unwrap().fingerprint.unwrap().parse().unwrap();
    let client = Client::new(vec![url], fingerprint, Some(city.token.clone())).unwrap();
    let look = async || Ok(Ok(client.status().await?));
    until("the copy answers", PATIENCE, look).await;
    city.blocks(30, Duration::from_secs(60)).await;
    // One address and a busy machine: a single question may go unanswered.
    let (status, _) = until("the copy answers still", PATIENCE, look).await;
    measured::exactly("fenced: blocks that a copy with its keys has got", status.height as usize, 0);
    kubectl(&["delete", "pod", "copy", "-n", &city.namespace, "--wait=true"], None).await.unwrap();
    let begun = Instant::now();
    city.change(json!({"validatorStates": {"validator-2": null}})).await.unwrap();
    city.ready(4).await;
    measured::took("let in again: it votes", begun.elapsed());
    let acknowledged = load.finish().await;
    measured::exactly("fenced and let in: acknowledged transactions lost", lost(&city, &acknowledged).await, 0);
    city.removed().await;
}

/// What a validator's volume asks for.
async fn room(city: &City, validator: &str) -> String {
    claim(city, validator).await["spec"]["resources"]["requests"]["storage"].as_str().unwrap_or_default().to_owned()
}

/// The condition says so, in these words.
async fn too_small(city: &City, words: &str) -> Look<()> {
    let chain = city.object().await?;
    let conditions = chain["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.into_iter().find(|one| one["type"] == "Progressing").unwrap_or_default();
    let right = found["reason"] == "VolumeExpansionUnsupported" && found["message"].to_string().contains(words);
    Ok(if right { Ok(()) } else { Err(found.to_string()) })
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_that_cannot_grow_are_told_and_a_new_one_has_the_new_size() {
    let city = City::made("roomier", 4).await;
    city.change(json!({"resources": {"memoryMib": 192, "storageGib": 2}})).await.unwrap();
    until("the class is named", PATIENCE, async || {
        too_small(&city, "validator-1, validator-2, validator-3, validator-4 stay at 1 GiB").await
    })
    .await;
    let status = city.status().await.unwrap();
    let zh = status.sentences.iter().any(|text| text.zh.contains("不支持扩容") && text.zh.contains("ChainRestore"));
    assert!(zh, "{}", sentences(&status));
    assert_eq!(room(&city, "validator-2").await, "1Gi", "and nothing is touched");
    let begun = Instant::now();
    restore(&city, "larger", &["validator-2"]).await;
    phase(&city, "larger", "Done").await;
    measured::took("a larger volume in place of one: it votes again", begun.elapsed());
    assert_eq!((room(&city, "validator-2").await, room(&city, "validator-1").await), ("2Gi".into(), "1Gi".into()));
    city.ready(4).await;
    until("the others are left", PATIENCE, async || {
        too_small(&city, "validator-1, validator-3, validator-4 stay at 1 GiB").await
    })
    .await;
    city.agree().await;
    city.removed().await;
}
