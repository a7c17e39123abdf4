//! The modules as programs read them: every call with the JSON Schema of its arguments, guards, events, and the words of
//! every refusal. Console forms, OpenAPI and help come from this.

use chain_types::genesis::Text;
use chain_types::manifest::{APP_MODULES, CHAIN_MODULES, COMMON_REFUSALS, CallSpec, ModuleSpec, refusals, text};
use schemars::{Schema, schema_for};
use serde::Serialize;

use super::{anchor, application, clients, governance, identity, trace};

/// A module.
#[derive(Debug, Clone, Serialize)]
pub struct ModuleDescription {
    pub name: &'static str,
    pub version: u32,
    pub title: Text,
    /// Whether it is one of the chain's own, or applications are made of it; `anchor` is both.
    pub chain: bool,
    pub application: bool,
    pub calls: Vec<CallDescription>,
    pub guards: &'static [&'static str],
    pub events: &'static [&'static str],
    pub refusals: Vec<RefusalDescription>,
}

/// A call of a module.
#[derive(Debug, Clone, Serialize)]
pub struct CallDescription {
    pub name: &'static str,
    pub title: Text,
    /// JSON Schema of its arguments.
    pub arguments: Schema,
}

/// A reason for which a call changes nothing.
#[derive(Debug, Clone, Serialize)]
pub struct RefusalDescription {
    pub code: &'static str,
    #[serde(flatten)]
    pub sentence: Text,
    pub params: Vec<&'static str>,
}

/// Every module of this version, each once.
pub fn describe() -> Vec<ModuleDescription> {
    let own = CHAIN_MODULES.iter();
    let more = APP_MODULES.iter().filter(|m| !CHAIN_MODULES.iter().any(|own| own.name == m.name));
    own.chain(more).map(module).collect()
}

fn module(spec: &ModuleSpec) -> ModuleDescription {
    let words = refusals();
    let codes = COMMON_REFUSALS.iter().chain(spec.refusals);
    let refusal = |code: &chain_types::manifest::Code| RefusalDescription {
        code: code.as_str(),
        sentence: words.get(code.as_str()).cloned().unwrap_or_default(),
        params: code.params(),
    };
    ModuleDescription {
        name: spec.name,
        version: spec.version,
        title: text(spec.title),
        chain: CHAIN_MODULES.iter().any(|m| m.name == spec.name),
        application: APP_MODULES.iter().any(|m| m.name == spec.name),
        calls: spec.calls.iter().filter_map(|call| describe_call(spec.name, call)).collect(),
        guards: spec.guards,
        events: spec.events,
        refusals: codes.map(refusal).collect(),
    }
}

fn describe_call(module: &str, call: &CallSpec) -> Option<CallDescription> {
    let arguments = arguments(module, call.name)?;
    Some(CallDescription { name: call.name, title: text(call.title), arguments })
}

/// The JSON Schema of a call's arguments.
fn arguments(module: &str, method: &str) -> Option<Schema> {
    Some(match (module, method) {
        ("identity", "bind_account") => schema_for!(identity::calls::BindAccount),
        ("identity", "suspend_account") => schema_for!(identity::calls::SuspendAccount),
        ("identity", "resume_account") => schema_for!(identity::calls::ResumeAccount),
        ("governance", "propose") => schema_for!(governance::calls::Propose),
        ("governance", "approve") => schema_for!(governance::calls::Approve),
        ("governance", "change_validators") => schema_for!(governance::calls::ChangeValidators),
        ("application", "install") => schema_for!(application::calls::Install),
        ("application", "upgrade") => schema_for!(application::calls::Upgrade),
        ("application", "suspend" | "resume" | "uninstall") => schema_for!(application::calls::App),
        ("application", "admit") => schema_for!(application::calls::Admit),
        ("application", "assign") => schema_for!(application::calls::Assign),
        ("application", "unassign") => schema_for!(application::calls::Unassign),
        ("anchor", "anchor") => schema_for!(anchor::calls::Anchor),
        ("anchor", "append") => schema_for!(anchor::calls::Append),
        ("anchor", "withdraw") => schema_for!(anchor::calls::Withdraw),
        ("anchor", "register") => schema_for!(anchor::calls::Register),
        ("anchor", "digests") => schema_for!(anchor::calls::Digests),
        ("clients", "create") => schema_for!(clients::calls::Create),
        ("clients", "update" | "renew") => schema_for!(clients::calls::Update),
        ("clients", "misbehaviour") => schema_for!(clients::calls::Misbehaviour),
        ("trace", "register_product") => schema_for!(trace::calls::RegisterProduct),
        ("trace", "open_lot") => schema_for!(trace::calls::OpenLot),
        ("trace", "commission") => schema_for!(trace::calls::Commission),
        ("trace", "ship") => schema_for!(trace::calls::Ship),
        ("trace", "receive") => schema_for!(trace::calls::Receive),
        ("trace", "sell") => schema_for!(trace::calls::Sell),
        ("trace", "destroy") => schema_for!(trace::calls::Destroy),
        ("trace", "open_recall") => schema_for!(trace::calls::OpenRecall),
        ("trace", "close_recall") => schema_for!(trace::calls::CloseRecall),
        ("trace", "record_scans") => schema_for!(trace::calls::RecordScans),
        _ => return None,
    })
}
