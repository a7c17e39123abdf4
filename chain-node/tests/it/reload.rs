//! Peers and tokens change while a node runs, whether its file has been replaced already or not.

use chain_node::config::Config;
use chain_types::Hash;
use reqwest::{Client, RequestBuilder, StatusCode};

use crate::cluster::Cluster;

/// What only members may read.
async fn list(cluster: &Cluster, token: &str) -> StatusCode {
    let url = format!("{}/state/list", cluster.api(0));
    Client::new().get(url).bearer_auth(token).send().await.unwrap().status()
}

fn reload(cluster: &Cluster) -> RequestBuilder {
    let token = std::fs::read_to_string(cluster.dir().join("admin-token")).unwrap();
    Client::new().post(format!("http://127.{}.1.1:8081/reload", cluster.net)).bearer_auth(token.trim())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_sent_is_in_force_before_the_file_has_it() {
    let mut cluster = Cluster::make(1);
    let text = |config: &Config| toml::to_string(config).unwrap();
    let file = std::fs::read(cluster.validator_dir(0).join("node.toml")).unwrap();
    cluster.run(0);
    cluster.until("the first block", |all| all.iter().any(|s| s.height >= 1)).await;
    assert_eq!(cluster.status(0).await.config, Some(Hash::of(&file)));
    assert_eq!(list(&cluster, "another").await, StatusCode::UNAUTHORIZED);

    let mut config = cluster.config(0);
    config.access.token_hashes = vec![Hash::of(b"another")];
    let sent = text(&config);
    let wrong = reload(&cluster).body(sent.replace("[listen]", "[lisden]")).send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
    assert_ne!(list(&cluster, &cluster.token).await, StatusCode::UNAUTHORIZED, "what was in force stays");

    let answer = reload(&cluster).body(sent.clone()).send().await.unwrap();
    assert!(answer.status().is_success() && answer.text().await.unwrap().contains("\"restart_needed\":false"));
    assert_eq!(cluster.status(0).await.config, Some(Hash::of(sent.as_bytes())));
    assert_eq!(list(&cluster, &cluster.token).await, StatusCode::UNAUTHORIZED);
    assert_ne!(list(&cluster, "another").await, StatusCode::UNAUTHORIZED);
    assert_eq!(std::fs::read(cluster.validator_dir(0).join("node.toml")).unwrap(), file);

    config.limits.account_rate_per_s += 1;
    let answer = reload(&cluster).body(text(&config)).send().await.unwrap();
    assert!(answer.text().await.unwrap().contains("\"restart_needed\":true"));
    cluster.kill_all();
}
