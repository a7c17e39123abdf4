//! Records are numbered once, versions are kept, and every file's digest reaches the log.

use std::collections::BTreeMap;

use chain_runtime::modules::anchor::state::RecordStatus;
use chain_runtime::queries;
use chain_types::Hash;
use chain_types::manifest::{Code, FieldValue, commitment};
use chain_types::tlog::SignedStatement;
use proptest::prelude::*;
use serde::Serialize;
use serde_json::json;

use crate::chain::*;

fn paper(files: &[u8]) -> Paper {
    let fields = BTreeMap::from([
        ("topic".to_owned(), FieldValue::Text("one".to_owned())),
        ("name".to_owned(), FieldValue::Digest(commitment("name", &[7; 32], "张三"))),
    ]);
    Paper { number: None, fields, files: files.iter().map(|n| Hash([*n; 32])).collect() }
}

fn with(name: &str, value: FieldValue) -> Paper {
    let mut paper = paper(&[]);
    paper.fields.insert(name.to_owned(), value);
    paper
}

fn append(number: &str, files: &[u8]) -> Paper {
    Paper { number: Some(number.to_owned()), fields: BTreeMap::new(), ..paper(files) }
}

#[derive(Serialize)]
struct Digests {
    digests: Vec<Hash>,
}

#[test]
fn a_record_is_numbered_and_its_files_follow_it_into_the_log() {
    let mut chain = Chain::new();
    let before = chain.context.log_size;
    let tx = chain.sign(CLERK, APP, "papers", "anchor", paper(&[1, 2, 3]));
    let effects = chain.block(std::slice::from_ref(&tx));
    assert_eq!(effects.txs[0].digests, [Hash([1; 32]), Hash([2; 32]), Hash([3; 32])]);
    assert_eq!(effects.log_size, before + 4);
    let number = field(effects.txs[0].outcome.verdict.as_ref().unwrap(), "anchored", "number");
    assert_eq!(number, "AB20260001");
    let record = queries::anchor_record(&chain.state, APP, "papers", &number).unwrap().unwrap().record;
    assert_eq!((record.status, record.version, record.tx), (RecordStatus::Anchored, 1, tx.id()));
    assert_eq!((record.organisation.as_str(), record.by), ("city", key(CLERK).public()));
    assert_eq!(record.files.len(), 3);
    let json = serde_json::to_value(queries::anchor_record(&chain.state, APP, "papers", &number).unwrap()).unwrap();
    assert_eq!(json["status"], "anchored");
    assert_eq!(json["files"][0], "01".repeat(32));
}

#[test]
fn versions_are_added_and_none_is_lost() {
    let mut chain = Chain::new();
    let number = field(&chain.ok(CLERK, APP, "papers", "anchor", paper(&[1])), "anchored", "number");
    chain.ok(CLERK, APP, "papers", "append", append(&number, &[2]));
    let mut second = append(&number, &[]);
    second.fields.insert("topic".to_owned(), FieldValue::Text("two".to_owned()));
    chain.ok(CLERK, APP, "papers", "append", second);
    chain.ok(CLERK, APP, "papers", "withdraw", json!({"number": number, "reason": "a mistake"}));
    let versions = queries::anchor_versions(&chain.state, APP, "papers", &number, None, 10).unwrap();
    let seen: Vec<_> = versions.iter().map(|v| (v.record.version, v.record.files.len(), v.record.status)).collect();
    assert_eq!(
        seen,
        [
            (1, 1, RecordStatus::Anchored),
            (2, 1, RecordStatus::Anchored),
            (3, 0, RecordStatus::Anchored),
            (4, 0, RecordStatus::Withdrawn)
        ]
    );
    assert_eq!(versions[3].record.fields.get("topic"), Some(&FieldValue::Text("two".to_owned())));
    assert!(versions[3].record.fields.contains_key("name"), "fields that are not replaced stay");
    let later = queries::anchor_versions(&chain.state, APP, "papers", &number, Some(2), 1).unwrap();
    assert_eq!(later[0].record.version, 3);
}

#[test]
fn any_account_anchors_digests_with_the_chains_own_instance() {
    let mut chain = Chain::new();
    let digests: Vec<Hash> = (0..=255).map(|n| Hash([n; 32])).collect();
    let tx = chain.sign(IDLE, "chain", "anchor", "digests", Digests { digests: digests.clone() });
    let effects = chain.block(&[tx]);
    assert_eq!(effects.txs[0].digests, digests);
    assert_eq!(effects.txs[0].outcome.entries, 257);
    chain.ok(CLERK, APP, "batches", "digests", Digests { digests });
}

#[test]
fn each_guard_decides() {
    let mut chain = Chain::new();
    let ahead =
        |chain: &Chain, ms: u64| with("when", FieldValue::Integer(i64::try_from(chain.context.time_ms + ms).unwrap()));
    let far = ahead(&chain, 10_001);
    chain.refused(CLERK, APP, "papers", "anchor", far, Code::TimeInFuture);
    let near = ahead(&chain, 10_000);
    chain.ok(CLERK, APP, "papers", "anchor", near);
    // Without guards: others append, a withdrawal needs no reason; but it stays the owner's.
    let number =
        field(&chain.ok(CLERK, APP, "plain", "anchor", json!({"fields": {"topic": "a"}})), "anchored", "number");
    chain.ok(MAKER_DESK, APP, "plain", "append", json!({"number": number, "fields": {"topic": "b"}}));
    chain.refused(MAKER_DESK, APP, "plain", "withdraw", json!({"number": number}), Code::NotOwner);
    chain.ok(CLERK, APP, "plain", "withdraw", json!({"number": number}));
}

#[derive(Serialize)]
struct Register {
    #[serde(with = "serde_bytes")]
    statement: Vec<u8>,
}

fn statement(issuer: u8) -> Register {
    Register { statement: SignedStatement::sign("maker.example", "product/1", b"a digest", &key(issuer)) }
}

/// The statement is an entry beside the call's, byte for byte; whoever carries it, its issuer's account decides.
#[test]
fn a_statement_is_registered_verbatim_and_once() {
    let mut chain = Chain::new();
    let tx = chain.sign(CLERK, "chain", "anchor", "register", statement(MAKER_DESK));
    let effects = chain.block(std::slice::from_ref(&tx));
    let statement = statement(MAKER_DESK).statement;
    assert_eq!(effects.txs[0].statement.as_ref(), Some(&statement));
    assert_eq!(effects.txs[0].outcome.entries, 2);
    let events = effects.txs[0].outcome.verdict.as_ref().unwrap();
    assert_eq!(field(events, "statement_registered", "id"), Hash::of(&statement).to_string());
    assert_eq!(field(events, "statement_registered", "organisation"), "maker");
    chain.refused(CLERK, "chain", "anchor", "register", Register { statement }, Code::StatementExists);
}

/// An applied call cannot be made up by registering the envelope of a refused one.
#[test]
fn a_transaction_is_never_registered_as_a_statement() {
    let mut chain = Chain::new();
    let forged = chain.sign(MAKER_DESK, APP, "papers", "anchor", Paper::default()).bytes().to_vec();
    let refusal =
        chain.refused(CLERK, "chain", "anchor", "register", Register { statement: forged }, Code::StatementInvalid);
    assert_eq!(refusal.params["reason"], "transaction");
}

/// Every refusal of the module.
pub fn refusals() {
    let mut c = Chain::new();
    let number = field(&c.ok(CLERK, APP, "papers", "anchor", paper(&[1])), "anchored", "number");
    let mut anchor = |paper: Paper, code| drop(c.refused(CLERK, APP, "papers", "anchor", paper, code));
    anchor(Paper::default(), Code::FieldMissing);
    anchor(with("colour", FieldValue::Integer(1)), Code::FieldUnknown);
    anchor(with("note", FieldValue::Text("secret".into())), Code::FieldUnknown);
    anchor(with("files", FieldValue::Digests(vec![])), Code::FieldUnknown);
    anchor(with("topic", FieldValue::Text("three".into())), Code::FieldInvalid);
    anchor(with("name", FieldValue::Text("张三".into())), Code::FieldInvalid);
    anchor(with("when", FieldValue::Integer(i64::MAX)), Code::FieldInvalid);
    anchor(paper(&[1, 2, 3, 4]), Code::FieldInvalid);
    c.refused(CLERK, APP, "papers", "append", append("AB20269999", &[1]), Code::RecordUnknown);
    c.refused(MAKER_DESK, APP, "papers", "append", append(&number, &[1]), Code::NotOwner);
    c.refused(CLERK, APP, "papers", "append", append(&number, &[]), Code::FieldMissing);
    c.refused(MAKER_DESK, APP, "papers", "withdraw", json!({"number": number, "reason": "x"}), Code::NotOwner);
    c.refused(CLERK, APP, "papers", "withdraw", json!({"number": number}), Code::ReasonMissing);
    c.refused(CLERK, APP, "papers", "withdraw", json!({"number": number, "reason": " "}), Code::ReasonMissing);
    c.refused(
        CLERK,
        APP,
        "papers",
        "withdraw",
        json!({"number": number, "reason": "x".repeat(501)}),
        Code::FieldInvalid,
    );
    c.ok(CLERK, APP, "papers", "withdraw", json!({"number": number, "reason": "x"}));
    c.refused(CLERK, APP, "papers", "append", append(&number, &[1]), Code::RecordWithdrawn);
    c.refused(CLERK, APP, "papers", "digests", Digests { digests: vec![Hash::ZERO] }, Code::BatchNotAllowed);
    c.refused(CLERK, APP, "batches", "anchor", paper(&[1]), Code::RecordsNotAllowed);
    let with_file = Paper { fields: BTreeMap::new(), ..paper(&[1]) };
    c.refused(CLERK, APP, "plain", "anchor", with_file, Code::FilesNotAllowed);
    c.refused(CLERK, "chain", "anchor", "digests", Digests { digests: vec![] }, Code::ListSize);
    c.refused(CLERK, "chain", "anchor", "digests", Digests { digests: vec![Hash::ZERO; 10_001] }, Code::ListSize);
    c.refused(CLERK, "chain", "anchor", "anchor", paper(&[1]), Code::RecordsNotAllowed);
    c.refused(CLERK, "chain", "anchor", "register", statement(99), Code::IssuerUnknown);
    let mut changed = statement(MAKER_DESK);
    *changed.statement.last_mut().unwrap() ^= 1;
    c.refused(CLERK, "chain", "anchor", "register", changed, Code::StatementSignature);
    c.ok(CLERK, "chain", "anchor", "register", statement(CLERK));
    c.refused(CLERK, "chain", "anchor", "register", statement(CLERK), Code::StatementExists);
    c.refused(CLERK, "chain", "anchor", "register", Register { statement: vec![1] }, Code::StatementInvalid);
    c.refused(CLERK, "chain", "anchor", "burn", paper(&[1]), Code::MethodUnknown);
    c.refused(CLERK, APP, "papers", "burn", paper(&[1]), Code::MethodUnknown);
    c.refused(CLERK, APP, "nothing", "anchor", paper(&[1]), Code::InstanceUnknown);
    c.refused(CLERK, "nothing", "papers", "anchor", paper(&[1]), Code::AppUnknown);
    c.refused(IDLE, APP, "papers", "anchor", paper(&[1]), Code::RoleMissing);
    c.refused(CLERK, APP, "papers", "anchor", json!({"fields": {}, "colour": 1}), Code::BadArguments);
    c.refused(99, APP, "papers", "anchor", paper(&[1]), Code::AccountUnbound);
    versions_are_added_and_none_is_lost();
    any_account_anchors_digests_with_the_chains_own_instance();
    each_guard_decides();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is refused in between, and however calls fall into blocks and years, no number comes twice.
    #[test]
    fn numbers_are_never_reused(blocks in prop::collection::vec((prop::collection::vec(any::<bool>(), 0..6), 0u64..200), 1..8)) {
        let mut chain = Chain::new();
        let mut numbers = Vec::new();
        for (calls, days) in blocks {
            let txs: Vec<_> = calls
                .iter()
                .map(|good| {
                    let paper = if *good { paper(&[1]) } else { paper(&[1, 2, 3, 4]) };
                    chain.sign(CLERK, APP, "papers", "anchor", paper)
                })
                .collect();
            let effects = chain.block(&txs);
            for (good, one) in calls.iter().zip(effects.txs) {
                prop_assert_eq!(*good, one.outcome.verdict.is_ok());
                numbers.extend(one.outcome.verdict.iter().map(|events| field(events, "anchored", "number")));
            }
            chain.context.time_ms += days * 86_400_000;
        }
        let distinct: std::collections::BTreeSet<&String> = numbers.iter().collect();
        prop_assert_eq!(distinct.len(), numbers.len());
        prop_assert_eq!(queries::anchor_records(&chain.state, APP, "papers", None, 100).unwrap().len(), numbers.len());
    }
}
