//! One tenant with one chain, made with two documents as a person would, and its nodes reached through their Services.

use std::time::Duration;

use anyhow::Context;
use chain_client::{Client, Url};
use chain_types::api::Status;
use chain_types::crypto::SigningKey;
use chain_types::{Fingerprint, Hash};
use operator_api::{API_VERSION, ChainStatus, ValidatorRow};
use serde_json::{Value, json};

use crate::kubectl::{self, condition, kubectl};
use crate::wait::until;

/// Every chain here: long enough that a test's own transactions are what makes blocks.
const HEARTBEAT_MS: u64 = 600_000;
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
const READY_WITHIN: Duration = Duration::from_secs(120);

pub struct City {
    pub tenant: String,
    pub namespace: String,
    pub chain: String,
    /// The only organisation's administrator, whose key the platform never sees.
    pub key: SigningKey,
    pub token: String,
}

impl City {
    /// Names only; nothing is made yet.
    pub fn called(tenant: &str) -> Self {
        let key = SigningKey::from_seed(&Hash::of(format!("e2e administrator of {tenant}").as_bytes()).0);
        Self {
            tenant: tenant.to_owned(),
            namespace: format!("tenant-{tenant}"),
            chain: format!("{tenant}-chain"),
            key,
            token: format!("e2e member token of {tenant}"),
        }
    }

    /// Both documents applied and every validator ready.
    pub async fn made(tenant: &str, validators: u32) -> Self {
        let city = Self::called(tenant);
        city.apply(validators).await.unwrap();
        city.ready(validators).await;
        city
    }

    pub fn tenant_document(&self) -> Value {
        json!({
            "apiVersion": API_VERSION, "kind": "Tenant", "metadata": {"name": self.tenant},
            "spec": {
                "title": {"zh": "测试", "en": "Test"},
                "organisations": [{
                    "id": self.tenant, "title": {"zh": "测试", "en": "Test"}, "custody": "self",
                    "publicKey": self.key.public().to_string(),
                }],
                "quota": {"chains": 2, "validators": 12, "storageGib": 40},
            },
        })
    }

    pub fn chain_document(&self, validators: u32) -> Value {
        json!({
            "apiVersion": API_VERSION, "kind": "Chain",
            "metadata": {"name": self.chain, "namespace": self.namespace},
            "spec": {
                "tenant": self.tenant, "title": {"zh": "测试链", "en": "Test chain"},
                "validators": {"count": validators}, "heartbeatMs": HEARTBEAT_MS, "version": VERSION,
                "resources": {"memoryMib": 192, "storageGib": 1}, "publicReads": true,
            },
        })
    }

    pub async fn apply(&self, validators: u32) -> anyhow::Result<()> {
        self.apply_tenant().await?;
        kubectl::apply(&self.chain_document(validators)).await
    }

    /// The tenant with its key and its member token; done when there is a namespace for its chains.
    pub async fn apply_tenant(&self) -> anyhow::Result<()> {
        kubectl::apply(&self.tenant_document()).await?;
        // What the console does in a city that has one: it publishes administrators' keys and its members' tokens.
        let status = json!({"status": {
            "organisations": [{"id": self.tenant, "publicKey": self.key.public().to_string(), "custody": "self"}],
            "tokens": {&self.chain: [Hash::of(self.token.as_bytes()).to_string()]},
        }});
        let status = status.to_string();
        kubectl(&["patch", "tenant", &self.tenant, "--subresource=status", "--type=merge", "-p", &status], None)
            .await?;
        until("the tenant's namespace", Duration::from_secs(30), async || {
            Ok(kubectl::get("default", "namespace", &self.namespace).await?.ok_or_else(|| "not there".to_owned()))
        })
        .await;
        Ok(())
    }

    pub async fn object(&self) -> anyhow::Result<Value> {
        kubectl::get(&self.namespace, "chain", &self.chain).await?.context("the chain is not there")
    }

    pub async fn status(&self) -> anyhow::Result<ChainStatus> {
        Ok(serde_json::from_value(self.object().await?["status"].clone()).unwrap_or_default())
    }

    /// Waits until all of `validators` are ready and in the voting set; how long that took.
    pub async fn ready(&self, validators: u32) -> Duration {
        let look = async || {
            let status = self.status().await?;
            let ready = condition(&self.object().await?, "Ready") == Some("True".to_owned());
            let all = (status.validators_ready, status.validators_total) == (validators, validators);
            Ok(if ready && all { Ok(()) } else { Err(sentences(&status)) })
        };
        until(&format!("{} is ready", self.chain), READY_WITHIN, look).await.1
    }

    /// A merge patch of the chain's spec, as `kubectl edit` ends in.
    pub async fn change(&self, spec: Value) -> anyhow::Result<()> {
        kubectl::patch(&self.namespace, "chain", &self.chain, &json!({"spec": spec})).await
    }

    /// Each validator of the voting set and where its API is reached from this machine.
    pub async fn nodes(&self) -> anyhow::Result<Vec<(ValidatorRow, Url)>> {
        let mut nodes = Vec::new();
        for row in self.status().await?.validators.into_iter().filter(|row| row.voting) {
            let service = kubectl::get(&self.namespace, "service", &format!("{}-{}", self.chain, row.name)).await?;
            let address = service.as_ref().and_then(|service| service["spec"]["clusterIP"].as_str());
            let url = format!("http://{}:8080/", address.context("a validator has no Service")?).parse()?;
            nodes.push((row, url));
        }
        Ok(nodes)
    }

    /// A client through all validators.
    pub async fn client(&self) -> anyhow::Result<Client> {
        let urls = self.nodes().await?.into_iter().map(|(_, url)| url).collect();
        Ok(Client::new(urls, self.fingerprint().await?, Some(self.token.clone()))?)
    }

    /// A client of each validator alone, with its name.
    pub async fn clients(&self) -> anyhow::Result<Vec<(String, Client)>> {
        let fingerprint = self.fingerprint().await?;
        let client = |(row, url): (ValidatorRow, Url)| {
            Ok((row.name.to_string(), Client::new(vec![url], fingerprint, Some(self.token.clone()))?))
        };
        self.nodes().await?.into_iter().map(client).collect()
    }

    async fn fingerprint(&self) -> anyhow::Result<Fingerprint> {
        Ok(self.status().await?.fingerprint.context("the chain has no genesis yet")?.parse()?)
    }

    /// Waits until every validator has the same last block and the same state; the status they agree on.
    pub async fn agree(&self) -> Status {
        let look = async || {
            let mut statuses = Vec::new();
            for (name, client) in self.clients().await? {
                statuses.push((name, client.status().await?));
            }
            let first = &statuses.first().context("no validator")?.1;
            let same = |status: &Status| (status.height, status.block_id, status.state_root);
            let differs = statuses.iter().find(|(_, status)| same(status) != same(first));
            Ok(match differs {
                None => Ok(first.clone()),
                Some((name, status)) => Err(format!("{name} is at {}, another at {}", status.height, first.height)),
            })
        };
        until("all roots are equal", Duration::from_secs(60), look).await.0
    }

    /// Waits for so many more blocks, which takes transactions.
    pub async fn blocks(&self, more: u64, within: Duration) {
        let before = self.client().await.unwrap().status().await.unwrap().height;
        until("blocks come", within, async || {
            let height = self.client().await?.status().await?.height;
            Ok(if height >= before + more { Ok(()) } else { Err(format!("height {height}")) })
        })
        .await;
    }

    pub fn pod(&self, validator: &str) -> String {
        format!("{}-{validator}-0", self.chain)
    }

    /// Everything of it: volumes, keys and backups.
    pub async fn removed(self) {
        let metadata = json!({"metadata": {"annotations": {
            "citychain.dev/confirm-deletion": self.chain, "citychain.dev/retention": "delete",
            "citychain.dev/final-backup": "skip",
        }}});
        kubectl::patch(&self.namespace, "chain", &self.chain, &metadata).await.unwrap();
        kubectl::delete(&self.namespace, "chain", &self.chain).await.unwrap();
        until("the chain is gone", Duration::from_secs(90), async || {
            let chain = kubectl::get(&self.namespace, "chain", &self.chain).await?;
            Ok(chain.map_or(Ok(()), |_| Err("still there".to_owned())))
        })
        .await;
        let nothing_kept = json!({"metadata": {"annotations": {"citychain.dev/retention": "delete"}}});
        kubectl::patch("default", "tenant", &self.tenant, &nothing_kept).await.unwrap();
        kubectl::delete("default", "tenant", &self.tenant).await.unwrap();
        until("the tenant's namespace is gone", Duration::from_secs(90), async || {
            let namespace = kubectl::get("default", "namespace", &self.namespace).await?;
            Ok(namespace.map_or(Ok(()), |_| Err("still there".to_owned())))
        })
        .await;
    }
}

/// What the status says to people, in English.
pub fn sentences(status: &ChainStatus) -> String {
    let sentences: Vec<&str> = status.sentences.iter().map(|text| text.en.as_str()).collect();
    format!(
        "{:?} at {}, {} of {} ready: {}",
        status.phase,
        status.height,
        status.validators_ready,
        status.validators_total,
        sentences.join(" ")
    )
}
