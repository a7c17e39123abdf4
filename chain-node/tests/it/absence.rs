//! What is not on the chain is proven like what is: by certified state, at a height, to somebody who trusts no node.

use chain_types::encoding::Decode;
use chain_types::state::{AbsenceProof, account_key, key};
use chain_types::tlog::SignedStatement;

use super::cluster::{Cluster, digest};

async fn value(cluster: &Cluster, key: &[u8], query: &str) -> (u16, serde_json::Value) {
    let url = format!("{}/state/value?key={}{query}", cluster.api(0), hex::encode(key));
    let answer = reqwest::Client::new().get(url).bearer_auth(&cluster.token).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_proven_absent_until_it_is_made_and_for_the_time_before_ever_after() {
    let cluster = Cluster::start(1).await;
    cluster.client().commit(&cluster.anchor(&[digest(1)]), super::cluster::PATIENCE).await.unwrap();
    cluster.rest().await;
    let present = account_key(&cluster.administrator.public());
    assert_eq!(cluster.client().absence(&present).await.unwrap(), None);

    // The same statement that is registered below: its key follows from its bytes.
    let statement = SignedStatement::sign("bureau.example", "product/1", &digest(1).0, &cluster.administrator);
    let key = key("chain", "anchor", "statement", &SignedStatement::id(&statement).0);
    let absent = cluster.client().absence(&key).await.unwrap().expect("nothing is registered yet");
    assert!(absent.height > 0 && absent.proof.key == key);
    assert_eq!(value(&cluster, &key, "").await.0, 404, "without a proof there is nothing to say");

    let (registered, answer) = super::log::register(&cluster, "product/1").await;
    assert_eq!((answer.status().as_u16(), &registered), (201, &statement));
    cluster.rest().await;
    assert_eq!(cluster.client().absence(&key).await.unwrap(), None);
    let (status, now) = value(&cluster, &key, "&prove=1").await;
    assert!(status == 200 && now["value"].is_string());
    let (status, before) = value(&cluster, &key, &format!("&prove=1&height={}", absent.height)).await;
    assert!(status == 200 && before["value"].is_null(), "{before}");
    let proof = AbsenceProof::from_bytes(&hex::decode(before["proof"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(proof, absent.proof);
    assert!(proof.verify(&before["state_root"].as_str().unwrap().parse().unwrap()));
    assert!(!proof.verify(&now["state_root"].as_str().unwrap().parse().unwrap()), "it says nothing of today");
}
