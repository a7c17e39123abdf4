//! What the calls do.

use chain_types::PublicKey;
use chain_types::account::{Account, AccountStatus, Custody, Organisation};
use chain_types::genesis::{Governance, Text, is_name};
use chain_types::manifest::Code;
use chain_types::state::{CHAIN_APP, account_key, key};
use serde::Serialize;

use super::calls::{BindAccount, ResumeAccount, SuspendAccount};
use super::state::ORGANISATION;
use crate::call::{CallContext, CallResult, ensure, refuse};
use crate::modules::governance;

const MAX_LABEL: usize = 40;
const MAX_TITLE: usize = 100;

#[derive(Serialize)]
struct AccountChanged<'a> {
    key: PublicKey,
    organisation: &'a str,
}

#[derive(Serialize)]
struct OrganisationAdmitted<'a> {
    organisation: &'a str,
    administrator: PublicKey,
}

pub fn bind_account(call: &mut CallContext<'_, '_>, args: BindAccount) -> CallResult {
    call.ensure_administrator()?;
    let sane = (1..=MAX_LABEL).contains(&args.label.chars().count()) && !args.label.chars().any(char::is_control);
    ensure(sane, Code::LabelInvalid, || [])?;
    let claims = args.administrator && args.custody == Custody::Own && call.account.custody == Custody::Platform;
    if claims && governance::parameters(call)?.governance == Governance::Members {
        // Approvals count by self-held keys: whoever holds an organisation's key must not be able to call another one
        // of its own making self-held.
        return refuse(Code::CustodyClaim, []);
    }
    let account = Account {
        organisation: call.account.organisation.clone(),
        administrator: args.administrator,
        custody: args.custody,
        status: AccountStatus::Active,
        label: args.label,
    };
    create_account(call, &args.key, &account)?;
    call.emit("account_bound", &AccountChanged { key: args.key, organisation: &account.organisation })
}

pub fn suspend_account(call: &mut CallContext<'_, '_>, args: SuspendAccount) -> CallResult {
    call.ensure_administrator()?;
    // An organisation whose last administrator suspends itself could never act again.
    ensure(args.key != call.kid, Code::SelfSuspension, || [])?;
    set_status(call, args.key, AccountStatus::Suspended)?;
    let organisation = &call.account.organisation;
    call.emit("account_suspended", &AccountChanged { key: args.key, organisation })
}

pub fn resume_account(call: &mut CallContext<'_, '_>, args: ResumeAccount) -> CallResult {
    call.ensure_administrator()?;
    set_status(call, args.key, AccountStatus::Active)?;
    let organisation = &call.account.organisation;
    call.emit("account_resumed", &AccountChanged { key: args.key, organisation })
}

fn set_status(call: &mut CallContext<'_, '_>, key: PublicKey, status: AccountStatus) -> CallResult {
    let place = account_key(&key);
    let Some(mut account) = call.state.get::<Account>(&place)? else {
        return refuse(Code::AccountUnknown, [("key", key.to_string())]);
    };
    ensure(account.organisation == call.account.organisation, Code::OtherOrganisation, || {
        [("organisation", account.organisation.clone())]
    })?;
    ensure(account.status != status, Code::AccountStatus, || {
        let name = match status {
            AccountStatus::Active => "active",
            AccountStatus::Suspended => "suspended",
        };
        [("status", name.to_owned())]
    })?;
    account.status = status;
    Ok(call.state.put(place, &account)?)
}

/// Binds a key that has no account yet.
pub fn create_account(call: &mut CallContext<'_, '_>, kid: &PublicKey, account: &Account) -> CallResult {
    let place = account_key(kid);
    let taken = call.state.contains(&place)?;
    ensure(!taken, Code::AccountExists, || [("key", kid.to_string())])?;
    Ok(call.state.put(place, account)?)
}

/// Admits an organisation with its first administrator; governance decides whether.
pub fn create_organisation(
    call: &mut CallContext<'_, '_>,
    id: &str,
    organisation: &Organisation,
    account: &Account,
) -> CallResult {
    check_organisation(call, id, &organisation.title)?;
    let place = key(CHAIN_APP, "identity", ORGANISATION, id.as_bytes());
    call.state.put(place, organisation)?;
    create_account(call, &organisation.administrator, account)?;
    let administrator = organisation.administrator;
    call.emit("organisation_admitted", &OrganisationAdmitted { organisation: id, administrator })
}

/// Refuses an id or title that no organisation can get.
pub fn check_organisation(call: &mut CallContext<'_, '_>, id: &str, title: &Text) -> CallResult {
    ensure(is_name(id), Code::NameInvalid, || [("name", id.to_owned())])?;
    let sane = |t: &str| (1..=MAX_TITLE).contains(&t.chars().count()) && !t.chars().any(char::is_control);
    ensure(sane(&title.zh) && sane(&title.en), Code::TitleInvalid, || [])?;
    let place = key(CHAIN_APP, "identity", ORGANISATION, id.as_bytes());
    let taken = call.state.contains(&place)?;
    ensure(!taken, Code::OrganisationExists, || [("organisation", id.to_owned())])
}
