//! The embedded home: which file is where, and how files are written so that a crash leaves the old one or the new one, never half.
//! Reads and writes; decides nothing about what is in them.

use operator_api::{Kind, Name, Object, Text, ValidatorName, Version};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The folder that holds everything of this city.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

/// Why a file of the home could not be used, for the page of whatever it describes.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("couldn't read {path}: {source}")]
    Read { path: String, source: io::Error },
    #[error("couldn't write {path}: {source}")]
    Write { path: String, source: io::Error },
    /// It is there and does not say what it should; the text names field and line.
    #[error("{path} doesn't fit: {reason}")]
    Content { path: String, reason: String },
}

impl Home {
    pub fn new(root: &Path) -> Self {
        Self(std::path::absolute(root).unwrap_or_else(|_| root.to_owned()))
    }

    pub fn root(&self) -> &Path {
        &self.0
    }

    pub fn tenants(&self) -> PathBuf {
        self.0.join("tenants")
    }

    pub fn tenant(&self, tenant: &Name) -> PathBuf {
        self.tenants().join(format!("{tenant}.yaml"))
    }

    pub fn tenant_status(&self, tenant: &Name) -> PathBuf {
        self.tenants().join(format!("{tenant}.status.json"))
    }

    pub fn application(&self, application: &Name) -> PathBuf {
        self.0.join("applications").join(format!("{application}.yaml"))
    }

    pub fn application_status(&self, application: &Name) -> PathBuf {
        self.0.join("applications").join(format!("{application}.status.json"))
    }

    pub fn chains(&self) -> PathBuf {
        self.0.join("chains")
    }

    pub fn chain(&self, chain: &Name) -> PathBuf {
        self.chains().join(chain.as_str())
    }

    pub fn chain_object(&self, chain: &Name) -> PathBuf {
        self.chain(chain).join("chain.yaml")
    }

    pub fn genesis(&self, chain: &Name) -> PathBuf {
        self.chain(chain).join("genesis.json")
    }

    pub fn status(&self, chain: &Name) -> PathBuf {
        self.chain(chain).join("status.json")
    }

    pub fn steward(&self, chain: &Name) -> PathBuf {
        self.chain(chain).join("steward.key")
    }

    pub fn validators(&self, chain: &Name) -> PathBuf {
        self.chain(chain).join("validators")
    }

    /// By number, as its address is.
    pub fn validator(&self, chain: &Name, node: ValidatorName) -> PathBuf {
        self.validators(chain).join(node.number().to_string())
    }

    /// Where a deleted chain's data waits for a person to remove it.
    pub fn deleted(&self) -> PathBuf {
        self.0.join("deleted")
    }

    pub fn addresses(&self) -> PathBuf {
        self.0.join("addresses.json")
    }

    pub fn build(&self) -> PathBuf {
        self.0.join("build.json")
    }

    /// The node program of a version.
    pub fn program(&self, version: Version) -> PathBuf {
        self.0.join("bin").join(version.to_string()).join("chain-node")
    }

    /// Versions whose node program is there and can be run.
    pub fn versions(&self) -> BTreeSet<Version> {
        let names = names(&self.0.join("bin"));
        let versions = names.iter().filter_map(|name| name.parse::<Version>().ok());
        versions.filter(|version| is_program(&self.program(*version))).collect()
    }

    /// Chains that have an object.
    pub fn chain_names(&self) -> BTreeSet<Name> {
        let names = names(&self.chains());
        names.iter().filter_map(|name| name.parse().ok()).filter(|name| self.chain_object(name).is_file()).collect()
    }

    /// Tenants that have an object.
    pub fn tenant_names(&self) -> BTreeSet<Name> {
        let names = names(&self.tenants());
        names.iter().filter_map(|name| name.strip_suffix(".yaml")?.parse().ok()).collect()
    }

    /// Applications that have an object.
    pub fn application_names(&self) -> BTreeSet<Name> {
        let names = names(&self.0.join("applications"));
        names.iter().filter_map(|name| name.strip_suffix(".yaml")?.parse().ok()).collect()
    }

    /// Validators that have a folder.
    pub fn validator_names(&self, chain: &Name) -> BTreeSet<ValidatorName> {
        let names = names(&self.validators(chain));
        names.iter().filter_map(|name| ValidatorName::numbered(name.parse().ok()?)).collect()
    }
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

pub fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Makes a folder, readable by the owner alone, and those above it.
pub fn make_folder(path: &Path) -> Result<(), FileError> {
    let failed = |source| FileError::Write { path: path.display().to_string(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)
}

/// Replaces a file as a whole: written beside it, made durable, then renamed over it, then the folder made durable.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let failed = |source| FileError::Write { path: path.display().to_string(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = folder.join(format!(".{name}.new"));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)?;
    sync_folder(folder).map_err(failed)
}

/// A rename is durable once its folder is.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The text of a file, `None` if there is none.
pub fn read(path: &Path) -> Result<Option<String>, FileError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError::Read { path: path.display().to_string(), source }),
    }
}

pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FileError> {
    let Some(text) = read(path)? else { return Ok(None) };
    let content =
        |error: serde_json::Error| FileError::Content { path: path.display().to_string(), reason: error.to_string() };
    serde_json::from_str(&text).map(Some).map_err(content)
}

pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), FileError> {
    let content =
        |error: serde_json::Error| FileError::Content { path: path.display().to_string(), reason: error.to_string() };
    let mut text = serde_json::to_vec_pretty(value).map_err(content)?;
    text.push(b'\n');
    write(path, &text)
}

/// An object as a person may have edited it. A status in it is dropped: here statuses are files of their own.
pub fn parse_object<S: Kind>(path: &Path, name: &Name, text: &str) -> Result<Object<S>, FileError> {
    let content = |reason: String| FileError::Content { path: path.display().to_string(), reason };
    let mut object: Object<S> = serde_yaml_ng::from_str(text).map_err(|error| content(error.to_string()))?;
    if object.name() != name {
        return Err(content(format!("metadata.name is `{}`; by its place it must be `{name}`", object.name())));
    }
    object.status = None;
    Ok(object)
}

pub fn object_text<S: Kind>(object: &Object<S>) -> Result<String, FileError> {
    serde_yaml_ng::to_string(object)
        .map_err(|error| FileError::Content { path: object.name().to_string(), reason: error.to_string() })
}

/// The sentence of a file error in both languages; the reason itself is the parser's, in English.
pub fn in_words(error: &FileError) -> Text {
    match error {
        FileError::Content { path, reason } => Text::new(
            format!("文件 {} 的内容不合格式：{reason}。请更正后保存，将自动重新读取。", short(path)),
            format!("{} does not fit: {reason}. Correct and save it; it is read again by itself.", short(path)),
        ),
        FileError::Read { path, source } | FileError::Write { path, source } => Text::new(
            format!("无法读写文件 {}：{source}。", short(path)),
            format!("The file {} cannot be used: {source}.", short(path)),
        ),
    }
}

/// The last two parts of a path: pages need no more of the machine.
fn short(path: &str) -> String {
    let parts: Vec<&str> = path.rsplit('/').take(2).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use operator_api::ChainSpec;

    const CHAIN: &str = "apiVersion: citychain.dev/v1alpha1\nkind: Chain\nmetadata:\n  name: main\nspec:\n  tenant: notary\n  title: {zh: 公证链, en: Notary chain}\n  validators: {count: 4}\n  version: 0.1.0\n";

    #[test]
    fn a_file_is_replaced_as_a_whole_and_readable_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.json");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some("two"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert!(read(&folder.path().join("none")).unwrap().is_none());
    }

    #[test]
    fn a_mistake_in_an_object_is_told_with_its_name() {
        let path = Path::new("/h/chains/main/chain.yaml");
        let name: Name = "main".parse().unwrap();
        let object = parse_object::<ChainSpec>(path, &name, CHAIN).unwrap();
        assert_eq!(parse_object::<ChainSpec>(path, &name, &object_text(&object).unwrap()).unwrap(), object);
        for (wrong, said) in [
            (CHAIN.replace("count: 4", "cuont: 4"), "cuont"),
            (CHAIN.replace("0.1.0", "latest"), "latest"),
            (CHAIN.replace("name: main", "name: other"), "metadata.name"),
            (CHAIN.replace("kind: Chain", "kind: Tenant"), "Tenant"),
            ("{".to_owned(), "chain.yaml"),
        ] {
            let error = parse_object::<ChainSpec>(path, &name, &wrong).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
            assert!(!in_words(&error).zh.contains("/h/"), "{error}");
        }
    }

    #[test]
    fn only_what_can_be_run_is_a_version() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        for (version, mode) in [("0.1.0", 0o755), ("0.2.0", 0o644), ("latest", 0o755)] {
            let path = folder.path().join("bin").join(version).join("chain-node");
            write(&path, b"x").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        assert_eq!(home.versions().into_iter().map(|v| v.to_string()).collect::<Vec<_>>(), ["0.1.0"]);
    }
}
