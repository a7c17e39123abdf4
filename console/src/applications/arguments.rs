//! From what a person typed, or a template's step says, to the arguments of a call: fields go where the manifest places them. Of a
//! commitment the chain gets a salted digest, of a private field nothing; both are kept. Decides no permission and touches no database.

use crate::names::random_bytes;
use chain_types::Value;
use chain_types::genesis::Text;
use chain_types::manifest::{
    ArgKind, ArgSpec, ArgumentFault, CallSpec, Check, Fault, FaultKind, Field, FieldType, Instance, LotField, Module,
    Place, arguments_from_json, commitment, text,
};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

/// A value that stays off chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    pub field: String,
    /// Of a commitment.
    pub salt: Option<[u8; 32]>,
    pub value: String,
}

/// A call's arguments, and what stays off chain.
#[derive(Debug)]
pub struct Assembled {
    pub args: Value,
    pub kept: Vec<Kept>,
}

/// An input of a form.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    pub name: String,
    pub label: Text,
    pub hint: Option<Text>,
    /// text | area | number | date | datetime | select | check | files | codes
    pub kind: &'static str,
    pub required: bool,
    pub choices: Vec<Choice>,
    pub max: i64,
    /// chain | commitment | private; empty if it is no field of a record.
    pub place: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub struct Choice {
    pub value: String,
    pub label: Text,
}

fn both(zh: &str, en: &str) -> Text {
    Text { zh: zh.to_owned(), en: en.to_owned() }
}

/// The fields that a manifest gives an instance's records, in its order.
pub fn own_fields(instance: &Instance) -> Vec<(&str, &Field)> {
    match (&instance.record, &instance.profile) {
        (Some(record), _) => record.fields.iter().collect(),
        (_, Some(profile)) => profile.product.iter().map(|(name, field)| (name, &field.0)).collect(),
        _ => Vec::new(),
    }
}

/// The inputs of a call's form. `organisations` are those that goods can be sent to.
pub fn inputs(instance: &Instance, call: &CallSpec, organisations: &[(String, Text)]) -> Vec<Input> {
    let mut all = Vec::new();
    let has_digests = own_fields(instance).iter().any(|(_, field)| field.kind == FieldType::Digests);
    let takes_fields = call.args.iter().any(|arg| arg.kind == ArgKind::Fields);
    for arg in call.args {
        match arg.kind {
            ArgKind::Fields => {
                let first = arg.required;
                all.extend(own_fields(instance).into_iter().map(|(name, field)| field_input(name, field, first)));
            }
            // The record's own field says it better.
            ArgKind::Digests if takes_fields && has_digests => {}
            ArgKind::Open if arg.name == "at" => all.extend(place_inputs()),
            _ => all.push(arg_input(instance, call, arg, organisations)),
        }
    }
    all
}

fn field_input(name: &str, field: &Field, first: bool) -> Input {
    let kind = match field.kind {
        FieldType::Text | FieldType::Person if field.max.unwrap_or(0) > 300 => "area",
        FieldType::Integer | FieldType::Quantity => "number",
        FieldType::Boolean | FieldType::Enum => "select",
        FieldType::Date => "date",
        FieldType::Datetime => "datetime",
        FieldType::Digests | FieldType::Digest | FieldType::File => "files",
        _ => "text",
    };
    let mut choices: Vec<Choice> =
        field.values.iter().map(|(value, label)| Choice { value: value.to_owned(), label: label.clone() }).collect();
    if field.kind == FieldType::Boolean {
        choices = vec![
            Choice { value: "true".to_owned(), label: both("是", "Yes") },
            Choice { value: "false".to_owned(), label: both("否", "No") },
        ];
    }
    Input {
        name: name.to_owned(),
        label: field.title.clone().unwrap_or_else(|| both(name, name)),
        hint: field.help.clone().or_else(|| field.check.map(expected)),
        kind,
        required: field.required && first,
        choices,
        max: field.max.unwrap_or(0),
        place: match field.place {
            Place::Chain => "chain",
            Place::Commitment => "commitment",
            Place::Private => "private",
        },
    }
}

fn place_inputs() -> Vec<Input> {
    let input = |name: &str, label: Text| Input {
        name: name.to_owned(),
        label,
        hint: None,
        kind: "text",
        required: false,
        choices: Vec::new(),
        max: 100,
        place: "",
    };
    vec![input("read_point", both("采集点", "Read point")), input("biz_location", both("所在地", "Location"))]
}

fn arg_input(instance: &Instance, call: &CallSpec, arg: &ArgSpec, organisations: &[(String, Text)]) -> Input {
    let mut input = Input {
        name: arg.name.to_owned(),
        label: text(arg.title),
        hint: None,
        kind: "text",
        required: arg.required || lot_requires(instance, call, arg.name),
        choices: Vec::new(),
        max: 0,
        place: "",
    };
    match arg.kind {
        ArgKind::Integer => input.kind = "number",
        ArgKind::Date => input.kind = "date",
        ArgKind::Boolean | ArgKind::Choice(_) => input.kind = "select",
        ArgKind::Digest | ArgKind::Digests => input.kind = "files",
        ArgKind::Texts => {
            input.kind = "codes";
            input.hint = Some(both("每行一个，扫码枪可直接录入。", "One a line; a scanner can type here."));
        }
        ArgKind::Open => {
            input.kind = "codes";
            input.hint = Some(both("每行一个：产品码/批号。", "One a line: product code/lot number."));
        }
        _ => {}
    }
    match arg.name {
        "destination" => {
            input.kind = "select";
            input.required = true;
            let choice = |(id, title): &(String, Text)| Choice { value: id.clone(), label: title.clone() };
            input.choices = organisations.iter().map(choice).collect();
        }
        "level" => {
            input.kind = "select";
            let levels = [("1", "一级（最严重）", "1, most serious"), ("2", "二级", "2"), ("3", "三级", "3")];
            input.choices =
                levels.map(|(value, zh, en)| Choice { value: value.to_owned(), label: both(zh, en) }).to_vec();
        }
        "reason" | "measures" | "summary" => input.kind = "area",
        "product" if call.name == "register_product" => {
            input.hint = instance.profile.as_ref().map(|profile| expected(profile.codes.item.check));
        }
        _ => {}
    }
    input
}

/// What a code must be like.
fn expected(check: Check) -> Text {
    Fault::from(FaultKind::from(check)).text()
}

/// What a lot must say of itself, as the manifest has it.
fn lot_requires(instance: &Instance, call: &CallSpec, name: &str) -> bool {
    let Some(profile) = instance.profile.as_ref().filter(|_| call.name == "open_lot") else { return false };
    profile.lot_required.iter().any(|field| {
        name == match field {
            LotField::MadeOn => "made_on",
            LotField::ExpireOn => "expire_on",
            LotField::Quantity => "quantity",
            LotField::Place => "place",
            LotField::Line => "line",
        }
    })
}

fn fault(path: &str, reason: Text) -> ArgumentFault {
    ArgumentFault { path: path.to_owned(), reason }
}

/// Arguments from flat names and values; empty values are as good as none. Every fault is told.
pub fn assemble(
    instance: &Instance,
    call: &CallSpec,
    typed: &Map<String, Json>,
) -> Result<Assembled, Vec<ArgumentFault>> {
    let (mut top, mut fields, mut at, mut kept, mut faults) =
        (Map::new(), Map::new(), Map::new(), Vec::new(), Vec::new());
    let own = own_fields(instance);
    for (name, value) in typed.iter().filter(|(_, value)| !is_empty(value)) {
        let arg = call.args.iter().find(|arg| arg.name == name && arg.kind != ArgKind::Fields);
        let field = own.iter().find(|(own, _)| own == name).map(|(_, field)| *field);
        match (arg, field) {
            (_, Some(field)) if field.kind == FieldType::Digests && call.args.iter().any(|arg| arg.name == "files") => {
                top.insert("files".to_owned(), lines(value));
            }
            (Some(arg), _) => drop(top.insert(name.clone(), argument(arg, value))),
            (None, Some(field)) if field.place == Place::Chain => drop(fields.insert(name.clone(), value.clone())),
            (None, Some(field)) => match off_chain(name, field, value) {
                Ok(one) => {
                    if let Some(salt) = &one.salt {
                        fields.insert(name.clone(), json!(commitment(name, salt, &one.value).to_string()));
                    }
                    kept.push(one);
                }
                Err(wrong) => faults.push(fault(name, wrong.text())),
            },
            (None, None) if matches!(name.as_str(), "read_point" | "biz_location") => {
                at.insert(name.clone(), value.clone());
            }
            (None, None) => faults.push(fault(name, both("没有这个字段", "there is no such field"))),
        }
    }
    let takes_fields = call.args.iter().find(|arg| arg.kind == ArgKind::Fields);
    if takes_fields.is_some_and(|arg| arg.required) {
        for (name, field) in own.iter().filter(|(_, field)| field.required) {
            let given = match field.kind {
                FieldType::Digests => top.contains_key("files"),
                _ => fields.contains_key(*name) || kept.iter().any(|one| one.field == *name),
            };
            if !given {
                faults.push(fault(name, both("必填", "is required")));
            }
        }
    }
    if let Some(arg) = takes_fields.filter(|arg| arg.required || !fields.is_empty()) {
        top.insert(arg.name.to_owned(), Json::Object(fields));
    }
    if !at.is_empty() && call.args.iter().any(|arg| arg.name == "at") {
        top.insert("at".to_owned(), Json::Object(at));
    }
    for arg in call.args.iter().filter(|arg| !top.contains_key(arg.name) && arg.kind != ArgKind::Fields) {
        let asked = arg.required || lot_requires(instance, call, arg.name);
        if asked && faults.iter().all(|fault| fault.path != arg.name) {
            faults.push(fault(arg.name, both("必填", "is required")));
        }
    }
    match arguments_from_json(call, Some(instance), &Json::Object(top)) {
        Ok(args) if faults.is_empty() => Ok(Assembled { args, kept }),
        Ok(_) => Err(faults),
        Err(one) => {
            let name = field_of(&one.path);
            if faults.iter().all(|fault| fault.path != name) {
                faults.push(ArgumentFault { path: name, ..one });
            }
            Err(faults)
        }
    }
}

/// `fields.title` → `title`, `codes[3]` → `codes`.
pub fn field_of(path: &str) -> String {
    let last = path.rsplit('.').next().unwrap_or(path);
    last.split('[').next().unwrap_or(last).to_owned()
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.trim().is_empty(),
        Json::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn argument(arg: &ArgSpec, value: &Json) -> Json {
    match (arg.kind, value) {
        (ArgKind::Texts | ArgKind::Digests, Json::String(_)) => lines(value),
        (ArgKind::Open, Json::String(text)) if arg.name == "lots" => {
            let one = |line: &str| {
                let (product, lot) = line.split_once('/').unwrap_or((line, ""));
                json!({ "product": product.trim(), "lot": lot.trim() })
            };
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(one).collect()
        }
        (ArgKind::Text | ArgKind::Date, Json::String(text)) => json!(text.trim()),
        (_, other) => other.clone(),
    }
}

/// Each line, or word, a value of its own; a code is named once however often it was scanned.
fn lines(value: &Json) -> Json {
    let Json::String(text) = value else { return value.clone() };
    let mut seen: Vec<&str> = Vec::new();
    for word in text.split([' ', ',', '\n', '\r', '\t', '，', '、']).filter(|word| !word.is_empty()) {
        if !seen.contains(&word) {
            seen.push(word);
        }
    }
    json!(seen)
}

/// A value that stays off chain, judged by its own field.
fn off_chain(name: &str, field: &Field, value: &Json) -> Result<Kept, Fault> {
    let typed = match value {
        Json::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    let kind = if field.kind == FieldType::Person { FieldType::Text } else { field.kind };
    Field { place: Place::Chain, kind, ..field.clone() }.parse(&typed)?;
    let salt = (field.place == Place::Commitment).then(random_bytes::<32>);
    Ok(Kept { field: name.to_owned(), salt, value: typed })
}

/// New codes for items of a product: its code, then 20 characters that nobody guesses.
pub fn new_codes(instance: &Instance, product: &str, count: usize) -> Vec<String> {
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKLMNPQRSTUVWX";
    let length = instance.profile.as_ref().map_or(20, |profile| profile.codes.item.serial.len());
    let serial = || -> String {
        let bytes = random_bytes::<64>();
        bytes.iter().take(length).map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect()
    };
    (0..count).map(|_| format!("{product}{}", serial())).collect()
}

/// Whether a call gives codes to items, so that the console can make them up.
pub fn makes_codes(instance: &Instance, method: &str) -> bool {
    instance.module == Module::Trace && method == "commission"
}

#[cfg(test)]
mod tests {
    use super::*;
    use chain_types::manifest::{AppTemplate, module_spec};

    const TEMPLATE: &str = include_str!("testdata/small.yaml");

    fn instance() -> Instance {
        let template: AppTemplate = serde_yaml_ng::from_str(TEMPLATE).unwrap();
        template.check().unwrap();
        template.chain.instances.get("papers").unwrap().clone()
    }

    fn call(name: &str) -> &'static CallSpec {
        module_spec(Module::Anchor).unwrap().call(name).unwrap()
    }

    fn typed(json: Json) -> Map<String, Json> {
        json.as_object().unwrap().clone()
    }

    #[test]
    fn a_secret_is_kept_and_the_chain_gets_its_salted_digest() {
        let file = "ab".repeat(32);
        let given = typed(json!({ "sort": "letter", "secret": " 张三 ", "note": "only here", "papers": file }));
        let made = assemble(&instance(), call("anchor"), &given).unwrap();
        let bytes = chain_types::encoding::value_to_vec(&made.args).unwrap();
        let seen = String::from_utf8_lossy(&bytes);
        assert!(seen.contains("letter") && !seen.contains("张三") && !seen.contains("only here"));
        let secret = made.kept.iter().find(|one| one.field == "secret").unwrap();
        assert_eq!(secret.value, "张三");
        let digest = commitment("secret", &secret.salt.unwrap(), "张三");
        assert!(bytes.windows(32).any(|window| window == digest.0));
        assert!(made.kept.iter().any(|one| one.field == "note" && one.salt.is_none()));
    }

    #[test]
    fn every_fault_is_told_by_the_name_of_its_input() {
        let given = typed(json!({ "sort": "novel", "secret": "x".repeat(300), "colour": "red" }));
        let faults = assemble(&instance(), call("anchor"), &given).unwrap_err();
        let mut names: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["colour", "papers", "secret", "sort"]);
    }

    #[test]
    fn codes_are_read_from_lines_once_each_and_new_ones_have_their_form() {
        assert_eq!(lines(&json!("a\nb, a\r\n c")), json!(["a", "b", "c"]));
        let codes = new_codes(&instance(), "09506000134352", 50);
        assert!(
            codes.iter().all(|code| code.len() == 34 && chain_types::manifest::Serial::Random20.accepts(&code[14..]))
        );
        assert_eq!(codes.iter().collect::<std::collections::HashSet<_>>().len(), 50);
    }
}
