//! What a program needs to run in an image that holds nothing else: its shared libraries, as the loader of this machine finds
//! them, and the certificate authorities. A library that is missing here is an error, not a surprise in the cluster.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::Item;

/// Where programs look for certificate authorities, and where distributions keep them.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
const AUTHORITIES_ELSEWHERE: &[&str] = &[AUTHORITIES, "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/// The files of an image for the program at `path`, and what starts it.
pub fn items(path: &Path) -> anyhow::Result<(Vec<Item>, String)> {
    let name = path.file_name().and_then(|name| name.to_str()).context("the program has no name")?;
    let start = format!("/usr/local/bin/{name}");
    let mut items = vec![Item::read(path, &start)?];
    for library in libraries(path)? {
        let place = library.to_str().context("a library's path is not text")?;
        items.push(Item::read(&library, place)?);
    }
    let authorities = AUTHORITIES_ELSEWHERE
        .iter()
        .map(Path::new)
        .find(|file| file.is_file())
        .context("there are no certificate authorities here: install the package ca-certificates")?;
    items.push(Item::read(authorities, AUTHORITIES)?);
    Ok((items, start))
}

/// The shared libraries of the program at `path` and its loader, where this machine has them.
fn libraries(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(path).env("LC_ALL", "C").output().context("ldd cannot be run")?;
    let says = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if !output.status.success() && !says.contains("not a dynamic executable") {
        anyhow::bail!("ldd does not read {}: {}", path.display(), says.trim());
    }
    parse(&says)
}

/// Reads the lines of `ldd`: `name => /path (address)`, `/path/of/the/loader (address)`, and the kernel's own without a path.
pub(super) fn parse(says: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for line in says.lines().map(str::trim).filter(|line| line.contains("=>") || line.starts_with('/')) {
        let target = line.split_once("=>").map_or(line, |(_, target)| target).trim();
        match target.split_whitespace().next() {
            Some(path) if path.starts_with('/') => found.push(PathBuf::from(path.trim_end_matches(':'))),
            _ if target.starts_with("not found") => anyhow::bail!("a library is missing here: {line}"),
            _ => {}
        }
    }
    Ok(found)
}
