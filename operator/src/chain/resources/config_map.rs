//! The ConfigMaps of a chain: one a validator with its configuration, and genesis, which is immutable and outlives the chain.

use std::collections::BTreeMap;

use chain_types::{Genesis, Hash};
use k8s_openapi::api::core::v1::ConfigMap;
use operator_api::{Name, ValidatorName};

use super::Place;
use crate::{
    chain::{facts::validator_of, fetch::Children},
    objects::names,
};

pub const CONFIG_ENTRY: &str = "node.toml";
pub const GENESIS_ENTRY: &str = "genesis.json";

/// `<chain>-validator-<n>-config`.
pub fn config_name(chain: &Name, node: ValidatorName) -> String {
    format!("{}-config", names::node(chain, node))
}

/// `<chain>-genesis`.
pub fn genesis_name(chain: &Name) -> String {
    format!("{chain}-genesis")
}

pub fn config(place: &Place, node: ValidatorName, text: &str) -> ConfigMap {
    ConfigMap {
        metadata: place.of_validator(config_name(&place.chain, node), node),
        data: Some(BTreeMap::from([(CONFIG_ENTRY.to_owned(), text.to_owned())])),
        ..ConfigMap::default()
    }
}

pub fn genesis(place: &Place, genesis: &Genesis) -> serde_json::Result<ConfigMap> {
    Ok(ConfigMap {
        metadata: place.lasting(genesis_name(&place.chain)),
        data: Some(BTreeMap::from([(GENESIS_ENTRY.to_owned(), serde_json::to_string_pretty(genesis)?)])),
        immutable: Some(true),
        ..ConfigMap::default()
    })
}

/// The genesis among the children, if it is there and can be read.
pub fn genesis_in(children: &Children) -> Option<Genesis> {
    let mut texts = children.kind("ConfigMap").filter_map(|(_, value)| value["data"][GENESIS_ENTRY].as_str());
    texts.find_map(|text| serde_json::from_str(text).ok())
}

/// Hashes of the configurations among the children.
pub fn configurations(children: &Children) -> impl Iterator<Item = (ValidatorName, Hash)> {
    children.kind("ConfigMap").filter_map(|(_, value)| {
        let text = value["data"][CONFIG_ENTRY].as_str()?;
        Some((validator_of(value)?, Hash::of(text.as_bytes())))
    })
}
