//! What the console needs of a tenant's object besides the object itself: its rows in SQL, and the administrator keys of its organisations.

use super::{console_name, member_token_hash};
use crate::app::App;
use crate::custody;
use crate::error::Result;
use crate::time::now_ms;
use operator_api::{Custody, Name, OrganisationKey, Tenant};
use std::collections::BTreeMap;

/// Brings SQL to what the object says: the tenant's row, its organisations.
pub async fn project(app: &App, tenant: &Tenant) -> Result<()> {
    let name = tenant.name().as_str();
    let mut tx = app.db.write().await?;
    sqlx::query(
        "insert into tenant (name, title_zh, title_en, state, created_ms) values ($1, $2, $3, 'active', $4)
         on conflict (name) do update set title_zh = excluded.title_zh, title_en = excluded.title_en",
    )
    .bind(name)
    .bind(&tenant.spec.title.zh)
    .bind(&tenant.spec.title.en)
    .bind(now_ms())
    .execute(&mut *tx)
    .await?;
    let rows: Vec<(String,)> =
        sqlx::query_as("select name from organisation where tenant = $1").bind(name).fetch_all(&mut *tx).await?;
    for (gone,) in rows.iter().filter(|(row,)| !tenant.spec.organisations.iter().any(|kept| kept.id.as_str() == row)) {
        sqlx::query("delete from organisation where tenant = $1 and name = $2")
            .bind(name)
            .bind(gone)
            .execute(&mut *tx)
            .await?;
    }
    for organisation in &tenant.spec.organisations {
        sqlx::query(
            "insert into organisation (tenant, name, title_zh, title_en, created_ms) values ($1, $2, $3, $4, $5)
             on conflict (tenant, name) do update set title_zh = excluded.title_zh, title_en = excluded.title_en",
        )
        .bind(name)
        .bind(organisation.id.as_str())
        .bind(&organisation.title.zh)
        .bind(&organisation.title.en)
        .bind(now_ms())
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The public side of every organisation's administrator key; those that the platform holds are made if there are none yet.
pub async fn organisation_keys(app: &App, tenant: &Tenant) -> Result<Vec<OrganisationKey>> {
    let owner = console_name(tenant.name());
    let mut keys = Vec::new();
    for organisation in &tenant.spec.organisations {
        let public_key = match organisation.custody {
            Custody::Own => organisation.public_key,
            Custody::Platform => {
                let made = custody::ensure(app, &owner, organisation.id.as_str(), custody::ADMINISTRATOR).await?;
                Some(operator_api::PublicKey(made.0))
            }
        };
        keys.extend(public_key.map(|public_key| OrganisationKey {
            id: organisation.id.clone(),
            public_key,
            custody: organisation.custody,
        }));
    }
    Ok(keys)
}

/// What the nodes of each of the tenant's chains know the console by.
pub async fn token_hashes(app: &App, tenant: &Name) -> Result<BTreeMap<Name, Vec<String>>> {
    let mut hashes = BTreeMap::new();
    for entry in app.chains.of_tenant(tenant.as_str()) {
        let hash = member_token_hash(app, &console_name(&entry.name)).await?;
        hashes.insert(entry.name.clone(), vec![hash.to_string()]);
    }
    Ok(hashes)
}
