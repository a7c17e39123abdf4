//! Two replicas and one Lease, against an API server in memory and a clock that the test moves.

use serde_json::json;

use super::*;
use crate::mock::ApiServer;

const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/citychain-system/leases/citychain-operator";

fn replica(server: &ApiServer, pod: &str) -> Election {
    Election::new(server.client(), "citychain-system", pod)
}

fn holder(server: &ApiServer) -> String {
    server.get(PATH).unwrap()["spec"]["holderIdentity"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn one_of_two_replicas_leads_and_a_proper_end_hands_over_at_once() {
    let server = ApiServer::default();
    let (mut first, mut second) = (replica(&server, "a"), replica(&server, "b"));
    first.won().await;
    second.try_once().await;
    assert_eq!((holder(&server), second.view.renewed), ("a".to_owned(), None));
    first.release().await;
    second.won().await;
    assert_eq!(holder(&server), "b");
    assert_eq!(server.get(PATH).unwrap()["spec"]["leaseTransitions"], json!(2));
}

#[tokio::test]
async fn of_two_replicas_that_try_at_once_one_gets_a_conflict() {
    let server = ApiServer::default();
    let (mut first, mut second) = (replica(&server, "a"), replica(&server, "b"));
    first.read().await.unwrap();
    second.read().await.unwrap();
    first.write(Some(Duration::ZERO)).await.unwrap();
    assert!(is_conflict(&second.write(Some(Duration::ZERO)).await.unwrap_err()));
    assert_eq!(holder(&server), "a");
}

#[tokio::test]
async fn a_leader_whose_lease_was_taken_or_deleted_stops() {
    let server = ApiServer::default();
    let mut first = replica(&server, "a");
    first.won().await;
    let mut lease = server.get(PATH).unwrap();
    lease["spec"]["holderIdentity"] = json!("b");
    server.put(PATH, lease);
    first.try_once().await;
    assert_eq!(first.lost().await, Loss::Taken("b".to_owned()));
    let mut again = replica(&server, "b");
    again.won().await;
    server.remove(PATH);
    again.try_once().await;
    assert_eq!(again.lost().await, Loss::Released);
}

#[tokio::test]
async fn a_silent_api_server_leaves_the_view_as_it_was() {
    let server = ApiServer::default();
    let mut first = replica(&server, "a");
    first.won().await;
    let before = first.view.clone();
    server.fail("leases", 503);
    first.try_once().await;
    assert_eq!(first.view, before);
    server.heal();
    first.try_once().await;
    assert!(first.view.renewed > before.renewed);
}
