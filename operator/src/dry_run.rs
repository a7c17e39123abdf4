//! `operator plan -f FILE`: what would be made of Tenants and Chains in a file, without a cluster. The same judgement and the
//! same builders as the controllers'; where only a cluster knows (keys, who is live) it says so.

use std::fmt::Write as _;

use anyhow::{Context as _, bail, ensure};
use chain_plan::{Keys, NodeKeys, Quorum, ValidChain};
use chain_types::{Hash, PublicKey};
use operator_api::{Chain, Tenant};
use serde::Deserialize as _;
use serde_json::Value;

use crate::{
    chain::resources::{
        Place, annotation,
        network_policy::{self, Platform},
        pdb, service,
        stateful_set::{self, Runs, Runtime},
    },
    city::Surroundings,
    config::Config,
    objects::{Child, names},
    tenant::{self, Retained},
};

/// The objects as YAML documents, each chain with a comment that counts. The first mistake ends it, with its field.
pub fn dry_run(text: &str, config: &Config) -> anyhow::Result<String> {
    let (tenants, chains) = read(text)?;
    ensure!(!tenants.is_empty() || !chains.is_empty(), "the file holds neither a Tenant nor a Chain");
    let mut out = String::new();
    for tenant in &tenants {
        let of: Vec<Chain> = chains.iter().filter(|chain| chain.spec.tenant == *tenant.name()).cloned().collect();
        let plan = tenant::plan(tenant, &of, Retained::default())?;
        writeln!(out, "# Tenant {}: namespace {}", tenant.name(), names::namespace(tenant.name()))?;
        document(&mut out, &plan.namespace)?;
        for child in &plan.inside {
            document(&mut out, child)?;
        }
    }
    for chain in &chains {
        let valid = parse(chain, &tenants, &chains, config)?;
        writeln!(out, "{}", summary(chain, &valid, config))?;
        for child in children(chain, &valid, config)? {
            document(&mut out, &child)?;
        }
    }
    Ok(out)
}

/// What follows from the spec alone. Key Secrets, configurations and genesis hold keys, so they come into being on the cluster.
fn children(chain: &Chain, valid: &ValidChain, config: &Config) -> anyhow::Result<Vec<Child>> {
    let place = Place::of(&chain.spec.tenant, &chain.metadata);
    let plan = chain_plan::plan(valid, &stand_ins(valid), &place.addresses(), None);
    let platform = Platform { operator: &config.operator_namespace, console: &config.console_namespace };
    let mut all = vec![
        Child::of(&network_policy::policy(&place, &platform))?,
        Child::of(&service::api(&place))?,
        Child::of(&pdb::budget(&place, Quorum::of(valid.count()).needed()))?,
    ];
    let image = config.images.get(&valid.version()).context("the version has no image")?;
    let storage_class = config.storage_class.as_deref();
    let runtime = Runtime { image, pull_policy: config.image_pull_policy.as_str(), storage_class };
    for node in &plan.nodes {
        all.push(Child::of(&service::of_validator(&place, node.name))?);
        let text = node.config.as_ref().context("a configuration follows from keys")?;
        let runs = Runs { node: node.name, version: node.version, config: text, resources: node.resources };
        let running = node.desired == operator_api::ValidatorState::Running;
        let set = stateful_set::stateful_set(&place, &runs, &runtime, running, node.resources.storage_gib)?;
        let mut child = Child::of(&set)?;
        // Hashes of what holds keys.
        for name in [annotation::CONFIG_START, annotation::TEMPLATE] {
            child.wanted["spec"]["template"]["metadata"]["annotations"][name] = "known once keys are made".into();
        }
        all.push(child);
    }
    Ok(all)
}

/// In place of keys that nobody has made: the shape of the objects does not depend on them.
fn stand_ins(chain: &ValidChain) -> Keys {
    let key = PublicKey([0; 32]);
    let node = |organisation: &operator_api::Name| NodeKeys {
        organisation: organisation.clone(),
        consensus: key,
        cosigner: key,
        log: key,
        peer: key,
        admin_token_hash: Hash([0; 32]),
        next: None,
        replaced: None,
        rotated_ms: None,
    };
    Keys {
        steward: Some(key),
        organisations: chain.organisations().map(|(id, _)| (id.clone(), key)).collect(),
        nodes: chain.members().iter().map(|member| (member.name, node(&member.organisation))).collect(),
        token_hashes: Vec::new(),
        used: Default::default(),
    }
}

fn read(text: &str) -> anyhow::Result<(Vec<Tenant>, Vec<Chain>)> {
    let (mut tenants, mut chains) = (Vec::new(), Vec::new());
    for (index, document) in serde_yaml_ng::Deserializer::from_str(text).enumerate() {
        let number = index + 1;
        let value = Value::deserialize(document).with_context(|| format!("document {number} is no YAML"))?;
        if value.is_null() {
            continue;
        }
        let kind = value["kind"].as_str().unwrap_or_default().to_owned();
        let at = || format!("document {number} ({kind})");
        match kind.as_str() {
            "Tenant" => tenants.push(serde_json::from_value(value).with_context(at)?),
            "Chain" => {
                let mut chain: Chain = serde_json::from_value(value).with_context(at)?;
                chain.metadata.namespace.get_or_insert_with(|| names::namespace(&chain.spec.tenant));
                chains.push(chain);
            }
            // Carried out by the console, and on a chain that runs.
            "Application" | "ChainBackup" | "ChainRestore" => {}
            other => bail!("document {number} is a `{other}`; Tenants and Chains can be planned"),
        }
    }
    Ok((tenants, chains))
}

fn parse(chain: &Chain, tenants: &[Tenant], chains: &[Chain], config: &Config) -> anyhow::Result<ValidChain> {
    let (name, wanted) = (chain.name(), &chain.spec.tenant);
    let tenant = tenants.iter().find(|tenant| tenant.name() == wanted);
    let tenant = tenant
        .with_context(|| format!("chain `{name}`: the file holds no tenant `{wanted}`; put its document beside it"))?;
    let around = Surroundings::of(name, tenant, chains, &config.city.name, config.versions());
    ValidChain::parse(name, &chain.spec, &around.context(0)).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("chain `{name}`: {}", lines.join("; "))
    })
}

/// What the chain comes to, as comments of the YAML.
fn summary(chain: &Chain, valid: &ValidChain, config: &Config) -> String {
    let quorum = Quorum::of(valid.count());
    let image = config.images.get(&valid.version()).map_or("none", String::as_str);
    let mut lines = vec![
        format!("# Chain {} ({})", chain.name(), valid.id()),
        format!("#   {} validators, quorum {}, tolerates {}", quorum.validators, quorum.needed(), quorum.faults()),
        format!("#   version {}, image {image}", valid.version()),
        format!("#   keys and genesis are made on the cluster, once every organisation's key is published"),
    ];
    let resources = chain.spec.resources;
    lines.extend(valid.members().iter().map(|member| {
        format!(
            "#   {}: {}, {:?}, {} MiB of memory, {} GiB of storage",
            names::node(chain.name(), member.name),
            member.organisation,
            member.desired,
            resources.memory_mib,
            resources.storage_gib
        )
    }));
    lines.join("\n")
}

fn document(out: &mut String, child: &Child) -> anyhow::Result<()> {
    writeln!(out, "---\n{}", serde_yaml_ng::to_string(&child.wanted)?.trim_end())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn file(chain: Value) -> String {
        format!("{}\n---\n{}", fixtures::tenant_json("notary"), chain)
    }

    #[test]
    fn what_would_be_made_is_printed() {
        let text = dry_run(&file(fixtures::chain_json("notary", "main", 7)), &fixtures::config()).unwrap();
        for part in [
            "name: tenant-notary",
            "kind: ResourceQuota",
            "name: default-deny",
            "7 validators, quorum 5, tolerates 2",
            "main-validator-7: notary-office",
            "image localhost/citychain/chain-node:0.1.0",
            "kind: StatefulSet",
            "minAvailable: 5",
            "name: main-validators",
            "citychain.dev/template: known once keys are made",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn a_mistake_is_named_with_its_place() {
        let failed = |text: &str| format!("{:#}", dry_run(text, &fixtures::config()).unwrap_err());
        let mut few = fixtures::chain_json("notary", "main", 2);
        assert!(failed(&file(few.clone())).contains("chain `main`: spec.validators.count: must be 4 to"));
        few["spec"]["versoin"] = Value::from("0.1.0");
        assert!(failed(&file(few)).contains("document 2 (Chain): unknown field `versoin`"));
        assert!(
            failed(&fixtures::chain_json("health", "main", 4).to_string())
                .contains("the file holds no tenant `health`")
        );
        assert!(failed("kind: Pod").contains("document 1 is a `Pod`"));
        assert!(failed("").contains("neither a Tenant nor a Chain"));
    }
}
