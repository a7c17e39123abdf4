//! Tenants: the YAML object owns organisations and quota, SQL owns people. Whatever the object says is projected into SQL; the
//! organisations' administrator keys are made and their public sides published in the tenant's status.
//!
//! A tenant that is made on a page is written as an object first: a console that ends in between finds the object at its next start.

use super::home::{self, FileError, Home};
use crate::app::App;
use crate::chains::{TenantView, console_name};
use crate::custody;
use crate::error::Result;
use crate::time::now_ms;
use operator_api::{
    Custody, Name, Organisation, OrganisationKey, Quota, Tenant, TenantSpec, TenantStatus, Text, Time, Usage,
};

/// What a tenant may use unless its object says otherwise.
pub const QUOTA: Quota = Quota { chains: 2, validators: 16, storage_gib: 200 };

/// A new tenant's object.
pub fn object(name: Name, title: Text, organisations: Vec<Organisation>) -> Tenant {
    let mut object = Tenant::new(name, TenantSpec { title, organisations, quota: QUOTA });
    object.metadata.creation_timestamp = Some(Time::from_ms(now_ms().unsigned_abs()));
    object
}

/// An organisation whose key the platform holds.
pub fn organisation(id: Name, title: Text) -> Organisation {
    Organisation { id, title, custody: Custody::Platform, public_key: None }
}

pub fn write(home: &Home, tenant: &Tenant) -> Result<(), FileError> {
    home::write(&home.tenant(tenant.name()), home::object_text(tenant)?.as_bytes())
}

pub fn read(home: &Home, name: &Name) -> Result<Option<Tenant>, FileError> {
    let path = home.tenant(name);
    let Some(text) = home::read(&path)? else { return Ok(None) };
    home::parse_object(&path, name, &text).map(Some)
}

/// Writes the object of every tenant that has none: those made before there were objects.
pub async fn write_missing(app: &App, home: &Home) -> Result<()> {
    let tenants: Vec<(String, String, String)> =
        sqlx::query_as("select name, title_zh, title_en from tenant").fetch_all(app.db.pool()).await?;
    for (tenant, zh, en) in tenants {
        let Ok(name) = tenant.parse::<Name>() else { continue };
        if home.tenant(&name).exists() {
            continue;
        }
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "select name, title_zh, title_en from organisation where tenant = $1 order by created_ms, name",
        )
        .bind(&tenant)
        .fetch_all(app.db.pool())
        .await?;
        let named = |(id, zh, en): (String, String, String)| Some(organisation(id.parse().ok()?, Text::new(zh, en)));
        let organisations = rows.into_iter().filter_map(named).collect();
        write(home, &object(name, Text::new(zh, en), organisations)).map_err(anyhow::Error::from)?;
    }
    Ok(())
}

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

/// Makes the keys that the platform holds for the tenant's organisations and publishes all public sides.
pub async fn publish_keys(app: &App, home: &Home, tenant: Tenant) -> Result<TenantView> {
    let owner = console_name(tenant.name());
    let mut organisations = Vec::new();
    for organisation in &tenant.spec.organisations {
        let public_key = match organisation.custody {
            Custody::Own => organisation.public_key,
            Custody::Platform => {
                let made = custody::ensure(app, &owner, organisation.id.as_str(), custody::ADMINISTRATOR).await?;
                Some(operator_api::PublicKey(made.0))
            }
        };
        organisations.extend(public_key.map(|public_key| OrganisationKey {
            id: organisation.id.clone(),
            public_key,
            custody: organisation.custody,
        }));
    }
    let status = TenantStatus {
        observed_generation: tenant.metadata.generation,
        organisations,
        used: usage(app, tenant.name()),
        ..TenantStatus::default()
    };
    let path = home.tenant_status(tenant.name());
    // Written only when it says something else: steady state costs no writes.
    if home::read_json::<TenantStatus>(&path).ok().flatten().as_ref() != Some(&status) {
        home::write_json(&path, &status).map_err(anyhow::Error::from)?;
    }
    Ok(TenantView { object: tenant, status })
}

/// What the tenant's chains use of its quota.
pub fn usage(app: &App, tenant: &Name) -> Usage {
    usage_but(app, tenant, None)
}

/// The same without one of them.
pub fn usage_but(app: &App, tenant: &Name, but: Option<&Name>) -> Usage {
    let chains = app.chains.of_tenant(tenant.as_str());
    let used = chains
        .iter()
        .filter(|entry| Some(&entry.name) != but)
        .filter_map(|entry| Some(entry.view().valid.as_ref()?.usage()));
    used.fold(Usage::default(), |sum, one| Usage {
        chains: sum.chains + one.chains,
        validators: sum.validators + one.validators,
        storage_gib: sum.storage_gib + one.storage_gib,
    })
}
