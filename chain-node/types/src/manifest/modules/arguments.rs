//! Arguments of a call from JSON, as forms and API callers send them: hexadecimal text becomes byte strings, typed by the
//! call's description and the instance's fields. The runtime reads the result again and trusts nothing of this.

use serde_json::Value as Json;

use super::{ArgKind, ArgSpec, CallSpec};
use crate::account::Custody;
use crate::bytes::{Hash, PublicKey};
use crate::encoding::{Value, to_value};
use crate::genesis::Text;
use crate::manifest::calendar::Date;
use crate::manifest::chain_part::Instance;
use crate::manifest::faults::Fault;
use crate::manifest::fields::Field;
use crate::manifest::value::FieldValue;
use crate::membership::Change;

/// An argument that cannot be read: where, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {}", reason.en)]
pub struct ArgumentFault {
    pub path: String,
    pub reason: Text,
}

fn wrong<T>(path: &str, zh: &str, en: &str) -> Result<T, ArgumentFault> {
    Err(ArgumentFault { path: path.to_owned(), reason: Text { zh: zh.to_owned(), en: en.to_owned() } })
}

/// The arguments of a call. `instance` is that of an application; the chain's own modules have none.
pub fn arguments_from_json(call: &CallSpec, instance: Option<&Instance>, json: &Json) -> Result<Value, ArgumentFault> {
    let Some(object) = json.as_object() else { return wrong("", "应为对象", "expected an object") };
    if let Some(name) = object.keys().find(|name| !call.args.iter().any(|a| a.name == *name)) {
        return wrong(name, "没有这个参数", "there is no such argument");
    }
    let mut pairs = Vec::new();
    for arg in call.args {
        match object.get(arg.name).filter(|v| !v.is_null()) {
            Some(value) => pairs.push((Value::from(arg.name), one(arg, instance, value)?)),
            None if arg.required => return wrong(arg.name, "必填", "is required"),
            None => {}
        }
    }
    Ok(Value::Map(pairs))
}

fn one(arg: &ArgSpec, instance: Option<&Instance>, json: &Json) -> Result<Value, ArgumentFault> {
    let path = arg.name;
    let text = |zh, en| json.as_str().map_or_else(|| wrong(path, zh, en), Ok);
    match arg.kind {
        ArgKind::Text => text("应为文本", "expected text").map(Value::from),
        ArgKind::Integer => match json.as_i64().or_else(|| json.as_str()?.trim().parse().ok()) {
            Some(n) => Ok(Value::from(n)),
            None => wrong(path, "应为整数", "expected a whole number"),
        },
        ArgKind::Boolean => match json.as_bool().or_else(|| json.as_str()?.parse().ok()) {
            Some(b) => Ok(Value::from(b)),
            None => wrong(path, "应为 true 或 false", "expected true or false"),
        },
        ArgKind::Date => match json.as_str().filter(|t| Date::parse(t).is_some()) {
            Some(date) => Ok(Value::from(date)),
            None => wrong(path, "应为日期，如 2026-01-31", "expected a date such as 2026-01-31"),
        },
        ArgKind::Choice(names) => match json.as_str().filter(|t| names.contains(t)) {
            Some(name) => Ok(Value::from(name)),
            None => wrong(
                path,
                &format!("应为 {} 之一", names.join("、")),
                &format!("expected one of {}", names.join(", ")),
            ),
        },
        ArgKind::Key | ArgKind::Digest => bytes(path, json),
        ArgKind::Digests => list(path, json, bytes),
        ArgKind::Bytes => match json.as_str().and_then(|t| hex::decode(t.trim()).ok()) {
            Some(bytes) => Ok(Value::Bytes(bytes)),
            None => wrong(path, "应为十六进制", "expected hexadecimal digits"),
        },
        ArgKind::Texts => list(path, json, |path, v| match v.as_str() {
            Some(text) => Ok(Value::from(text)),
            None => wrong(path, "应为文本", "expected text"),
        }),
        ArgKind::Fields => fields(path, instance, json),
        ArgKind::Action => action(path, json),
        ArgKind::Change => change(path, json),
        ArgKind::Open => open(path, json),
    }
}

fn bytes(path: &str, json: &Json) -> Result<Value, ArgumentFault> {
    match json.as_str().and_then(|t| t.parse::<Hash>().ok()) {
        Some(hash) => Ok(Value::Bytes(hash.0.to_vec())),
        None => wrong(path, "应为 64 位十六进制", "expected 64 hexadecimal digits"),
    }
}

fn list(
    path: &str,
    json: &Json,
    each: impl Fn(&str, &Json) -> Result<Value, ArgumentFault>,
) -> Result<Value, ArgumentFault> {
    let Some(items) = json.as_array() else { return wrong(path, "应为列表", "expected a list") };
    let items = items.iter().enumerate().map(|(at, item)| each(&format!("{path}[{at}]"), item));
    Ok(Value::Array(items.collect::<Result<_, _>>()?))
}

fn fields(path: &str, instance: Option<&Instance>, json: &Json) -> Result<Value, ArgumentFault> {
    let Some(object) = json.as_object() else { return wrong(path, "应为对象", "expected an object") };
    let mut pairs = Vec::new();
    for (name, value) in object.iter().filter(|(_, v)| !v.is_null()) {
        let path = format!("{path}.{name}");
        let Some(field) = instance.and_then(|i| i.own_field(name)) else {
            return wrong(&path, "没有这个字段", "there is no such field");
        };
        let value =
            field_value(field, value).map_err(|fault| ArgumentFault { path: path.clone(), reason: fault.text() })?;
        let Ok(value) = to_value(&value) else { return wrong(&path, "无法编码", "cannot be encoded") };
        pairs.push((Value::from(name.as_str()), value));
    }
    Ok(Value::Map(pairs))
}

/// A field's value from JSON.
fn field_value(field: &Field, json: &Json) -> Result<FieldValue, Fault> {
    let value = match json {
        Json::String(text) => return field.parse(text),
        Json::Bool(b) => FieldValue::Boolean(*b),
        Json::Number(n) => n.as_i64().map_or_else(|| FieldValue::Text(n.to_string()), FieldValue::Integer),
        Json::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(Json::as_str).collect();
            return field.parse(&texts.unwrap_or(vec!["?"]).join("\n"));
        }
        Json::Null | Json::Object(_) => FieldValue::Text(String::new()),
    };
    field.accepts(&value).map(|()| value)
}

fn action(path: &str, json: &Json) -> Result<Value, ArgumentFault> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "snake_case")]
    enum Action {
        AdmitOrganisation(Admit),
        ChangeValidators(Change),
        UpgradeRules(Upgrade),
    }
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Upgrade {
        version: u32,
        from_height: u64,
    }
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Admit {
        id: String,
        title: Text,
        administrator: PublicKey,
        custody: Custody,
    }
    match serde_json::from_value::<Action>(json.clone()) {
        Ok(Action::AdmitOrganisation(admit)) => match to_value(&admit) {
            Ok(admit) => Ok(Value::Map(vec![(Value::from("admit_organisation"), admit)])),
            Err(e) => wrong(path, "无法编码", &e.to_string()),
        },
        Ok(Action::ChangeValidators(change)) => match to_value(&change) {
            Ok(change) => Ok(Value::Map(vec![(Value::from("change_validators"), change)])),
            Err(e) => wrong(path, "无法编码", &e.to_string()),
        },
        Ok(Action::UpgradeRules(upgrade)) => match to_value(&upgrade) {
            Ok(upgrade) => Ok(Value::Map(vec![(Value::from("upgrade_rules"), upgrade)])),
            Err(e) => wrong(path, "无法编码", &e.to_string()),
        },
        Err(e) => wrong(path, "不是治理事项", &e.to_string()),
    }
}

fn change(path: &str, json: &Json) -> Result<Value, ArgumentFault> {
    let change = serde_json::from_value::<Change>(json.clone()).map_err(|e| e.to_string());
    match change.and_then(|change| to_value(&change).map_err(|e| e.to_string())) {
        Ok(change) => Ok(change),
        Err(e) => wrong(path, "不是验证者变更", &e),
    }
}

fn open(path: &str, json: &Json) -> Result<Value, ArgumentFault> {
    match json {
        Json::Null => Ok(Value::Null),
        Json::Bool(b) => Ok(Value::from(*b)),
        Json::Number(n) => match (n.as_u64(), n.as_i64()) {
            (Some(n), _) => Ok(Value::from(n)),
            (_, Some(n)) => Ok(Value::from(n)),
            _ => wrong(path, "不能有小数", "fractions are not allowed; write them as text"),
        },
        Json::String(text) => Ok(Value::from(text.as_str())),
        Json::Array(_) => list(path, json, open),
        Json::Object(object) => {
            let pair = |(name, value): (&String, &Json)| {
                Ok((Value::from(name.as_str()), open(&format!("{path}.{name}"), value)?))
            };
            Ok(Value::Map(object.iter().map(pair).collect::<Result<_, _>>()?))
        }
    }
}
