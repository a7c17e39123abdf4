//! Which crate may depend on which: arrows point one way, and only the node compiles the store and the engine.

use super::source::Source;
use super::{Finding, Tree};

/// Our crates, and which of ours each may depend on. A new crate is added here together with the reason for it.
const ARROWS: &[(&str, &[&str])] = &[
    ("chain-types", &[]),
    ("chain-runtime", &["chain-types"]),
    ("chain-client", &["chain-types"]),
    ("operator-api", &["chain-types"]),
    ("chain-plan", &["chain-types", "operator-api"]),
    ("chain-node", &["chain-types", "chain-runtime", "chain-client"]),
    // Fuzz targets, in a workspace of their own: only there is libFuzzer compiled.
    ("chain-node-fuzz", &["chain-node"]),
    ("console", &["chain-types", "chain-client", "operator-api", "chain-plan"]),
    ("operator", &["chain-types", "chain-client", "operator-api", "chain-plan"]),
    ("e2e", &["chain-types", "chain-client", "operator-api"]),
];

/// Outside crates that only the named ones may use.
const RESERVED: &[(&str, &[&str])] = &[
    ("rocksdb", &["chain-node"]),
    ("arc-malachitebft", &["chain-node"]),
    ("kube", &["operator", "console"]),
    ("k8s-openapi", &["operator", "console"]),
    ("openidconnect", &["console"]),
    ("krilla", &["console"]),
    ("object_store", &["operator", "chain-node"]),
];

/// Crates without clock, input or output, and what would give them one.
const PURE: &[&str] = &["chain-types", "chain-runtime", "chain-plan", "operator-api"];
const IMPURE: &[&str] = &["tokio", "reqwest", "axum", "sqlx", "rustix", "getrandom", "rand", "hyper"];

/// The engine's types stay in this folder.
const ENGINE_FOLDER: &str = "chain-node/src/consensus/";

pub fn check(tree: &Tree) -> Vec<Finding> {
    let manifests = tree.all().filter(|file| file.file_name() == "Cargo.toml" && file.text.contains("[package]"));
    let mut findings: Vec<Finding> = manifests.flat_map(dependencies_of).collect();
    for file in
        tree.under("chain-node/").filter(|file| file.path.ends_with(".rs") && !file.path.starts_with(ENGINE_FOLDER))
    {
        let text = format!("the consensus engine is named only in {ENGINE_FOLDER}: pass one of our types");
        findings.extend(
            file.find_in_code("malachitebft")
                .into_iter()
                .map(|at| Finding::new(&file.path, file.line_at(at), text.clone())),
        );
    }
    findings
}

fn dependencies_of(manifest: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut package = "";
    let mut section = "";
    for (index, line) in manifest.text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
            continue;
        }
        let name = line.split(['=', '.', ' ']).next().unwrap_or("");
        if section == "package" && name == "name" {
            package = line.split('"').nth(1).unwrap_or("");
        }
        // Tests may start and read anything.
        if !section.ends_with("dependencies")
            || section.ends_with("dev-dependencies")
            || name.is_empty()
            || name.starts_with('#')
        {
            continue;
        }
        if let Some(text) = refusal(package, name) {
            findings.push(Finding::new(&manifest.path, index + 1, text));
        }
    }
    findings
}

fn refusal(package: &str, dependency: &str) -> Option<String> {
    if ARROWS.iter().any(|(ours, _)| *ours == dependency) {
        let allowed = ARROWS.iter().find(|(name, _)| *name == package).map_or(&[][..], |(_, allowed)| allowed);
        let wrong = !allowed.contains(&dependency);
        return wrong.then(|| format!("{package} may not depend on {dependency}: it may use {allowed:?} of ours"));
    }
    let family = |name: &str| dependency == name || dependency.starts_with(&format!("{name}-"));
    if let Some((name, users)) = RESERVED.iter().find(|(name, _)| family(name))
        && !users.contains(&package)
    {
        return Some(format!("only {users:?} may depend on {name}: ask it through its interface"));
    }
    let impure = PURE.contains(&package) && IMPURE.contains(&dependency);
    impure.then(|| format!("{package} is pure and {dependency} is not: pass what it needs as a value"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(package: &str, dependency: &str) -> usize {
        let text = format!("[package]\nname = \"{package}\"\n[dependencies]\n{dependency}\n");
        check(&Tree::of(&[("a/Cargo.toml", &text)])).len()
    }

    #[test]
    fn an_arrow_against_the_design_is_found() {
        for (package, dependency) in [
            ("chain-types", "chain-runtime.workspace = true"),
            ("console", "chain-node = { path = \"../chain-node\" }"),
            ("console", "rocksdb = \"1\""),
            ("chain-runtime", "arc-malachitebft-core-types.workspace = true"),
            ("chain-runtime", "tokio.workspace = true"),
            ("chain-node", "kube = \"5\""),
            ("newcomer", "chain-types.workspace = true"),
        ] {
            assert_eq!(found(package, dependency), 1, "{package} → {dependency}");
        }
    }

    #[test]
    fn the_arrows_of_the_design_and_test_dependencies_pass() {
        assert_eq!(found("chain-node", "rocksdb.workspace = true\nchain-runtime.workspace = true\n# kube"), 0);
        assert_eq!(found("chain-types", "serde.workspace = true\n[dev-dependencies]\ntokio.workspace = true"), 0);
    }

    #[test]
    fn the_engine_outside_its_folder_is_found() {
        let text = "// malachitebft in words is fine\nuse arc_malachitebft_core_types::Round;";
        assert_eq!(check(&Tree::of(&[("chain-node/src/api/x.rs", text)])).len(), 1);
        assert_eq!(check(&Tree::of(&[("chain-node/src/consensus/x.rs", text)])), []);
    }
}
