//! A chain's secrets: one a validator, one for the steward. They are made once, and only a rotation ([`super::rotation`]) writes them
//! again: a key that is gone is told, never replaced. Seeds are decoded only to give out public sides, to sign, or to open an admin address.

use std::collections::{BTreeMap, BTreeSet};

use chain_plan::NodeKeys;
use chain_types::{Hash, PublicKey, crypto::SigningKey, membership::ValidatorKeys};
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Client,
    api::{Api, PostParams},
};
use operator_api::{Name, ValidatorName};
use zeroize::Zeroizing;

use super::{fetch::Children, resources::Place};
use crate::objects::{is_conflict, names};

pub const CONSENSUS: &str = "consensus.key";
const PEER: &str = "peer.key";
const LOG: &str = "log.key";
const COSIGNER: &str = "cosigner.key";
pub const ADMIN_TOKEN: &str = "admin.token";
const ORGANISATION: &str = "organisation";
/// The public half of the consensus key that was made first, once another has taken its place.
pub const REPLACED: &str = "replaced.consensus";
/// When keys were last replaced, milliseconds since 1970.
pub const ROTATED_MS: &str = "rotated.ms";
/// What a rotation replaces.
pub const ROTATED: [&str; 3] = [CONSENSUS, LOG, COSIGNER];

const STEWARD: &str = "steward.key";
/// Opens the nodes' reads to the operator.
const MEMBER_TOKEN: &str = "member.token";

/// The public side of every secret that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainKeys {
    pub steward: Option<PublicKey>,
    /// SHA-256 of the operator's own member token.
    pub member_token_hash: Option<Hash>,
    pub nodes: BTreeMap<ValidatorName, NodeKeys>,
    /// Validators whose Secret says that they have left for good, or that their chain was deleted.
    pub retained: BTreeSet<ValidatorName>,
}

/// `<chain>-validator-<n>-keys`.
pub fn node_secret(chain: &Name, node: ValidatorName) -> String {
    format!("{}-keys", names::node(chain, node))
}

/// `<chain>-steward`.
pub fn steward_secret(chain: &Name) -> String {
    format!("{chain}-steward")
}

/// Where a key waits that shall take an entry's place; the node looks for it under this name.
pub fn next_entry(entry: &str) -> String {
    format!("next.{entry}")
}

/// Public sides of all of a chain's secrets; one that lacks an entry is none.
pub fn read(children: &Children) -> ChainKeys {
    let mut keys = ChainKeys::default();
    for (name, value) in children.kind("Secret") {
        let Ok(secret) = serde_json::from_value::<Secret>(value.clone()) else { continue };
        let labels = secret.metadata.labels.clone().unwrap_or_default();
        match labels.get(names::VALIDATOR).map(|name| name.parse::<ValidatorName>()) {
            Some(Ok(node)) => {
                if labels.get(names::RETAINED).is_some_and(|kept| kept == "true") {
                    keys.retained.insert(node);
                }
                keys.nodes.extend(node_keys(&secret).map(|found| (node, found)));
            }
            None if name.ends_with("-steward") => {
                keys.steward = public(&secret, STEWARD);
                keys.member_token_hash = text(&secret, MEMBER_TOKEN).map(|token| Hash::of(token.as_bytes()));
            }
            Some(Err(_)) | None => {}
        }
    }
    keys
}

fn node_keys(secret: &Secret) -> Option<NodeKeys> {
    Some(NodeKeys {
        organisation: text(secret, ORGANISATION)?.parse().ok()?,
        consensus: public(secret, CONSENSUS)?,
        cosigner: public(secret, COSIGNER)?,
        log: public(secret, LOG)?,
        peer: public(secret, PEER)?,
        admin_token_hash: Hash::of(text(secret, ADMIN_TOKEN)?.as_bytes()),
        next: next_keys(secret),
        replaced: text(secret, REPLACED).and_then(|key| key.parse().ok()),
        rotated_ms: text(secret, ROTATED_MS).and_then(|time| time.parse().ok()),
    })
}

/// All three keys that wait, or none.
pub fn next_keys(secret: &Secret) -> Option<ValidatorKeys> {
    let next = |entry: &str| public(secret, &next_entry(entry));
    Some(ValidatorKeys { consensus_key: next(CONSENSUS)?, cosigner_key: next(COSIGNER)?, log_key: next(LOG)? })
}

fn text(secret: &Secret, entry: &str) -> Option<Zeroizing<String>> {
    let bytes = &secret.data.as_ref()?.get(entry)?.0;
    let text = Zeroizing::new(String::from_utf8(bytes.clone()).ok()?);
    let trimmed = text.trim();
    (!trimmed.is_empty()).then(|| Zeroizing::new(trimmed.to_owned()))
}

pub fn public(secret: &Secret, entry: &str) -> Option<PublicKey> {
    Some(signing_key(secret, entry)?.public())
}

fn signing_key(secret: &Secret, entry: &str) -> Option<SigningKey> {
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text(secret, entry)?.as_bytes(), seed.as_mut()).ok()?;
    Some(SigningKey::from_seed(&seed))
}

/// Makes a validator's keys; `false` if there are some already, which stay.
pub async fn create_node_keys(
    client: &Client,
    place: &Place,
    node: ValidatorName,
    organisation: &Name,
) -> anyhow::Result<bool> {
    let mut data = BTreeMap::new();
    for entry in [CONSENSUS, PEER, LOG, COSIGNER, ADMIN_TOKEN] {
        data.insert(entry.to_owned(), random_hex()?);
    }
    data.insert(ORGANISATION.to_owned(), ByteString(organisation.as_str().as_bytes().to_vec()));
    let labels = names::validator_labels(&place.tenant, &place.chain, node);
    create(client, place, node_secret(&place.chain, node), labels, data).await
}

/// Makes the steward's key, and the operator's own member token beside it.
pub async fn create_steward(client: &Client, place: &Place) -> anyhow::Result<bool> {
    let data = BTreeMap::from([(STEWARD.to_owned(), random_hex()?), (MEMBER_TOKEN.to_owned(), random_hex()?)]);
    let labels = names::chain_labels(&place.tenant, &place.chain);
    create(client, place, steward_secret(&place.chain), labels, data).await
}

async fn create(
    client: &Client,
    place: &Place,
    name: String,
    labels: BTreeMap<String, String>,
    data: BTreeMap<String, ByteString>,
) -> anyhow::Result<bool> {
    // No owner: a secret outlives its chain, because a chain without its keys is lost.
    let metadata = ObjectMeta { name: Some(name), labels: Some(labels), ..ObjectMeta::default() };
    let secret = Secret { metadata, data: Some(data), ..Secret::default() };
    match secrets(client, place).create(&PostParams::default(), &secret).await {
        Ok(_) => Ok(true),
        Err(error) if is_conflict(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// 32 random bytes in hexadecimal.
pub fn random_hex() -> anyhow::Result<ByteString> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut()).map_err(|error| anyhow::anyhow!("the system gives no randomness: {error}"))?;
    Ok(ByteString(hex::encode(secret.as_ref()).into_bytes()))
}

/// The steward's key and the member token, to sign and send one change. Dropped right after.
pub async fn steward(
    client: &Client,
    place: &Place,
) -> anyhow::Result<Option<(SigningKey, Option<Zeroizing<String>>)>> {
    let secret = secrets(client, place).get_opt(&steward_secret(&place.chain)).await?;
    Ok(secret.and_then(|secret| Some((signing_key(&secret, STEWARD)?, text(&secret, MEMBER_TOKEN)))))
}

/// The operator's own member token.
pub async fn member_token(client: &Client, place: &Place) -> anyhow::Result<Option<Zeroizing<String>>> {
    let secret = secrets(client, place).get_opt(&steward_secret(&place.chain)).await?;
    Ok(secret.and_then(|secret| text(&secret, MEMBER_TOKEN)))
}

/// The token that opens a node's admin address.
pub async fn admin_token(
    client: &Client,
    place: &Place,
    node: ValidatorName,
) -> anyhow::Result<Option<Zeroizing<String>>> {
    let secret = secrets(client, place).get_opt(&node_secret(&place.chain, node)).await?;
    Ok(secret.and_then(|secret| text(&secret, ADMIN_TOKEN)))
}

pub fn secrets(client: &Client, place: &Place) -> Api<Secret> {
    Api::namespaced(client.clone(), &place.namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(entries: &[(&str, &str)], labels: &[(&str, &str)]) -> serde_json::Value {
        let owned = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let data = entries.iter().map(|(k, v)| ((*k).to_owned(), ByteString(v.as_bytes().to_vec()))).collect();
        let labels: BTreeMap<String, String> = owned(labels);
        let metadata = ObjectMeta { name: Some("main-x".into()), labels: Some(labels), ..ObjectMeta::default() };
        let mut value = serde_json::to_value(Secret { metadata, data: Some(data), ..Secret::default() }).unwrap();
        value["kind"] = "Secret".into();
        value
    }

    #[test]
    fn half_a_set_of_keys_is_none_and_whole_ones_give_their_public_sides() {
        let seed = "07".repeat(32);
        let mut whole = vec![(ORGANISATION, "court")];
        whole.extend([CONSENSUS, PEER, LOG, COSIGNER, ADMIN_TOKEN].map(|entry| (entry, seed.as_str())));
        let labels = [(names::VALIDATOR, "validator-3")];
        let node = ValidatorName::numbered(3).unwrap();
        let keys = read(&Children::with([secret(&whole, &labels)]));
        assert_eq!(keys.nodes[&node].consensus, SigningKey::from_seed(&[7; 32]).public());
        for missing in 0..whole.len() {
            let mut half = whole.clone();
            half.remove(missing);
            assert!(read(&Children::with([secret(&half, &labels)])).nodes.is_empty(), "without {}", whole[missing].0);
        }
    }
}
