//! Keeps the certificate in its Secret and its authority at the API server. `operator setup` does it once, the leader every
//! hour. Done twice, or by two at once, it comes to the same: a Secret is written only over the version that was read.

use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta, jiff::Timestamp};
use kube::{
    Client,
    api::{Api, PostParams},
};
use tokio_util::sync::CancellationToken;

use super::{Due, Held, SECRET, due, issue, names};
use crate::{
    config::Config,
    context::Shared,
    objects::{is_conflict, names as labels},
    webhook::registration,
};

const LOOK_EVERY: Duration = Duration::from_secs(3_600);
const RETRY_AFTER: Duration = Duration::from_secs(30);
/// Two that make the first certificate at once: the second reads what the first wrote.
const ATTEMPTS: usize = 5;

/// The leader's part: renews in time until `shutdown`. A failure is told and tried again; there are 30 days for it.
pub async fn run(context: Shared, shutdown: CancellationToken) -> anyhow::Result<()> {
    loop {
        let pause = match keep(&context.client, &context.config).await {
            Ok(_) => LOOK_EVERY,
            Err(error) => {
                tracing::warn!("{error:#}");
                RETRY_AFTER
            }
        };
        if shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return Ok(());
        }
    }
}

/// Makes what is due and registers the webhook with the authority that is to be trusted.
pub async fn keep(client: &Client, config: &Config) -> anyhow::Result<Held> {
    for _ in 0..ATTEMPTS {
        match attempt(client, config).await {
            Err(error) if error.downcast_ref::<kube::Error>().is_some_and(is_conflict) => continue,
            result => return result.context("the webhook's certificate couldn't be kept"),
        }
    }
    anyhow::bail!("the Secret {SECRET} was changed by somebody else at every attempt")
}

async fn attempt(client: &Client, config: &Config) -> anyhow::Result<Held> {
    let api: Api<Secret> = Api::namespaced(client.clone(), &config.operator_namespace);
    let stored = api.get_opt(SECRET).await?;
    let held = stored.as_ref().and_then(|secret| Held::read(secret.data.as_ref()?));
    let wanted = names(&config.webhook.service, &config.operator_namespace);
    let now_s = u64::try_from(Timestamp::now().as_second()).unwrap_or(0);
    let needed = due(held.as_ref().map(|held| &held.facts), &wanted, now_s);
    let fresh = issue(held.as_ref(), &wanted, now_s)?;
    // First the trust, then what is to be trusted: a crash in between leaves a bundle with one authority too many.
    registration::ensure(client, config, &fresh.authorities).await?;
    if needed != Due::Nothing {
        write(&api, stored, &fresh).await?;
        tracing::info!(ends_s = fresh.facts.leaf_ends_s, ?needed, "the webhook's certificate was made");
    }
    Ok(fresh)
}

async fn write(api: &Api<Secret>, stored: Option<Secret>, held: &Held) -> anyhow::Result<()> {
    let how = PostParams { field_manager: Some(labels::OPERATOR.to_owned()), ..PostParams::default() };
    let data = Some(held.data()?);
    match stored {
        // With the version that was read: a conflict says that somebody was faster.
        Some(stored) => api.replace(SECRET, &how, &Secret { data, ..stored }).await?,
        None => {
            let labels = [(labels::MANAGED_BY.to_owned(), labels::OPERATOR.to_owned())].into();
            let metadata = ObjectMeta { name: Some(SECRET.to_owned()), labels: Some(labels), ..ObjectMeta::default() };
            api.create(&how, &Secret { metadata, data, ..Secret::default() }).await?
        }
    };
    Ok(())
}
