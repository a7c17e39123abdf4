//! The chain part, as a template has it and as `application.install` receives it.

use super::{Faults, ManifestError, records, rules};
use crate::manifest::chain_part::{ChainPart, Instance, Module};
use crate::manifest::modules::{ModuleSpec, module_spec};
use crate::manifest::references::is_label;

const MAX_ROLES: usize = 20;
const MAX_INSTANCES: usize = 20;

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
    pub fn own_field(&self, name: &str) -> Option<&crate::manifest::fields::Field> {
        match (&self.record, &self.profile) {
            (Some(record), _) => record.fields.get(name),
            (_, Some(profile)) => profile.product.get(name).map(|f| &f.0),
            _ => None,
        }
    }
}

pub fn check(chain: &ChainPart, prefix: &str, faults: &mut Faults) {
    let names = |faults: &mut Faults, path: String, names: &mut dyn Iterator<Item = &str>| {
        for name in names {
            let path = format!("{path}.{name}");
            faults.require(is_label(name), path, "名称须为小写字母、数字和下划线", "a name has lower-case letters, digits and underscores");
        }
    };
    faults.require((1..=MAX_ROLES).contains(&chain.roles.len()), format!("{prefix}roles"), "应有 1 到 20 个角色", "there must be 1 to 20 roles");
    names(faults, format!("{prefix}roles"), &mut chain.roles.names());
    for (name, role) in chain.roles.iter() {
        faults.title(&format!("{prefix}roles.{name}.title"), &role.title, 40);
    }
    let count = chain.instances.len();
    faults.require((1..=MAX_INSTANCES).contains(&count), format!("{prefix}instances"), "应有 1 到 20 个实例", "there must be 1 to 20 instances");
    names(faults, format!("{prefix}instances"), &mut chain.instances.names());
    for (name, one) in chain.instances.iter() {
        instance(one, &format!("{prefix}instances.{name}."), faults);
    }
    allow(chain, prefix, faults);
    rules::check(chain, prefix, faults);
}

fn instance(instance: &Instance, path: &str, faults: &mut Faults) {
    let Some(spec) = module_spec(instance.module) else {
        let name = instance.module.name();
        return faults.add(format!("{path}module"), format!("本版本没有模块 {name}"), format!("this version has no module {name}"));
    };
    for (at, guard) in instance.guards.iter().enumerate() {
        let path = format!("{path}guards[{at}]");
        let known = spec.guards.contains(&guard.name());
        let (zh, en) = (format!("模块 {} 没有约束 {}", spec.name, guard.name()), format!("module {} has no guard {}", spec.name, guard.name()));
        faults.require(known, &path, &zh, &en);
        let once = instance.guards.iter().filter(|g| g.name() == guard.name()).count() == 1;
        faults.require(once, &path, "约束重复", "the guard stands twice");
    }
    match instance.module {
        Module::Anchor => {
            faults.require(instance.profile.is_none(), format!("{path}profile"), "profile 属于 trace 模块", "a profile belongs to module trace");
            let any = instance.record.is_some() || instance.batch;
            faults.require(any, format!("{path}record"), "须有 record，或 batch: true", "needs a record type, or batch: true");
            if let (Some(record), Some(kind)) = (&instance.record, spec.kind("")) {
                records::record(record, kind, &format!("{path}record."), faults);
            }
        }
        Module::Trace => {
            faults.require(instance.record.is_none(), format!("{path}record"), "record 属于 anchor 模块", "a record type belongs to module anchor");
            faults.require(!instance.batch, format!("{path}batch"), "batch 属于 anchor 模块", "batch belongs to module anchor");
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
                None => faults.add(path, format!("没有实例 {}", call.instance), format!("there is no instance {}", call.instance)),
                Some(Some(spec)) if spec.call(&call.method).is_none() => {
                    let (zh, en) = (format!("模块 {} 没有操作 {}", spec.name, call.method), format!("module {} has no call {}", spec.name, call.method));
                    faults.add(path, zh, en);
                }
                Some(_) => {}
            }
        }
    }
}
