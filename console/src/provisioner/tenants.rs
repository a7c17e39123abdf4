//! Tenants as files: the YAML object owns organisations and quota, SQL owns people. The organisations' administrator keys are made and
//! their public sides published in the tenant's status.
//!
//! A tenant that is made on a page is written as an object first: a console that ends in between finds the object at its next start.

use super::home::{self, FileError, Home};
use crate::app::App;
use crate::chains::TenantView;
use crate::chains::spec::usage;
use crate::chains::tenants::organisation_keys;
use crate::error::Result;
use crate::objects::tenant::{object, organisation};
use operator_api::{Name, Tenant, TenantStatus, Text};

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

/// Makes the keys that the platform holds for the tenant's organisations and publishes all public sides.
pub async fn publish_keys(app: &App, home: &Home, tenant: Tenant) -> Result<TenantView> {
    let status = TenantStatus {
        observed_generation: tenant.metadata.generation,
        organisations: organisation_keys(app, &tenant).await?,
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
