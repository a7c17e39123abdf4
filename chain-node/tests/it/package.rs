//! From a file on a disk to a package that proves it to any verifier, offline; and what is refused on the way.

use chain_types::encoding::{Decode, Encode};
use chain_types::evidence::package::{MEDIA_TYPE, Package, verify_package};
use chain_types::evidence::{CheckName, Inputs, Outcome, Report};
use chain_types::membership::{Change, NewValidator, ValidatorKeys};
use chain_types::state::account_key;
use chain_types::tlog::{Policy, Proof};

use super::cluster::{Cluster, PATIENCE, digest, node};

/// DESIGN §9, in bytes.
const MAX_CORE: usize = 6 * 1024;
const MAX_PACKAGE: usize = 16 * 1024;
const MAX_CHANGE: usize = 1_229;

fn verified(cluster: &Cluster, bytes: &[u8]) -> Report {
    let report = verify_package(bytes, &Inputs { trust: Some(cluster.genesis.fingerprint()), file: None });
    assert!(report.is_valid(), "{:#?}", report.checks);
    report
}

fn within_limits(bytes: &[u8]) {
    let package = Package::from_bytes(bytes).unwrap();
    println!("core {} bytes, package {} bytes", package.evidence.len(), bytes.len());
    assert!(package.evidence.len() <= MAX_CORE, "core: {} bytes", package.evidence.len());
    assert!(bytes.len() <= MAX_PACKAGE, "package: {} bytes", bytes.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_proves_a_file_offline_with_the_validators_cosignatures() {
    let mut cluster = Cluster::start(4).await;
    let dir = cluster.home.path().to_owned();
    let (file, chain) = (dir.join("contract.txt"), cluster.dir());
    std::fs::write(&file, "房屋租赁合同（示例）").unwrap();
    let (file, chain) = (file.to_str().unwrap(), chain.to_str().unwrap().to_owned());
    let anchored = tokio::task::block_in_place(|| node(&["anchor", "--package", "--chain", &chain, file]));
    assert!(anchored.status.success(), "{}", String::from_utf8_lossy(&anchored.stderr));
    let account = cluster.client().package_of_state(&account_key(&cluster.administrator.public())).await.unwrap();
    cluster.kill_all();

    let saved = format!("{file}.evp");
    let trust = cluster.genesis.fingerprint().to_string();
    let verify = |extra: &[&str]| node(&[&["verify", &saved, "--trust", &trust], extra].concat());
    let good = verify(&["--file", file, "--require", "file", "--require", "account", "--require", "cosignatures"]);
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stdout));
    let said = String::from_utf8_lossy(&good.stdout).into_owned();
    assert!(said.contains("validators cosigned a log of") && said.contains("pass  reports"), "{said}");

    let bytes = std::fs::read(&saved).unwrap();
    within_limits(&bytes);
    // A state has no place in the log, and says so.
    within_limits(&account.bytes);
    let state = verified(&cluster, &account.bytes);
    assert!(matches!(
        state.checks.iter().find(|c| c.name == CheckName::Policy).unwrap().outcome,
        Outcome::NotApplicable(_)
    ));

    for at in [40, bytes.len() / 3, bytes.len() / 2, bytes.len() - 5] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        std::fs::write(&saved, changed).unwrap();
        let run = verify(&[]);
        assert_eq!(run.status.code(), Some(1), "byte {at}");
        assert!(String::from_utf8_lossy(&run.stdout).contains("FAIL  package"), "byte {at}");
    }
    // The members of a true package serve programs that know only the standards.
    let package = Package::from_bytes(&bytes).unwrap();
    let (proof, policy) = (package.log.unwrap().proof, package.policy.unwrap());
    let index = verified(&cluster, &bytes).index.unwrap();
    let core = chain_types::evidence::Evidence::from_bytes(&package.evidence).unwrap();
    let chain_types::evidence::Subject::Act { record: chain_types::evidence::Record::Digest(entry), .. } = core.subject
    else {
        panic!("a digest was asked for")
    };
    let proven = Proof::parse(&proof).unwrap().verify(&entry, &Policy::parse(&policy).unwrap()).unwrap();
    assert_eq!(proven.index, index);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_from_before_the_validators_changed_is_cosigned_by_those_of_today() {
    let mut cluster = Cluster::start(4).await;
    let committed = cluster.client().commit(&cluster.anchor(&[digest(1)]), PATIENCE).await.unwrap();
    assert!(committed.applied);
    let before = cluster.client().package_of_digest(digest(1)).await.unwrap().bytes;
    assert!(Package::from_bytes(&before).unwrap().log.unwrap().later.is_empty());

    let n = cluster.add_observer().await;
    let keys = ValidatorKeys::of(&cluster.keys(n).validator("bureau"));
    cluster.change_set(&Change::Add(NewValidator { organisation: "bureau".into(), keys })).await;
    cluster.client().commit(&cluster.anchor(&[digest(2)]), PATIENCE).await.unwrap();
    // A new checkpoint is made within moments of the next entry.
    let deadline = std::time::Instant::now() + PATIENCE;
    let later = loop {
        let found = cluster.client().package_of_digest(digest(1)).await;
        let later = found
            .ok()
            .map(|proven| proven.bytes)
            .filter(|bytes| Package::from_bytes(bytes).unwrap().log.is_some_and(|log| log.later.len() == 1));
        if let Some(bytes) = later {
            break bytes;
        }
        assert!(std::time::Instant::now() < deadline, "the new set cosigned nothing");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    for bytes in [&before, &later] {
        assert!(verified(&cluster, bytes).passed(CheckName::Cosignatures));
    }
    let change = &Package::from_bytes(&later).unwrap().log.unwrap().later[0];
    println!("{} bytes, then {}; the change itself {}", before.len(), later.len(), change.to_bytes().len());
    assert!(change.to_bytes().len() <= MAX_CHANGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_statement_comes_with_its_receipt() {
    let cluster = Cluster::start(1).await;
    let (statement, answer) = super::log::register(&cluster, "product/1").await;
    assert_eq!(answer.status(), 201);
    let receipt = chain_types::tlog::Receipt::from_bytes(&answer.bytes().await.unwrap()).unwrap();
    let http = reqwest::Client::new();
    let url = format!("{}/evidence/entries/{}", cluster.api(0), receipt.index);
    let answer = http.get(&url).header("accept", format!("text/html, {MEDIA_TYPE};q=0.9")).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], MEDIA_TYPE);
    assert_eq!(answer.headers()["content-disposition"], "attachment; filename=\"evidence.evp\"");
    let bytes = answer.bytes().await.unwrap();
    within_limits(&bytes);
    let report = verified(&cluster, &bytes);
    assert!(report.passed(CheckName::Receipt), "{:#?}", report.checks);
    let tx = cluster.client().package_of_transaction(report.tx.unwrap()).await.unwrap();
    assert!(tx.report.passed(CheckName::Receipt) && tx.evidence.statement() == Some(statement));
    // The bare core of the statement's own entry still has no form of its own, and odd questions get a sentence.
    for (path, status) in [
        (format!("/evidence/entries/{}", receipt.index), 404),
        ("/evidence/entries/999999?package=1".into(), 404),
        ("/evidence/entries/0?package=yes".into(), 400),
        ("/evidence/entries/0?pack=1".into(), 400),
        ("/evidence/state?key=zz&package=1".into(), 400),
    ] {
        let found = http.get(format!("{}{path}", cluster.api(0))).send().await.unwrap().status();
        assert_eq!(found.as_u16(), status, "{path}");
    }
}
