//! The CustomResourceDefinitions of the kinds that this operator carries out, made from the types of `operator-api`: schema,
//! rules, columns. `crds/*.yaml` holds the same text, and a test fails when it does not.

mod rules;
mod schema;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use operator_api::{
    ApplicationSpec, ApplicationStatus, ChainBackupSpec, ChainBackupStatus, ChainRestoreSpec, ChainRestoreStatus,
    ChainSpec, ChainStatus, GROUP, Kind, TenantSpec, TenantStatus, VERSION,
};
use schemars::JsonSchema;
use serde_json::{Value, json};

/// On a definition: the version of the operator that wrote it. An older operator does not overwrite it.
pub const WRITTEN_BY: &str = "citychain.dev/operator-version";

/// The version of this program.
pub const OPERATOR_VERSION: &str = env!("CARGO_PKG_VERSION");

/// A column of `kubectl get`.
struct Column(&'static str, &'static str, &'static str);

const AGE: Column = Column("Age", "date", ".metadata.creationTimestamp");
const READY: &str = ".status.conditions[?(@.type==\"Ready\")].status";

/// One definition a kind.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![
        definition::<TenantSpec, TenantStatus>(
            "Cluster",
            "tenant",
            &[
                Column("Ready", "string", READY),
                Column("Chains", "integer", ".status.used.chains"),
                Column("Validators", "integer", ".status.used.validators"),
                AGE,
            ],
        ),
        definition::<ChainSpec, ChainStatus>(
            "Namespaced",
            "chain",
            &[
                Column("Phase", "string", ".status.phase"),
                Column("Height", "integer", ".status.height"),
                Column("Ready", "integer", ".status.validatorsReady"),
                Column("Validators", "integer", ".status.validatorsTotal"),
                Column("Version", "string", ".spec.version"),
                AGE,
            ],
        ),
        definition::<ApplicationSpec, ApplicationStatus>(
            "Namespaced",
            "application",
            &[
                Column("Chain", "string", ".spec.chain"),
                Column("Template", "string", ".spec.template"),
                Column("Version", "string", ".status.installedVersion"),
                Column("Ready", "string", READY),
                AGE,
            ],
        ),
        definition::<ChainRestoreSpec, ChainRestoreStatus>(
            "Namespaced",
            "chainrestore",
            &[
                Column("Chain", "string", ".spec.chain"),
                Column("Phase", "string", ".status.phase"),
                Column("Ready", "string", READY),
                AGE,
            ],
        ),
        definition::<ChainBackupSpec, ChainBackupStatus>(
            "Namespaced",
            "chainbackup",
            &[
                Column("Chain", "string", ".spec.chain"),
                Column("Phase", "string", ".status.phase"),
                Column("Ready", "string", READY),
                Column("Last", "date", ".status.lastBackupAt"),
                Column("Proven", "date", ".status.lastProvenAt"),
                AGE,
            ],
        ),
    ]
}

/// File name and text of each kind's definition, as `crds/` holds them.
pub fn files() -> anyhow::Result<Vec<(String, String)>> {
    let file = |definition: &CustomResourceDefinition| {
        let yaml = serde_yaml_ng::to_string(definition)?;
        let head = "# Written by `make generate` from operator/api; a change here is overwritten.\n";
        Ok((format!("{}.yaml", definition.spec.names.plural), format!("{head}{yaml}")))
    };
    all().iter().map(file).collect()
}

fn definition<S, Status>(scope: &str, singular: &str, columns: &[Column]) -> CustomResourceDefinition
where
    S: Kind<Status = Status> + JsonSchema,
    Status: JsonSchema,
{
    let value = raw::<S, Status>(scope, singular, columns);
    // Only a type whose schema is no schema could fail here, and the tests go through all of them.
    serde_json::from_value(value).expect("a definition made from a schema")
}

fn raw<S, Status>(scope: &str, singular: &str, columns: &[Column]) -> Value
where
    S: Kind<Status = Status> + JsonSchema,
    Status: JsonSchema,
{
    let mut status = schema::of::<Status>();
    schema::without_defaults(&mut status);
    let mut whole = json!({
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": schema::of::<S>(),
            "status": status,
        },
    });
    rules::add(S::KIND, &mut whole);
    let column = |Column(name, kind, path): &Column| json!({"name": name, "type": kind, "jsonPath": path});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{}.{GROUP}", S::PLURAL),
            "annotations": {WRITTEN_BY: OPERATOR_VERSION},
        },
        "spec": {
            "group": GROUP,
            "names": {
                "kind": S::KIND,
                "listKind": format!("{}List", S::KIND),
                "plural": S::PLURAL,
                "singular": singular,
                "categories": ["citychain"],
            },
            "scope": scope,
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "additionalPrinterColumns": columns.iter().map(column).collect::<Vec<_>>(),
                "schema": {"openAPIV3Schema": whole},
            }],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_schema_is_lost_on_the_way() {
        let raws = [
            raw::<TenantSpec, TenantStatus>("Cluster", "tenant", &[]),
            raw::<ChainSpec, ChainStatus>("Namespaced", "chain", &[]),
            raw::<ApplicationSpec, ApplicationStatus>("Namespaced", "application", &[]),
            raw::<ChainRestoreSpec, ChainRestoreStatus>("Namespaced", "chainrestore", &[]),
            raw::<ChainBackupSpec, ChainBackupStatus>("Namespaced", "chainbackup", &[]),
        ];
        for raw in raws {
            let typed: CustomResourceDefinition = serde_json::from_value(raw.clone()).unwrap();
            let mut back = serde_json::to_value(typed).unwrap();
            let mut raw = raw;
            // Numbers without a fraction are written as they were meant.
            for value in [&mut back, &mut raw] {
                whole_numbers(value);
            }
            assert_eq!(back["spec"]["versions"][0]["schema"], raw["spec"]["versions"][0]["schema"]);
        }
    }

    fn whole_numbers(value: &mut Value) {
        match value {
            Value::Number(number) => {
                if let Some(float) = number.as_f64().filter(|float| float.fract() == 0.0) {
                    *value = json!(float);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(whole_numbers),
            Value::Object(fields) => fields.values_mut().for_each(whole_numbers),
            Value::Null | Value::Bool(_) | Value::String(_) => {}
        }
    }

    /// Words that a structural schema must not hold.
    const FORBIDDEN: &[&str] =
        &["$ref", "anyOf", "oneOf", "allOf", "const", "patternProperties", "uniqueItems", "nullable", "definitions"];

    #[test]
    fn every_schema_is_structural() {
        fn walk(path: &str, schema: &Value) {
            let Value::Object(fields) = schema else { panic!("{path} is no schema: {schema}") };
            for word in FORBIDDEN {
                assert!(!fields.contains_key(*word), "{path} has {word}");
            }
            let free = fields.contains_key("x-kubernetes-preserve-unknown-fields");
            assert!(fields.get("type").is_some_and(Value::is_string) || free, "{path} has no type: {schema}");
            assert!(!(fields.contains_key("properties") && fields.contains_key("additionalProperties")), "{path}");
            for (name, child) in fields.get("properties").and_then(Value::as_object).into_iter().flatten() {
                walk(&format!("{path}.{name}"), child);
            }
            for word in ["items", "additionalProperties"] {
                fields.get(word).into_iter().for_each(|child| walk(&format!("{path}.{word}"), child));
            }
        }
        for definition in all() {
            let value = serde_json::to_value(&definition).unwrap();
            let name = value["metadata"]["name"].as_str().unwrap();
            walk(name, &value["spec"]["versions"][0]["schema"]["openAPIV3Schema"]);
        }
    }

    #[test]
    fn the_files_are_as_the_types_are() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds");
        let mut expected = files().unwrap();
        expected.sort();
        let mut names: Vec<String> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, expected.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), "run `make generate`");
        for (name, text) in expected {
            let found = std::fs::read_to_string(folder.join(&name)).unwrap();
            assert!(found == text, "crds/{name} differs from operator/api: run `make generate`");
        }
    }
}
