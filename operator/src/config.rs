//! What the operator is told by its configuration file (`/etc/citychain/operator.yaml`, written by the chart). Read once at
//! the start; unknown keys are refused with their name. It holds no secret.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context as _, ensure};
use operator_api::{ChainSpec, Name, TenantSpec, Text, ValidatorName, Version};
use serde::Deserialize;

use crate::objects::names;

/// The whole file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    pub city: City,
    /// Which image runs each version of the node; a version that is not here cannot be asked for. Best given by digest.
    pub images: BTreeMap<Version, String>,
    #[serde(default)]
    pub image_pull_policy: PullPolicy,
    /// Where validators' volumes come from; the cluster's default class if left out.
    #[serde(default)]
    pub storage_class: Option<String>,
    /// Where nodes are reached instead of their Services, for tests with simulated nodes: an `http://` address in which
    /// `{namespace}`, `{chain}` and `{validator}` are replaced. API and admin calls go to the same place.
    #[serde(default)]
    pub node_address: Option<String>,
    /// The city's own chain: made once, when it is not there; afterwards it is changed like any other.
    #[serde(default)]
    pub city_chain: Option<CityChain>,
    /// Where the operator runs; its pods may reach every node.
    pub operator_namespace: String,
    /// Where the console runs; its pods may reach every node.
    pub console_namespace: String,
    pub webhook: Webhook,
}

/// First part of every chain's id.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct City {
    pub name: Name,
    pub title: Text,
}

/// Tenant `city` and its chain `city`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CityChain {
    pub tenant: TenantSpec,
    pub chain: ChainSpec,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Webhook {
    /// The Service in the operator's namespace through which the API server reaches the webhook on port 443.
    pub service: String,
}

/// When a node's image is fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum PullPolicy {
    Always,
    #[default]
    IfNotPresent,
    Never,
}

impl PullPolicy {
    /// As a pod's `imagePullPolicy` reads.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

impl Config {
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!(
                "the configuration {} cannot be read; the chart mounts it there, or name another with --config",
                path.display()
            )
        })?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let config: Self = serde_yaml_ng::from_str(text)?;
        ensure!(
            !config.images.is_empty(),
            "images is empty: name at least one version and its image, or no chain can run"
        );
        if let Some((version, _)) = config.images.iter().find(|(_, image)| image.trim().is_empty()) {
            anyhow::bail!("images.{version} is empty: give the image that runs this version");
        }
        if let Some(template) = &config.node_address {
            ensure!(
                template.starts_with("http://"),
                "nodeAddress is `{template}`: write it as http://host:port/{{namespace}}/{{chain}}/{{validator}}"
            );
        }
        Ok(config)
    }

    /// The node programs that can be asked for.
    pub fn versions(&self) -> BTreeSet<Version> {
        self.images.keys().copied().collect()
    }

    /// `http://host:port` of a node's API, without a slash at its end.
    pub fn node_api(&self, tenant: &Name, chain: &Name, validator: ValidatorName) -> String {
        self.node(tenant, chain, validator, chain_plan::node_config::API_PORT)
    }

    /// `http://host:port` of a node's admin address, without a slash at its end.
    pub fn node_admin(&self, tenant: &Name, chain: &Name, validator: ValidatorName) -> String {
        self.node(tenant, chain, validator, chain_plan::node_config::ADMIN_PORT)
    }

    fn node(&self, tenant: &Name, chain: &Name, validator: ValidatorName, port: u16) -> String {
        let namespace = names::namespace(tenant);
        match &self.node_address {
            Some(template) => template
                .replace("{namespace}", &namespace)
                .replace("{chain}", chain.as_str())
                .replace("{validator}", &validator.to_string())
                .trim_end_matches('/')
                .to_owned(),
            None => format!("http://{}.{namespace}.svc:{port}", names::node(chain, validator)),
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub const FILE: &str = "\
city: {name: yunchuan, title: {zh: 云川市, en: Yunchuan}}
images:
  0.1.0: localhost/citychain/chain-node:0.1.0
  0.2.0: localhost/citychain/chain-node@sha256:00
operatorNamespace: citychain-system
consoleNamespace: citychain-system
webhook: {service: citychain-operator}
";

    #[test]
    fn the_charts_file_is_read() {
        let config = Config::parse(FILE).unwrap();
        assert_eq!(config.versions().len(), 2);
        assert_eq!(config.image_pull_policy.as_str(), "IfNotPresent");
        let address = |config: &Config| {
            config.node_admin(&"notary".parse().unwrap(), &"main".parse().unwrap(), "validator-3".parse().unwrap())
        };
        assert_eq!(address(&config), "http://main-validator-3.tenant-notary.svc:8081");
        let simulated = Config {
            node_address: Some("http://127.0.0.1:9000/{namespace}/{chain}/{validator}/".to_owned()),
            ..config
        };
        assert_eq!(address(&simulated), "http://127.0.0.1:9000/tenant-notary/main/validator-3");
    }

    /// What is replaced by what, and what the sentence must say.
    const MISTAKES: &[(&str, &str, &str)] = &[
        ("images:", "image:", "unknown field `image`"),
        ("  0.1.0: localhost/citychain/chain-node:0.1.0", "  0.1.0: ''", "images.0.1.0 is empty"),
        ("  0.1.0:", "  latest:", "`latest` is not a version"),
        ("name: yunchuan", "name: Yunchuan", "`Yunchuan` is not a name"),
        ("webhook: {service: citychain-operator}", "", "missing field `webhook`"),
        ("operatorNamespace", "nodeAddress: nodes:80\noperatorNamespace", "write it as http://host:port"),
        ("operatorNamespace", "imagePullPolicy: Sometimes\noperatorNamespace", "unknown variant `Sometimes`"),
    ];

    #[test]
    fn a_mistake_in_the_file_is_named() {
        for (right, wrong, sentence) in MISTAKES {
            let text = FILE.replacen(right, wrong, 1);
            assert_ne!(text, FILE, "{right}");
            let error = format!("{:#}", Config::parse(&text).unwrap_err());
            assert!(error.contains(sentence), "{wrong}: {error}");
        }
    }
}
