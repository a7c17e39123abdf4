//! The steps of an upgrade, each idempotent like those of a deployment. Until the chain has taken the new version nothing of the old one is
//! touched; afterwards only what the new one adds is made: roles, accounts, checks. Roles that the owner has changed since stay as they are.

use super::{Upgrade, changes};
use crate::app::App;
use crate::applications::calls::{self, Call};
use crate::applications::people::{self, Roles, administrator};
use crate::applications::steplist::{self, Saved};
use crate::applications::steps::{
    Carried, Report, applied_once, assign, bind, cast, chain, in_block, refused, role_accounts, roles_elsewhere, said,
    version_args,
};
use crate::error::Result;
use futures::future::try_join_all;
use operator_api::Text;
use operator_api::steps::upgrade as ids;

/// Carries out one step. `tell` is called with a detail while it runs.
pub async fn carry_out(app: &App, upgrade: &Upgrade, step: &str, tell: &mut (dyn FnMut(Text) + Send)) -> Carried {
    match step {
        ids::COMPATIBLE => compatible(upgrade),
        ids::CHAIN => chain(app, &upgrade.to).await,
        ids::UPGRADE => install(app, upgrade).await,
        ids::NEW_ROLES => new_roles(app, upgrade).await,
        ids::NEW_CHECKS => new_checks(app, upgrade, tell).await,
        _ => Ok(Ok(Report { detail: None, link: Some(format!("/applications/{}", upgrade.to.name())) })),
    }
}

fn compatible(upgrade: &Upgrade) -> Carried {
    let changes = changes::between(&upgrade.from.resolved, &upgrade.to.resolved);
    let (added, altered) = (changes.added.len(), changes.altered.len());
    match changes.faults.first() {
        Some(fault) => {
            let (path, reason) = (&fault.path, &fault.reason);
            refused(format!("{path}：{}。", reason.zh), format!("{path}: {}.", reason.en))
        }
        None => said(
            format!("新增 {added} 项，调整 {altered} 项"),
            format!("{added} things are added, {altered} read differently"),
        ),
    }
}

async fn install(app: &App, upgrade: &Upgrade) -> Carried {
    let to = &upgrade.to;
    let owner = administrator(to, &to.row.owner);
    crate::custody::ensure(app, &owner.tenant, &owner.organisation, &owner.account).await?;
    let step = format!("upgrade/{}", to.row.version);
    let call = Call::chain("application", "upgrade", version_args(to)?);
    let made = calls::once(app, to, &step, &owner, call).await?;
    if let Some(refusal) = &made.committed.refusal {
        // The chain has it from an earlier life of this database: the same manifest is the same version.
        if refusal.code != "version_not_higher" || !steplist::is_installed(app, to).await? {
            calls::forget(app, to, &step).await?;
            let sentence = chain_types::manifest::sentence(refusal);
            return refused(sentence.zh, sentence.en);
        }
    }
    upgrade.take_over(app).await?;
    Ok(Ok(in_block(to, &made)))
}

/// Roles that the old version did not have are admitted beside those that an organisation has now.
async fn new_roles(app: &App, upgrade: &Upgrade) -> Carried {
    let (from, to) = (&upgrade.from, &upgrade.to);
    let added: Roles = to
        .resolved
        .chain()
        .roles
        .names()
        .filter(|role| !from.resolved.chain().roles.contains(role))
        .map(str::to_owned)
        .collect();
    let known = role_accounts(app, from).await?;
    let mut accounts = role_accounts(app, to).await?;
    accounts.retain(|account| known.iter().all(|known| known.key != account.key));
    try_join_all(accounts.iter().map(|account| bind(app, to, account))).await?;
    admit(app, upgrade, &added).await?;
    try_join_all(accounts.iter().map(|account| assign(app, to, account))).await?;
    let n = added.len();
    match n {
        0 => said("没有新角色", "no new roles"),
        _ => said(format!("新增 {n} 个角色"), format!("{n} new roles")),
    }
}

async fn admit(app: &App, upgrade: &Upgrade, added: &Roles) -> Result<()> {
    let to = &upgrade.to;
    let owner = administrator(to, &to.row.owner);
    // What others of the tenant have to do in new checks.
    let elsewhere: Roles = roles_elsewhere(to).difference(&roles_elsewhere(&upgrade.from)).cloned().collect();
    for organisation in people::organisations(app, to).await? {
        let own = organisation == to.row.owner;
        let wanted = if own { added.clone() } else { elsewhere.clone() };
        if wanted.is_empty() {
            continue;
        }
        let mut roles = people::admitted(app, to, &organisation).await?;
        roles.extend(wanted);
        let call = people::admit(to.name(), &organisation, &roles)?;
        let step = format!("{}/admit/{organisation}", to.row.version);
        applied_once(app, to, &step, &owner, call, &[]).await?;
    }
    Ok(())
}

/// Checks that the old version did not have. Those before them were carried out then, on records that people may have acted on since; their
/// results are known.
async fn new_checks(app: &App, upgrade: &Upgrade, tell: &mut (dyn FnMut(Text) + Send)) -> Carried {
    let to = &upgrade.to;
    let (checks, known) = (&to.template().checks, upgrade.checks_known());
    let cast = cast(app, to).await?;
    let mut saved = Saved::default();
    let n = checks.len() - known;
    for (at, step) in checks.iter().enumerate() {
        let name = format!("check/{at}");
        if at < known {
            saved.recall(app, to, &name, step).await?;
            continue;
        }
        let done = at + 1 - known;
        tell(Text::new(format!("{done}/{n}"), format!("{done} of {n}")));
        if let Err(reason) = steplist::carry_out(app, to, &cast, &name, step, &mut saved).await? {
            return refused(
                format!("新增第 {done}/{n} 项：{}", reason.zh),
                format!("new check {done} of {n}: {}", reason.en),
            );
        }
    }
    match n {
        0 => said("没有新的检查", "no new checks"),
        _ => said(format!("新增的 {n} 项检查全部通过"), format!("all {n} new checks passed")),
    }
}
