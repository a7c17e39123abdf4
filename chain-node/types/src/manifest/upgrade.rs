//! What a newer version of an application may change: it may add, but nothing that existing records rest on may go.

use super::chain_part::{ChainPart, Instance, RecordType};
use super::check::{ManifestError, error};
use super::fields::Field;

impl ChainPart {
    /// Why `self` cannot become `new`.
    pub fn upgrade_faults(&self, new: &Self) -> Vec<ManifestError> {
        let mut faults = Vec::new();
        for role in self.roles.names().filter(|r| !new.roles.contains(r)) {
            faults.push(error(format!("roles.{role}"), "角色不能取消", "a role cannot be dropped"));
        }
        for (name, old) in self.instances.iter() {
            let path = format!("instances.{name}");
            match new.instances.get(name) {
                None => faults.push(error(path, "实例不能取消", "an instance cannot be dropped")),
                Some(new) => instance(old, new, &path, &mut faults),
            }
        }
        faults
    }
}

fn instance(old: &Instance, new: &Instance, path: &str, faults: &mut Vec<ManifestError>) {
    if old.module != new.module {
        return faults.push(error(format!("{path}.module"), "模块不能更换", "the module cannot change"));
    }
    match (&old.record, &new.record) {
        (Some(old), Some(new)) => record(old, new, &format!("{path}.record"), faults),
        (Some(_), None) => {
            faults.push(error(format!("{path}.record"), "记录类型不能取消", "the record type cannot be dropped"))
        }
        (None, _) => {}
    }
    if let (Some(old), Some(new)) = (&old.profile, &new.profile) {
        let path = format!("{path}.profile");
        if old.class != new.class || old.codes.item != new.codes.item || old.codes.lot.max > new.codes.lot.max {
            faults.push(error(format!("{path}.codes"), "品类和编码规则不能更换", "class and codes cannot change"));
        }
        let product = |name: &str| new.product.get(name).map(|f| &f.0);
        for (name, field) in old.product.iter() {
            own_field(&field.0, product(name), &format!("{path}.product.{name}"), faults);
        }
        let added = new.product.iter().filter(|(name, field)| field.0.required && !old.product.contains(name));
        faults.extend(added.map(|(name, _)| required(&format!("{path}.product.{name}"))));
    }
}

fn record(old: &RecordType, new: &RecordType, path: &str, faults: &mut Vec<ManifestError>) {
    if old.key != new.key {
        faults.push(error(format!("{path}.key"), "编号规则不能更换", "the number pattern cannot change"));
    }
    for (name, field) in old.fields.iter() {
        own_field(field, new.fields.get(name), &format!("{path}.fields.{name}"), faults);
    }
    let added = new.fields.iter().filter(|(name, field)| field.required && !old.fields.contains(name));
    faults.extend(added.map(|(name, _)| required(&format!("{path}.fields.{name}"))));
}

fn required(path: &str) -> ManifestError {
    error(path, "新字段不能必填：已有记录没有它", "a new field cannot be required: existing records lack it")
}

fn own_field(old: &Field, new: Option<&Field>, path: &str, faults: &mut Vec<ManifestError>) {
    let Some(new) = new else {
        return faults.push(error(path, "字段不能取消", "a field cannot be dropped"));
    };
    if old.kind != new.kind || old.place != new.place {
        faults.push(error(path, "字段的类型和位置不能更换", "type and place of a field cannot change"));
    }
    if old.values.names().any(|v| !new.values.contains(v)) {
        faults.push(error(format!("{path}.values"), "选项只能增加", "values can only be added"));
    }
}
