//! `console init`: the home, its master key, its configuration and the first accounts. Creates what is missing, changes nothing that is there.
//! In a pod the same is done at the start of `serve`, without asking or printing: [`pod`].

pub mod pod;

use crate::app::App;
use crate::audit::Actor;
use crate::auth::{Role, password};
use crate::chains::console_name;
use crate::chains::tenants::project;
use crate::config::{Config, Settings, initial_text};
use crate::error::Error;
use crate::names::{Login, Name};
use crate::provisioner::{demo, home::Home};
use crate::sealing::SealingKey;
use crate::service::tenants::{self, ValidTitled};
use crate::service::users::{self, NewUser};
use anyhow::{Context, bail};
use serde::Serialize;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use zeroize::Zeroizing;

#[derive(clap::Args)]
pub struct InitOptions {
    /// Also create the demo city's tenants and their people
    #[arg(long)]
    demo: bool,
    /// Print the new accounts as JSON
    #[arg(long)]
    json: bool,
}

/// An account that was made now; its password is printed and nowhere else.
#[derive(Serialize)]
pub struct SignIn {
    pub login: String,
    pub password: String,
    pub role: &'static str,
    pub tenant: Option<String>,
}

struct Planned {
    login: &'static str,
    name: &'static str,
    role: Role,
    tenant: Option<&'static str>,
    /// Of the tenant's organisations; the first, named as the tenant, if none is said.
    organisation: Option<&'static str>,
}

const FIRST: &[Planned] = &[
    Planned { login: "operator", name: "李工", role: Role::PlatformOperator, tenant: None, organisation: None },
    Planned { login: "auditor", name: "周审", role: Role::Auditor, tenant: None, organisation: None },
];

const DEMO_PEOPLE: &[Planned] = &[
    Planned {
        login: "trace-admin",
        name: "陈主任",
        role: Role::TenantAdmin,
        tenant: Some("traceability"),
        organisation: None,
    },
    Planned {
        login: "trace-officer",
        name: "赵科员",
        role: Role::Officer,
        tenant: Some("traceability"),
        organisation: None,
    },
    Planned {
        login: "trace-seller",
        name: "钱店长",
        role: Role::Officer,
        tenant: Some("traceability"),
        organisation: Some("commerce"),
    },
    Planned {
        login: "medical-admin",
        name: "孙主任",
        role: Role::TenantAdmin,
        tenant: Some("medical"),
        organisation: None,
    },
    Planned {
        login: "notary-admin",
        name: "王主任",
        role: Role::TenantAdmin,
        tenant: Some("notary"),
        organisation: None,
    },
    Planned {
        login: "notary-officer",
        name: "吴公证员",
        role: Role::Officer,
        tenant: Some("notary"),
        organisation: None,
    },
    Planned {
        login: "notary-dev", name: "郑开发", role: Role::Developer, tenant: Some("notary"), organisation: None
    },
];

/// Prepares a home; repeating it adds only what is missing.
pub async fn init(settings: Settings, options: InitOptions) -> anyhow::Result<()> {
    prepare_home(&settings)?;
    let config = Config::read(&settings)?;
    let database = crate::db::sqlite_file(&config.database).map(Path::to_owned);
    let app = App::open(config).await?;
    if let Some(file) = database {
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600))
            .with_context(|| format!("couldn't protect {}", file.display()))?;
    }
    let made = create_missing(&app, options.demo).await?;
    app.db.close().await;
    print(&made, &settings.home, options.json)
}

fn prepare_home(settings: &Settings) -> anyhow::Result<()> {
    let home = &settings.home;
    make_home(home, 0o077)?;
    make_master_key(home, &settings.master_key_file())?;
    let toml = settings.config_file();
    if !toml.exists() {
        std::fs::write(&toml, initial_text()).with_context(|| format!("couldn't write {}", toml.display()))?;
    }
    Ok(())
}

/// The folder, closed to those in `exposed`.
fn make_home(home: &Path, exposed: u32) -> anyhow::Result<()> {
    if !home.exists() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(home)
            .with_context(|| format!("couldn't create {}", home.display()))?;
    }
    let mode = std::fs::metadata(home)?.permissions().mode();
    if mode & exposed != 0 {
        bail!("{} can be read by others; run `chmod 700 {0}`", home.display());
    }
    Ok(())
}

fn make_master_key(home: &Path, key: &Path) -> anyhow::Result<()> {
    if key.exists() {
        return Ok(());
    }
    // Without its key an existing database holds secrets that nothing opens: that is a restore gone wrong, not a new home.
    if home.join("console.db").exists() {
        bail!("{} has a database but there is no {}; restore the key from a backup", home.display(), key.display());
    }
    SealingKey::create(key)?;
    Ok(())
}

/// The first accounts and, for the demo, its tenants and their people; only those that are missing.
pub async fn create_missing(app: &App, demo: bool) -> anyhow::Result<Vec<SignIn>> {
    if demo {
        create_demo_tenants(app).await?;
    }
    let mut made = Vec::new();
    for planned in FIRST.iter().chain(if demo { DEMO_PEOPLE } else { &[] }) {
        made.extend(create(app, planned).await?);
    }
    Ok(made)
}

/// The objects first, then what SQL keeps of them; a tenant that is new to SQL is an act of its own in the audit log.
async fn create_demo_tenants(app: &App) -> anyhow::Result<()> {
    let home = Home::new(&app.config.home);
    demo::write_missing(&home)?;
    for name in home.tenant_names() {
        let Some(tenant) = app.objects.tenant(&name).await? else { continue };
        let exists: Option<(String,)> = sqlx::query_as("select name from tenant where name = $1")
            .bind(name.as_str())
            .fetch_optional(app.db.pool())
            .await?;
        if exists.is_none() {
            let title = tenant.spec.title.clone();
            let new = ValidTitled { name: console_name(&name), title_zh: title.zh, title_en: title.en };
            let mut tx = app.db.write().await?;
            tenants::insert(&mut tx, Actor::System, &new).await?;
            tx.commit().await?;
        }
        project(app, &tenant).await?;
    }
    Ok(())
}

/// Makes the account with a generated password, unless its name is taken.
async fn create(app: &App, planned: &Planned) -> anyhow::Result<Option<SignIn>> {
    let exists: Option<(String,)> = sqlx::query_as("select id from users where login = $1")
        .bind(planned.login)
        .fetch_optional(app.db.pool())
        .await?;
    if exists.is_some() {
        return Ok(None);
    }
    let secret = Zeroizing::new(password::generate());
    let hash = password::hash(secret.clone()).await?;
    let tenant = planned.tenant.and_then(Name::parse);
    let new = NewUser {
        login: Login::parse(planned.login).expect("the first sign-in names are names"),
        display_name: planned.name.to_owned(),
        role: planned.role,
        organisation: planned.organisation.and_then(Name::parse).or_else(|| tenant.clone()),
        tenant,
    };
    let mut tx = app.db.write().await?;
    // Printed to whoever owns the home, 98 random bits: it need not be changed at first sign-in.
    users::insert(&mut tx, Actor::System, &new, &hash, false).await?;
    tx.commit().await?;
    Ok(Some(SignIn {
        login: planned.login.to_owned(),
        password: secret.to_string(),
        role: planned.role.as_str(),
        tenant: planned.tenant.map(str::to_owned),
    }))
}

fn print(made: &[SignIn], home: &Path, json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(made)?)?;
        return Ok(());
    }
    if made.is_empty() {
        writeln!(
            out,
            "{} is set up already; no account was created (a forgotten password: `console password LOGIN`)",
            home.display()
        )?;
        return Ok(());
    }
    writeln!(out, "{} is ready. These passwords are shown only now:\n", home.display())?;
    writeln!(out, "  {:<16} {:<25} {:<18} tenant", "sign-in", "password", "role")?;
    for account in made {
        writeln!(
            out,
            "  {:<16} {:<25} {:<18} {}",
            account.login,
            account.password,
            account.role,
            account.tenant.as_deref().unwrap_or("-")
        )?;
    }
    Ok(())
}

/// `console password LOGIN`: for whoever owns the home and is locked out.
pub async fn one_time_password(settings: Settings, login: &str) -> anyhow::Result<()> {
    let app = App::open(Config::read(&settings)?).await?;
    let found: Option<(String, Option<String>)> = sqlx::query_as("select id, tenant from users where login = $1")
        .bind(login.to_lowercase())
        .fetch_optional(app.db.pool())
        .await?;
    let Some((id, tenant)) = found else { bail!("there is no account {login:?}") };
    let tenant = tenant.as_deref().and_then(Name::parse);
    let made: Result<_, Error> =
        users::set_one_time_password(&app, Actor::System, &id, &login.to_lowercase(), tenant.as_ref()).await;
    println!("{}", *made?);
    app.db.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(home: &Path) -> Settings {
        Settings { home: home.to_owned(), ..Settings::default() }
    }

    #[tokio::test]
    async fn a_second_init_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        init(settings(&home), InitOptions { demo: true, json: true }).await.unwrap();
        let (key, toml) =
            (std::fs::read(home.join("master.key")).unwrap(), std::fs::read(home.join("console.toml")).unwrap());
        assert_eq!(std::fs::metadata(&home).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(std::fs::metadata(home.join("master.key")).unwrap().permissions().mode() & 0o777, 0o600);
        let app = App::open(Config::read(&settings(&home)).unwrap()).await.unwrap();
        let count = async || {
            sqlx::query_as::<_, (i64, i64)>("select (select count(*) from users), (select seq from audit_head)")
                .fetch_one(app.db.pool())
                .await
                .unwrap()
        };
        let before = count().await;
        assert_eq!(before.0, 9);
        init(settings(&home), InitOptions { demo: true, json: false }).await.unwrap();
        assert_eq!(count().await, before);
        assert_eq!(
            (key, toml),
            (std::fs::read(home.join("master.key")).unwrap(), std::fs::read(home.join("console.toml")).unwrap())
        );
    }

    #[tokio::test]
    async fn a_database_without_its_key_is_not_taken_for_a_new_home() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        init(settings(&home), InitOptions { demo: false, json: true }).await.unwrap();
        std::fs::remove_file(home.join("master.key")).unwrap();
        let error = init(settings(&home), InitOptions { demo: false, json: true }).await.unwrap_err().to_string();
        assert!(error.contains("restore the key"), "{error}");
    }
}
