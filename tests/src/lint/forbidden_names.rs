//! The project works on any machine, so it names none: no package registry's host and no path of somebody's computer.

use super::{Finding, Tree};

/// Put together here, so that this file does not find itself.
const NAMES: &[&str] = &[
    concat!("crates", ".io"),
    concat!("static.rust-", "lang.org"),
    concat!("sh.rust", "up.rs"),
    concat!("registry.npm", "js.org"),
    concat!("registry.yarn", "pkg.com"),
    concat!("npm", "mirror.com"),
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("proxy.go", "lang.org"),
    concat!("sum.go", "lang.org"),
    concat!("repo1.maven", ".org"),
    concat!("repo.maven.", "apache.org"),
    concat!("deb.deb", "ian.org"),
    concat!("security.deb", "ian.org"),
    concat!("archive.ubu", "ntu.com"),
    concat!("nodesource", ".com"),
    concat!("registry.k8s", ".io"),
    concat!("ghcr", ".io"),
    concat!("quay", ".io"),
    concat!("docker", ".io"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/work/", "main"),
    concat!("/work/", "shared"),
    concat!("/work/", "."),
    concat!("/opt/", "wheels"),
    concat!("/tmp/", "brief"),
];

/// Written by Cargo, which has no way to leave the registry out.
const WRITTEN_BY_TOOLS: &[&str] = &["Cargo.lock"];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let ours = |path: &str| !WRITTEN_BY_TOOLS.contains(&path) && !path.starts_with("web/static/vendor/");
    for file in tree.all().filter(|file| ours(&file.path)) {
        for name in NAMES {
            for at in file.find_in_text(name) {
                findings.push(Finding::new(&file.path, file.line_at(at), format!("{name} {}", advice(&file.path))));
            }
        }
        for at in file.find_in_text(concat!("/ho", "me/")) {
            let user = file.text[at + 6..].chars().next();
            if user.is_some_and(|first| first.is_ascii_lowercase()) {
                findings.push(Finding::new(
                    &file.path,
                    file.line_at(at),
                    "names somebody's folder: use $HOME or a path relative to the project",
                ));
            }
        }
    }
    findings
}

fn advice(path: &str) -> &'static str {
    if path.ends_with("package-lock.json") {
        "is a host: put omit-lockfile-registry-resolved=true into .npmrc beside it and write the file anew"
    } else {
        "belongs to one machine or registry: name the package or use a relative path"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_and_path_is_found_everywhere_but_in_the_lock_file() {
        for name in NAMES.iter().copied().chain([concat!("/ho", "me/someone")]) {
            let text = format!("\nsee {name}x");
            assert_eq!(
                check(&Tree::of(&[("README.md", &text)])).iter().map(|found| found.line).collect::<Vec<_>>(),
                [2],
                "{name}"
            );
            assert_eq!(check(&Tree::of(&[("Cargo.lock", &text)])), []);
        }
    }
}
