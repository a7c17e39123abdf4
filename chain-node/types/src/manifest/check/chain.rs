//! The chain part, as a template has it and as `application.install` receives it.

use super::{Faults, ManifestError, records, rules};
use crate::manifest::chain_part::{ChainPart, Instance, Module};
use crate::manifest::fields::Field;
use crate::manifest::modules::{ModuleSpec, module_spec};
use crate::manifest::references::is_label;

const MAX_ROLES: usize = 20;
const MAX_INSTANCES: usize = 20;
const MAX_RULES: usize = 50;
const MAX_CALLS: usize = 200;
const MAX_GUARDS: usize = 20;
const MAX_FIELDS: usize = 50;
/// Values of an enum.
const MAX_VALUES: usize = 200;

impl ChainPart {
    /// Whether the runtime can carry it out. Paths begin at the chain part.
    pub fn check(&self) -> Result<(), Vec<ManifestError>> {
        let mut faults = Faults::default();
        check(self, "", &mut faults);
        faults.result()
    }

    /// The description of an instance's module.
    pub fn spec_of(&self, instance: &str) -> Option<&'static ModuleSpec> {
        self.instances.get(instance).and_then(|i| module_spec(i.module))
    }
}

impl Instance {
    /// A field that the manifest itself defines for this instance.
    pub fn own_field(&self, name: &str) -> Option<&Field> {
        match (&self.record, &self.profile) {
            (Some(record), _) => record.fields.get(name),
            (_, Some(profile)) => profile.product.get(name).map(|f| &f.0),
            _ => None,
        }
    }
}

pub fn check(chain: &ChainPart, prefix: &str, faults: &mut Faults) {
    let before = faults.0.len();
    sizes(chain, prefix, faults);
    if faults.0.len() > before {
        // The searches below are quadratic in what they search: nothing oversized may reach them.
        return;
    }
    names(chain.roles.names(), &format!("{prefix}roles"), faults);
    for (name, role) in chain.roles.iter() {
        faults.title(&format!("{prefix}roles.{name}.title"), &role.title, 40);
    }
    names(chain.instances.names(), &format!("{prefix}instances"), faults);
    for (name, one) in chain.instances.iter() {
        instance(one, &format!("{prefix}instances.{name}."), faults);
    }
    allow(chain, prefix, faults);
    rules::check(chain, prefix, faults);
}

fn names<'n>(names: impl Iterator<Item = &'n str>, path: &str, faults: &mut Faults) {
    for name in names {
        let (zh, en) = ("名称须为小写字母、数字和下划线", "a name has lower-case letters, digits and underscores");
        faults.require(is_label(name), format!("{path}.{name}"), zh, en);
    }
}

/// Every list and map of the chain part, with the most that it may hold.
fn sizes(chain: &ChainPart, prefix: &str, faults: &mut Faults) {
    let mut within = |path: String, len: usize, min: usize, max: usize| {
        if !(min..=max).contains(&len) {
            let en = format!("must have {min} to {max} entries");
            faults.add(format!("{prefix}{path}"), format!("应有 {min} 到 {max} 项"), en);
        }
    };
    within("roles".into(), chain.roles.len(), 1, MAX_ROLES);
    within("instances".into(), chain.instances.len(), 1, MAX_INSTANCES);
    within("rules".into(), chain.rules.len(), 0, MAX_RULES);
    within("allow".into(), chain.allow.len(), 0, MAX_ROLES);
    for (role, calls) in chain.allow.iter().take(MAX_ROLES) {
        within(format!("allow.{role}"), calls.len(), 0, MAX_CALLS);
    }
    for (name, instance) in chain.instances.iter().take(MAX_INSTANCES) {
        let path = format!("instances.{name}");
        within(format!("{path}.guards"), instance.guards.len(), 0, MAX_GUARDS);
        let fields = match (&instance.record, &instance.profile) {
            (Some(record), _) => record.fields.iter().collect::<Vec<_>>(),
            (_, Some(profile)) => profile.product.iter().map(|(name, field)| (name, &field.0)).collect(),
            _ => continue,
        };
        within(format!("{path}.fields"), fields.len(), 1, MAX_FIELDS);
        for (field, definition) in fields.into_iter().take(MAX_FIELDS) {
            within(format!("{path}.fields.{field}.values"), definition.values.len(), 0, MAX_VALUES);
        }
        let lists = instance.profile.as_ref().map_or(0, |p| p.lot_required.len().max(p.on_ship.len()));
        within(format!("{path}.profile"), lists, 0, MAX_GUARDS);
    }
}

fn instance(instance: &Instance, path: &str, faults: &mut Faults) {
    let Some(spec) = module_spec(instance.module) else {
        let name = instance.module.name();
        return faults.add(
            format!("{path}module"),
            format!("本版本没有模块 {name}"),
            format!("this version has no module {name}"),
        );
    };
    for (at, guard) in instance.guards.iter().enumerate() {
        let path = format!("{path}guards[{at}]");
        let known = spec.guards.contains(&guard.name());
        let (zh, en) = (
            format!("模块 {} 没有约束 {}", spec.name, guard.name()),
            format!("module {} has no guard {}", spec.name, guard.name()),
        );
        faults.require(known, &path, &zh, &en);
        let once = instance.guards.iter().filter(|g| g.name() == guard.name()).count() == 1;
        faults.require(once, &path, "约束重复", "the guard stands twice");
    }
    match instance.module {
        Module::Anchor => {
            faults.require(
                instance.profile.is_none(),
                format!("{path}profile"),
                "profile 属于 trace 模块",
                "a profile belongs to module trace",
            );
            let any = instance.record.is_some() || instance.batch;
            faults.require(
                any,
                format!("{path}record"),
                "须有 record，或 batch: true",
                "needs a record type, or batch: true",
            );
            if let (Some(record), Some(kind)) = (&instance.record, spec.kind("")) {
                records::record(record, kind, &format!("{path}record."), faults);
            }
        }
        Module::Trace => {
            faults.require(
                instance.record.is_none(),
                format!("{path}record"),
                "record 属于 anchor 模块",
                "a record type belongs to module anchor",
            );
            faults.require(
                !instance.batch,
                format!("{path}batch"),
                "batch 属于 anchor 模块",
                "batch belongs to module anchor",
            );
            match (&instance.profile, spec.kind("product")) {
                (Some(profile), Some(kind)) => records::profile(profile, kind, &format!("{path}profile."), faults),
                _ => faults.add(format!("{path}profile"), "须有 profile", "needs a profile"),
            }
        }
        _ => {}
    }
}

fn allow(chain: &ChainPart, prefix: &str, faults: &mut Faults) {
    for (role, calls) in chain.allow.iter() {
        let path = format!("{prefix}allow.{role}");
        let (zh, en) = ("没有人能担任这个角色：roles 中没有它", "nobody can hold this role: it is not among the roles");
        faults.require(chain.roles.contains(role), &path, zh, en);
        for (at, call) in calls.iter().enumerate() {
            let path = format!("{path}[{at}]");
            match chain.instances.get(&call.instance).map(|i| module_spec(i.module)) {
                None => faults.add(
                    path,
                    format!("没有实例 {}", call.instance),
                    format!("there is no instance {}", call.instance),
                ),
                Some(Some(spec)) if spec.call(&call.method).is_none() => {
                    let (zh, en) = (
                        format!("模块 {} 没有操作 {}", spec.name, call.method),
                        format!("module {} has no call {}", spec.name, call.method),
                    );
                    faults.add(path, zh, en);
                }
                Some(_) => {}
            }
        }
    }
}
