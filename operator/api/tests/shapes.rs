//! The YAML that a Kubernetes user would write is what these types read and write; what is misspelt is named.

use operator_api::*;

const CHAIN: &str = "\
apiVersion: citychain.dev/v1alpha1
kind: Chain
metadata:
  name: main
  namespace: tenant-notary
  labels:
    city: yunchuan
  generation: 3
  creationTimestamp: 2026-03-01T08:00:00Z
spec:
  tenant: notary
  title:
    zh: 公证链
    en: Notary chain
  validators:
    organisations:
    - organisation: notary-office
      validators: 2
    - organisation: court
      validators: 2
  governance: platform
  membership: delegated
  heartbeatMs: 600000
  version: 0.1.0
  resources:
    memoryMib: 256
    storageGib: 10
  state: running
  validatorStates:
    validator-2: stopped
  publicReads: true
";

#[test]
fn a_chain_is_written_as_it_was_read() {
    let chain: Chain = serde_yaml_ng::from_str(CHAIN).unwrap();
    assert_eq!(chain.spec.validator_states[&"validator-2".parse().unwrap()], ValidatorState::Stopped);
    assert_eq!(chain.metadata.generation, 3);
    assert_eq!(serde_yaml_ng::to_string(&chain).unwrap(), CHAIN);
}

#[test]
fn the_shortest_chain_has_defaults_for_the_rest() {
    let text = "\
apiVersion: citychain.dev/v1alpha1
kind: Chain
metadata: {name: main}
spec:
  tenant: notary
  title: {zh: 公证链, en: Notary chain}
  validators: {count: 4}
  version: 0.1.0
";
    let chain: Chain = serde_yaml_ng::from_str(text).unwrap();
    assert_eq!(chain.spec.validators, Validators::count(4));
    assert_eq!((chain.spec.heartbeat_ms, chain.spec.public_reads), (600_000, false));
    assert_eq!((chain.spec.governance, chain.spec.state), (Governance::Platform, ChainState::Running));
    assert!(chain.status.is_none());
}

#[test]
fn a_tenant_says_who_holds_which_key() {
    let text = "\
apiVersion: citychain.dev/v1alpha1
kind: Tenant
metadata: {name: notary}
spec:
  title: {zh: 公证处, en: Notary office}
  organisations:
  - {id: notary-office, title: {zh: 市公证处, en: City notary office}}
  - {id: court, title: {zh: 市中级法院, en: Intermediate court}, custody: self, publicKey: 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff}
  quota: {chains: 2, validators: 8, storageGib: 100}
";
    let tenant: Tenant = serde_yaml_ng::from_str(text).unwrap();
    let custody: Vec<_> = tenant.spec.organisations.iter().map(|organisation| organisation.custody).collect();
    assert_eq!(custody, [Custody::Platform, Custody::Own]);
    let again: Tenant = serde_yaml_ng::from_str(&serde_yaml_ng::to_string(&tenant).unwrap()).unwrap();
    assert_eq!(again, tenant);
}

#[test]
fn an_application_keeps_its_answers_as_they_are() {
    let text = "\
apiVersion: citychain.dev/v1alpha1
kind: Application
metadata: {name: evidence}
spec:
  chain: main
  template: some-template
  version: 1.0.0
  owner: notary-office
  answers: {prefix: YC, retention: 10, departments: [一室, 二室]}
  sampleData: true
";
    let application: Application = serde_yaml_ng::from_str(text).unwrap();
    assert_eq!(application.spec.answers["departments"][1], "二室");
    let json = serde_json::to_value(&application).unwrap();
    assert_eq!(json["spec"]["sampleData"], true);
    assert_eq!(serde_json::from_value::<Application>(json).unwrap(), application);
}

/// What is replaced by what, and what the sentence must say.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("citychain.dev/v1alpha1", "citychain.dev/v2", "apiVersion is `citychain.dev/v2`; this program reads"),
    ("kind: Chain", "kind: Tenant", "kind is `Tenant`; a `Chain` was expected here"),
    ("heartbeatMs", "heartbeat", "unknown field `heartbeat`"),
    ("memoryMib", "memory", "unknown field `memory`"),
    ("validator-2: stopped", "validator-02: stopped", "`validator-02` is not a validator's name"),
    ("validator-2: stopped", "validator-2: off", "unknown variant `off`"),
    ("name: main", "name: Main", "`Main` is not a name: use 1 to 30 characters"),
    ("version: 0.1.0", "version: latest", "`latest` is not a version"),
    ("tenant: notary", "tenant: ''", "`` is not a name"),
    ("2026-03-01T08:00:00Z", "March", "`March` is not a time"),
    ("namespace: tenant-notary", "nmespace: tenant-notary", "unknown field `nmespace`"),
];

#[test]
fn a_mistake_in_a_file_is_named() {
    for (right, wrong, sentence) in MISTAKES {
        let text = CHAIN.replacen(right, wrong, 1);
        assert_ne!(text, CHAIN, "{right}");
        let error = serde_yaml_ng::from_str::<Chain>(&text).unwrap_err().to_string();
        assert!(error.contains(sentence), "{wrong}: {error}");
    }
}

#[test]
fn a_status_of_a_newer_program_is_still_read() {
    let status: ChainStatus =
        serde_json::from_str(r#"{"phase": "healthy", "height": 7, "somethingNew": {"a": 1}}"#).unwrap();
    assert_eq!((status.phase, status.height, status.validators.len()), (ChainPhase::Healthy, 7, 0));
}

#[test]
fn the_schema_carries_the_rule_for_names() {
    let schema = serde_json::to_value(schemars::schema_for!(ChainSpec)).unwrap();
    assert_eq!(schema["properties"]["tenant"]["pattern"], "^[a-z][a-z0-9-]{0,29}$");
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn the_shortest_backup_is_drilled_every_week_and_seven_are_kept() {
    let text = "\
apiVersion: citychain.dev/v1alpha1
kind: ChainBackup
metadata: {name: daily, namespace: tenant-notary}
spec: {tenant: notary, chain: main, destination: {volume: {claim: backups}}}
";
    let backup: ChainBackup = serde_yaml_ng::from_str(text).unwrap();
    assert_eq!((backup.spec.keep, backup.spec.drill.every_days, backup.spec.schedule), (7, 7, None));
    let misspelt = text.replace("claim:", "claims:");
    let error = serde_yaml_ng::from_str::<ChainBackup>(&misspelt).unwrap_err().to_string();
    assert!(error.contains("unknown field `claims`"), "{error}");
}
