//! What the calls do.

use chain_types::account::Account;
use chain_types::genesis::is_name;
use chain_types::limits::MAX_MANIFEST_BYTES;
use chain_types::manifest::{Answers, ChainPart, Code, ManifestError};
use chain_types::outcome::Refusal;
use chain_types::state::{CHAIN_APP, account_key, key};
use chain_types::{Hash, PublicKey};
use serde::Serialize;

use super::calls::{Admit, App, Assign, Install, Unassign, Upgrade};
use super::state::{
    AppRecord, AppStatus, Roles, VersionRecord, admission_key, application_key, assignment_key, version_key,
};
use crate::call::{CallContext, CallResult, ensure, ensure_size, refuse};
use crate::modules::identity::state::ORGANISATION;
use crate::overlay::encode;
use crate::state::StateError;

const MAX_ROLES: usize = 20;

#[derive(Serialize)]
struct AppChanged<'a> {
    app: &'a str,
    revision: u32,
    version: String,
}

#[derive(Serialize)]
struct RolesChanged<'a> {
    app: &'a str,
    organisation: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<PublicKey>,
    roles: &'a Roles,
}

pub fn install(call: &mut CallContext<'_, '_>, args: Install) -> CallResult {
    call.ensure_administrator()?;
    let reserved = args.app == CHAIN_APP;
    ensure(is_name(&args.app) && !reserved, Code::NameInvalid, || [("name", args.app.clone())])?;
    ensure(is_name(&args.template), Code::NameInvalid, || [("name", args.template.clone())])?;
    let taken = call.state.contains(&application_key(&args.app))?;
    ensure(!taken, Code::AppExists, || [("app", args.app.clone())])?;
    let manifest_hash = check_manifest(&args.manifest, &args.answers)?;
    let now = call.block.time_ms;
    let record = AppRecord {
        owner: call.account.organisation.clone(),
        template: args.template,
        version: args.version,
        revision: 1,
        manifest_hash,
        console_hash: args.console_hash,
        status: AppStatus::Active,
        installed_ms: now,
        changed_ms: now,
    };
    let version = VersionRecord {
        version: args.version,
        console_hash: args.console_hash,
        manifest: args.manifest,
        answers: args.answers,
        time_ms: now,
    };
    call.state.put(version_key(&args.app, 1), &version)?;
    store(call, &args.app, &record, "installed")
}

pub fn upgrade(call: &mut CallContext<'_, '_>, args: Upgrade) -> CallResult {
    let mut record = owned(call, &args.app)?;
    ensure(record.template == args.template, Code::OtherTemplate, || [("template", record.template.clone())])?;
    ensure(args.version > record.version, Code::VersionNotHigher, || [("version", record.version.to_string())])?;
    let manifest_hash = check_manifest(&args.manifest, &args.answers)?;
    let old: VersionRecord = call
        .state
        .get(&version_key(&args.app, record.revision))?
        .ok_or_else(|| StateError(format!("application `{}` has no version record", args.app)))?;
    if let Some(fault) = old.manifest.upgrade_faults(&args.manifest).into_iter().next() {
        return Err(manifest_refusal(Code::UpgradeIncompatible, fault).into());
    }
    record.version = args.version;
    record.revision = record.revision.checked_add(1).ok_or_else(|| StateError("revisions are exhausted".into()))?;
    record.manifest_hash = manifest_hash;
    record.console_hash = args.console_hash;
    record.changed_ms = call.block.time_ms;
    let version = VersionRecord {
        version: args.version,
        console_hash: args.console_hash,
        manifest: args.manifest,
        answers: args.answers,
        time_ms: call.block.time_ms,
    };
    call.state.put(version_key(&args.app, record.revision), &version)?;
    store(call, &args.app, &record, "upgraded")
}

pub fn suspend(call: &mut CallContext<'_, '_>, args: App) -> CallResult {
    set_status(call, &args.app, AppStatus::Suspended, "suspended")
}

pub fn resume(call: &mut CallContext<'_, '_>, args: App) -> CallResult {
    set_status(call, &args.app, AppStatus::Active, "resumed")
}

pub fn uninstall(call: &mut CallContext<'_, '_>, args: App) -> CallResult {
    set_status(call, &args.app, AppStatus::Uninstalled, "uninstalled")
}

pub fn admit(call: &mut CallContext<'_, '_>, args: Admit) -> CallResult {
    let record = owned(call, &args.app)?;
    ensure_size("roles", args.roles.len(), 0, MAX_ROLES)?;
    let known = call.state.contains(&key(CHAIN_APP, "identity", ORGANISATION, args.organisation.as_bytes()))?;
    ensure(known, Code::OrganisationUnknown, || [("organisation", args.organisation.clone())])?;
    let version: VersionRecord = call
        .state
        .get(&version_key(&args.app, record.revision))?
        .ok_or_else(|| StateError(format!("application `{}` has no version record", args.app)))?;
    let roles: Roles = args.roles.into_iter().collect();
    if let Some(role) = roles.iter().find(|role| !version.manifest.roles.contains(role)) {
        return refuse(Code::RoleUnknown, [("role", role.clone())]);
    }
    call.state.put(admission_key(&args.app, &args.organisation), &roles)?;
    let changed = RolesChanged { app: &args.app, organisation: &args.organisation, key: None, roles: &roles };
    call.emit("organisation_admitted", &changed)
}

pub fn assign(call: &mut CallContext<'_, '_>, args: Assign) -> CallResult {
    let organisation = own_account(call, &args.app, &args.key)?;
    ensure_size("roles", args.roles.len(), 1, MAX_ROLES)?;
    let admitted: Roles = call.state.get(&admission_key(&args.app, &organisation))?.unwrap_or_default();
    let roles: Roles = args.roles.into_iter().collect();
    if let Some(role) = roles.iter().find(|role| !admitted.contains(*role)) {
        return refuse(Code::RoleNotAdmitted, [("organisation", organisation.clone()), ("role", role.clone())]);
    }
    set_roles(call, &args.app, args.key, &organisation, &roles, "roles_assigned")
}

pub fn unassign(call: &mut CallContext<'_, '_>, args: Unassign) -> CallResult {
    let organisation = own_account(call, &args.app, &args.key)?;
    set_roles(call, &args.app, args.key, &organisation, &Roles::new(), "roles_unassigned")
}

fn set_roles(
    call: &mut CallContext<'_, '_>,
    app: &str,
    key: PublicKey,
    organisation: &str,
    roles: &Roles,
    event: &str,
) -> CallResult {
    // An account without roles keeps its (empty) record: "not assigned" is then an existence proof too.
    call.state.put(assignment_key(app, &key), roles)?;
    call.emit(event, &RolesChanged { app, organisation, key: Some(key), roles })
}

/// The caller's organisation, if the account belongs to it and the application is there.
fn own_account(call: &mut CallContext<'_, '_>, app: &str, kid: &PublicKey) -> CallResult<String> {
    call.ensure_administrator()?;
    present(call, app)?;
    let Some(account) = call.state.get::<Account>(&account_key(kid))? else {
        return refuse(Code::AccountUnknown, [("key", kid.to_string())]);
    };
    let own = account.organisation == call.account.organisation;
    ensure(own, Code::OtherOrganisation, || [("organisation", account.organisation.clone())])?;
    Ok(account.organisation)
}

/// The application, unless it is unknown or uninstalled.
fn present(call: &mut CallContext<'_, '_>, app: &str) -> CallResult<AppRecord> {
    let Some(record) = call.state.get::<AppRecord>(&application_key(app))? else {
        return refuse(Code::AppUnknown, [("app", app.to_owned())]);
    };
    ensure(record.status != AppStatus::Uninstalled, Code::AppUninstalled, || [("app", app.to_owned())])?;
    Ok(record)
}

/// The application, if the caller administers its owner.
fn owned(call: &mut CallContext<'_, '_>, app: &str) -> CallResult<AppRecord> {
    call.ensure_administrator()?;
    let record = present(call, app)?;
    let own = record.owner == call.account.organisation;
    ensure(own, Code::NotAppOwner, || [("organisation", record.owner.clone())])?;
    Ok(record)
}

fn set_status(call: &mut CallContext<'_, '_>, app: &str, status: AppStatus, event: &str) -> CallResult {
    let mut record = owned(call, app)?;
    ensure(record.status != status, Code::AppStatus, || [("status", status.name().to_owned())])?;
    record.status = status;
    record.changed_ms = call.block.time_ms;
    store(call, app, &record, event)
}

fn store(call: &mut CallContext<'_, '_>, app: &str, record: &AppRecord, event: &str) -> CallResult {
    call.state.put(application_key(app), record)?;
    call.changed_app = Some(app.to_owned());
    call.emit(event, &AppChanged { app, revision: record.revision, version: record.version.to_string() })
}

/// Everything that a manifest must be; its hash if it is. The answers count, since they are stored beside it.
fn check_manifest(manifest: &ChainPart, answers: &Answers) -> CallResult<Hash> {
    let bytes = encode(manifest)?;
    let size = bytes.len().saturating_add(encode(answers)?.len());
    ensure(size <= MAX_MANIFEST_BYTES, Code::ManifestTooLarge, || {
        [("bytes", size.to_string()), ("limit", MAX_MANIFEST_BYTES.to_string())]
    })?;
    match manifest.check().map_err(|faults| faults.into_iter().next()) {
        Err(Some(fault)) => Err(manifest_refusal(Code::ManifestInvalid, fault).into()),
        _ => Ok(Hash::of(&bytes)),
    }
}

/// The place alone: results are hashed, and the words of a check may improve.
fn manifest_refusal(code: Code, fault: ManifestError) -> Refusal {
    code.refusal([("path", fault.path)])
}
