//! Accounts belong to organisations, and only their own administrators touch them.

use chain_runtime::queries;
use chain_types::account::{AccountStatus, Custody};
use chain_types::genesis::Governance;
use chain_types::manifest::Code;

use crate::chain::*;

#[test]
fn genesis_binds_every_organisation_and_its_administrator() {
    let chain = Chain::bare(Governance::Platform);
    let ids: Vec<String> = queries::organisations(&chain.state, None, 10).unwrap().into_iter().map(|o| o.id).collect();
    assert_eq!(ids, ["city", "maker", "shop"]);
    for (n, organisation) in [(CITY, "city"), (MAKER, "maker"), (SHOP, "shop")] {
        let account = queries::account(&chain.state, &key(n).public()).unwrap().unwrap();
        assert_eq!((account.organisation.as_str(), account.administrator), (organisation, true));
    }
    assert_eq!(queries::account(&chain.state, &key(200).public()).unwrap(), None, "the steward acts for nobody");
    assert_eq!(queries::steward(&chain.state).unwrap(), Some(key(200).public()));
    assert_eq!(queries::validators(&chain.state).unwrap().len(), 4);
}

#[test]
fn two_organisations_cannot_begin_with_one_key() {
    let mut genesis = genesis(Governance::Platform);
    genesis.organisations[1].administrator = genesis.organisations[0].administrator;
    assert!(chain_runtime::genesis_state(&genesis).is_err());
}

#[test]
fn a_suspended_account_does_nothing_until_it_is_resumed() {
    let mut chain = Chain::new();
    let digests = serde_json::json!({"digests": []});
    let args = || Key { key: key(IDLE).public() };
    chain.ok(SHOP, "chain", "identity", "suspend_account", args());
    chain.refused(IDLE, "chain", "anchor", "digests", &digests, Code::AccountSuspended);
    chain.ok(SHOP, "chain", "identity", "resume_account", args());
    chain.refused(IDLE, "chain", "anchor", "digests", &digests, Code::ListSize);
    let account = queries::account(&chain.state, &key(IDLE).public()).unwrap().unwrap();
    assert_eq!(account.status, AccountStatus::Active);
}

#[test]
fn a_platform_key_makes_nobody_self_held_where_that_counts() {
    let bind = |custody, administrator| Bind { key: key(50).public(), label: "x", custody, administrator };
    let mut chain = Chain::bare(Governance::Members);
    let claim = bind(Custody::Own, true);
    chain.refused(SHOP, "chain", "identity", "bind_account", claim, Code::CustodyClaim);
    chain.ok(MAKER, "chain", "identity", "bind_account", bind(Custody::Own, true));
    let mut chain = Chain::bare(Governance::Platform);
    chain.ok(SHOP, "chain", "identity", "bind_account", bind(Custody::Own, true));
}

/// Every refusal of the module.
pub fn refusals() {
    let mut chain = Chain::new();
    let bind = |n: u8, label| Bind { key: key(n).public(), label, custody: Custody::Own, administrator: true };
    let of = |n: u8| Key { key: key(n).public() };
    let mut refused = |who, method, args: &dyn erased::Args, code| {
        chain.refused(who, "chain", "identity", method, args.value(), code);
    };
    refused(99, "bind_account", &bind(50, "x"), Code::AccountUnbound);
    refused(CLERK, "bind_account", &bind(50, "x"), Code::NotAdministrator);
    refused(CITY, "bind_account", &bind(50, ""), Code::LabelInvalid);
    refused(CITY, "bind_account", &bind(50, "a\nb"), Code::LabelInvalid);
    refused(CITY, "bind_account", &bind(CLERK, "x"), Code::AccountExists);
    refused(CITY, "suspend_account", &of(CITY), Code::SelfSuspension);
    refused(CITY, "suspend_account", &of(50), Code::AccountUnknown);
    refused(CITY, "suspend_account", &of(SHOP_DESK), Code::OtherOrganisation);
    refused(CITY, "resume_account", &of(CLERK), Code::AccountStatus);
    refused(CITY, "bind_account", &of(50), Code::BadArguments);
    refused(CITY, "crown", &of(50), Code::MethodUnknown);
    chain.ok(SHOP, "chain", "identity", "suspend_account", of(IDLE));
    chain.refused(IDLE, "chain", "identity", "resume_account", of(IDLE), Code::AccountSuspended);
    chain.ok(SHOP, "chain", "identity", "resume_account", of(IDLE));
    chain.refused(IDLE, "chain", "crowns", "resume_account", of(IDLE), Code::InstanceUnknown);
    a_platform_key_makes_nobody_self_held_where_that_counts();
    let here = chain.context.fingerprint;
    chain.context.fingerprint.0[0] ^= 1;
    let tx = chain.sign(CITY, "chain", "identity", "suspend_account", of(CLERK));
    chain.context.fingerprint = here;
    chain.refused_tx(&tx, "identity", Code::WrongChain);
}

mod erased {
    //! Arguments of several types in one list.

    use chain_types::Value;
    use chain_types::encoding::to_value;

    pub trait Args {
        fn value(&self) -> Value;
    }

    impl<T: serde::Serialize> Args for T {
        fn value(&self) -> Value {
            to_value(self).unwrap()
        }
    }
}
