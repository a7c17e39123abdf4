//! A rotation's writes: new keys beside the present ones, and at its end the exchange; the request on the Chain that shrinks with every
//! validator that is done; and the nudge by which a kubelet brings new entries of a Secret into a running pod.
//!
//! The Secret alone carries a rotation that has begun: as long as keys wait in it, every look goes on where the one before ended. So the
//! request is taken back first and the old keys are deleted then: a crash between the two leaves keys that wait, and they are exchanged by
//! the next look; the other way round, the same request would be answered twice. For the same reason a request is read from the API server
//! before keys are made: what a watch has told may be older than this operator's own answer.
//!
//! The node reads both contents of the Secret rightly at any start, because the chain's set tells which of the keys are its own. So nobody
//! has to know when a pod sees the new content: only that it has seen it before the vote, and that is the node's own word.

use anyhow::{Context as _, bail};
use chain_plan::{Plan, rotation::Request};
use chain_types::PublicKey;
use k8s_openapi::{
    ByteString,
    api::core::v1::{Pod, Secret},
};
use kube::{
    Client,
    api::{Api, Patch, PatchParams},
};
use operator_api::{Chain, ChainSpec, Text, ValidatorName};
use serde_json::{Value, json};

use super::{
    facts::Facts,
    keys::{self, CONSENSUS, REPLACED, ROTATED, ROTATED_MS, next_entry},
    resources::{Place, annotation, stateful_set::pod_name},
};
use crate::{
    clock::now_ms,
    objects::{is_conflict, is_not_found, names, within},
};

fn how() -> PatchParams {
    PatchParams { field_manager: Some(names::OPERATOR.to_owned()), ..PatchParams::default() }
}

/// The plan with what is asked for on the object, and what cannot be read of it.
pub fn asked(plan: Plan, chain: &Chain) -> (Plan, Option<Text>) {
    let Some(text) = chain.metadata.annotations.get(names::ROTATE_KEYS) else { return (plan, None) };
    let request = Request::parse(text, &plan);
    let mistake = request.mistake(&plan);
    (plan.rotating(request.validators), mistake)
}

/// The object as the API server has it now, and what it asks for.
async fn asked_now(client: &Client, place: &Place, plan: &Plan) -> kube::Result<Option<(Option<String>, Request)>> {
    let api = within::<ChainSpec>(client, &place.namespace);
    let Some(chain) = api.get_opt(place.chain.as_str()).await? else { return Ok(None) };
    let text = chain.metadata.annotations.as_ref().and_then(|annotations| annotations.get(names::ROTATE_KEYS));
    let request = text.map(|text| Request::parse(text, plan)).unwrap_or_default();
    Ok(Some((chain.metadata.resource_version, request)))
}

/// Makes keys that wait beside the present ones, if they are still asked for.
pub async fn begin(client: &Client, place: &Place, plan: &Plan, node: ValidatorName) -> anyhow::Result<bool> {
    let asked = asked_now(client, place, plan).await?;
    if asked.is_none_or(|(_, request)| !request.validators.contains(&node)) {
        return Ok(false);
    }
    make_next(client, place, node).await
}

/// Takes the validator off the request, then has `new`, with which it votes, take the old keys' place.
pub async fn end(
    client: &Client,
    place: &Place,
    plan: &Plan,
    node: ValidatorName,
    new: PublicKey,
) -> anyhow::Result<bool> {
    if let Some((version, request)) = asked_now(client, place, plan).await?
        && request.validators.contains(&node)
    {
        let left = request.without(node);
        let metadata = json!({"resourceVersion": version, "annotations": {names::ROTATE_KEYS: left}});
        let api = within::<ChainSpec>(client, &place.namespace);
        // The version makes it an exchange: somebody else's wish that came meanwhile is not lost.
        match api.patch(place.chain.as_str(), &how(), &Patch::Merge(json!({"metadata": metadata}))).await {
            Err(error) if is_conflict(&error) => return Ok(false),
            changed => changed?,
        };
    }
    exchange(client, place, node, new).await
}

/// Kubelets look after a pod at once when its annotations change, and bring its Secrets up to date then; otherwise it is a minute or two
/// before they do. An annotation that tells one content of the Secret from another is changed once a content, and never on a pod whose
/// validator was never given new keys.
pub async fn bring(client: &Client, place: &Place, plan: &Plan, facts: &Facts) -> anyhow::Result<bool> {
    let mut changed = false;
    for node in &plan.nodes {
        let pod = facts.validators.get(&node.name).and_then(|facts| facts.pod.as_ref());
        let Some(pod) = pod.filter(|pod| !pod.is_deleted) else { continue };
        let content = match (&node.next_keys, &pod.keys, node.consensus_key) {
            (Some(next), ..) => format!("next {}", next.consensus_key.short()),
            (None, Some(_), Some(present)) => present.short(),
            (None, ..) => continue,
        };
        if pod.keys.as_ref() == Some(&content) {
            continue;
        }
        let patch = json!({"metadata": {"uid": pod.uid, "annotations": {annotation::KEYS: content}}});
        let api: Api<Pod> = Api::namespaced(client.clone(), &place.namespace);
        match api.patch(&pod_name(place, node.name), &how(), &Patch::Merge(patch)).await {
            Err(error) if is_not_found(&error) || is_conflict(&error) => {}
            answer => {
                answer.with_context(|| format!("{}'s new keys couldn't be brought to its pod", node.name))?;
                changed = true;
            }
        }
    }
    Ok(changed)
}

/// Writes keys that wait into the Secret; `false` if some wait already, which stay.
async fn make_next(client: &Client, place: &Place, node: ValidatorName) -> anyhow::Result<bool> {
    let secret = read(client, place, node).await?;
    let present = secret.data.as_ref().context("its Secret is empty")?;
    if ROTATED.iter().any(|entry| present.contains_key(&next_entry(entry))) {
        return Ok(false);
    }
    let mut data = json!({});
    for entry in ROTATED {
        data[next_entry(entry)] = json!(keys::random_hex()?);
    }
    write(client, place, &secret, data).await
}

/// Puts the waiting keys in the place of the old ones, which are gone then; `false` if that is done.
async fn exchange(client: &Client, place: &Place, node: ValidatorName, new: PublicKey) -> anyhow::Result<bool> {
    let secret = read(client, place, node).await?;
    let Some(next) = keys::next_keys(&secret) else { return Ok(false) };
    if next.consensus_key != new {
        bail!("other keys wait in the Secret of {node} than the chain knows it by; nothing is deleted");
    }
    let data = exchanged(&secret, now_ms()).context("its Secret is empty")?;
    write(client, place, &secret, data).await
}

/// What changes in the Secret: entry by entry, `null` for what goes.
fn exchanged(secret: &Secret, now_ms: u64) -> Option<Value> {
    let present = secret.data.as_ref()?;
    let mut data = json!({});
    for entry in ROTATED {
        data[entry] = json!(present.get(&next_entry(entry))?);
        data[next_entry(entry)] = Value::Null;
    }
    // Genesis goes on naming the first of them.
    if !present.contains_key(REPLACED) {
        let first = keys::public(secret, CONSENSUS)?.to_string();
        data[REPLACED] = json!(ByteString(first.into_bytes()));
    }
    data[ROTATED_MS] = json!(ByteString(now_ms.to_string().into_bytes()));
    Some(data)
}

async fn read(client: &Client, place: &Place, node: ValidatorName) -> anyhow::Result<Secret> {
    let secret = keys::secrets(client, place).get_opt(&keys::node_secret(&place.chain, node)).await?;
    secret.with_context(|| format!("the Secret with the keys of {node} is gone; restore it from a backup"))
}

/// `false` if somebody else has written it meanwhile: the next look finds what.
async fn write(client: &Client, place: &Place, read: &Secret, data: Value) -> anyhow::Result<bool> {
    let metadata = &read.metadata;
    let patch = json!({"metadata": {"resourceVersion": metadata.resource_version}, "data": data});
    let name = metadata.name.as_deref().unwrap_or_default();
    match keys::secrets(client, place).patch(name, &how(), &Patch::Merge(patch)).await {
        Ok(_) => Ok(true),
        Err(error) if is_conflict(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn secret(entries: &[(&str, &str)]) -> Secret {
        let data = entries.iter().map(|(name, text)| ((*name).to_owned(), ByteString(text.as_bytes().to_vec())));
        Secret { data: Some(data.collect::<BTreeMap<_, _>>()), ..Secret::default() }
    }

    #[test]
    fn the_exchange_keeps_the_first_public_key_and_nothing_else_of_the_old_ones() {
        let seed = |n: u8| hex::encode([n; 32]);
        let (old, new) = (seed(1), seed(2));
        let mut entries: Vec<(&str, &str)> = ROTATED.iter().map(|entry| (*entry, old.as_str())).collect();
        let waiting: Vec<String> = ROTATED.iter().map(|entry| next_entry(entry)).collect();
        assert_eq!(exchanged(&secret(&entries), 7), None, "nothing waits");
        entries.extend(waiting.iter().map(|entry| (entry.as_str(), new.as_str())));
        let data = exchanged(&secret(&entries), 7).unwrap();
        let bytes = |text: &str| json!(ByteString(text.as_bytes().to_vec()));
        for (entry, waiting) in ROTATED.iter().zip(&waiting) {
            assert_eq!((&data[*entry], &data[waiting]), (&bytes(&new), &Value::Null));
        }
        let first = chain_types::crypto::SigningKey::from_seed(&[1; 32]).public().to_string();
        assert_eq!((&data[REPLACED], &data[ROTATED_MS]), (&bytes(&first), &bytes("7")));
        assert!(!data.to_string().contains(bytes(&old).as_str().unwrap()), "the old seed is written nowhere");
        let founder = "founder";
        entries.push((REPLACED, founder));
        assert_eq!(exchanged(&secret(&entries), 8).unwrap().get(REPLACED), None, "the first of all stays the first");
    }
}
