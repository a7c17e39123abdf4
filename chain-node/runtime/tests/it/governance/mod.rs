//! Who changes the chain itself.

use chain_runtime::modules::governance::state::ProposalStatus;
use chain_runtime::queries;
use chain_types::PublicKey;
use chain_types::account::Custody;
use chain_types::genesis::{Governance, Text};
use chain_types::manifest::Code;
use serde::Serialize;
use serde_json::json;

use crate::chain::*;

mod rules;
mod validators;

#[derive(Serialize, Clone)]
struct Propose {
    action: Action,
}

#[derive(Serialize, Clone)]
#[serde(rename_all = "snake_case")]
enum Action {
    AdmitOrganisation(Admit),
}

#[derive(Serialize, Clone)]
struct Admit {
    id: String,
    title: Text,
    administrator: PublicKey,
    custody: Custody,
}

fn admit(id: &str, administrator: u8) -> Propose {
    let title = Text { zh: "法院".to_owned(), en: "Court".to_owned() };
    let administrator = key(administrator).public();
    Propose {
        action: Action::AdmitOrganisation(Admit { id: id.to_owned(), title, administrator, custody: Custody::Own }),
    }
}

fn admitted(chain: &Chain, id: &str) -> bool {
    queries::organisation(&chain.state, id).unwrap().is_some()
}

#[test]
fn under_platform_the_operator_alone_decides() {
    let mut chain = Chain::bare(Governance::Platform);
    let events = chain.ok(CITY, "chain", "governance", "propose", admit("court", 40));
    assert!(admitted(&chain, "court"), "{events:?}");
    chain.ok(
        40,
        "chain",
        "identity",
        "bind_account",
        Bind { key: key(41).public(), label: "window-1", custody: Custody::Own, administrator: false },
    );
    let events = chain.ok(MAKER, "chain", "governance", "propose", admit("tax", 42));
    assert!(!admitted(&chain, "tax"), "another organisation's proposal waits");
    let proposal: u64 = field(&events, "proposed", "proposal").parse().unwrap();
    chain.refused(MAKER, "chain", "governance", "approve", json!({"proposal": proposal}), Code::NotApprover);
    chain.ok(CITY, "chain", "governance", "approve", json!({"proposal": proposal}));
    assert!(admitted(&chain, "tax"));
    assert_eq!(queries::proposal(&chain.state, proposal).unwrap().unwrap().proposal.status, ProposalStatus::CarriedOut);
}

#[test]
fn under_self_more_than_half_of_the_founders_decide_with_their_own_keys() {
    let mut chain = Chain::bare(Governance::Members);
    let events = chain.ok(CITY, "chain", "governance", "propose", admit("court", 40));
    let proposal = json!({"proposal": field(&events, "proposed", "proposal").parse::<u64>().unwrap()});
    assert!(!admitted(&chain, "court"), "one of three is not more than half");
    chain.refused(SHOP, "chain", "governance", "approve", &proposal, Code::OwnKeyNeeded);
    chain.refused(CITY, "chain", "governance", "approve", &proposal, Code::ApprovalRepeated);
    chain.ok(MAKER, "chain", "governance", "approve", &proposal);
    assert!(admitted(&chain, "court"));
    chain.refused(MAKER, "chain", "governance", "approve", &proposal, Code::ProposalClosed);
    // Who joined later does not approve: founders decide.
    let events = chain.ok(MAKER, "chain", "governance", "propose", admit("tax", 42));
    let proposal = json!({"proposal": field(&events, "proposed", "proposal").parse::<u64>().unwrap()});
    chain.refused(40, "chain", "governance", "approve", &proposal, Code::NotApprover);
}

#[test]
fn what_became_impossible_is_refused_and_stays_open() {
    let mut chain = Chain::bare(Governance::Platform);
    let events = chain.ok(MAKER, "chain", "governance", "propose", admit("court", 40));
    let proposal = json!({"proposal": field(&events, "proposed", "proposal").parse::<u64>().unwrap()});
    chain.ok(CITY, "chain", "governance", "propose", admit("court", 43));
    chain.refused(CITY, "chain", "governance", "approve", &proposal, Code::OrganisationExists);
    let open = queries::proposals(&chain.state, None, 10).unwrap();
    assert_eq!(open[0].proposal.status, ProposalStatus::Open);
    assert!(open[0].proposal.approvals.is_empty());
}

/// Every refusal of the module.
pub fn refusals() {
    let mut chain = Chain::new();
    let mut bad_title = admit("court", 40);
    let Action::AdmitOrganisation(inner) = &mut bad_title.action;
    inner.title.en.clear();
    chain.refused(CLERK, "chain", "governance", "propose", admit("court", 40), Code::NotAdministrator);
    chain.refused(CITY, "chain", "governance", "propose", admit("Court", 40), Code::NameInvalid);
    chain.refused(CITY, "chain", "governance", "propose", bad_title, Code::TitleInvalid);
    chain.refused(CITY, "chain", "governance", "propose", admit("shop", 40), Code::OrganisationExists);
    chain.refused(CITY, "chain", "governance", "propose", admit("court", CLERK), Code::AccountExists);
    chain.refused(CITY, "chain", "governance", "approve", json!({"proposal": 99}), Code::ProposalUnknown);
    chain.refused(CITY, "chain", "governance", "propose", json!({"action": {"abdicate": {}}}), Code::BadArguments);
    chain.refused(CITY, "chain", "governance", "veto", json!({}), Code::MethodUnknown);
    under_platform_the_operator_alone_decides();
    under_self_more_than_half_of_the_founders_decide_with_their_own_keys();
    validators::refusals();
    rules::refusals();
}
