//! What the calls do.

use std::collections::BTreeSet;

use chain_types::account::{Account, AccountStatus, Custody, Organisation};
use chain_types::genesis::Governance;
use chain_types::manifest::Code;
use chain_types::outcome::Refusal;
use chain_types::state::{CHAIN_APP, key};
use serde::Serialize;

use super::calls::{Action, AdmitOrganisation, Approve, Propose};
use super::state::{PARAMETERS, PROPOSAL, Parameters, Proposal, ProposalStatus, STEWARD_PROPOSER};
use super::{rules, validators};
use crate::call::{CallContext, CallResult, ensure, refuse};
use crate::modules::identity;
use crate::state::StateError;

#[derive(Serialize)]
struct ProposalChanged {
    proposal: u64,
    approvals: usize,
    needed: usize,
}

pub fn propose(call: &mut CallContext<'_, '_>, args: Propose) -> CallResult {
    match (call.is_steward, &args.action) {
        (true, Action::ChangeValidators(_)) => {}
        _ => call.ensure_administrator()?,
    }
    check(call, &args.action)?;
    let parameters = parameters(call)?;
    let proposer = match call.is_steward {
        true => STEWARD_PROPOSER.to_owned(),
        false => call.account.organisation.clone(),
    };
    let number = call.next_number(PROPOSAL.as_bytes())?;
    let mut proposal = Proposal {
        action: args.action,
        status: ProposalStatus::Open,
        proposer,
        approvals: BTreeSet::new(),
        proposed_ms: call.block.time_ms,
        carried_out_ms: None,
    };
    if !call.is_steward && approver(call.account, &parameters).is_ok() {
        proposal.approvals.insert(call.account.organisation.clone());
    }
    let (approvals, needed) = (proposal.approvals.len(), parameters.threshold());
    call.emit("proposed", &ProposalChanged { proposal: number, approvals, needed })?;
    settle(call, number, proposal, &parameters)
}

pub fn approve(call: &mut CallContext<'_, '_>, args: Approve) -> CallResult {
    call.ensure_administrator()?;
    let number = args.proposal;
    let param = || [("proposal", number.to_string())];
    let Some(mut proposal) = call.get::<Proposal>(PROPOSAL, &number.to_be_bytes())? else {
        return refuse(Code::ProposalUnknown, param());
    };
    ensure(proposal.status == ProposalStatus::Open, Code::ProposalClosed, param)?;
    let parameters = parameters(call)?;
    approver(call.account, &parameters)?;
    let organisation = call.account.organisation.clone();
    let new = proposal.approvals.insert(organisation.clone());
    ensure(new, Code::ApprovalRepeated, || [("organisation", organisation)])?;
    let (approvals, needed) = (proposal.approvals.len(), parameters.threshold());
    call.emit("approved", &ProposalChanged { proposal: number, approvals, needed })?;
    settle(call, number, proposal, &parameters)
}

/// How the chain is governed.
pub fn parameters(call: &mut CallContext<'_, '_>) -> CallResult<Parameters> {
    let found = call.state.get(&key(CHAIN_APP, "governance", PARAMETERS, b""))?;
    Ok(found.ok_or_else(|| StateError("the state has no governance parameters".into()))?)
}

/// Whether the account's approval counts, and why not.
fn approver(account: &Account, parameters: &Parameters) -> Result<(), Refusal> {
    let organisation = &account.organisation;
    let listed = match parameters.governance {
        Governance::Platform => *organisation == parameters.operator,
        Governance::Members => parameters.founders.contains(organisation),
    };
    if !listed {
        return Err(Code::NotApprover.refusal([("organisation", organisation.clone())]));
    }
    match (parameters.governance, account.custody) {
        (Governance::Members, Custody::Platform) => Err(Code::OwnKeyNeeded.refusal([])),
        _ => Ok(()),
    }
}

/// Stores the proposal, carried out if enough organisations approve.
fn settle(call: &mut CallContext<'_, '_>, number: u64, mut proposal: Proposal, parameters: &Parameters) -> CallResult {
    if proposal.approvals.len() >= parameters.threshold() {
        carry_out(call, &proposal.action)?;
        proposal.status = ProposalStatus::CarriedOut;
        proposal.carried_out_ms = Some(call.block.time_ms);
    }
    call.put(PROPOSAL, &number.to_be_bytes(), &proposal)
}

/// Refuses an action that could not be carried out now, so that nobody approves the impossible.
fn check(call: &mut CallContext<'_, '_>, action: &Action) -> CallResult {
    match action {
        Action::AdmitOrganisation(new) => identity::check_organisation(call, &new.id, &new.title),
        Action::ChangeValidators(change) => validators::check(call, change).map(drop),
        Action::UpgradeRules(upgrade) => rules::check(call, upgrade),
    }
}

fn carry_out(call: &mut CallContext<'_, '_>, action: &Action) -> CallResult {
    match action {
        Action::AdmitOrganisation(new) => admit_organisation(call, new),
        Action::ChangeValidators(change) => validators::carry_out(call, change),
        Action::UpgradeRules(upgrade) => rules::carry_out(call, upgrade),
    }
}

fn admit_organisation(call: &mut CallContext<'_, '_>, new: &AdmitOrganisation) -> CallResult {
    let organisation = Organisation { administrator: new.administrator, title: new.title.clone() };
    let account = Account {
        organisation: new.id.clone(),
        administrator: true,
        custody: new.custody,
        status: AccountStatus::Active,
        label: "administrator".to_owned(),
    };
    identity::create_organisation(call, &new.id, &organisation, &account)
}
