//! Messages keep their form, and only configured keys get a connection.

use chain_types::crypto::SigningKey;
use chain_types::encoding::{Decode, Encode};
use chain_types::{Fingerprint, Hash};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::peers::Allowed;
use super::receive::Allowance;
use super::tls;
use super::wire::Message;
use crate::checkpoint::{Endorsement, Signer};

fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(&[n; 32])
}

/// Connects as `client` to `server`, each pinning what it expects; gives whether one byte came through.
async fn connects(client: u8, expects: u8, server: u8, allows: u8) -> bool {
    let connector = tls::connector(&key(client), key(expects).public()).unwrap();
    let acceptor = tls::acceptor(&key(server), Allowed::of(vec![key(allows).public()])).unwrap();
    let (near, far) = tokio::io::duplex(16 * 1024);
    let serving = async {
        let mut stream = acceptor.accept(far).await.ok()?;
        let peer = tls::peer_key(stream.get_ref().1)?;
        stream.write_all(&[7]).await.ok()?;
        stream.flush().await.ok()?;
        Some(peer)
    };
    let dialling = async {
        let name = rustls::pki_types::ServerName::try_from("citychain").unwrap();
        let mut stream = connector.connect(name, near).await.ok()?;
        stream.read_u8().await.ok()
    };
    let (peer, byte) = tokio::join!(serving, dialling);
    peer == Some(key(client).public()) && byte == Some(7)
}

#[tokio::test]
async fn only_configured_keys_connect() {
    assert!(connects(1, 2, 2, 1).await);
    assert!(!connects(3, 2, 2, 1).await, "a stranger got in");
    assert!(!connects(1, 2, 3, 1).await, "a stranger was taken for the peer");
}

fn endorsement(size: u64) -> Endorsement {
    Signer { log: key(1), cosigner: key(2) }.endorse("city.tenant.main/00", size, Hash([5; 32]), 1_800_000_000)
}

#[test]
fn a_peer_that_floods_endorsements_is_not_listened_to() {
    let (mut allowance, now) = (Allowance::default(), tokio::time::Instant::now());
    assert_eq!((0..1_000).filter(|_| allowance.take(now)).count(), 32);
    assert!(allowance.take(now + std::time::Duration::from_secs(4)));
}

proptest! {
    #[test]
    fn messages_read_back_as_written(number: u64, txs in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..5)) {
        for message in [
            Message::Txs { number, txs },
            Message::Ack { number, complete: number % 2 == 0 },
            Message::Height { committed: number, entered: number, now_ms: number, votes: number % 3 == 0 },
            Message::Hello { fingerprint: Fingerprint([1; 32]), version: "0.1.0".into(), process: None },
            Message::Hello { fingerprint: Fingerprint([1; 32]), version: "0.1.0".into(), process: Some(number) },
            Message::Endorsement(Box::new(endorsement(number))),
            Message::Duplicate,
        ] {
            prop_assert_eq!(Message::from_bytes(&message.to_bytes()).unwrap(), message);
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = Message::from_bytes(&bytes);
    }
}

#[test]
fn a_peer_that_sends_too_fast_is_read_at_the_rate() {
    let start = tokio::time::Instant::now();
    let (mut pace, mut now) = (super::receive::Pace::new(start), start);
    for _ in 0..1_000 {
        assert!(pace.wait(now).is_zero(), "a second's worth is read at once");
    }
    for _ in 0..3_000 {
        now += pace.wait(now);
    }
    let taken = (now - start).as_secs_f64();
    assert!((2.9..3.1).contains(&taken), "three more seconds' worth took {taken} s");
}

#[test]
fn a_message_that_would_take_more_memory_than_it_has_bytes_is_refused() {
    let many = Message::Txs { number: 1, txs: vec![Vec::new(); 100_000] };
    assert!(Message::from_bytes(&many.to_bytes()).is_err());
    let long = Message::Hello { fingerprint: Fingerprint([1; 32]), version: "9".repeat(100_000), process: None };
    assert!(Message::from_bytes(&long.to_bytes()).is_err());
}
