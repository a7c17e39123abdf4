//! Record types and trace profiles.

use super::Faults;
use crate::manifest::chain_part::{RecordType, TraceProfile};
use crate::manifest::fields::{Field, FieldType, MAX_FILES, MAX_LONG_TEXT, Mask, Place};
use crate::manifest::modules::KindSpec;
use crate::manifest::number::NumberPattern;
use crate::manifest::ordered::Ordered;
use crate::manifest::references::is_label;

/// Names that records of every module keep for themselves.
pub const RESERVED_FIELDS: &[&str] = &["files", "fields", "tx", "by", "height"];

/// A record type of `anchor`.
pub fn record(record: &RecordType, kind: &KindSpec, path: &str, faults: &mut Faults) {
    match record.number() {
        None => faults.add(format!("{path}key"), "须有且只有一个编号", "there must be exactly one number"),
        Some((name, pattern)) => {
            let path = format!("{path}key.{name}");
            own_name(name, kind, &path, faults);
            faults.require(!record.fields.contains(name), &path, "与字段同名", "a field has the same name");
            if let Err((zh, en)) = NumberPattern::parse(pattern) {
                faults.add(path, zh, en);
            }
        }
    }
    let files = record.fields.iter().filter(|(_, f)| f.kind == FieldType::Digests).count();
    faults.require(
        files <= 1,
        format!("{path}fields"),
        "至多一个 digests 字段",
        "there is at most one field of type digests",
    );
    fields(record.fields.iter(), kind, &format!("{path}fields"), faults);
}

/// A profile of `trace`.
pub fn profile(profile: &TraceProfile, kind: &KindSpec, path: &str, faults: &mut Faults) {
    let lot = profile.codes.lot.max;
    faults.require(
        (1..=64).contains(&lot),
        format!("{path}codes.lot.max"),
        "应在 1 到 64 之间",
        "must lie between 1 and 64",
    );
    let product: Ordered<Field> = profile.product.iter().map(|(n, f)| (n.to_owned(), f.0.clone())).collect();
    fields(product.iter(), kind, &format!("{path}product"), faults);
    for (name, field) in product.iter() {
        let fits = field.place == Place::Chain && field.kind != FieldType::Digests;
        let (zh, en) =
            ("产品信息是公开的，不能是 digests", "what is said of a product is public and has no list of files");
        faults.require(fits, format!("{path}product.{name}"), zh, en);
    }
}

fn fields<'f>(fields: impl Iterator<Item = (&'f str, &'f Field)>, kind: &KindSpec, path: &str, faults: &mut Faults) {
    for (name, field) in fields {
        let path = format!("{path}.{name}");
        // The field of files may be called so: nothing else of a record is.
        if !(name == "files" && field.kind == FieldType::Digests) {
            own_name(name, kind, &path, faults);
        }
        one(field, &path, faults);
    }
}

fn own_name(name: &str, kind: &KindSpec, path: &str, faults: &mut Faults) {
    faults.require(
        is_label(name),
        path,
        "名称须为小写字母、数字和下划线",
        "a name has lower-case letters, digits and underscores",
    );
    let taken = kind.field(name).is_some() || RESERVED_FIELDS.contains(&name);
    faults.require(!taken, path, "该名称由模块保留", "the module keeps this name for itself");
}

fn one(field: &Field, path: &str, faults: &mut Faults) {
    if let Some(title) = &field.title {
        faults.title(&format!("{path}.title"), title, 40);
    }
    let personal = matches!(field.kind, FieldType::Person) || matches!(field.mask, Mask::IdNumber | Mask::Phone);
    let (zh, en) = (
        "个人信息不上链：请用 commitment 或 private",
        "personal content never goes on chain: use commitment or private",
    );
    faults.require(!personal || field.place != Place::Chain, format!("{path}.place"), zh, en);
    let files = field.kind == FieldType::Digests;
    faults.require(
        !files || field.place == Place::Chain,
        format!("{path}.place"),
        "digests 须在链上",
        "digests stand on chain",
    );
    let is_enum = field.kind == FieldType::Enum;
    faults.require(
        is_enum != field.values.is_empty(),
        format!("{path}.values"),
        "选项用于且只用于 enum 字段",
        "values belong to enum fields, and those need them",
    );
    let named = field.values.names().all(is_label);
    faults.require(
        named,
        format!("{path}.values"),
        "选项须为小写字母、数字和下划线",
        "a value has lower-case letters, digits and underscores",
    );
    let code = field.kind == FieldType::Code;
    faults.require(
        field.check.is_none() || code,
        format!("{path}.check"),
        "校验只用于 code 字段",
        "a check belongs to fields of type code",
    );
    bounds(field, path, faults);
}

fn bounds(field: &Field, path: &str, faults: &mut Faults) {
    let most = match field.kind {
        FieldType::Text | FieldType::Place | FieldType::Code | FieldType::Person => MAX_LONG_TEXT,
        FieldType::Digests => MAX_FILES,
        FieldType::Integer | FieldType::Money | FieldType::Quantity => i64::MAX,
        _ => {
            let none = field.min.is_none() && field.max.is_none();
            faults.require(none, format!("{path}.max"), "这种类型没有上下限", "this type has no bounds");
            return;
        }
    };
    let sane = field.max.is_none_or(|max| max <= most && field.min.is_none_or(|min| min <= max));
    if !sane {
        let zh = format!("上限至多 {most}，且不小于下限");
        faults.add(format!("{path}.max"), zh, format!("must be {most} at most, and not below min"));
    }
}
