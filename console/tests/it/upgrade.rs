//! What an upgrade promises: nobody is surprised by it, an incompatible version changes nothing, records made before stay readable, and what
//! the new version adds works.

use super::apps::{LETTERS, letters};
use super::client::Person;
use super::site::{CHAIN, Site};

const DIGEST: &str = "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9";

/// Adds a field, a role with a call, a guard and a check to 1.0.0.
fn better() -> String {
    letters(&[
        ("version: 1.0.0", "version: 1.1.0"),
        (
            "          pages: {type: digests",
            "          subject: {type: text, max: 100, place: chain, title: {zh: 事由, en: Subject}}\n          pages: {type: digests",
        ),
        (
            "    clerk: {title: {zh: 登记员, en: Clerk}}",
            "    clerk: {title: {zh: 登记员, en: Clerk}}\n    head: {title: {zh: 科长, en: Head}}",
        ),
        (
            "    clerk: [letters.anchor, letters.withdraw]",
            "    clerk: [letters.anchor, letters.withdraw]\n    head: [letters.anchor]",
        ),
        (
            "guards: [owner_appends_only, withdraw_needs_reason]",
            "guards: [owner_appends_only, withdraw_needs_reason, clock_offset_max: 10s]",
        ),
        ("    show: [number, sort]\n", "    show: [number, sort, subject]\n"),
        (
            "  - {page: public, with: {number: $l.number}, expect: {level: ok}}\n",
            "  - {page: public, with: {number: $l.number}, expect: {level: ok}}\n  - {as: head, call: letters.anchor, with: {sort: form, subject: 验收, pages: [\"60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752\"]}, save: m}\n  - {page: public, with: {number: $m.number}, expect: {level: ok}}\n",
        ),
    ])
}

/// Takes a field away and moves the public page: printed codes would lead nowhere.
fn worse() -> String {
    let sender =
        "          sender: {type: person, mask: name, max: 100, place: commitment, title: {zh: 寄件人, en: Sender}}\n";
    letters(&[
        ("version: 1.0.0", "version: 2.0.0"),
        (sender, ""),
        (", sender: 张三", ""),
        ("/l/{number}", "/v/{number}"),
    ])
}

pub async fn deployed(database: Option<String>) -> (Site, Person) {
    let site = Site::start(database).await;
    site.offer("letters", LETTERS);
    let mut admin = site.person("notary-admin").await;
    admin.get("/catalog/letters/deploy").await;
    let form = [("chain", CHAIN), ("name", "letters"), ("sample_data", "1"), ("q_prefix", "L")];
    let asked = admin.post("/catalog/letters/deploy", &form).await;
    assert_eq!((asked.status, asked.location.as_str()), (303, "/applications/letters"), "{}", asked.body);
    site.settled("letters", "ready").await;
    (site, admin)
}

async fn public(site: &Site, number: &str) -> super::client::Page {
    Person::visitor(&site.url).get(&format!("/l/{number}")).await
}

#[tokio::test]
async fn a_higher_version_is_offered_shown_confirmed_and_carried_out_and_old_records_stay() {
    let (site, mut admin) = deployed(None).await;
    let mut officer = site.person("notary-officer").await;
    assert_eq!(admin.get("/applications/letters/upgrade").await.status, 409, "there is nothing to go to");
    assert!(!admin.get("/applications/letters").await.has("is available"));

    site.offer("letters", &better());
    assert!(admin.get("/catalog").await.has("letters can go to 1.1.0"));
    assert!(admin.get("/catalog/letters").await.has("1.0.0 → 1.1.0"));
    let page = admin.get("/applications/letters").await;
    assert!(page.has("Version 1.1.0 is available") && page.has("/applications/letters/upgrade"));
    let page = officer.get("/applications/letters").await;
    assert!(page.has("Version 1.1.0 is available") && !page.has("/applications/letters/upgrade"));
    assert_eq!(officer.get("/applications/letters/upgrade").await.status, 403);
    assert_eq!(site.person("medical-admin").await.get("/applications/letters/upgrade").await.status, 404);
    let page = admin.get("/applications/letters/upgrade").await;
    for added in ["Subject", "Head", "more than 10s ahead of the chain"] {
        assert!(page.has(added), "{added}: {}", page.body);
    }

    // What was not seen is not confirmed: the form of another version is shown again.
    assert_eq!(admin.post("/applications/letters/upgrade", &[("version", "1.0.9")]).await.status, 200);
    assert_eq!(site.application("letters").await, ("ready".to_owned(), "1.0.0".to_owned()));
    assert_eq!(admin.post("/applications/letters/upgrade", &[("version", "1.1.0")]).await.status, 303);
    site.settled("letters", "ready").await;
    assert_eq!(site.application("letters").await.1, "1.1.0");
    let steps = site.ask("select steps_json from application where name = $1", "letters").await;
    assert_eq!(steps.matches("\"done\"").count(), 6, "{steps}");
    let object = std::fs::read_to_string(site.home().join("applications/letters.yaml")).unwrap();
    assert!(object.contains("version: 1.1.0"), "{object}");
    let audited = "select count(*) from audit where action = 'application.upgrade' and object_id = $1";
    assert_eq!(site.count(audited, "letters").await, 1);

    // The sample and the first check of 1.0.0, and the new check alone.
    for number in ["L000001", "L000002", "L000003"] {
        assert_eq!(public(&site, number).await.status, 200, "{number}");
        assert_eq!(
            admin.get(&format!("/applications/letters/pages/one/record?id={number}")).await.status,
            200,
            "{number}"
        );
    }
    assert_eq!(public(&site, "L000004").await.status, 404, "no check was carried out twice");
    let act = "/applications/letters/act/letters/anchor";
    assert!(officer.get(act).await.has("Subject"));
    let fields = [("sort", "letter"), ("subject", "A complaint"), ("pages", DIGEST)];
    let done = officer.post(act, &fields).await;
    assert_eq!(done.status, 303, "{}", done.body);
    assert!(public(&site, "L000004").await.has("A complaint"));
    assert_eq!(admin.get("/applications/letters/upgrade").await.status, 409, "nothing is higher any more");
}

#[tokio::test]
async fn an_incompatible_version_is_refused_with_reasons_and_changes_nothing() {
    let (site, mut admin) = deployed(None).await;
    site.offer("letters", &worse());
    let page = admin.get("/applications/letters/upgrade").await;
    assert_eq!(page.status, 200);
    for reason in ["instances.letters.record.fields.sender", "a field cannot be dropped", "printed codes lead there"] {
        assert!(page.has(reason), "{reason}: {}", page.body);
    }
    assert!(!page.has("Upgrade to 2.0.0</button>"), "there is nothing to confirm");
    // Not even by a form made by hand.
    assert_eq!(admin.post("/applications/letters/upgrade", &[("version", "2.0.0")]).await.status, 200);
    assert_eq!(site.application("letters").await, ("ready".to_owned(), "1.0.0".to_owned()));

    // An object edited by hand says the same; it fails at its first step, the application works on, and the wish can be given up.
    let object = site.home().join("applications/letters.yaml");
    let text = std::fs::read_to_string(&object).unwrap();
    std::fs::write(&object, text.replace("version: 1.0.0", "version: 2.0.0")).unwrap();
    site.settled("letters", "upgrade-failed").await;
    let page = admin.get("/applications/letters").await;
    assert!(page.has("a field cannot be dropped") && page.has("Give the upgrade up"), "{}", page.body);
    assert_eq!(public(&site, "L000001").await.status, 200);
    assert_eq!(admin.get("/applications/letters/pages/all").await.status, 200);
    assert_eq!(admin.post("/applications/letters/upgrade/withdraw", &[]).await.status, 303);
    assert_eq!(site.application("letters").await, ("ready".to_owned(), "1.0.0".to_owned()));
    assert!(std::fs::read_to_string(&object).unwrap().contains("version: 1.0.0"));
    assert_eq!(site.applied("chain", "upgrade").await, 0);
}
