//! Chains through the whole console with the provisioner running and no node program there: keys and genesis are made, nothing is
//! started, everybody sees what is theirs. What real nodes do is in the browser's journeys.

use crate::chains::object_name;
use crate::http::tests::Site;
use crate::names::Name;
use crate::provisioner::{self, home::Home};
use axum::http::StatusCode;
use chain_types::Genesis;
use operator_api::{ChainPhase, StepState};
use std::time::Duration;

async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..400 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("waited in vain until {what}");
}

async fn city() -> Site {
    let site = Site::new().await;
    provisioner::start(&site.app).await.unwrap();
    for chain in ["city", "traceability", "notary"] {
        let name = object_name(&Name::parse(chain).unwrap());
        until("the chain waits for its program", || {
            site.app.chains.find(&name).is_some_and(|entry| {
                entry.view().status.steps.iter().any(|step| step.id == "validators" && step.state == StepState::Running)
            })
        })
        .await;
    }
    site
}

#[tokio::test]
async fn keys_and_genesis_are_made_and_nothing_starts_without_a_program() {
    let site = city().await;
    let name = object_name(&Name::parse("notary").unwrap());
    let view = site.app.chains.find(&name).unwrap().view();
    assert_eq!(view.status.phase, ChainPhase::Provisioning);
    assert!(view.status.sentences.iter().any(|text| text.zh.contains("等待节点程序")), "{:?}", view.status.sentences);
    let home = Home::new(&site.app.config.home);
    let genesis: Genesis = serde_json::from_slice(&std::fs::read(home.genesis(&name)).unwrap()).unwrap();
    genesis.check().unwrap();
    assert_eq!((genesis.validators.len(), genesis.operator.as_str()), (4, "data-bureau"));
    // The keys that genesis names are those that the console signs with.
    let tenant = Name::parse("notary").unwrap();
    for organisation in &genesis.organisations {
        let held = crate::custody::find(&site.app, &tenant, &organisation.id, crate::custody::ADMINISTRATOR).await;
        assert_eq!(held.unwrap(), Some(organisation.administrator));
    }
    site.app.stopping.cancel();
}

#[tokio::test]
async fn a_tenants_people_see_their_own_chain_and_change_nothing() {
    let site = city().await;
    let mut developer = site.signed_in("notary-dev").await;
    let list = developer.get("/chains").await;
    assert!(list.body.contains("/chains/notary/progress") && !list.body.contains("/chains/city"), "{}", list.body);
    for page in ["", "/validators", "/blocks", "/transactions", "/members", "/events", "/settings", "/progress"] {
        let own = developer.get(&format!("/chains/notary{page}")).await;
        assert_eq!(own.status, StatusCode::OK, "{page}: {}", own.body);
        crate::http::tests::html::check(page, &own.body);
        for other in ["city", "traceability", "none", "No_name"] {
            let answer = developer.get(&format!("/chains/{other}{page}")).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{other}{page}");
        }
    }
    assert_eq!(developer.get("/chains/new").await.status, StatusCode::FORBIDDEN);
    developer.get("/chains/notary/validators").await;
    for act in ["validators/validator-1/stop", "validators/validator-1/start", "state/hibernate", "delete"] {
        let answer = developer.post(&format!("/chains/notary/{act}"), &[("typed", "notary")]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{act}");
        let answer = developer.post(&format!("/chains/city/{act}"), &[("typed", "city")]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{act}");
    }
    assert_eq!(developer.post("/chains", &[("name", "x"), ("tenant", "notary")]).await.status, StatusCode::FORBIDDEN);
    site.app.stopping.cancel();
}

#[tokio::test]
async fn a_form_that_cannot_be_carried_out_says_why_and_keeps_what_was_typed() {
    let site = city().await;
    let mut operator = site.signed_in("operator").await;
    let form = operator.get("/chains/new?tenant=medical").await;
    assert!(form.body.contains("医疗链") && form.body.contains("validators-first-hospital"), "{}", form.body);
    let typed = [("tenant", "medical"), ("title_zh", "医疗试点"), ("title_en", "Pilot"), ("name", "notary")];
    let more =
        [("validators-medical", "1"), ("memory_mib", "256"), ("storage_gib", "ten"), ("operator", "data-bureau")];
    let answer = operator.post("/chains", &[&typed[..], &more[..]].concat()).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("医疗试点") && answer.body.contains("value=\"ten\""), "{}", answer.body);
    assert!(answer.body.contains("error-summary") && answer.body.contains("还没有可用的节点程序"), "{}", answer.body);
    site.app.stopping.cancel();
}

#[tokio::test]
async fn a_mistake_in_a_file_is_told_and_the_chain_stays_as_it_was() {
    let site = city().await;
    let name = object_name(&Name::parse("notary").unwrap());
    let path = Home::new(&site.app.config.home).chain_object(&name);
    let text = std::fs::read_to_string(&path).unwrap();
    let entry = site.app.chains.find(&name).unwrap();
    let before = entry.view().valid.clone();
    for (wrong, said) in [
        (text.replace("count: 4", "cuont: 4"), "cuont"),
        (text.replace("count: 4", "count: 3"), "spec.validators"),
        (text.replace("tenant: notary", "tenant: nobody"), "spec.tenant"),
        (text.replace("membership: delegated", "membership: members"), "spec.membership"),
    ] {
        std::fs::write(&path, &wrong).unwrap();
        entry.wake.notify_one();
        until(said, || entry.view().problems.iter().any(|problem| problem.en.contains(said))).await;
        assert_eq!(entry.view().valid, before, "{said}");
    }
    std::fs::write(&path, &text).unwrap();
    until("the mistake is gone", || entry.view().problems.is_empty()).await;
    site.app.stopping.cancel();
}
