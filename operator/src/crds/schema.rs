//! A type's JSON schema → the structural schema that a CustomResourceDefinition may hold. Pure. What Kubernetes has no word for is
//! rewritten to what it has; nothing is left out that a type refuses, except unknown fields, which the API server drops or
//! refuses by the caller's choice.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// The schema of a type, every part in place, as Kubernetes reads it.
pub fn of<T: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::openapi3();
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    rewrite(&mut schema);
    schema
}

/// Leaves out what a status needs not promise: who reads it fills in what is not there.
pub fn without_defaults(schema: &mut Value) {
    if let Value::Object(fields) = schema {
        fields.remove("default");
    }
    children(schema).into_iter().for_each(without_defaults);
}

fn rewrite(schema: &mut Value) {
    if let Value::Object(fields) = schema {
        for unknown in ["title", "$schema", "components", "nullable", "examples", "readOnly"] {
            fields.remove(unknown);
        }
        alternatives(fields);
        maps(fields);
        numbers(fields);
        if fields.remove("uniqueItems") == Some(json!(true)) {
            fields.insert("x-kubernetes-list-type".to_owned(), json!("set"));
        }
        if fields.get("default") == Some(&Value::Null) {
            fields.remove("default");
        }
        if let Some(Value::String(text)) = fields.get_mut("description") {
            *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        }
    }
    children(schema).into_iter().for_each(rewrite);
}

/// "This or nothing" becomes "this"; a list of words becomes an enumeration.
fn alternatives(fields: &mut Map<String, Value>) {
    for word in ["anyOf", "oneOf"] {
        let Some(Value::Array(mut options)) = fields.remove(word) else { continue };
        options.retain(|option| option["enum"] != json!([null]) && option["type"] != json!("null"));
        let words: Option<Vec<Value>> = options.iter().map(words_of).collect();
        match (words, options.as_slice()) {
            (Some(words), _) => {
                fields.insert("type".to_owned(), json!("string"));
                fields.insert("enum".to_owned(), words.into_iter().flat_map(into_list).collect());
            }
            (None, [Value::Object(only)]) => {
                for (key, value) in only {
                    fields.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
            // Kept as it is: the test over all kinds says that Kubernetes has no such thing.
            (None, _) => {
                fields.insert(word.to_owned(), Value::Array(options));
            }
        }
    }
    // An optional type.
    if let Some(Value::Array(types)) = fields.get("type")
        && let Some(kept) = types.iter().find(|kept| **kept != json!("null")).cloned()
    {
        fields.insert("type".to_owned(), kept);
    }
    if let Some(Value::Array(words)) = fields.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
}

/// The words of one option, if it is nothing but words.
fn words_of(option: &Value) -> Option<Value> {
    match (option.get("const"), option.get("enum")) {
        (Some(word @ Value::String(_)), _) => Some(json!([word])),
        (None, Some(words)) if option["type"] == json!("string") => Some(words.clone()),
        _ => None,
    }
}

fn into_list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        other => vec![other],
    }
}

/// A map whose keys follow a pattern becomes a map with a rule about its keys; one with any values keeps what it is given.
fn maps(fields: &mut Map<String, Value>) {
    if let Some(Value::Object(patterns)) = fields.remove("patternProperties")
        && let Some((pattern, values)) = patterns.into_iter().next()
    {
        fields.insert("additionalProperties".to_owned(), values);
        fields.insert("maxProperties".to_owned(), json!(254));
        fields.insert(
            "x-kubernetes-validations".to_owned(),
            json!([{"rule": format!("self.all(key, key.matches('{pattern}'))"), "message": format!("every key must match {pattern}")}]),
        );
    }
    match fields.get("additionalProperties") {
        Some(Value::Bool(false)) => {
            fields.remove("additionalProperties");
        }
        Some(values) if *values == json!(true) || *values == json!({}) => {
            fields.remove("additionalProperties");
            fields.insert("type".to_owned(), json!("object"));
            fields.insert("x-kubernetes-preserve-unknown-fields".to_owned(), json!(true));
        }
        _ => {}
    }
}

/// Kubernetes knows signed formats only; what an unsigned one means is said by bounds.
fn numbers(fields: &mut Map<String, Value>) {
    let most = match fields.get("format").and_then(Value::as_str) {
        Some("uint8") => Some(json!(u8::MAX)),
        Some("uint16") => Some(json!(u16::MAX)),
        Some("uint32") => Some(json!(u32::MAX)),
        Some("uint64" | "uint") => None,
        _ => return,
    };
    fields.insert("format".to_owned(), json!("int64"));
    fields.insert("minimum".to_owned(), json!(0));
    if let Some(most) = most {
        fields.insert("maximum".to_owned(), most);
    }
}

/// The schemas directly under this one.
fn children(schema: &mut Value) -> Vec<&mut Value> {
    let mut found = Vec::new();
    let Value::Object(fields) = schema else { return found };
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => found.extend(properties.values_mut()),
            ("items" | "additionalProperties", child @ Value::Object(_)) => found.push(child),
            ("allOf" | "anyOf" | "oneOf", Value::Array(options)) => found.extend(options),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use operator_api::{Name, PublicKey, ValidatorName, ValidatorState};

    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Everything {
        /// One of
        /// several.
        state: ValidatorState,
        key: Option<PublicKey>,
        states: BTreeMap<ValidatorName, ValidatorState>,
        retired: BTreeSet<ValidatorName>,
        answers: Map<String, Value>,
        count: Option<u32>,
        name: Option<Name>,
    }

    #[test]
    fn what_kubernetes_has_no_word_for_is_said_with_what_it_has() {
        let schema = of::<Everything>();
        let properties = &schema["properties"];
        assert_eq!(properties["state"]["enum"], json!(["running", "stopped", "fenced"]));
        assert_eq!(properties["state"]["description"], "One of several.");
        assert_eq!(properties["key"]["type"], "string");
        assert_eq!(properties["states"]["additionalProperties"]["type"], "string");
        let rule = properties["states"]["x-kubernetes-validations"][0]["rule"].as_str().unwrap();
        assert!(rule.starts_with("self.all(key, key.matches('^validator-"), "{rule}");
        assert_eq!(properties["retired"]["x-kubernetes-list-type"], "set");
        assert_eq!(properties["answers"], json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}));
        assert_eq!(
            properties["count"],
            json!({"type": "integer", "format": "int64", "minimum": 0, "maximum": u32::MAX})
        );
        assert_eq!(properties["name"]["pattern"], "^[a-z][a-z0-9-]{0,29}$");
    }
}
