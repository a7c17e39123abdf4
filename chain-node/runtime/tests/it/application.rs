//! Installing, changing and leaving applications.

use chain_runtime::modules::application::state::AppStatus;
use chain_runtime::queries;
use chain_types::encoding::to_vec;
use chain_types::genesis::Governance;
use chain_types::manifest::{ChainPart, Code};
use chain_types::{Hash, genesis::Text};
use serde_json::json;

use crate::chain::*;

fn changed(from: &str, to: &str) -> ChainPart {
    let text = include_str!("application.yaml");
    assert!(text.contains(from), "{from}");
    serde_yaml_ng::from_str(&text.replace(from, to)).unwrap()
}

fn upgrade(version: &str, manifest: &ChainPart) -> Install {
    Install { version: version.to_owned(), ..Install::of(APP, manifest) }
}

fn application(chain: &mut Chain, who: u8, method: &str, args: impl serde::Serialize) {
    chain.ok(who, "chain", "application", method, args);
}

fn refused(chain: &mut Chain, who: u8, method: &str, args: impl serde::Serialize, code: Code) {
    chain.refused(who, "chain", "application", method, args, code);
}

#[test]
fn an_installed_application_is_what_was_sent() {
    let chain = Chain::new();
    let view = queries::application(&chain.state, APP).unwrap().unwrap();
    assert_eq!((view.application.owner.as_str(), view.application.status), ("city", AppStatus::Active));
    assert_eq!(view.application.manifest_hash, Hash::of(&to_vec(&manifest()).unwrap()));
    let version = queries::application_version(&chain.state, APP, 1).unwrap().unwrap();
    assert_eq!(to_vec(&version.manifest).unwrap(), to_vec(&manifest()).unwrap());
    assert_eq!(queries::applications(&chain.state, None, 10).unwrap().len(), 1);
    let admitted: Vec<String> =
        queries::admissions(&chain.state, APP, None, 10).unwrap().into_iter().map(|a| a.of).collect();
    assert_eq!(admitted, ["city", "maker", "shop"]);
    assert_eq!(queries::assignments(&chain.state, APP, None, 10).unwrap().len(), 3);
}

#[test]
fn an_upgrade_takes_effect_within_its_block_and_keeps_what_was_before() {
    let mut chain = Chain::new();
    let newer = changed("name: {type: person", "room: {type: text, place: chain}\n        name: {type: person");
    let paper = |room: bool| {
        let mut fields = json!({"topic": "one"});
        if room {
            fields["room"] = json!("12");
        }
        json!({ "fields": fields })
    };
    let txs = [
        chain.sign(CLERK, APP, "papers", "anchor", paper(true)),
        chain.sign(CLERK, APP, "papers", "anchor", paper(false)),
        chain.sign(CITY, "chain", "application", "upgrade", upgrade("1.1.0", &newer)),
        chain.sign(CLERK, APP, "papers", "anchor", paper(true)),
    ];
    let effects = chain.block(&txs);
    let verdicts: Vec<bool> = effects.txs.iter().map(|t| t.outcome.verdict.is_ok()).collect();
    assert_eq!(verdicts, [false, true, true, true]);
    assert_eq!(queries::application(&chain.state, APP).unwrap().unwrap().application.revision, 2);
    assert!(queries::application_version(&chain.state, APP, 1).unwrap().is_some(), "the first version stays readable");
    assert!(queries::anchor_record(&chain.state, APP, "papers", "AB20260001").unwrap().is_some());
}

#[test]
fn suspended_applications_wait_and_uninstalled_ones_keep_their_history() {
    let mut chain = Chain::new();
    let paper = json!({"fields": {"topic": "one"}});
    chain.ok(CLERK, APP, "papers", "anchor", &paper);
    application(&mut chain, CITY, "suspend", json!({"app": APP}));
    chain.refused(CLERK, APP, "papers", "anchor", &paper, Code::AppSuspended);
    application(&mut chain, CITY, "resume", json!({"app": APP}));
    chain.ok(CLERK, APP, "papers", "anchor", &paper);
    application(&mut chain, CITY, "uninstall", json!({"app": APP}));
    chain.refused(CLERK, APP, "papers", "anchor", &paper, Code::AppUninstalled);
    assert_eq!(queries::anchor_records(&chain.state, APP, "papers", None, 10).unwrap().len(), 2);
    refused(&mut chain, CITY, "install", Install::of(APP, &manifest()), Code::AppExists);
}

#[test]
fn a_role_taken_from_the_organisation_is_taken_from_its_accounts() {
    let mut chain = Chain::new();
    let paper = json!({"fields": {"topic": "one"}});
    chain.ok(MAKER_DESK, APP, "papers", "anchor", &paper);
    application(&mut chain, CITY, "admit", json!({"app": APP, "organisation": "maker", "roles": ["maker"]}));
    chain.refused(MAKER_DESK, APP, "papers", "anchor", &paper, Code::RoleMissing);
    let of_clerk = Assign { app: APP, key: key(CLERK).public(), roles: vec![] };
    #[derive(serde::Serialize)]
    struct Unassign {
        app: &'static str,
        key: chain_types::PublicKey,
    }
    application(&mut chain, CITY, "unassign", Unassign { app: APP, key: of_clerk.key });
    chain.refused(CLERK, APP, "papers", "anchor", &paper, Code::RoleMissing);
}

/// Every refusal of the module.
pub fn refusals() {
    let mut c = Chain::new();
    let good = || Install::of("other", &manifest());
    let named = |app: &str| Install { app: app.to_owned(), ..good() };
    refused(&mut c, CLERK, "install", good(), Code::NotAdministrator);
    refused(&mut c, CITY, "install", named("Other"), Code::NameInvalid);
    refused(&mut c, CITY, "install", named("chain"), Code::NameInvalid);
    refused(&mut c, CITY, "install", Install { template: "?".to_owned(), ..good() }, Code::NameInvalid);
    refused(&mut c, CITY, "install", named(APP), Code::AppExists);
    for broken in [
        changed("clerk: [papers.anchor", "boss: [papers.anchor"),
        changed("papers.digests, plain", "nowhere.digests, plain"),
        changed("guards: [holder_of_record", "guards: [owner_appends_only, holder_of_record"),
        changed("batches: {module: anchor, batch: true}", "batches: {module: ballot}"),
        changed("P{seq:1}", "$prefix{seq:1}"),
    ] {
        refused(&mut c, CITY, "install", Install::of("other", &broken), Code::ManifestInvalid);
    }
    refused(&mut c, CITY, "install", Install::of("other", &huge()), Code::ManifestTooLarge);
    refused(&mut c, CITY, "install", json!({"app": "other"}), Code::BadArguments);
    refused(&mut c, CITY, "suspend", json!({"app": "other"}), Code::AppUnknown);
    refused(&mut c, MAKER, "suspend", json!({"app": APP}), Code::NotAppOwner);
    refused(&mut c, CITY, "resume", json!({"app": APP}), Code::AppStatus);
    refused(&mut c, CITY, "upgrade", upgrade("1.0.0", &manifest()), Code::VersionNotHigher);
    refused(
        &mut c,
        CITY,
        "upgrade",
        Install { template: "x".to_owned(), ..upgrade("2.0.0", &manifest()) },
        Code::OtherTemplate,
    );
    refused(&mut c, CITY, "upgrade", upgrade("2.0.0", &changed("AB{yyyy}", "AC{yyyy}")), Code::UpgradeIncompatible);
    application(&mut c, CITY, "upgrade", upgrade("2.0.0", &manifest()));
    let admit = |organisation: &str, roles: &[&str]| json!({"app": APP, "organisation": organisation, "roles": roles});
    refused(&mut c, CITY, "admit", admit("court", &["clerk"]), Code::OrganisationUnknown);
    refused(&mut c, CITY, "admit", admit("shop", &["king"]), Code::RoleUnknown);
    refused(&mut c, CITY, "admit", admit("shop", &["clerk"; 21]), Code::ListSize);
    let assign = |n: u8, roles: &[&'static str]| Assign { app: APP, key: key(n).public(), roles: roles.to_vec() };
    refused(&mut c, SHOP, "assign", assign(CLERK, &["shop"]), Code::OtherOrganisation);
    refused(&mut c, SHOP, "assign", assign(77, &["shop"]), Code::AccountUnknown);
    refused(&mut c, SHOP, "assign", assign(IDLE, &["maker"]), Code::RoleNotAdmitted);
    refused(&mut c, SHOP, "assign", assign(IDLE, &[]), Code::ListSize);
    application(&mut c, SHOP, "assign", assign(IDLE, &["shop"]));
    refused(&mut c, CITY, "overthrow", json!({}), Code::MethodUnknown);
    application(&mut c, CITY, "uninstall", json!({"app": APP}));
    refused(&mut c, CITY, "suspend", json!({"app": APP}), Code::AppUninstalled);
    refused(&mut c, SHOP, "assign", assign(IDLE, &["shop"]), Code::AppUninstalled);
    suspended_applications_wait_and_uninstalled_ones_keep_their_history();
    a_role_taken_from_the_organisation_is_taken_from_its_accounts();
}

/// More than a manifest may be, less than a transaction may be.
fn huge() -> ChainPart {
    let long = "x".repeat(40);
    let values: String = (0..3_000).map(|n| format!("v{n}: {{zh: {long}, en: {long}}}, ")).collect();
    changed("two: {zh: 二, en: Two}", &format!("two: {{zh: 二, en: Two}}, {}", values.trim_end_matches(", ")))
}

#[test]
fn the_hash_of_a_manifest_does_not_depend_on_the_order_of_its_text() {
    let role =
        |n: &str| (n.to_owned(), chain_types::manifest::Role { title: Text { zh: "甲".into(), en: "A".into() } });
    let (mut one, mut two) = (manifest(), manifest());
    one.roles = [role("a"), role("b")].into_iter().collect();
    two.roles = [role("b"), role("a")].into_iter().collect();
    assert_eq!(to_vec(&one).unwrap(), to_vec(&two).unwrap());
    let mut chain = Chain::bare(Governance::Platform);
    chain.install("any", &manifest());
    assert!(queries::application(&chain.state, "any").unwrap().is_some());
}
