//! What the client promises: true answers are returned, no lie ever is, and one honest validator is enough.

mod chain;
mod city;
mod server;

use std::sync::atomic::Ordering;
use std::time::Duration;

use chain_types::account::Account;
use chain_types::crypto::SigningKey;
use chain_types::encoding::from_slice;
use chain_types::state::account_key;
use chain_types::{Call, Hash, Transaction, TxId};

use crate::{Client, Error, Followed, Start};
use chain::{FakeChain, digests, seeded};
use server::{Fake, Lie, serve, serve_cut};

fn truth() -> FakeChain {
    FakeChain::new("yunchuan.notary.notary")
}

async fn client(lies: &[Lie]) -> Client {
    let mut urls = Vec::new();
    for lie in lies {
        urls.push(serve(*lie).await.0);
    }
    Client::new(urls, truth().genesis.fingerprint(), Some("member".into())).unwrap()
}

/// Follows to the seventh block; what was sealed, by height.
async fn follow(client: &Client, start: Start) -> Result<Vec<u64>, Error> {
    let (mut blocks, mut sealed, mut committed) = (client.blocks(start), Vec::new(), 0);
    while committed < 7 {
        match blocks.next().await? {
            Followed::Committed(block) => committed = block.height(),
            Followed::Sealed(block) => sealed.push(block.height()),
        }
    }
    Ok(sealed)
}

#[tokio::test]
async fn true_evidence_is_returned_with_its_facts() {
    let (client, chain) = (client(&[Lie::None]).await, truth());
    let id = chain.anchor().id();
    let call = client.evidence_of_transaction(id).await.unwrap();
    assert_eq!((call.report.tx, call.report.height), (Some(id), Some(2)));
    let digest = client.evidence_of_digest(digests()[1]).await.unwrap();
    assert_eq!((digest.report.digest, digest.report.index), (Some(digests()[1]), Some(2)));
    assert_eq!(client.evidence_of_entry(1).await.unwrap().report.digest, Some(digests()[0]));
    let state = client.evidence_of_state(&account_key(&seeded(41).public())).await.unwrap();
    let account: Account = from_slice(state.state_value().unwrap()).unwrap();
    assert_eq!((account.label.as_str(), state.evidence.set_changes.len()), ("administrator", 1));
    assert!(client.evidence_of_digest(Hash::of(b"never anchored")).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn evidence_that_is_false_or_answers_another_question_is_refused() {
    for lie in [Lie::OtherEvidence, Lie::ChangedEvidence, Lie::OtherChain, Lie::Noise] {
        let client = client(&[lie]).await;
        let key = account_key(&seeded(41).public());
        for answer in [
            client.evidence_of_transaction(truth().anchor().id()).await,
            client.evidence_of_entry(1).await,
            client.evidence_of_digest(digests()[0]).await,
            client.evidence_of_state(&key).await,
        ] {
            assert!(matches!(answer, Err(Error::Unverified(_))), "{lie:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn evidence_of_another_record_or_transaction_is_refused() {
    let client = client(&[Lie::None]).await;
    // The node has only one record and one applied call: it answers with those.
    let other = client.evidence_of_state(&account_key(&seeded(9).public())).await;
    assert!(matches!(other, Err(Error::Unverified(_))));
    assert!(matches!(client.evidence_of_transaction(TxId([1; 32])).await, Err(Error::Unverified(_))));
}

#[tokio::test]
async fn one_honest_validator_among_liars_is_enough() {
    let lies = [Lie::Unavailable, Lie::OtherEvidence, Lie::OtherChain, Lie::Noise, Lie::ChangedEvidence, Lie::None];
    let client = client(&lies).await;
    assert!(client.evidence_of_digest(digests()[0]).await.is_ok());
    assert!(client.status().await.is_ok());
    assert_eq!(follow(&client, Start::Genesis).await.unwrap(), [1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn nobody_there_is_said_with_every_address() {
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let (unavailable, _) = serve(Lie::Unavailable).await;
    let urls = vec![gone.parse().unwrap(), unavailable.clone()];
    let client = Client::new(urls, truth().genesis.fingerprint(), None).unwrap();
    let Err(Error::Unreachable { reasons }) = client.status().await else { panic!("somebody answered") };
    assert!(reasons.len() == 2 && reasons[0].contains(&gone) && reasons[1].contains(unavailable.as_str()));
    assert!(!client.ready().await);
    assert!(matches!(client.blocks(Start::Genesis).next().await, Err(Error::Unreachable { .. })));
}

#[tokio::test]
async fn blocks_are_followed_across_a_set_change_with_proven_results() {
    let client = client(&[Lie::None]).await;
    let mut blocks = client.blocks(Start::Genesis);
    let (mut applied, mut refused) = (false, false);
    loop {
        match blocks.next().await.unwrap() {
            Followed::Sealed(block) if block.height() == 2 => {
                assert_eq!(block.txs[0].id(), truth().anchor().id());
                applied = block.results[0].verdict.is_ok();
            }
            Followed::Sealed(block) if block.height() == 5 => refused = block.results[0].verdict.is_err(),
            Followed::Committed(block) if block.height() == 7 => break,
            _ => {}
        }
    }
    assert!(applied && refused);
    assert_eq!(follow(&client, Start::At(4)).await.unwrap(), [4, 5, 6]);
    let id = truth().blocks[4].0.header.id();
    assert_eq!(follow(&client, Start::After { height: 5, id }).await.unwrap(), [6]);
}

#[tokio::test]
async fn no_false_block_is_ever_returned() {
    for lie in [
        Lie::OtherChain,
        Lie::WrongCertificate,
        Lie::TooFewSigners,
        Lie::CutBody,
        Lie::FalseResults,
        Lie::NoResults,
        Lie::Gap,
        Lie::OtherParent,
        Lie::Noise,
    ] {
        let client = client(&[lie]).await;
        let answer = tokio::time::timeout(Duration::from_secs(2), follow(&client, Start::Genesis)).await;
        // Noise holds no event at all; whatever is an event is refused.
        assert!(matches!(answer, Err(_) | Ok(Err(Error::Unverified(_)))), "{lie:?}: {answer:?}");
    }
    let client = client(&[Lie::None]).await;
    let start = Start::After { height: 3, id: chain_types::BlockId([3; 32]) };
    assert!(matches!(follow(&client, start).await, Err(Error::Unverified(_))), "another past");
}

#[tokio::test]
async fn a_stream_that_breaks_or_lies_goes_on_at_another_validator() {
    let (cut, cut_fake) = serve_cut(Lie::None, 2).await;
    let client = Client::new(vec![cut], truth().genesis.fingerprint(), None).unwrap();
    assert_eq!(follow(&client, Start::Genesis).await.unwrap(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(streams(&cut_fake), 4, "two blocks a connection");
    let (liar, _) = serve(Lie::FalseResults).await;
    let (honest, _) = serve(Lie::None).await;
    let client = Client::new(vec![liar, honest], truth().genesis.fingerprint(), None).unwrap();
    let (mut blocks, mut sealed, mut lies) = (client.blocks(Start::Genesis), Vec::new(), 0);
    while sealed.len() < 6 {
        match blocks.next().await {
            Ok(Followed::Sealed(block)) => {
                assert!(block.height() != 2 || block.results[0].verdict.is_ok(), "the true result");
                sealed.push(block.height());
            }
            Ok(Followed::Committed(_)) => {}
            Err(_) => lies += 1,
        }
    }
    assert_eq!((sealed, lies), (vec![1, 2, 3, 4, 5, 6], 1));
}

fn streams(fake: &Fake) -> usize {
    fake.streams.load(Ordering::SeqCst)
}

#[tokio::test]
async fn headers_are_returned_only_with_a_certificate_of_their_validators() {
    let client = client(&[Lie::None]).await;
    for height in [1, 4, 7] {
        let (header, _) = client.header(height).await.unwrap();
        assert_eq!(header, truth().blocks[height as usize - 1].0.header);
    }
    assert!(client.header(8).await.unwrap_err().is_not_found());
    for lie in [Lie::WrongCertificate, Lie::OtherChain, Lie::Noise] {
        let client = self::client(&[lie]).await;
        assert!(matches!(client.header(3).await, Err(Error::Unverified(_))), "{lie:?}");
    }
}

fn call(method: &str, chain: chain_types::Fingerprint) -> Transaction {
    let call = Call {
        fingerprint: chain,
        valid_until_ms: 1,
        salt: [0; 8],
        app: "a".into(),
        instance: "b".into(),
        method: method.into(),
        args: chain_types::Value::Map(vec![]),
    };
    Transaction::sign(call, &SigningKey::from_seed(&[1; 32])).unwrap()
}

#[tokio::test]
async fn a_submission_answers_for_its_own_transaction_or_says_why_not() {
    let (honest, chain) = (client(&[Lie::None]).await, truth().genesis.fingerprint());
    let tx = call("x", chain);
    assert_eq!(honest.submit(&tx, Duration::from_millis(10)).await.unwrap().id, tx.id());
    assert_eq!(honest.transaction(tx.id()).await.unwrap().id, tx.id());
    let full = honest.submit(&call("flood", chain), Duration::ZERO).await.unwrap_err();
    assert!(matches!(&full, Error::Refused { retry_after_s: Some(7), .. }) && full.is_temporary());
    assert_eq!(full.code(), Some("mempool_full"));
    let elsewhere = honest.submit(&call("x", chain_types::Fingerprint([1; 32])), Duration::ZERO).await;
    assert_eq!(elsewhere.unwrap_err().code(), Some("other_chain"));
    let stranger = Client::new(vec![serve(Lie::None).await.0], chain, None).unwrap();
    assert_eq!(stranger.submit(&tx, Duration::ZERO).await.unwrap_err().code(), Some("unauthorised"));
    let liar = client(&[Lie::OtherAnswers]).await;
    assert!(matches!(liar.submit(&tx, Duration::ZERO).await, Err(Error::Unverified(_))));
    assert!(matches!(liar.transaction(tx.id()).await, Err(Error::Unverified(_))));
}

#[tokio::test]
async fn lists_hold_what_was_asked_for() {
    let honest = client(&[Lie::None]).await;
    let all = honest.state_list(&[0xaa], None, 10).await.unwrap();
    assert_eq!(all.iter().map(|e| e.key.clone()).collect::<Vec<_>>(), [[0xaa, 1], [0xaa, 2]]);
    let rest = honest.state_list(&[0xaa], Some(&[0xaa, 1]), 10).await.unwrap();
    assert_eq!(rest.len(), 1);
    assert!(matches!(honest.state_list(&[0xaa], None, 1).await, Err(Error::Unverified(_))), "more than asked");
    let liar = client(&[Lie::OtherAnswers]).await;
    assert!(matches!(liar.state_list(&[0xaa], None, 10).await, Err(Error::Unverified(_))));
}

#[test]
fn a_client_without_usable_addresses_is_not_made() {
    let chain = truth().genesis.fingerprint();
    for urls in [vec![], vec!["https://node.example:8080".parse().unwrap()], vec!["mailto:a@b".parse().unwrap()]] {
        assert!(matches!(Client::new(urls, chain, None), Err(Error::Configuration(_))));
    }
    let url = vec!["http://127.0.0.1:1".parse().unwrap()];
    assert!(matches!(Client::new(url, chain, Some("a\nb".into())), Err(Error::Configuration(_))));
}
