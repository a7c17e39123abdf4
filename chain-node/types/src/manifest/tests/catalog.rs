//! Every template of the catalog, whichever there are: any one folder may go and the rest still passes.

use std::path::PathBuf;

use super::*;
use crate::encoding::from_slice;
use crate::limits::MAX_MANIFEST_BYTES;
use crate::manifest::{Answers, ChainPart};

/// `CITYCHAIN_APPS_DIR`, or the catalog of this repository.
fn templates() -> Vec<(PathBuf, AppTemplate)> {
    let here = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../web/apps");
    let root = std::env::var_os("CITYCHAIN_APPS_DIR").map_or_else(here, PathBuf::from);
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).collect();
    folders.retain(|path| path.join("app.yaml").exists());
    folders.sort();
    let read = |folder: PathBuf| {
        let text = std::fs::read_to_string(folder.join("app.yaml")).unwrap();
        let template = serde_yaml_ng::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        (folder, template)
    };
    folders.into_iter().map(read).collect()
}

#[test]
fn every_template_passes_its_check_and_is_named_as_its_folder() {
    for (folder, template) in templates() {
        assert_eq!(template.check(), Ok(()), "{}", folder.display());
        assert_eq!(folder.file_name().unwrap().to_str(), Some(template.id.as_str()));
    }
}

#[test]
fn the_chain_part_of_every_template_reads_back_from_what_is_installed() {
    for (folder, template) in templates() {
        let resolved = template.resolve(&Answers::new()).unwrap();
        let bytes = resolved.chain_part_bytes();
        assert!(!bytes.is_empty() && bytes.len() <= MAX_MANIFEST_BYTES, "{}", folder.display());
        let read: ChainPart = from_slice(&bytes).unwrap();
        assert_eq!(read.check(), Ok(()), "{}", folder.display());
        assert_eq!(crate::encoding::to_vec(&read).unwrap(), bytes, "one form of one manifest");
        assert!(!String::from_utf8_lossy(&bytes).contains('$'), "{}: an answer is missing", folder.display());
        let again = template.resolve(&Answers::new()).unwrap();
        assert_eq!(again.console_hash(), resolved.console_hash());
    }
}

#[test]
fn files_that_samples_and_checks_hand_in_exist() {
    for (folder, template) in templates() {
        let text = std::fs::read_to_string(folder.join("app.yaml")).unwrap();
        let named = text.split([' ', '[', ']', '{', '}', ',', '\n']).filter(|w| w.starts_with("sample/"));
        for file in named {
            assert!(folder.join(file).exists(), "{}: {file}", template.id);
        }
    }
}
