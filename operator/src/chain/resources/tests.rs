//! The objects of one validator and its chain, whole, against the file that a person reads. The chain is called unlike its tenant, so
//! that a swapped label is seen.

use chain_plan::node_config::ConfigText;
use chain_types::Hash;
use operator_api::{Name, Resources, ValidatorName};

use super::{
    Place, network_policy, pdb, service, service_monitor,
    stateful_set::{self, Runs, Runtime},
};
use crate::objects::Child;

fn place() -> Place {
    let name = |text: &str| text.parse::<Name>().unwrap();
    Place { namespace: "tenant-notary".to_owned(), tenant: name("notary"), chain: name("ledger"), owner: None }
}

fn rendered(gib: u32, memory_mib: u32) -> serde_json::Value {
    let config = ConfigText { text: String::new(), hash: Hash([1; 32]), start_hash: Hash([2; 32]) };
    let resources = Resources { memory_mib, storage_gib: gib };
    let node = ValidatorName::numbered(2).unwrap();
    let runs = Runs { node, version: "0.1.0".parse().unwrap(), config: &config, resources };
    let runtime =
        Runtime { image: "registry.example/chain-node:0.1.0", pull_policy: "IfNotPresent", storage_class: None };
    let set = stateful_set::stateful_set(&place(), &runs, &runtime, true, gib).unwrap();
    Child::of(&set).unwrap().wanted
}

#[test]
fn the_objects_of_a_chain_read_as_in_the_file() {
    let (place, node) = (place(), ValidatorName::numbered(2).unwrap());
    let platform = network_policy::Platform { operator: "citychain-system", console: "city-console" };
    let objects = [
        rendered(10, 256),
        Child::of(&service::of_validator(&place, node)).unwrap().wanted,
        Child::of(&service::api(&place)).unwrap().wanted,
        Child::of(&pdb::budget(&place, 3)).unwrap().wanted,
        Child::of(&network_policy::policy(&place, &platform)).unwrap().wanted,
        service_monitor::monitor(&place).unwrap(),
    ];
    let texts = objects.iter().map(|object| serde_yaml_ng::to_string(object).unwrap());
    let found = texts.collect::<Vec<_>>().join("---\n");
    let wanted = include_str!("../../../testdata/chain.yaml");
    assert!(found == wanted, "operator/testdata/chain.yaml differs; what is made now:\n{found}");
}

#[test]
fn the_templates_hash_tells_one_rendering_from_another_and_nothing_else() {
    let hash = |value: &serde_json::Value| {
        value["spec"]["template"]["metadata"]["annotations"][super::annotation::TEMPLATE].as_str().unwrap().to_owned()
    };
    assert_eq!(hash(&rendered(10, 256)), hash(&rendered(20, 256)), "a larger volume needs no restart");
    assert_ne!(hash(&rendered(10, 256)), hash(&rendered(10, 512)));
}
