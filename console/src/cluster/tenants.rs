//! Tenants of the cluster: SQL is brought to what an object says, and what only the console knows is published in its status: organisations'
//! administrator keys, and how each chain's nodes know the console. The rest of that status is the operator's.

use super::Follower;
use super::kept::Key;
use crate::chains::TenantView;
use crate::chains::tenants::{organisation_keys, project, token_hashes};
use crate::error::Result;
use crate::objects::cluster::parse;
use kube::api::DynamicObject;
use operator_api::{Kind, Name, Tenant, TenantSpec};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub struct Known {
    pub object: Tenant,
    /// SQL says what the object says.
    projected: bool,
}

impl Known {
    pub fn view(&self) -> TenantView {
        let mut object = self.object.clone();
        let status = object.status.take().unwrap_or_default();
        TenantView { object, status }
    }
}

impl Follower {
    pub async fn tenant_seen(&mut self, object: &DynamicObject) {
        let key = Key::of(object);
        self.tenants.name(&key);
        let object: Tenant = match parse::<TenantSpec>(object) {
            Ok(object) => object,
            Err(reason) => return self.misfit(TenantSpec::KIND, key, &reason),
        };
        self.misfits.remove(&(TenantSpec::KIND, key.clone()));
        let before = self.tenants.get(&key);
        let same = before.is_some_and(|before| {
            before.projected && before.object.spec == object.spec && before.object.metadata.uid == object.metadata.uid
        });
        self.tenants.keep(key.clone(), Known { object, projected: same });
        self.publish(&key).await;
        if !same {
            self.judge_all().await;
        }
    }

    /// People and audit rows stay: whoever makes the tenant again finds them.
    pub async fn tenant_gone(&mut self, key: &Key) {
        self.tenants.forget(key);
        self.misfits.remove(&(TenantSpec::KIND, key.clone()));
        self.judge_all().await;
    }

    pub async fn publish_all(&mut self) {
        for key in self.tenants.keys() {
            self.publish(&key).await;
        }
    }

    /// Publishes what the tenant's status lacks; what fails is tried again.
    pub async fn publish(&mut self, key: &Key) {
        if let Err(error) = self.try_publish(key).await {
            tracing::warn!(%error, tenant = %key, "a tenant couldn't be taken over or its keys published; trying again");
        }
    }

    async fn try_publish(&mut self, key: &Key) -> Result<()> {
        let Some(known) = self.tenants.get_mut(key) else { return Ok(()) };
        if !known.projected {
            project(&self.app, &known.object).await?;
            known.projected = true;
        }
        if known.object.metadata.deletion_timestamp.is_some() {
            return Ok(());
        }
        let organisations = organisation_keys(&self.app, &known.object).await?;
        let tokens = token_hashes(&self.app, known.object.name()).await?;
        let name = known.object.name().clone();
        let status = known.object.status.get_or_insert_default();
        if status.organisations == organisations && status.tokens == tokens {
            return Ok(());
        }
        let patch = json!({ "organisations": organisations, "tokens": merged(&status.tokens, &tokens) });
        self.cluster.patch_status::<TenantSpec>(None, name.as_str(), patch).await?;
        // The watch brings it too; until then it should not be taken for missing.
        status.organisations = organisations;
        status.tokens = tokens;
        Ok(())
    }
}

/// A merge patch adds to a map; what is gone must be said.
fn merged(old: &BTreeMap<Name, Vec<String>>, new: &BTreeMap<Name, Vec<String>>) -> Json {
    let gone = old.keys().filter(|chain| !new.contains_key(*chain)).map(|chain| (chain.to_string(), Json::Null));
    let kept = new.iter().map(|(chain, hashes)| (chain.to_string(), json!(hashes)));
    Json::Object(gone.chain(kept).collect())
}
