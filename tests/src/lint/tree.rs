//! The files that the rules read: everything that git knows or would add, or a walk where there is no git.

use super::source::Source;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Folders that hold what is built or fetched, looked into by no rule.
const BUILT: &[&str] = &[".git", "target", "node_modules", ".city"];

/// The project's files by path relative to its root, with the text of those that are text.
pub struct Tree {
    files: BTreeMap<String, Source>,
}

impl Tree {
    /// Reads the project at `root`. A file that git lists and the disk no longer has is left out.
    pub fn read(root: &Path) -> std::io::Result<Self> {
        let paths = match listed_by_git(root) {
            Some(paths) => paths,
            None => walked(root, root)?,
        };
        let mut files = BTreeMap::new();
        for path in paths {
            if let Ok(bytes) = std::fs::read(root.join(&path)) {
                files.insert(path.clone(), Source::new(path, String::from_utf8(bytes).unwrap_or_default()));
            }
        }
        Ok(Self { files })
    }

    /// A tree of given paths and texts, for the rules' tests.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let source =
            |(path, text): &(&str, &str)| ((*path).to_owned(), Source::new((*path).to_owned(), (*text).to_owned()));
        Self { files: files.iter().map(source).collect() }
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    pub(super) fn get(&self, path: &str) -> Option<&Source> {
        self.files.get(path)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Source> {
        self.files.values()
    }

    pub(super) fn rust(&self) -> impl Iterator<Item = &Source> {
        self.all().filter(|file| file.path.ends_with(".rs"))
    }

    /// Files below one folder, whose name ends with a slash.
    pub(super) fn under(&self, folder: &'static str) -> impl Iterator<Item = &Source> {
        self.all().filter(move |file| file.path.starts_with(folder))
    }

    /// What people write under `web/`: everything except the vendored libraries.
    pub(super) fn web(&self) -> impl Iterator<Item = &Source> {
        self.under("web/").filter(|file| !file.path.starts_with("web/static/vendor/"))
    }
}

fn listed_by_git(root: &Path) -> Option<Vec<String>> {
    let listing = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .ok()?;
    let text = String::from_utf8(listing.stdout).ok()?;
    let mut paths: Vec<String> = text.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    paths.dedup();
    (listing.status.success() && !paths.is_empty()).then_some(paths)
}

fn walked(root: &Path, folder: &Path) -> std::io::Result<Vec<String>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if BUILT.contains(&entry.file_name().to_string_lossy().as_ref()) {
            continue;
        }
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            paths.extend(walked(root, &path)?);
        } else if let Ok(inside) = path.strip_prefix(root) {
            paths.push(inside.to_string_lossy().into_owned());
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_git_the_walk_finds_sources_and_leaves_built_folders_alone() {
        let root = tempfile::tempdir().unwrap();
        for path in ["console/src/main.rs", "target/debug/x.rs", "tests/browser/node_modules/y.js", ".ci/run"] {
            std::fs::create_dir_all(root.path().join(path).parent().unwrap()).unwrap();
            std::fs::write(root.path().join(path), "text").unwrap();
        }
        let mut found = walked(root.path(), root.path()).unwrap();
        found.sort();
        assert_eq!(found, [".ci/run", "console/src/main.rs"]);
    }
}
