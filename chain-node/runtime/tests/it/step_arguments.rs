//! The arguments of a step's call, from what its author wrote.
//!
//! A step is written as a person thinks: fields of the record stand beside the arguments, times are relative to now
//! (`-3d`, `+30d`), files are named by their path in the template's folder, `$e.number` is what an earlier step gave.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use chain_types::Hash;
use chain_types::manifest::{ArgKind, CallSpec, Date, Field, FieldType, Instance, Ordered, Place, Span, StepValue};

/// What a step can refer to.
pub struct StepContext<'a> {
    pub now_ms: u64,
    /// What `$name.field` stands for: `own.organisation`, `other.organisation`, and fields of the first event of a step
    /// that was saved.
    pub saved: &'a dyn Fn(&str) -> Option<Json>,
    /// SHA-256 of a file of the template's folder.
    pub digest: &'a dyn Fn(&str) -> Option<Hash>,
}

/// Arguments, and what stays off chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepArguments {
    /// For `arguments_from_json`, once the salted digests of commitments have been added under `fields`.
    pub json: Json,
    /// Contents of fields of place `commitment` and `private`.
    pub off_chain: BTreeMap<String, String>,
}

/// The arguments of a call of an instance; the error is the name of what refers to nothing.
pub fn step_arguments(
    call: &CallSpec,
    instance: &Instance,
    with: &Ordered<StepValue>,
    context: &StepContext<'_>,
) -> Result<StepArguments, String> {
    let (mut arguments, mut fields, mut off_chain) = (Map::new(), Map::new(), BTreeMap::new());
    for (name, value) in with.iter() {
        let value = plain(value, context)?;
        if let Some(arg) = call.args.iter().find(|a| a.name == name) {
            let value = match arg.kind {
                ArgKind::Digest | ArgKind::Digests => digests(value, context)?,
                ArgKind::Date => moment(value, FieldType::Date, context),
                _ => value,
            };
            arguments.insert(name.to_owned(), value);
            continue;
        }
        let field = instance.own_field(name).ok_or_else(|| name.to_owned())?;
        match field.place {
            Place::Chain => drop(fields.insert(name.to_owned(), of_field(field, value, context)?)),
            Place::Commitment | Place::Private => drop(off_chain.insert(name.to_owned(), words(&value))),
        }
    }
    if call.args.iter().any(|a| a.kind == ArgKind::Fields && (a.required || !fields.is_empty())) {
        arguments.insert("fields".to_owned(), Json::Object(fields));
    }
    Ok(StepArguments { json: Json::Object(arguments), off_chain })
}

fn of_field(field: &Field, value: Json, context: &StepContext<'_>) -> Result<Json, String> {
    match field.kind {
        FieldType::Digest | FieldType::File => digests(value, context),
        FieldType::Date | FieldType::Datetime => Ok(moment(value, field.kind, context)),
        _ => Ok(value),
    }
}

/// A step's value with its references looked up.
fn plain(value: &StepValue, context: &StepContext<'_>) -> Result<Json, String> {
    Ok(match value {
        StepValue::Boolean(b) => json!(b),
        StepValue::Integer(n) => json!(n),
        StepValue::Text(text) => match text.strip_prefix('$') {
            Some(name) => (context.saved)(name).ok_or_else(|| text.clone())?,
            None => json!(text),
        },
        StepValue::List(items) => items.iter().map(|v| plain(v, context)).collect::<Result<Vec<_>, _>>()?.into(),
        StepValue::Map(map) => {
            let pair = |(name, value): (&str, &StepValue)| Ok((name.to_owned(), plain(value, context)?));
            Json::Object(map.iter().map(pair).collect::<Result<_, String>>()?)
        }
    })
}

/// Paths of files as their digests.
fn digests(value: Json, context: &StepContext<'_>) -> Result<Json, String> {
    let one = |path: &str| (context.digest)(path).map(|d| json!(d)).ok_or_else(|| path.to_owned());
    match &value {
        Json::String(path) => one(path),
        Json::Array(paths) => paths.iter().map(|p| one(p.as_str().unwrap_or("?"))).collect(),
        _ => Ok(value),
    }
}

/// A time relative to now; anything else stays as it is.
fn moment(value: Json, kind: FieldType, context: &StepContext<'_>) -> Json {
    let Some(text) = value.as_str() else { return value };
    let (sign, rest) = text.split_at_checked(1).unwrap_or(("", text));
    let Ok(span) = rest.parse::<Span>() else { return value };
    let time_ms = match sign {
        "-" => context.now_ms.saturating_sub(span.ms),
        "+" => context.now_ms.saturating_add(span.ms),
        _ => return value,
    };
    if kind == FieldType::Date { json!(Date::of_ms(time_ms).to_string()) } else { json!(time_ms) }
}

fn words(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
