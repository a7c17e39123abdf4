//! What the API server itself refuses of one object, without the webhook: rules in CEL with the sentence that the person
//! reads. Rules that need other objects, or what is running, are the webhook's.

use serde_json::{Value, json};

/// A rule about the part of the schema at a path.
struct Rule {
    at: &'static str,
    rule: &'static str,
    message: &'static str,
}

const NAME: &str = "/";
const NAME_RULE: &str = "self.metadata.name.matches('^[a-z][a-z0-9-]{0,29}$')";
const NAME_MESSAGE: &str = "a name has 1 to 30 characters, a to z first, then a to z, 0 to 9 and `-`";
const IN_GENESIS: &str = "this is part of genesis and never changes; for another value make a new chain";

const CHAIN: &[Rule] = &[
    Rule { at: NAME, rule: NAME_RULE, message: NAME_MESSAGE },
    Rule { at: "/spec/tenant", rule: "self == oldSelf", message: IN_GENESIS },
    Rule { at: "/spec/governance", rule: "self == oldSelf", message: IN_GENESIS },
    Rule { at: "/spec/membership", rule: "self == oldSelf", message: IN_GENESIS },
    Rule { at: "/spec/heartbeatMs", rule: "self == oldSelf", message: IN_GENESIS },
    Rule {
        at: "/spec/heartbeatMs",
        rule: "self >= 1000 && self <= 86400000",
        message: "must lie between 1000 (1 second) and 86400000 (1 day)",
    },
    Rule {
        at: "/spec",
        rule: "!has(oldSelf.operator) || (has(self.operator) && self.operator == oldSelf.operator)",
        message: "operator: this is part of genesis and never changes; for another value make a new chain",
    },
    Rule {
        at: "/spec/validators",
        rule: "has(self.count) != (has(self.organisations) && size(self.organisations) > 0)",
        message: "give exactly one of `count` and `organisations`",
    },
    Rule {
        at: "/spec/validators/count",
        rule: "self >= 4 && self <= 100",
        message: "must be 4 to 100 validators; fewer than 4 tolerate no fault",
    },
    Rule {
        at: "/spec/validators/organisations/[]/validators",
        rule: "self >= 1",
        message: "must be at least 1; leave the organisation out if it runs none",
    },
    Rule {
        at: "/spec/resources/memoryMib",
        rule: "self >= 64 && self <= 65536",
        message: "must lie between 64 and 65536",
    },
    Rule {
        at: "/spec/resources/storageGib",
        rule: "self >= 1 && self <= 16384",
        message: "must lie between 1 and 16384",
    },
    Rule {
        at: "/spec/resources/storageGib",
        rule: "self >= oldSelf",
        message: "storage only grows; a volume cannot shrink",
    },
];

const TENANT: &[Rule] = &[
    Rule { at: NAME, rule: NAME_RULE, message: NAME_MESSAGE },
    Rule {
        at: "/spec/organisations/[]",
        rule: "(has(self.custody) && self.custody == 'self') == has(self.publicKey)",
        message: "an organisation that holds its own key (custody: self) gives its `publicKey`, and no other does",
    },
];

const APPLICATION: &[Rule] = &[
    Rule { at: NAME, rule: NAME_RULE, message: NAME_MESSAGE },
    Rule {
        at: "/spec/chain",
        rule: "self == oldSelf",
        message: "an application stays on its chain; for another chain make a new application",
    },
    Rule {
        at: "/spec/template",
        rule: "self == oldSelf",
        message: "an application keeps its template; for another template make a new application",
    },
];

const BACKUP: &[Rule] = &[
    Rule { at: NAME, rule: NAME_RULE, message: NAME_MESSAGE },
    Rule {
        at: "/spec/tenant",
        rule: "self == oldSelf",
        message: "backups stay with their tenant; for another one make a new object",
    },
    Rule {
        at: "/spec/chain",
        rule: "self == oldSelf",
        message: "backups stay with their chain; for another chain make a new object",
    },
    Rule {
        at: "/spec/destination",
        rule: "has(self.volume) != has(self.s3)",
        message: "give exactly one of `volume` and `s3`",
    },
    Rule {
        at: "/spec/destination/s3/endpoint",
        rule: "self.matches('^https?://[A-Za-z0-9.-]+(:[0-9]+)?/?$')",
        message: "write it as https://HOST or https://HOST:PORT",
    },
    Rule {
        at: "/spec/destination/s3/bucket",
        rule: "self.matches('^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$')",
        message: "a bucket's name has 3 to 63 characters: a to z, 0 to 9, `.` and `-`",
    },
    Rule {
        at: "/spec/destination/s3/prefix",
        rule: "self.matches('^[A-Za-z0-9._/-]*$')",
        message: "use letters, digits, `.`, `_`, `-` and `/`",
    },
    Rule { at: "/spec/keep", rule: "self >= 1 && self <= 100", message: "must lie between 1 and 100" },
    Rule {
        at: "/spec/schedule/everyHours",
        rule: "self >= 1 && self <= 8760",
        message: "must lie between 1 and 8760 (a year)",
    },
    Rule {
        at: "/spec/drill/everyDays",
        rule: "self >= 1 && self <= 365",
        message: "must lie between 1 and 365: a backup that nobody restores is none",
    },
];

const RESTORE: &[Rule] = &[
    Rule { at: NAME, rule: NAME_RULE, message: NAME_MESSAGE },
    Rule { at: "/spec", rule: "self == oldSelf", message: "a restore is done once; for another one make a new object" },
    Rule { at: "/spec/validators", rule: "size(self) >= 1", message: "name at least one validator" },
];

/// The longest lists; the API server counts what a rule may cost by them.
const BOUNDS: &[(&str, &str, &str, u32)] = &[
    ("Chain", "/spec/validators/organisations", "maxItems", 100),
    ("Chain", "/spec/retired", "maxItems", 254),
    ("Tenant", "/spec/organisations", "maxItems", 100),
    ("ChainRestore", "/spec/validators", "maxItems", 100),
    ("ChainBackup", "/spec/destination/s3/endpoint", "maxLength", 253),
    ("ChainBackup", "/spec/destination/s3/bucket", "maxLength", 63),
    ("ChainBackup", "/spec/destination/s3/prefix", "maxLength", 512),
];

/// Puts the kind's rules into its schema.
pub fn add(kind: &str, schema: &mut Value) {
    let rules = match kind {
        "Chain" => CHAIN,
        "Tenant" => TENANT,
        "Application" => APPLICATION,
        "ChainBackup" => BACKUP,
        "ChainRestore" => RESTORE,
        _ => &[],
    };
    for Rule { at, rule, message } in rules {
        let place = place(schema, at);
        if !place["x-kubernetes-validations"].is_array() {
            place["x-kubernetes-validations"] = json!([]);
        }
        if let Some(list) = place["x-kubernetes-validations"].as_array_mut() {
            list.push(json!({"rule": rule, "message": message}));
        }
    }
    for (_, at, word, most) in BOUNDS.iter().filter(|(of, ..)| *of == kind) {
        place(schema, at)[*word] = json!(most);
    }
    if kind == "Tenant" {
        // One entry an id, and two appliers may each own some.
        let organisations = place(schema, "/spec/organisations");
        organisations["x-kubernetes-list-type"] = json!("map");
        organisations["x-kubernetes-list-map-keys"] = json!(["id"]);
    }
}

/// The schema at a path of field names; `[]` is the items of a list.
fn place<'a>(schema: &'a mut Value, path: &str) -> &'a mut Value {
    path.split('/').filter(|part| !part.is_empty()).fold(schema, |schema, part| match part {
        "[]" => &mut schema["items"],
        field => &mut schema["properties"][field],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_about_a_field_that_exists() {
        for definition in crate::crds::all() {
            let value = serde_json::to_value(&definition).unwrap();
            let kind = value["spec"]["names"]["kind"].as_str().unwrap().to_owned();
            let mut schema = value["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
            let rules = [
                ("Chain", CHAIN),
                ("Tenant", TENANT),
                ("Application", APPLICATION),
                ("ChainBackup", BACKUP),
                ("ChainRestore", RESTORE),
            ];
            for rule in rules.iter().filter(|(of, _)| *of == kind).flat_map(|(_, rules)| rules.iter()) {
                let place = place(&mut schema, rule.at);
                assert!(place["type"].is_string(), "{kind} has no {}", rule.at);
                let list = place["x-kubernetes-validations"].as_array().unwrap();
                assert!(list.iter().any(|one| one["rule"] == rule.rule), "{kind} {}", rule.at);
            }
        }
    }
}
