//! Steps for the light client of a witness: what it is brought follows from what it stored, and a fork is shown to it.

use chain_types::evidence::SetChange;
use chain_types::light::StoredHeader;
use chain_types::{BlockId, Genesis, Header};

use super::server::Lie;
use super::{client, truth};
use crate::Error;

fn start(genesis: &Genesis) -> StoredHeader {
    StoredHeader::of_genesis(genesis, 0)
}

fn stored(header: &Header) -> StoredHeader {
    StoredHeader::of(header, header.time_ms)
}

fn heights(changes: &[SetChange]) -> Vec<u64> {
    changes.iter().map(|change| change.header.height).collect()
}

#[tokio::test]
async fn a_step_from_genesis_carries_the_set_changes_and_the_newest_header() {
    let (client, chain) = (client(&[Lie::None]).await, truth());
    let step = client.light_update(&start(&chain.genesis)).await.unwrap().unwrap();
    assert_eq!((step.base, step.header.height, heights(&step.set_changes)), (0, 7, vec![3]));
    let set = step.certified_by(chain.genesis.fingerprint(), chain.genesis.validator_set()).unwrap();
    assert_eq!(set.hash(), step.header.validators_hash);
    step.continues_log(0, &chain_types::merkle::empty_root()).unwrap();
    let newest = stored(&chain.blocks[6].0.header);
    assert_eq!(client.light_update(&newest).await.unwrap(), None);
}

#[tokio::test]
async fn another_certified_header_at_the_stored_height_is_shown_to_the_witness() {
    let (client, chain) = (client(&[Lie::None]).await, truth());
    // What the witness was brought before, of the same validators.
    let base = stored(&Header { parent: BlockId([9; 32]), ..chain.blocks[2].0.header.clone() });
    let fork = client.light_update(&base).await.unwrap().unwrap();
    assert_eq!((fork.base, fork.header.height), (3, 3));
    assert_ne!(fork.header.id(), base.id);
    fork.certified_by(chain.genesis.fingerprint(), chain.genesis.validator_set()).unwrap();
}

#[tokio::test]
async fn a_header_that_its_validators_did_not_sign_is_no_step() {
    let client = client(&[Lie::WrongCertificate]).await;
    let base = stored(&truth().blocks[2].0.header);
    assert!(matches!(client.light_update(&base).await, Err(Error::Unreachable { .. } | Error::Unverified(_))));
}
