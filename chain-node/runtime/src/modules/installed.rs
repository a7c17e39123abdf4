//! Installed applications as execution uses them: parsed once a block, and asked for every call who may make it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chain_types::manifest::{ChainPart, Code, Instance, Module, module_spec};

use super::anchor::AnchorConfig;
use super::application::state::{
    AppRecord, AppStatus, Roles, VersionRecord, admission_key, application_key, assignment_key, version_key,
};
use super::trace::TraceConfig;
use crate::call::{CallContext, CallResult, ensure, refuse};
use crate::overlay::Overlay;
use crate::state::StateError;

/// An instance's configuration, parsed.
pub enum InstanceConfig {
    Anchor(Box<AnchorConfig>),
    Trace(TraceConfig),
}

struct Installed {
    status: AppStatus,
    instances: BTreeMap<String, (Module, Arc<InstanceConfig>)>,
    /// Roles that may make a call: instance, method.
    allow: BTreeMap<(String, String), BTreeSet<String>>,
}

/// The applications that a block's calls have asked for so far.
#[derive(Default)]
pub struct Applications {
    parsed: BTreeMap<String, Option<Arc<Installed>>>,
}

impl Applications {
    /// The application was changed by a call that applied.
    pub fn forget(&mut self, app: &str) {
        self.parsed.remove(app);
    }

    /// The configuration of the called instance, if the caller may make the call.
    pub fn authorise(&mut self, call: &mut CallContext<'_, '_>) -> CallResult<Arc<InstanceConfig>> {
        let app = || [("app", call.app.to_owned())];
        let installed = match self.load(call.state, call.app)? {
            None => return refuse(Code::AppUnknown, app()),
            Some(installed) => installed,
        };
        ensure(installed.status != AppStatus::Uninstalled, Code::AppUninstalled, app)?;
        ensure(installed.status != AppStatus::Suspended, Code::AppSuspended, app)?;
        let Some((module, config)) = installed.instances.get(call.instance) else {
            let params = [("app", call.app.to_owned()), ("instance", call.instance.to_owned())];
            return refuse(Code::InstanceUnknown, params);
        };
        let known = module_spec(*module).is_some_and(|spec| spec.call(call.method).is_some());
        ensure(known, Code::MethodUnknown, || {
            [("instance", call.instance.to_owned()), ("method", call.method.to_owned())]
        })?;
        let method = (call.instance.to_owned(), call.method.to_owned());
        let held = match installed.allow.get(&method) {
            Some(allowed) => holds_one_of(call, allowed)?,
            None => false,
        };
        ensure(held, Code::RoleMissing, || [("call", format!("{}.{}", call.instance, call.method))])?;
        Ok(config.clone())
    }

    fn load(&mut self, state: &mut Overlay<'_>, app: &str) -> Result<Option<Arc<Installed>>, StateError> {
        if let Some(installed) = self.parsed.get(app) {
            return Ok(installed.clone());
        }
        let installed = match state.get::<AppRecord>(&application_key(app))? {
            None => None,
            Some(record) => {
                let version: Option<VersionRecord> = state.get(&version_key(app, record.revision))?;
                let version =
                    version.ok_or_else(|| StateError(format!("application `{app}` has no version record")))?;
                Some(Arc::new(Installed::parse(record.status, &version.manifest)?))
            }
        };
        self.parsed.insert(app.to_owned(), installed.clone());
        Ok(installed)
    }
}

/// Whether the account was assigned one of the roles and its organisation is still admitted to it.
fn holds_one_of(call: &mut CallContext<'_, '_>, allowed: &BTreeSet<String>) -> CallResult<bool> {
    let assigned: Roles = call.state.get(&assignment_key(call.app, &call.kid))?.unwrap_or_default();
    if assigned.is_disjoint(allowed) {
        return Ok(false);
    }
    let admitted: Roles = call.state.get(&admission_key(call.app, &call.account.organisation))?.unwrap_or_default();
    Ok(assigned.iter().any(|role| allowed.contains(role) && admitted.contains(role)))
}

impl Installed {
    fn parse(status: AppStatus, manifest: &ChainPart) -> Result<Self, StateError> {
        let mut instances = BTreeMap::new();
        for (name, instance) in manifest.instances.iter() {
            let config =
                configuration(instance).ok_or_else(|| StateError(format!("instance `{name}` cannot be read")))?;
            instances.insert(name.to_owned(), (instance.module, Arc::new(config)));
        }
        let mut allow: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        for (role, calls) in manifest.allow.iter() {
            for call in calls {
                let method = (call.instance.clone(), call.method.clone());
                allow.entry(method).or_default().insert(role.to_owned());
            }
        }
        Ok(Self { status, instances, allow })
    }
}

/// `None` only for what `install` would have refused.
fn configuration(instance: &Instance) -> Option<InstanceConfig> {
    match instance.module {
        Module::Anchor => AnchorConfig::of(instance).map(|config| InstanceConfig::Anchor(Box::new(config))),
        Module::Trace => TraceConfig::of(instance).map(InstanceConfig::Trace),
        _ => None,
    }
}
