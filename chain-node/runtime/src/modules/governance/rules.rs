//! Other execution rules from an agreed height on. Decided by proposal only: whoever approves vouches that the nodes will
//! know them by then. One that does not stops before that height and says which version to install.

use chain_types::manifest::Code;
use chain_types::state::{CHAIN_APP, key};
use serde::Serialize;

use super::calls::UpgradeRules;
use super::state::{RULES, Rules};
use crate::call::{CallContext, CallResult, ensure};

/// Blocks between an approved upgrade and its first block, at least: time for whoever follows to see it coming.
const NOTICE: u64 = 3;

#[derive(Serialize)]
struct RulesUpgraded {
    version: u32,
    from_height: u64,
}

/// The rules follow each other one by one, announced ahead.
pub fn check(call: &mut CallContext<'_, '_>, upgrade: &UpgradeRules) -> CallResult {
    let (height, now) = (call.block.height, call.block.version);
    let pending: Option<Rules> = call.state.get(&key(CHAIN_APP, "governance", RULES, b""))?;
    if let Some(pending) = pending.filter(|rules| rules.from_height > height) {
        let params = || [("version", pending.version.to_string()), ("height", pending.from_height.to_string())];
        ensure(false, Code::RulesPending, params)?;
    }
    let next = now.saturating_add(1);
    ensure(upgrade.version == next, Code::RulesNotNext, || [("version", next.to_string())])?;
    let earliest = height.saturating_add(NOTICE);
    ensure(upgrade.from_height >= earliest, Code::RulesTooSoon, || [("height", earliest.to_string())])
}

pub fn carry_out(call: &mut CallContext<'_, '_>, upgrade: &UpgradeRules) -> CallResult {
    check(call, upgrade)?;
    let UpgradeRules { version, from_height } = *upgrade;
    call.state.put(key(CHAIN_APP, "governance", RULES, b""), &Rules { version, from_height })?;
    call.emit("rules_upgraded", &RulesUpgraded { version, from_height })
}
