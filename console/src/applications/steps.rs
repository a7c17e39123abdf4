//! The steps of a deployment, each idempotent: a console that ended in the middle goes on where it was. A step gives what is special about
//! this run, or why it failed and what to do, as a sentence in both languages.

use super::calls::{self, Call};
use super::people::{self, Roles, administrator, of_role};
use super::steplist::{self, Cast, Saved};
use super::{Deployed, public, unreachable};
use crate::app::App;
use crate::chains::object_name;
use crate::error::{Error, Result};
use crate::names::Name;
use crate::outbox::Signer;
use chain_types::encoding::to_value;
use chain_types::manifest::{Answers, ChainPart, Step as ListStep, Version, module_spec};
use chain_types::{Hash, PublicKey};
use futures::future::try_join_all;
use operator_api::Text;
use operator_api::steps::deployment;
use serde::Serialize;
use std::time::Duration;

/// Applications that one chain carries at most: each of them is read at every restart of a node.
const MOST_APPLICATIONS: i64 = 50;

/// What a step left behind for the page.
#[derive(Default)]
pub struct Report {
    pub detail: Option<Text>,
    pub link: Option<String>,
}

/// A step failed for a reason that people can do something about; other errors are difficulties of the moment.
pub type Carried = Result<Result<Report, Text>>;

pub(super) fn said(zh: impl Into<String>, en: impl Into<String>) -> Carried {
    Ok(Ok(Report { detail: Some(Text::new(zh, en)), link: None }))
}

pub(super) fn refused(zh: impl Into<String>, en: impl Into<String>) -> Carried {
    Ok(Err(Text::new(zh, en)))
}

/// Carries out one step. `tell` is called with a detail while it runs.
pub async fn carry_out(app: &App, deployed: &Deployed, step: &str, tell: &mut (dyn FnMut(Text) + Send)) -> Carried {
    match step {
        deployment::QUOTA => quota(app, deployed).await,
        deployment::CHAIN => chain(app, deployed).await,
        deployment::INSTALL => install(app, deployed).await,
        deployment::ROLES => roles(app, deployed).await,
        deployment::API_KEY => api_key(app, deployed).await,
        deployment::SAMPLE_DATA => samples(app, deployed, tell).await,
        deployment::CHECKS => list(app, deployed, "check", &deployed.template().checks, tell).await,
        _ => ready(deployed),
    }
}

async fn quota(app: &App, deployed: &Deployed) -> Carried {
    let state: Option<(String,)> = sqlx::query_as("select state from tenant where name = $1")
        .bind(deployed.tenant.as_str())
        .fetch_optional(app.db.pool())
        .await?;
    if state.is_none_or(|(state,)| state != "active") {
        return refused("租户已停用，请联系平台管理员。", "The tenant is suspended; ask the platform operator.");
    }
    let (count,): (i64,) =
        sqlx::query_as("select count(*) from application where chain = $1 and state <> 'removed' and created_ms <= $2")
            .bind(&deployed.row.chain)
            .bind(deployed.row.created_ms)
            .fetch_one(app.db.pool())
            .await?;
    if count > MOST_APPLICATIONS {
        return refused(
            format!("本链已有 {} 个应用，上限 {MOST_APPLICATIONS} 个；请先卸载不用的应用。", count - 1),
            format!("The chain carries {} applications of at most {MOST_APPLICATIONS}; remove one first.", count - 1),
        );
    }
    said(
        format!("本链应用 {count}/{MOST_APPLICATIONS}"),
        format!("{count} of {MOST_APPLICATIONS} applications on this chain"),
    )
}

pub(super) async fn chain(app: &App, deployed: &Deployed) -> Carried {
    let name = Name::parse(&deployed.row.chain).ok_or(Error::NotFound)?;
    let Some(entry) = app.chains.find(&object_name(&name)) else {
        return refused("这条链已不存在。", "The chain does not exist any more.");
    };
    if entry.view().tenant() != Some(deployed.tenant.as_str()) {
        return refused("这条链不属于本租户。", "The chain belongs to another tenant.");
    }
    let requires = &deployed.template().requires;
    for (module, version) in &requires.modules {
        if module_spec(*module).is_none_or(|spec| spec.version < *version) {
            let name = module.name();
            return refused(
                format!("应用需要模块 {name} 第 {version} 版，请先升级节点。"),
                format!("The application needs module {name} version {version}; upgrade the nodes first."),
            );
        }
    }
    if !people::reachable(app, &deployed.row.chain, Duration::from_secs(60)).await {
        return refused(
            "链在一分钟内没有就绪，请到链的页面查看原因，然后重试。",
            "The chain was not ready within a minute; see its page for why, then try again.",
        );
    }
    let way = deployed.way(app)?;
    let status = way.client.status().await.map_err(|_| unreachable())?;
    if status.validators < u64::from(requires.validators) {
        return refused(
            format!("应用要求至少 {} 个验证者，本链有 {} 个。", requires.validators, status.validators),
            format!(
                "The application asks for {} validators; the chain has {}.",
                requires.validators, status.validators
            ),
        );
    }
    let mut report = Report {
        detail: Some(Text::new(
            format!("{} 个验证者，高度 {}", status.validators, status.height),
            format!("{} validators, height {}", status.validators, status.height),
        )),
        link: None,
    };
    report.link = Some(format!("/chains/{}", deployed.row.chain));
    Ok(Ok(report))
}

/// Arguments of `application.install` and `application.upgrade`.
#[derive(Serialize)]
struct VersionArgs<'a> {
    app: &'a str,
    template: &'a str,
    version: Version,
    manifest: &'a ChainPart,
    console_hash: Hash,
    answers: &'a Answers,
}

#[derive(Serialize)]
struct Named<'a> {
    app: &'a str,
}

/// What the chain is told of a version.
pub(super) fn version_args(deployed: &Deployed) -> Result<chain_types::Value> {
    let template = deployed.template();
    let args = to_value(&VersionArgs {
        app: deployed.name(),
        template: &template.id,
        version: template.version,
        manifest: deployed.resolved.chain(),
        console_hash: deployed.resolved.console_hash(),
        answers: deployed.resolved.answers(),
    });
    Ok(args.map_err(|error| anyhow::anyhow!("{error}"))?)
}

async fn install(app: &App, deployed: &Deployed) -> Carried {
    let args = version_args(deployed)?;
    let owner = administrator(deployed, &deployed.row.owner);
    crate::custody::ensure(app, &owner.tenant, &owner.organisation, &owner.account).await?;
    // Keys of roles are bound beside: they need no application yet.
    let install = calls::once(app, deployed, "install", &owner, Call::chain("application", "install", args));
    let (made, bound) = tokio::join!(install, bind_roles(app, deployed));
    let made = made?;
    if let Some(refusal) = &made.committed.refusal {
        // The chain has it from an earlier life of this database: the same manifest is the same application.
        if refusal.code != "app_exists" || !steplist::is_installed(app, deployed).await? {
            calls::forget(app, deployed, "install").await?;
            let sentence = chain_types::manifest::sentence(refusal);
            return refused(sentence.zh, sentence.en);
        }
    }
    bound?;
    Ok(Ok(in_block(deployed, &made)))
}

/// Which version came into which block.
pub(super) fn in_block(deployed: &Deployed, made: &calls::Made) -> Report {
    let (version, height) = (&deployed.row.version, made.committed.height);
    Report {
        detail: Some(Text::new(format!("版本 {version}，区块 {height}"), format!("version {version}, block {height}"))),
        link: Some(format!("/chains/{}/transactions/{}", deployed.row.chain, made.tx)),
    }
}

/// The account of a role that steps or scans use.
pub(super) struct RoleAccount {
    pub signer: Signer,
    pub role: String,
    pub key: PublicKey,
}

pub(super) async fn role_accounts(app: &App, deployed: &Deployed) -> Result<Vec<RoleAccount>> {
    let cast = cast(app, deployed).await?;
    let mut wanted: Vec<(String, String)> = Vec::new();
    for (role, elsewhere) in steplist::actors(deployed) {
        let organisation = if elsewhere { cast.other.clone() } else { Some(cast.own.clone()) };
        wanted.extend(organisation.map(|organisation| (organisation, role)));
    }
    for (_, page) in public::pages(deployed).filter(|(_, page)| page.counts_scans) {
        let role = deployed.allowed(&page.of.instance, "record_scans").first().map(|role| (*role).to_owned());
        wanted.extend(role.map(|role| (cast.own.clone(), role)));
    }
    wanted.sort();
    wanted.dedup();
    let mut accounts = Vec::new();
    for (organisation, role) in wanted {
        let signer = of_role(deployed, &organisation, &role);
        let key = people::role_key(app, &signer).await?;
        accounts.push(RoleAccount { signer, role, key });
    }
    Ok(accounts)
}

async fn bind_roles(app: &App, deployed: &Deployed) -> Result<()> {
    let accounts = role_accounts(app, deployed).await?;
    try_join_all(accounts.iter().map(|account| bind(app, deployed, account))).await.map(drop)
}

/// The account of a role, known to the chain.
pub(super) async fn bind(app: &App, deployed: &Deployed, account: &RoleAccount) -> Result<()> {
    let RoleAccount { signer, role, key } = account;
    let label: String = format!("{}-{role}", deployed.name()).chars().take(40).collect();
    let step = format!("bind/{}/{role}", signer.organisation);
    let by = administrator(deployed, &signer.organisation);
    applied_once(app, deployed, &step, &by, people::bind(*key, &label)?, &["account_exists"]).await
}

/// The account of a role, with that role.
pub(super) async fn assign(app: &App, deployed: &Deployed, account: &RoleAccount) -> Result<()> {
    let RoleAccount { signer, role, key } = account;
    let call = people::assign(deployed.name(), *key, &Roles::from([role.clone()]))?;
    let step = format!("assign/{}/{role}", signer.organisation);
    applied_once(app, deployed, &step, &administrator(deployed, &signer.organisation), call, &[]).await
}

/// A call that must be applied; one that is refused is made anew at the next try.
pub(super) async fn applied_once(
    app: &App,
    deployed: &Deployed,
    step: &str,
    by: &Signer,
    call: Call<'_>,
    as_good: &[&str],
) -> Result<()> {
    let made = calls::once(app, deployed, step, by, call).await?;
    match made.committed.refusal {
        Some(refusal) if !as_good.contains(&refusal.code.as_str()) => {
            calls::forget(app, deployed, step).await?;
            Err(anyhow::anyhow!("{}", chain_types::manifest::sentence(&refusal).en).into())
        }
        _ => Ok(()),
    }
}

/// The owner stands for itself; the first other organisation of the tenant for `@other`.
pub(super) async fn cast(app: &App, deployed: &Deployed) -> Result<Cast> {
    let organisations = people::organisations(app, deployed).await?;
    Ok(Cast {
        own: deployed.row.owner.clone(),
        other: organisations.into_iter().find(|organisation| *organisation != deployed.row.owner),
    })
}

/// Others of the tenant do what the steps have somebody else do; the owner can change that on the members' page.
pub(super) fn roles_elsewhere(deployed: &Deployed) -> Roles {
    let actors = steplist::actors(deployed).into_iter();
    actors.filter(|(_, elsewhere)| *elsewhere).map(|(role, _)| role).collect()
}

async fn roles(app: &App, deployed: &Deployed) -> Carried {
    let all: Roles = deployed.resolved.chain().roles.names().map(str::to_owned).collect();
    let organisations = people::organisations(app, deployed).await?;
    let elsewhere = roles_elsewhere(deployed);
    let owner = administrator(deployed, &deployed.row.owner);
    let admits = organisations.iter().map(async |organisation| {
        let roles = if *organisation == deployed.row.owner { &all } else { &elsewhere };
        if roles.is_empty() {
            return Ok(());
        }
        let call = people::admit(deployed.name(), organisation, roles)?;
        applied_once(app, deployed, &format!("admit/{organisation}"), &owner, call, &[]).await
    });
    try_join_all(admits).await?;
    let accounts = role_accounts(app, deployed).await?;
    try_join_all(accounts.iter().map(|account| assign(app, deployed, account))).await?;
    said(
        format!("{} 家机构，{} 个角色", organisations.len(), all.len()),
        format!("{} organisations, {} roles", organisations.len(), all.len()),
    )
}

/// The key was made when the deployment was asked for, by whoever asked: keys are people's acts. An object written by hand has none.
async fn api_key(app: &App, deployed: &Deployed) -> Carried {
    let known: Option<(String,)> =
        sqlx::query_as("select shown from api_key where tenant = $1 and name = $2 order by created_ms desc limit 1")
            .bind(deployed.tenant.as_str())
            .bind(deployed.name())
            .fetch_optional(app.db.pool())
            .await?;
    match known {
        Some((shown,)) => said(format!("{shown}…，在本页显示一次"), format!("{shown}…, shown once on this page")),
        None => said("未创建；可在“开发者”中创建。", "Not made; make one under Developers."),
    }
}

async fn samples(app: &App, deployed: &Deployed, tell: &mut (dyn FnMut(Text) + Send)) -> Carried {
    if deployed.row.sample_data == 0 {
        return said("未选择", "Not wanted");
    }
    list(app, deployed, "sample", &deployed.template().samples, tell).await
}

async fn list(
    app: &App,
    deployed: &Deployed,
    phase: &str,
    steps: &[ListStep],
    tell: &mut (dyn FnMut(Text) + Send),
) -> Carried {
    let cast = cast(app, deployed).await?;
    let mut saved = Saved::default();
    for (at, step) in steps.iter().enumerate() {
        tell(Text::new(format!("{}/{}", at + 1, steps.len()), format!("{} of {}", at + 1, steps.len())));
        if let Err(reason) =
            steplist::carry_out(app, deployed, &cast, &format!("{phase}/{at}"), step, &mut saved).await?
        {
            let (n, of) = (at + 1, steps.len());
            return refused(format!("第 {n}/{of} 项：{}", reason.zh), format!("step {n} of {of}: {}", reason.en));
        }
    }
    let n = steps.len();
    match phase {
        "check" => said(format!("{n} 项检查全部通过"), format!("all {n} checks passed")),
        _ => said(format!("{n} 笔示例记录已上链"), format!("{n} sample calls are on the chain")),
    }
}

fn ready(deployed: &Deployed) -> Carried {
    Ok(Ok(Report { detail: None, link: Some(format!("/applications/{}", deployed.name())) }))
}

/// Uninstalls; history stays readable. An application that never came onto its chain needs nothing.
pub async fn uninstall(app: &App, deployed: &Deployed) -> Result<Result<(), Text>> {
    let name = Name::parse(&deployed.row.chain).ok_or(Error::NotFound)?;
    if app.chains.find(&object_name(&name)).is_none() {
        return Ok(Ok(()));
    }
    let owner = administrator(deployed, &deployed.row.owner);
    let args = to_value(&Named { app: deployed.name() }).map_err(|error| anyhow::anyhow!("{error}"))?;
    let made = calls::once(app, deployed, "uninstall", &owner, Call::chain("application", "uninstall", args)).await?;
    match made.committed.refusal {
        Some(refusal) if !matches!(refusal.code.as_str(), "app_unknown" | "app_uninstalled" | "app_status") => {
            calls::forget(app, deployed, "uninstall").await?;
            let sentence = chain_types::manifest::sentence(&refusal);
            Ok(Err(Text::new(sentence.zh, sentence.en)))
        }
        _ => Ok(Ok(())),
    }
}
