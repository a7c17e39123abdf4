//! The console in a cluster, against an API server in memory: what others write is shown, what people do on pages becomes an object or is
//! refused with admission's sentence, and where nothing changes nothing is written.

mod api;

use super::start;
use crate::chains::{View, object_name};
use crate::http::tests::Site;
use crate::indexer::tests::node::Node;
use crate::names::Name;
use crate::objects::{Cluster, Objects};
use api::Api;
use axum::http::StatusCode;
use chain_types::crypto::SigningKey;
use operator_api::application::FINALIZER;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::time::Duration;

const NAMESPACE: &str = "tenant-notary";

async fn until<T>(what: &str, find: impl Fn() -> Option<T>) -> T {
    for _ in 0..800 {
        if let Some(found) = find() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("waited in vain until {what}");
}

struct City {
    api: Api,
    site: Site,
    node: Arc<Node>,
}

impl City {
    /// A tenant and its chain of four, applied by somebody and reported healthy by the operator.
    async fn start() -> Self {
        let api = Api::start().await;
        api.put("tenants", tenant("notary"));
        let cluster = Cluster::new(api.client());
        let site = Site::in_place(None, Objects::Cluster(cluster.clone())).await;
        start(&site.app, cluster);
        crate::applications::start(&site.app);
        let node = Node::start(SigningKey::from_seed(&[7; 32]).public()).await;
        api.put("chains", chain("main", NAMESPACE));
        let city = Self { api, site, node };
        city.api.report("chains", NAMESPACE, "main", city.status(1, &[1, 2, 3, 4]));
        until("the chain is healthy", || city.view("main").filter(|view| view.works() && view.plan.is_some())).await;
        city
    }

    fn view(&self, chain: &str) -> Option<Arc<View>> {
        let name = object_name(&Name::parse(chain).unwrap());
        Some(self.site.app.chains.find(&name)?.view())
    }

    /// What the operator writes when these validators are ready.
    fn status(&self, generation: u64, ready: &[u32]) -> Json {
        let api = self.node.url.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
        let row = |n: u32| {
            let is = ready.contains(&n);
            json!({ "name": format!("validator-{n}"), "organisation": "notary", "organisationTitle": { "zh": "公证处", "en": "Notary" },
                    "desired": "running", "ready": is, "voting": true, "height": 7, "version": "0.1.0", "api": api, "restarts": 0,
                    "pid": if is { json!(1) } else { Json::Null },
                    "text": { "zh": "容器反复退出", "en": "its container keeps ending" } })
        };
        json!({
            "observedGeneration": generation, "phase": if ready.len() == 4 { "healthy" } else { "degraded" }, "conditions": [],
            "sentences": [], "chainId": "yunchuan.notary.main", "fingerprint": self.node.genesis.fingerprint().to_string(), "height": 7,
            "validatorsReady": ready.len(), "validatorsTotal": 4, "quorum": 3, "tolerates": 1, "steps": [],
            "validators": [row(1), row(2), row(3), row(4)],
        })
    }
}

fn tenant(name: &str) -> Json {
    let organisation =
        |id: &str| json!({ "id": id, "title": { "zh": "机构", "en": "Organisation" }, "custody": "platform" });
    json!({ "apiVersion": "citychain.dev/v1alpha1", "kind": "Tenant", "metadata": { "name": name },
            "spec": { "title": { "zh": "租户", "en": "Tenant" }, "organisations": [organisation(name), organisation("justice")],
                      "quota": { "chains": 2, "validators": 16, "storageGib": 200 } } })
}

fn chain(name: &str, namespace: &str) -> Json {
    json!({ "apiVersion": "citychain.dev/v1alpha1", "kind": "Chain", "metadata": { "name": name, "namespace": namespace },
            "spec": { "tenant": "notary", "title": { "zh": "公证链", "en": "Notary chain" }, "validators": { "count": 4 }, "version": "0.1.0" } })
}

fn application(name: &str, namespace: &str, spec: Json) -> Json {
    json!({ "apiVersion": "citychain.dev/v1alpha1", "kind": "Application", "metadata": { "name": name, "namespace": namespace }, "spec": spec })
}

#[tokio::test]
async fn what_others_apply_is_shown_and_its_keys_are_published_in_the_tenants_status() {
    let city = City::start().await;
    let status = until("keys and token are published", || {
        let status = city.api.get("tenants", "", "notary")?["status"].clone();
        (status["tokens"]["main"].is_array() && status["organisations"].is_array()).then_some(status)
    })
    .await;
    // Those that the console signs with.
    let tenant = Name::parse("notary").unwrap();
    for organisation in ["notary", "justice"] {
        let held =
            crate::custody::find(&city.site.app, &tenant, organisation, crate::custody::ADMINISTRATOR).await.unwrap();
        let published =
            status["organisations"].as_array().unwrap().iter().find(|own| own["id"] == organisation).unwrap();
        assert_eq!(published["publicKey"], held.unwrap().to_string());
    }
    let hash = crate::chains::member_token_hash(&city.site.app, &Name::parse("main").unwrap()).await.unwrap();
    assert_eq!(status["tokens"]["main"], json!([hash.to_string()]));
    let mut operator = city.site.signed_in("operator").await;
    for page in [
        "/chains",
        "/chains/main",
        "/chains/main/validators",
        "/chains/main/members",
        "/chains/main/settings",
        "/tenants",
    ] {
        let answer = operator.get(page).await;
        assert_eq!(answer.status, StatusCode::OK, "{page}: {}", answer.body);
        crate::http::tests::html::check(page, &answer.body);
    }
    let validators = operator.get("/chains/main/validators").await.body;
    assert!(validators.contains("main-validator-2-0") && validators.contains("kubectl"), "{validators}");
    city.site.app.stopping.cancel();
}

#[tokio::test]
async fn a_change_on_a_page_is_a_change_of_the_object_and_admission_has_the_last_word() {
    let city = City::start().await;
    let mut operator = city.site.signed_in("operator").await;
    operator.get("/chains/main/validators").await;
    let stop = |n: u32| format!("/chains/main/validators/validator-{n}/stop");
    let answer = operator.post(&stop(4), &[]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let object = city.api.get("chains", NAMESPACE, "main").unwrap();
    assert_eq!(object["spec"]["validatorStates"], json!({ "validator-4": "stopped" }));
    assert_eq!((object["metadata"]["generation"].as_u64(), object["status"]["height"].as_u64()), (Some(2), Some(7)));
    // The console's own arithmetic refuses what would cost the quorum, without asking.
    city.api.report("chains", NAMESPACE, "main", city.status(2, &[1, 2, 3]));
    until("the operator's report is seen", || city.view("main").filter(|view| view.status.validators_ready == 3)).await;
    operator.get("/chains/main/validators").await;
    let writes = city.api.writes().len();
    let answer = operator.post(&stop(3), &[]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.body.contains("validator-3"), "{}", answer.body);
    assert_eq!(city.api.writes().len(), writes);
    // What only admission knows is said in its words, and nothing is changed.
    city.api.refuse("hibernated", "the last backup is not proven");
    operator.get("/chains/main/settings").await;
    let answer = operator.post("/chains/main/state/hibernate", &[]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.body.contains("the last backup is not proven"), "{}", answer.body);
    assert!(!answer.body.contains("denied the request"));
    let refused: (i64,) = sqlx::query_as("select count(*) from audit where outcome = 'refused'")
        .fetch_one(city.site.app.db.pool())
        .await
        .unwrap();
    assert_eq!(refused.0, 2);
    city.site.app.stopping.cancel();
}

#[tokio::test]
async fn somebody_elses_change_in_between_is_not_overwritten() {
    let city = City::start().await;
    let stale = city.view("main").unwrap().object.clone().unwrap();
    // Only the status was written: that is no change of what was asked for.
    city.api.report("chains", NAMESPACE, "main", json!({ "height": 8 }));
    let mut wanted = stale.clone();
    wanted.spec.public_reads = true;
    let stored = city.site.app.objects.replace(&wanted).await.unwrap();
    assert_eq!((stored.metadata.generation, stored.spec.public_reads), (2, true));
    let error = city.site.app.objects.replace(&stale).await.unwrap_err();
    assert!(matches!(error, crate::objects::ObjectError::Changed), "{error}");
    assert_eq!(city.api.get("chains", NAMESPACE, "main").unwrap()["spec"]["publicReads"], true);
    city.site.app.stopping.cancel();
}

#[tokio::test]
async fn an_admission_that_is_away_is_told_and_nothing_is_written() {
    let city = City::start().await;
    city.api.set_down(true);
    let mut operator = city.site.signed_in("operator").await;
    operator.get("/chains/main/validators").await;
    let answer = operator.post("/chains/main/validators/validator-1/stop", &[]).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.body.contains("没有做任何更改"), "{}", answer.body);
    assert_eq!(city.api.get("chains", NAMESPACE, "main").unwrap()["metadata"]["generation"], 1);
    city.site.app.stopping.cancel();
}

#[tokio::test]
async fn a_chain_is_deleted_with_its_name_repeated_and_leaves_the_pages_when_it_is_gone() {
    let city = City::start().await;
    city.api.put("chains", {
        let mut object = city.api.get("chains", NAMESPACE, "main").unwrap();
        object["metadata"]["finalizers"] = json!(["citychain.dev/chain"]);
        object
    });
    let mut operator = city.site.signed_in("operator").await;
    operator.get("/chains/main/settings").await;
    let answer = operator.post("/chains/main/delete", &[("typed", "mian")]).await;
    assert_ne!(answer.status, StatusCode::SEE_OTHER);
    let answer = operator.post("/chains/main/delete", &[("typed", "main")]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let mut object = city.api.get("chains", NAMESPACE, "main").unwrap();
    assert_eq!(object["metadata"]["annotations"]["citychain.dev/confirm-deletion"], "main");
    assert!(city.view("main").unwrap().deleting);
    object["metadata"]["finalizers"] = json!([]);
    city.api.remove("chains", object);
    until("the chain is gone", || city.view("main").is_none().then_some(())).await;
    let token = || city.api.get("tenants", "", "notary").unwrap()["status"]["tokens"]["main"].clone();
    until("its token is withdrawn", || token().is_null().then_some(())).await;
    city.site.app.stopping.cancel();
}

#[tokio::test]
async fn a_chain_outside_its_tenants_namespace_is_nobodys() {
    let city = City::start().await;
    city.api.put("chains", chain("stolen", "tenant-justice"));
    city.api.put("chains", {
        let mut object = chain("odd", NAMESPACE);
        object["spec"]["validators"]["cuont"] = json!(4);
        object
    });
    let problems = || city.site.app.chains.city().problems.clone();
    until("both are told", || (problems().len() == 2).then_some(())).await;
    let said = format!("{:?}", problems());
    assert!(said.contains("tenant-notary") && said.contains("cuont"), "{said}");
    assert!(city.view("stolen").is_none() && city.view("odd").is_none());
    // Corrected, it is there.
    city.api.put("chains", chain("odd", NAMESPACE));
    until("the corrected one is shown", || city.view("odd")).await;
    city.site.app.stopping.cancel();
}

#[tokio::test]
async fn a_validator_that_went_missing_and_came_back_is_told() {
    let city = City::start().await;
    city.api.report("chains", NAMESPACE, "main", city.status(1, &[1, 2, 4]));
    until("it is missed", || {
        city.view("main").filter(|view| view.incidents.iter().any(|incident| incident.back_ms.is_none()))
    })
    .await;
    city.api.report("chains", NAMESPACE, "main", city.status(1, &[1, 2, 3, 4]));
    let view =
        until("it is back", || city.view("main").filter(|view| view.incidents.iter().all(|one| one.back_ms.is_some())))
            .await;
    let said = crate::chains::incidents::sentence(&view.incidents[0]);
    assert!(said.en.contains("validator-3") && said.en.contains("its container keeps ending"), "{}", said.en);
    city.site.app.stopping.cancel();
}

#[tokio::test]
async fn an_application_that_cannot_be_carried_out_says_why_in_its_status() {
    let city = City::start().await;
    let spec = |chain: &str, template: &str| json!({ "chain": chain, "template": template, "version": "1.0.0", "owner": "notary" });
    let reason = |namespace: &str, name: &str| {
        let status = city.api.get("applications", namespace, name).unwrap()["status"].clone();
        let ready = status["conditions"].as_array()?.iter().find(|condition| condition["type"] == "Ready")?.clone();
        Some((ready["status"].as_str()?.to_owned(), ready["reason"].as_str()?.to_owned()))
    };
    let no = |reason: &str| ("False".to_owned(), reason.to_owned());
    city.api.put("applications", application("early", NAMESPACE, spec("nowhere", "letters")));
    city.api.put("applications", application("foreign", "tenant-other", spec("main", "letters")));
    city.api.put("applications", application("unknown", NAMESPACE, spec("main", "no-such-template")));
    city.api.put("applications", application("odd", NAMESPACE, json!({ "chian": "main" })));
    assert_eq!(until("no chain", || reason(NAMESPACE, "early")).await, no("WaitingForChain"));
    assert_eq!(until("another tenant's", || reason("tenant-other", "foreign")).await, no("WaitingForChain"));
    assert_eq!(until("no template", || reason(NAMESPACE, "unknown")).await, no("WaitingForTemplate"));
    assert_eq!(until("it does not fit", || reason(NAMESPACE, "odd")).await, no("InvalidSpec"));
    city.api.put("applications", application("early", "tenant-other", spec("main", "letters")));
    assert_eq!(until("the name is taken", || reason("tenant-other", "early")).await, no("NameTaken"));
    // Nothing is carried out, so nothing keeps them.
    for name in ["early", "unknown", "odd"] {
        let object = city.api.get("applications", NAMESPACE, name).unwrap();
        assert!(!object["metadata"]["finalizers"].to_string().contains(FINALIZER), "{object}");
    }
    city.site.app.stopping.cancel();
}

#[tokio::test]
async fn where_nothing_changes_nothing_is_written() {
    let city = City::start().await;
    until("keys are published", || {
        city.api.get("tenants", "", "notary")?["status"]["tokens"]["main"].is_array().then_some(())
    })
    .await;
    let writes = city.api.writes();
    for height in 8..12 {
        city.api.report("chains", NAMESPACE, "main", json!({ "height": height }));
        city.site.app.chains.changed.notify_one();
        until("the height is seen", || city.view("main").filter(|view| view.status.height == height)).await;
    }
    assert_eq!(city.api.writes(), writes);
    city.site.app.stopping.cancel();
}
