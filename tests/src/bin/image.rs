//! `image --name REFERENCE --out FILE.tar …`: writes an image archive from files of this machine, without a daemon. The same
//! inputs give the same bytes. Prints the image's digest.

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use e2e::image::{Image, Item, program};

#[derive(Parser)]
struct Arguments {
    /// Under which name it is loaded, with its tag
    #[arg(long)]
    name: String,
    #[arg(long)]
    out: PathBuf,
    /// Program that the image is for: goes to /usr/local/bin with the shared libraries it needs and the certificate authorities
    #[arg(long)]
    program: Option<PathBuf>,
    /// What starts, as one list with commas; the program if left out
    #[arg(long, value_delimiter = ',')]
    entrypoint: Vec<String>,
    /// Who it runs as, in numbers
    #[arg(long, default_value = "65532:65532")]
    user: String,
    /// KEY=VALUE, shown by `inspect`
    #[arg(long, value_parser = pair)]
    label: Vec<(String, String)>,
    /// SOURCE=PATH: a file of this machine and where it stands in the image
    #[arg(value_parser = pair)]
    files: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=').map(|(left, right)| (left.to_owned(), right.to_owned())).ok_or_else(|| "write it as A=B".to_owned())
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut items = Vec::new();
    let mut entrypoint = arguments.entrypoint;
    if let Some(path) = &arguments.program {
        let (found, start) = program::items(path)?;
        items.extend(found);
        if entrypoint.is_empty() {
            entrypoint.push(start);
        }
    }
    for (source, path) in &arguments.files {
        items.push(Item::read(source.as_ref(), path)?);
    }
    let image = Image { name: arguments.name, user: arguments.user, entrypoint, labels: arguments.label, items };
    let (digest, bytes) = image.archive()?;
    // Renamed into place, so that a broken archive is never loaded.
    let unfinished = arguments.out.with_extension("new");
    std::fs::write(&unfinished, bytes).with_context(|| format!("{} cannot be written", unfinished.display()))?;
    std::fs::rename(&unfinished, &arguments.out)?;
    println!("{digest}  {}", image.name);
    Ok(())
}
