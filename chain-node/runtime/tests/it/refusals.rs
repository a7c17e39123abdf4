//! Every refusal that a module names can be provoked, and no module refuses with another.

use std::collections::BTreeSet;

use chain_types::manifest::{APP_MODULES, CHAIN_MODULES, COMMON_REFUSALS, Code, ModuleSpec};

use crate::chain::seen;
use crate::{anchor, application, clients, governance, identity, trace};

fn specs() -> impl Iterator<Item = &'static ModuleSpec> {
    CHAIN_MODULES.iter().chain(APP_MODULES.iter().filter(|m| !CHAIN_MODULES.iter().any(|own| own.name == m.name)))
}

#[test]
fn every_refusal_is_provoked_and_every_event_happens() {
    drop(seen());
    identity::refusals();
    governance::refusals();
    application::refusals();
    anchor::refusals();
    clients::refusals();
    trace::refusals();
    let seen = seen();
    for spec in specs() {
        let provoked: BTreeSet<Code> = seen.refusals.iter().filter(|(m, _)| *m == spec.name).map(|(_, c)| *c).collect();
        let own: BTreeSet<Code> = provoked.iter().copied().filter(|c| !COMMON_REFUSALS.contains(c)).collect();
        let named: BTreeSet<Code> = spec.refusals.iter().copied().collect();
        assert_eq!(own, named, "{}", spec.name);
        let happened: BTreeSet<&str> =
            seen.events.iter().filter(|(m, _)| *m == spec.name).map(|(_, e)| e.as_str()).collect();
        let named: BTreeSet<&str> = spec.events.iter().copied().collect();
        assert_eq!(happened, named, "{}", spec.name);
    }
    let all: BTreeSet<Code> = seen.refusals.iter().map(|(_, code)| *code).collect();
    assert_eq!(all, Code::ALL.iter().copied().collect(), "a code that nothing provokes");
}
