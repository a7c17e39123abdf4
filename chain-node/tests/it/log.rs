//! The log as others see it: verified by the Go program in tests/tlog, whose libraries nobody here wrote, on a chain of
//! four processes. TLOG_VERIFIER names that program if it is built already.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use chain_types::api::TxStatus;
use chain_types::tlog::{Policy, Proof, SignedCheckpoint, SignedStatement};
use chain_types::{Hash, Value};

use super::cluster::{Cluster, PATIENCE, digest, node};

/// Builds the verifier; its modules are pinned by their hashes in go.sum.
fn build_verifier() -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tlog-verifier");
    let toolchain = std::env::var("GOTOOLCHAIN").unwrap_or_else(|_| "auto".into());
    let build = Command::new("go")
        .args(["build", "-mod=readonly", "-buildvcs=false", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/tlog"))
        .env("GOTOOLCHAIN", toolchain)
        .output()
        .expect("the log's verifier needs Go: run `make setup`");
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    program
}

/// What the verifier says of a node.
fn verifier(cluster: &Cluster, n: usize, args: &[&str]) -> Output {
    static PROGRAM: LazyLock<PathBuf> =
        LazyLock::new(|| std::env::var_os("TLOG_VERIFIER").map_or_else(build_verifier, PathBuf::from));
    let node = cluster.api(n);
    Command::new(&*PROGRAM).args(["-node", &node]).args(args).stdin(Stdio::null()).output().unwrap()
}

fn accepted(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn get(cluster: &Cluster, n: usize, path: &str) -> (u16, Vec<u8>) {
    let url = format!("{}{path}", cluster.api(n));
    match reqwest::get(url).await {
        Ok(answer) => (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec()),
        // It has not started yet.
        Err(e) if e.is_connect() => (0, Vec::new()),
        Err(e) => panic!("{path}: {e}"),
    }
}

async fn text(cluster: &Cluster, n: usize, path: &str) -> String {
    let (status, body) = get(cluster, n, path).await;
    let body = String::from_utf8(body).unwrap();
    assert_eq!(status, 200, "{path}: {body}");
    body
}

/// Waits for a checkpoint of at least this size with so many log signatures and cosignatures.
async fn checkpoint(cluster: &Cluster, n: usize, size: u64, signatures: usize) -> SignedCheckpoint {
    let start = Instant::now();
    loop {
        let (status, body) = get(cluster, n, "/checkpoint").await;
        if status == 200 {
            let signed = SignedCheckpoint::parse(std::str::from_utf8(&body).unwrap()).unwrap();
            if signed.checkpoint.size >= size && signed.signatures.len() >= signatures {
                return signed;
            }
        }
        if start.elapsed() >= PATIENCE {
            let statuses = cluster.statuses().await;
            let heights: Vec<_> = statuses.iter().map(|s| (&s.name, s.height, s.log_size, s.phase)).collect();
            let logs: Vec<_> = (1..=statuses.len())
                .map(|n| std::fs::read_to_string(cluster.validator_dir(n - 1).join("log.txt")).unwrap_or_default())
                .collect();
            panic!(
                "no checkpoint of {size} entries: {heights:?} {}\n{}",
                String::from_utf8_lossy(&body),
                logs.join("\n")
            );
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Anchors `count` digests; gives the log's size after them.
async fn anchor(cluster: &Cluster, from: u64, count: u64) -> u64 {
    let digests: Vec<Hash> = (from..from + count).map(digest).collect();
    let info = cluster.client().submit(&cluster.anchor(&digests), Duration::from_secs(30)).await.unwrap();
    let TxStatus::Committed(committed) = info.status else { panic!("not committed: {info:?}") };
    committed.entry.unwrap() + committed.entries
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_serves_a_checkpoint_of_a_quorum_and_proofs_under_it() {
    let mut cluster = Cluster::start(4).await;
    let size = anchor(&cluster, 0, 300).await;
    for n in 0..4 {
        let signed = checkpoint(&cluster, n, size, 8).await;
        let policy = Policy::parse(&text(&cluster, n, "/policy").await).unwrap();
        assert_eq!(policy.check(&signed).unwrap().cosigners.len(), 4);
        let proof = Proof::parse(&text(&cluster, n, &format!("/proof/{}", size - 1)).await).unwrap();
        let (_, bundle) = get(&cluster, n, &format!("/tile/entries/001.p/{}", size - 256)).await;
        let entries = chain_types::tlog::read_bundle(&bundle).unwrap();
        assert_eq!(proof.verify(entries[entries.len() - 1], &policy).unwrap().index, size - 1);
    }
    // A node that was killed has forgotten all but its own word, and hears the others' again.
    let before = checkpoint(&cluster, 0, size, 8).await.checkpoint;
    cluster.kill_all();
    (0..4).for_each(|n| cluster.run(n));
    for n in 0..4 {
        let again = checkpoint(&cluster, n, size, 8).await;
        assert!(again.checkpoint.size >= before.size);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_requests_for_the_log_get_a_sentence_and_no_harm() {
    let cluster = Cluster::start(1).await;
    let size = anchor(&cluster, 0, 10).await;
    checkpoint(&cluster, 0, size, 2).await;
    let beyond = format!("/tile/0/000.p/{}", size + 1);
    for (path, status) in [
        ("/tile/0/000", 404),
        (beyond.as_str(), 404),
        ("/tile/entries/000.p/255", 404),
        ("/tile/0/x999/x999/x999/x999/x999/999", 400),
        ("/tile/0/x999/x999/x999/x999/999", 404),
        ("/tile/entries/x035/x000/x000/x000/x000/000.p/1", 404),
        ("/tile/99999999999999999999999/000", 400),
        ("/tile/64/000", 400),
        ("/tile/0/000.p/0", 400),
        ("/tile/0/000.p/256", 400),
        ("/tile/0/000.p/-1", 400),
        ("/tile/0/1", 400),
        ("/tile/0/x000/001", 400),
        ("/tile/entries/../checkpoint", 400),
        ("/tile/0/%00", 400),
        ("/proof/18446744073709551615", 404),
        ("/proof/18446744073709551616", 400),
        ("/proof/-1", 400),
        ("/policy?height=18446744073709551615", 404),
        ("/policy?log=zz", 400),
        ("/policy?log=00000000", 404),
        ("/entries/nothing", 400),
        ("/.well-known/scitt-keys/nothing", 404),
    ] {
        assert_eq!(get(&cluster, 0, path).await.0, status, "{path}");
    }
    let url = format!("{}/entries", cluster.api(0));
    let post = async |body: Vec<u8>, token: &str| {
        let request = reqwest::Client::new().post(&url).bearer_auth(token).body(body);
        request.send().await.unwrap().status().as_u16()
    };
    let anchoring = cluster.anchor(&[digest(1)]);
    for (body, status) in [
        (Vec::new(), 400),
        (b"nonsense".to_vec(), 400),
        (vec![0x9f; 60_000], 400),
        (vec![0; 600 * 1024], 413),
        (anchoring.bytes().to_vec(), 400),
    ] {
        assert_eq!(post(body, &cluster.token).await, status);
    }
    assert_eq!(post(anchoring.bytes().to_vec(), "no-member").await, 401);
    let unknown = format!("/entries/{}", Hash([7; 32]));
    assert_eq!(get(&cluster, 0, &unknown).await.0, 404);
    assert!(cluster.statuses().await[0].height > 0, "the node still answers");
}

/// The node of an organisation that registers; gives the statement and what the node answered.
pub(super) async fn register(cluster: &Cluster, subject: &str) -> (Vec<u8>, reqwest::Response) {
    let statement = SignedStatement::sign("bureau.example", subject, &digest(1).0, &cluster.administrator);
    let args = Value::Map(vec![("statement".into(), Value::Bytes(statement.clone()))]);
    let carrier = cluster.call("anchor", "register", args);
    let answer = reqwest::Client::new()
        .post(format!("{}/entries", cluster.api(0)))
        .bearer_auth(&cluster.token)
        .header("content-type", "application/cose")
        .body(carrier.bytes().to_vec());
    (statement, answer.send().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_registered_with_a_receipt_and_stands_in_the_log_verbatim() {
    let cluster = Cluster::start(1).await;
    let (statement, answer) = register(&cluster, "product/1").await;
    assert_eq!(answer.status(), 201);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(location, format!("/entries/{}", Hash::of(&statement)));
    let receipt = chain_types::tlog::Receipt::from_bytes(&answer.bytes().await.unwrap()).unwrap();
    let validator = &cluster.genesis.validators[0].validator;
    let origin = chain_types::tlog::origin(&cluster.genesis);
    receipt.verify(&statement, &origin, &validator.log_key).unwrap();
    assert_eq!(cluster.client().receipt(&statement).await.unwrap(), receipt);
    assert!(cluster.client().receipt(b"another").await.is_err());
    // Again, in another transaction: the same entry, and no second one.
    let (_, again) = register(&cluster, "product/1").await;
    assert_eq!(again.status(), 201);
    let again = chain_types::tlog::Receipt::from_bytes(&again.bytes().await.unwrap()).unwrap();
    assert_eq!(again.index, receipt.index);
    assert_eq!(get(&cluster, 0, &format!("/evidence/entries/{}", receipt.index)).await.0, 404);
    // From the command line: carried, and the receipt saved.
    let file = cluster.home.path().join("second.cose");
    let second = SignedStatement::sign("bureau.example", "product/2", b"digest", &cluster.administrator);
    std::fs::write(&file, &second).unwrap();
    let chain = cluster.dir();
    let run = ["register", "--chain", chain.to_str().unwrap(), file.to_str().unwrap()];
    let run = tokio::task::block_in_place(|| node(&run));
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let saved = std::fs::read(cluster.home.path().join("second.cose.receipt.cose")).unwrap();
    let saved = chain_types::tlog::Receipt::from_bytes(&saved).unwrap();
    saved.verify(&second, &origin, &validator.log_key).unwrap();
    // The bare statement has nobody to answer for it here.
    let bare = reqwest::Client::new().post(format!("{}/entries", cluster.api(0))).bearer_auth(&cluster.token);
    let bare = bare.body(statement).send().await.unwrap();
    assert_eq!(bare.status(), 400);
    assert_eq!(bare.headers()["content-type"], "application/concise-problem-details+cbor");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_nobody_here_wrote_accepts_the_log_and_nothing_else() {
    let mut cluster = Cluster::start(4).await;
    let size = anchor(&cluster, 0, 600).await;
    checkpoint(&cluster, 0, size, 8).await;
    let saved = |name: &str| cluster.home.path().join(name);
    let (old, statement): (PathBuf, PathBuf) = (saved("old"), saved("statement.cose"));
    let first = accepted(&verifier(&cluster, 0, &["-all", "-save", old.to_str().unwrap()]));
    assert_eq!((first["cosigners"].as_u64(), first["size"].as_u64()), (Some(4), Some(size)));

    let (bytes, answer) = register(&cluster, "product/1").await;
    assert_eq!(answer.status(), 201);
    std::fs::write(&statement, bytes).unwrap();
    let size = anchor(&cluster, 1_000, 200).await;
    let all = ["-old", old.to_str().unwrap(), "-statement", statement.to_str().unwrap()];
    for n in 0..4 {
        checkpoint(&cluster, n, size, 8).await;
        let found = accepted(&verifier(&cluster, n, &all));
        assert_eq!(found["entries"].as_u64(), Some(size));
        assert_eq!((found["consistent_with_old"].as_bool(), found["receipts"].as_u64()), (Some(true), Some(4)));
        assert!(found["proofs"].as_u64() > Some(100));
    }

    // One byte of anything that is signed, hashed or proven: the run fails, wherever the byte is. A proof's signature
    // lines are left out: a quorum stands without one of four.
    let anywhere = &[0u32, 77, 1_003, 1_500, 4_999, 8_191][..];
    for (path, places) in [
        ("/checkpoint", anywhere),
        ("/tile/0/", anywhere),
        ("/tile/1/", &[0, 31, 64][..]),
        ("/tile/entries/", anywhere),
        ("/proof/", &[0, 30, 77, 200, 400][..]),
        ("/entries/", anywhere),
        ("/policy", &[0, 300, 700, 1_003][..]),
    ] {
        for at in places {
            let at = at.to_string();
            let run = verifier(&cluster, 1, &[&["-all", "-flip", path, "-flip-at", &at], &all[..]].concat());
            assert_eq!(run.status.code(), Some(1), "{path} byte {at}: {run:?}");
        }
    }

    // With one validator gone the others go on, and the quorum is still more than two thirds.
    cluster.kill(3);
    let size = anchor(&cluster, 2_000, 20).await;
    checkpoint(&cluster, 0, size, 6).await;
    let found = accepted(&verifier(&cluster, 0, &["-old", old.to_str().unwrap()]));
    assert_eq!(found["cosigners"].as_u64(), Some(3));
    assert_eq!(verifier(&cluster, 0, &["-all"]).status.code(), Some(1), "the one that is gone did not sign");
}
