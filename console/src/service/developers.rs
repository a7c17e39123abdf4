//! What the developers' pages show: the chains of their tenant, what was anchored lately, and its evidence.

use crate::app::App;
use crate::auth::{Action, Principal, Resource};
use crate::error::{Error, Result};
use crate::gateway::anchors::node_error;
use crate::gateway::keys::own_tenant;
use crate::outbox::{self, Outcome};
use crate::reach;
use serde::Serialize;

/// An anchor on the quick start.
#[derive(Debug, Serialize)]
pub struct Recent {
    pub id: String,
    pub digest: String,
    pub count: i64,
    pub tx: String,
    pub created_ms: i64,
    /// queued | provable | refused | rejected
    pub state: &'static str,
    pub height: Option<u64>,
    pub key: String,
}

/// The chains of the reader's tenant that can be asked, by name.
pub async fn chains(app: &App, principal: &Principal) -> Result<Vec<String>> {
    let tenant = own_tenant(principal)?;
    principal.require(Action::ViewChain, &Resource::Tenant(&tenant))?;
    Ok(app.reach.of_tenant(&tenant).iter().map(|way| way.chain.as_str().to_owned()).collect())
}

/// What keys of the tenant anchored last.
pub async fn newest_anchors(app: &App, principal: &Principal, chain: &str) -> Result<Vec<Recent>> {
    let tenant = own_tenant(principal)?;
    principal.require(Action::ViewRequests, &Resource::Tenant(&tenant))?;
    let rows: Vec<(String, String, i64, Vec<u8>, i64, String)> = sqlx::query_as(
        "select a.id, a.root, a.count, a.digests, a.created_ms, k.name from anchor a join api_key k on k.id = a.key_id
         where a.tenant = $1 and a.chain = $2 order by a.created_ms desc, a.id limit 8",
    )
    .bind(tenant.as_str())
    .bind(chain)
    .fetch_all(app.db.pool())
    .await?;
    let mut recent = Vec::with_capacity(rows.len());
    for (id, root, count, digests, created_ms, key) in rows {
        let Some(standing) = outbox::find(app, &root).await? else { continue };
        let (state, height) = match &standing.outcome {
            Outcome::Committed(result) if result.applied => ("provable", Some(result.height)),
            Outcome::Committed(result) => ("refused", Some(result.height)),
            Outcome::Waiting { .. } => ("queued", None),
            Outcome::Rejected { .. } | Outcome::Expired => ("rejected", None),
        };
        let digest = digests.chunks(32).next().map(hex::encode).unwrap_or_default();
        recent.push(Recent { id, digest, count, tx: standing.tx, created_ms, state, height, key });
    }
    Ok(recent)
}

/// Verified evidence of an anchor of the tenant.
pub async fn evidence(app: &App, principal: &Principal, id: &str) -> Result<Vec<u8>> {
    let tenant = own_tenant(principal)?;
    principal.require(Action::ViewRequests, &Resource::Tenant(&tenant))?;
    let row: Option<(String, String, i64, i64)> =
        sqlx::query_as("select chain, root, position, count from anchor where id = $1 and tenant = $2")
            .bind(id)
            .bind(tenant.as_str())
            .fetch_optional(app.db.pool())
            .await?;
    let (chain, root, position, count) = row.ok_or(Error::NotFound)?;
    let way = reach::of_tenant(app, &tenant, &chain)?;
    let standing = outbox::find(app, &root).await?.ok_or(Error::NotFound)?;
    let Outcome::Committed(result) = standing.outcome else { return Err(Error::NotFound) };
    let first = result.entry.ok_or(Error::NotFound)?;
    let entry = if count > 0 { first + 1 + position.unsigned_abs() } else { first };
    Ok(way.client.evidence_of_entry(entry).await.map_err(node_error)?.bytes)
}
