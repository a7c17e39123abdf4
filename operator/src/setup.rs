//! `operator setup`: what must be there before the operator itself, in this order: the kinds, the webhook's certificate and
//! registration, the first administrator of the console. Safe to repeat; a Helm hook runs it before each install and upgrade.

use std::time::Duration;

use anyhow::{Context as _, bail};
use k8s_openapi::{
    api::{admissionregistration::v1::ValidatingWebhookConfiguration, core::v1::Secret},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Client, ResourceExt as _,
    api::{Api, DeleteParams, PostParams},
};
use operator_api::Version;
use zeroize::Zeroizing;

use crate::{
    certificate,
    config::Config,
    crds::{self, OPERATOR_VERSION, WRITTEN_BY},
    objects::{Child, is_conflict, is_not_found, names},
};

/// Holds the console's first account, in the console's namespace: keys `username` and `password`.
pub const ADMINISTRATOR_SECRET: &str = "citychain-administrator";
const ADMINISTRATOR: &str = "admin";
/// Letters and digits that nobody takes for another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// 5 bits each.
const PASSWORD_LETTERS: usize = 24;

const ESTABLISHED_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Everything, once.
pub async fn setup(client: &Client, config: &Config) -> anyhow::Result<()> {
    kinds(client).await?;
    certificate::keep::keep(client, config).await?;
    administrator(client, config).await
}

/// Removes the registration of the webhook, so that objects can be changed and deleted without an operator. Kinds, objects and
/// chains stay.
pub async fn retire(client: &Client) -> anyhow::Result<()> {
    let api: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    match api.delete(names::OPERATOR, &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(error) if is_not_found(&error) => Ok(()),
        Err(error) => Err(error).context("the webhook's registration couldn't be removed"),
    }
}

async fn kinds(client: &Client) -> anyhow::Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let definitions = crds::all();
    // All are looked at before one is written: half an upgrade is worse than none.
    for definition in &definitions {
        if let Some(live) = api.get_opt(&definition.name_any()).await? {
            refuse_downgrade(&live)?;
        }
    }
    for definition in &definitions {
        let name = definition.name_any();
        Child::of(definition)?.apply(client).await.with_context(|| format!("kind {name} couldn't be written"))?;
        tokio::time::timeout(ESTABLISHED_WITHIN, established(&api, &name))
            .await
            .with_context(|| format!("kind {name} is not served after {} s", ESTABLISHED_WITHIN.as_secs()))??;
        tracing::info!(name, "kind is in place");
    }
    Ok(())
}

/// A kind that a newer operator wrote may have fields that this one does not know.
fn refuse_downgrade(live: &CustomResourceDefinition) -> anyhow::Result<()> {
    let name = live.name_any();
    let Some(written) = live.annotations().get(WRITTEN_BY) else { return Ok(()) };
    let ours: Version = OPERATOR_VERSION.parse()?;
    match written.parse::<Version>() {
        Ok(theirs) if theirs > ours => bail!(
            "kind {name} was written by operator {theirs}, this is {ours}: fields of the newer one would be lost; install {theirs} or newer"
        ),
        Ok(_) => Ok(()),
        Err(error) => bail!("kind {name} has the annotation {WRITTEN_BY}={written}: {error}; correct or remove it"),
    }
}

async fn established(api: &Api<CustomResourceDefinition>, name: &str) -> kube::Result<()> {
    loop {
        let conditions = api.get(name).await?.status.and_then(|status| status.conditions).unwrap_or_default();
        if conditions.iter().any(|condition| condition.type_ == "Established" && condition.status == "True") {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A random one-time password, made once and never overwritten: the console asks for another at the first sign-in.
async fn administrator(client: &Client, config: &Config) -> anyhow::Result<()> {
    let api: Api<Secret> = Api::namespaced(client.clone(), &config.console_namespace);
    if api.get_metadata_opt(ADMINISTRATOR_SECRET).await?.is_some() {
        return Ok(());
    }
    let labels = [(names::MANAGED_BY.to_owned(), names::OPERATOR.to_owned())].into();
    let password = password()?;
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(ADMINISTRATOR_SECRET.to_owned()),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        string_data: Some(
            [("username".to_owned(), ADMINISTRATOR.to_owned()), ("password".to_owned(), password.to_string())].into(),
        ),
        ..Secret::default()
    };
    let how = PostParams { field_manager: Some(names::OPERATOR.to_owned()), ..PostParams::default() };
    match api.create(&how, &secret).await {
        Ok(_) => tracing::info!(secret = ADMINISTRATOR_SECRET, "the console's first administrator was made"),
        Err(error) if is_conflict(&error) => {}
        Err(error) => return Err(error).context("the console's first administrator couldn't be made"),
    }
    Ok(())
}

fn password() -> anyhow::Result<Zeroizing<String>> {
    let mut random = Zeroizing::new([0u8; PASSWORD_LETTERS]);
    getrandom::fill(random.as_mut_slice()).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    // 256 is a multiple of 32, so every letter is as likely.
    Ok(Zeroizing::new(random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{fixtures, mock::ApiServer};

    const KIND: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/chains.citychain.dev";
    const ADMIN: &str = "/api/v1/namespaces/citychain-system/secrets/citychain-administrator";
    const WEBHOOK: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/citychain-operator";

    /// An API server that has established whatever was written before.
    fn server() -> ApiServer {
        let server = ApiServer::default();
        for kind in ["tenants", "chains", "applications", "chainbackups", "chainrestores"] {
            let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{kind}.citychain.dev");
            let definition = crds::all().into_iter().find(|one| one.spec.names.plural == kind).unwrap();
            let mut definition = serde_json::to_value(definition).unwrap();
            definition["metadata"]["annotations"] = json!({WRITTEN_BY: "0.0.1"});
            definition["status"] = json!({
                "acceptedNames": {"kind": "x", "plural": "x"}, "storedVersions": [],
                "conditions": [{"type": "Established", "status": "True"}],
            });
            server.put(&path, definition);
        }
        server
    }

    #[tokio::test]
    async fn setup_upgrades_kinds_and_repeats_without_a_change_of_what_people_use() {
        let server = server();
        setup(&server.client(), &fixtures::config()).await.unwrap();
        assert_eq!(server.get(KIND).unwrap()["metadata"]["annotations"][WRITTEN_BY], OPERATOR_VERSION);
        let (secret, webhook) = (server.get(ADMIN).unwrap(), server.get(WEBHOOK).unwrap());
        assert_eq!(secret["stringData"]["password"].as_str().unwrap().len(), PASSWORD_LETTERS);
        setup(&server.client(), &fixtures::config()).await.unwrap();
        assert_eq!((server.get(ADMIN), server.get(WEBHOOK)), (Some(secret), Some(webhook)));
        retire(&server.client()).await.unwrap();
        retire(&server.client()).await.unwrap();
        assert_eq!(server.get(WEBHOOK), None);
        assert!(server.get(KIND).is_some());
    }

    #[tokio::test]
    async fn kinds_of_a_newer_operator_are_left_as_they_are() {
        let server = server();
        let mut newer = server.get(KIND).unwrap();
        newer["metadata"]["annotations"][WRITTEN_BY] = json!("99.0.0");
        server.put(KIND, newer);
        let error = setup(&server.client(), &fixtures::config()).await.unwrap_err().to_string();
        assert!(error.contains("kind chains.citychain.dev was written by operator 99.0.0"), "{error}");
        assert_eq!(server.writes(), []);
    }

    #[test]
    fn no_two_passwords_are_alike() {
        let (one, other) = (password().unwrap(), password().unwrap());
        assert!(one != other && one.bytes().all(|letter| ALPHABET.contains(&letter)));
    }
}
