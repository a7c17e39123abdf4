//! The city's own tenant and chain, both called `city`, from the configuration: made when they are not there, never changed
//! afterwards, because from then on they are objects like any other.

use std::time::Duration;

use anyhow::Context as _;
use kube::api::{Api, DynamicObject, PostParams};
use operator_api::{Chain, Name, Object, Tenant};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::{
    config::CityChain,
    context::Shared,
    objects::{self, is_conflict, names},
};

const NAME: &str = "city";
/// The namespace comes after the tenant, and admission answers once a replica serves it.
const RETRY_AFTER: Duration = Duration::from_secs(3);

/// Tries until both are there.
pub async fn run(context: Shared, shutdown: CancellationToken) -> anyhow::Result<()> {
    let Some(wanted) = context.config.city_chain.clone() else { return Ok(()) };
    while let Err(error) = found(&context, &wanted).await {
        tracing::warn!("the city's own chain isn't there yet: {error:#}");
        if shutdown.run_until_cancelled(tokio::time::sleep(RETRY_AFTER)).await.is_none() {
            break;
        }
    }
    Ok(())
}

async fn found(context: &Shared, wanted: &CityChain) -> anyhow::Result<()> {
    let name: Name = NAME.parse()?;
    let tenants = objects::everywhere::<operator_api::TenantSpec>(&context.client);
    let tenant: Tenant = Object::new(name.clone(), wanted.tenant.clone());
    create(&tenants, &tenant).await.context("tenant `city` couldn't be made")?;
    let namespace = names::namespace(&name);
    let chains = objects::within::<operator_api::ChainSpec>(&context.client, &namespace);
    let mut chain: Chain = Object::new(name, wanted.chain.clone());
    chain.metadata.namespace = Some(namespace);
    create(&chains, &chain).await.context("chain `city` couldn't be made")
}

/// Only if it is not there.
async fn create(api: &Api<DynamicObject>, wanted: &impl Serialize) -> anyhow::Result<()> {
    if api.get_opt(NAME).await?.is_some() {
        return Ok(());
    }
    let mut object = serde_json::to_value(wanted)?;
    if let Some(metadata) = object["metadata"].as_object_mut() {
        // The API server counts.
        metadata.remove("generation");
    }
    let how = PostParams { field_manager: Some(names::OPERATOR.to_owned()), ..PostParams::default() };
    match api.create(&how, &serde_json::from_value(object)?).await {
        Ok(_) => tracing::info!(kind = wanted_kind(api), name = NAME, "made from the configuration"),
        Err(error) if is_conflict(&error) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn wanted_kind(api: &Api<DynamicObject>) -> &str {
    api.resource_url().rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{context::Context, fixtures, mock::ApiServer};

    const TENANT: &str = "/apis/citychain.dev/v1alpha1/tenants/city";
    const CHAIN: &str = "/apis/citychain.dev/v1alpha1/namespaces/tenant-city/chains/city";

    #[tokio::test]
    async fn the_citys_chain_is_made_once_and_never_changed() {
        let server = ApiServer::default();
        let mut config = fixtures::config();
        let chain = fixtures::chain("city", "city", 4).spec;
        config.city_chain = Some(CityChain { tenant: fixtures::tenant("city").spec, chain });
        let context: Arc<Context> = Context::new(server.client(), config.clone(), "operator-0").unwrap();
        run(context.clone(), CancellationToken::new()).await.unwrap();
        assert!(server.get(TENANT).is_some());
        assert_eq!(server.get(CHAIN).unwrap()["spec"]["validators"]["count"], 4);
        server.writes();
        config.city_chain.as_mut().unwrap().chain.public_reads = true;
        let context = Context::new(server.client(), config, "operator-0").unwrap();
        run(context, CancellationToken::new()).await.unwrap();
        assert_eq!(server.writes(), []);
    }
}
