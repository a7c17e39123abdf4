//! Which instance of an installed application takes records to anchor, as the chain describes it.

use crate::error::{Error, Result};
use crate::reach::Way;
use crate::text::Message;
use chain_types::encoding::from_slice;
use chain_types::manifest::{ChainPart, Instance, Module};
use chain_types::state::key;
use serde::Deserialize;

#[derive(Deserialize)]
struct Application {
    revision: u32,
    status: String,
}

#[derive(Deserialize)]
struct Version {
    manifest: ChainPart,
}

/// The instance of this name, or the application's first of module `anchor`.
pub async fn instance(way: &Way, application: &str, wanted: Option<&str>) -> Result<(String, Instance)> {
    let key_of = |kind: &str, id: &[u8]| key("chain", "application", kind, id);
    let record: Application = read(way, &key_of("application", application.as_bytes())).await?;
    if record.status != "active" {
        let message = Message::new("error-application-inactive-help").with("status", record.status);
        return Err(Error::conflict("application-inactive", message));
    }
    // A version's id: the application's name, length first, and the revision.
    let mut id = vec![u8::try_from(application.len()).map_err(|_| Error::NotFound)?];
    id.extend_from_slice(application.as_bytes());
    id.extend_from_slice(&record.revision.to_be_bytes());
    let version: Version = read(way, &key_of("version", &id)).await?;
    let mut instances = version.manifest.instances.iter();
    let found = instances
        .find(|(name, instance)| instance.module == Module::Anchor && wanted.is_none_or(|wanted| wanted == *name));
    found.map(|(name, instance)| (name.to_owned(), instance.clone())).ok_or(Error::NotFound)
}

async fn read<T: serde::de::DeserializeOwned>(way: &Way, key: &[u8]) -> Result<T> {
    let value = way.client.state_value(key).await.map_err(|error| {
        tracing::warn!(chain = %way.chain, %error, "an application couldn't be looked up");
        Error::unavailable("chain-unreachable", Message::new("error-chain-unreachable-help"))
    })?;
    let value = value.ok_or(Error::NotFound)?;
    from_slice(&value.value)
        .map_err(|reason| anyhow::anyhow!("a record of an application doesn't read: {reason}").into())
}
