//! A chain's keys on disk: four seeds and an admin token a validator, one seed for the steward. Makes them once, never over existing
//! ones, and gives out public sides; a seed is read only to do so and by the node itself.

use super::home::{self, FileError, Home};
use crate::names::random_bytes;
use chain_plan::NodeKeys;
use chain_types::crypto::SigningKey;
use chain_types::{Hash, PublicKey};
use operator_api::{Name, ValidatorName};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use zeroize::Zeroizing;

const KINDS: [&str; 4] = ["consensus", "peer", "log", "cosigner"];

/// Makes a validator's keys: in a folder beside, made durable, then renamed into place, so that there are all or none.
pub fn create_node_keys(home: &Home, chain: &Name, node: ValidatorName, organisation: &Name) -> Result<(), FileError> {
    let folder = home.validator(chain, node);
    let (place, beside) = (folder.join("keys"), folder.join(".keys.new"));
    let failed = |source| FileError::Write { path: place.display().to_string(), source };
    if place.exists() {
        return Err(failed(io::Error::other("there are keys already; they are not replaced")));
    }
    // What an interrupted attempt left was never anybody's key.
    let _ = fs::remove_dir_all(&beside);
    home::make_folder(&beside)?;
    for kind in KINDS {
        save_secret(&beside.join(format!("{kind}.key"))).map_err(failed)?;
    }
    save_secret(&beside.join("admin.token")).map_err(failed)?;
    save(&beside.join("organisation"), organisation.as_str().as_bytes()).map_err(failed)?;
    home::sync_folder(&beside).map_err(failed)?;
    fs::rename(&beside, &place).map_err(failed)?;
    home::sync_folder(&folder).map_err(failed)
}

pub fn create_steward_key(home: &Home, chain: &Name) -> Result<(), FileError> {
    let path = home.steward(chain);
    let failed = |source| FileError::Write { path: path.display().to_string(), source };
    save_secret(&path).map_err(failed)?;
    home::sync_folder(&home.chain(chain)).map_err(failed)
}

/// 32 random bytes in hexadecimal, in a new file.
fn save_secret(path: &Path) -> io::Result<()> {
    let secret = Zeroizing::new(random_bytes::<32>());
    save(path, Zeroizing::new(hex::encode(*secret)).as_bytes())
}

fn save(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The public side of the keys of every validator that has all of them.
pub fn node_keys(home: &Home, chain: &Name) -> BTreeMap<ValidatorName, NodeKeys> {
    let read = |node: ValidatorName| Some((node, node_keys_in(&home.validator(chain, node).join("keys"))?));
    home.validator_names(chain).into_iter().filter_map(read).collect()
}

fn node_keys_in(folder: &Path) -> Option<NodeKeys> {
    let public = |kind: &str| public(&folder.join(format!("{kind}.key")));
    Some(NodeKeys {
        organisation: fs::read_to_string(folder.join("organisation")).ok()?.trim().parse().ok()?,
        consensus: public("consensus")?,
        cosigner: public("cosigner")?,
        log: public("log")?,
        peer: public("peer")?,
        admin_token_hash: Hash::of(admin_token(folder)?.as_bytes()),
        next: None,
        replaced: None,
        rotated_ms: None,
    })
}

pub fn steward(home: &Home, chain: &Name) -> Option<PublicKey> {
    public(&home.steward(chain))
}

/// The steward's key itself, to sign with. Dropped right after.
pub fn steward_key(home: &Home, chain: &Name) -> Option<SigningKey> {
    signing_key(&home.steward(chain))
}

fn public(path: &Path) -> Option<PublicKey> {
    Some(signing_key(path)?.public())
}

fn signing_key(path: &Path) -> Option<SigningKey> {
    let text = Zeroizing::new(fs::read_to_string(path).ok()?);
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), seed.as_mut()).ok()?;
    Some(SigningKey::from_seed(&seed))
}

/// The token that opens a node's admin address.
pub fn admin_token(keys: &Path) -> Option<Zeroizing<String>> {
    let text = Zeroizing::new(fs::read_to_string(keys.join("admin.token")).ok()?);
    Some(Zeroizing::new(text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn keys_are_made_once_and_read_back_as_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        let (chain, court): (Name, Name) = ("main".parse().unwrap(), "court".parse().unwrap());
        let node = ValidatorName::numbered(3).unwrap();
        create_node_keys(&home, &chain, node, &court).unwrap();
        let made = node_keys(&home, &chain);
        assert_eq!(made[&node].organisation, court);
        assert!(create_node_keys(&home, &chain, node, &court).is_err());
        assert_eq!(node_keys(&home, &chain), made);
        let keys = home.validator(&chain, node).join("keys");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&keys), mode(&keys.join("log.key"))), (0o700, 0o600));
        fs::write(keys.join("log.key"), "x").unwrap();
        assert!(node_keys(&home, &chain).is_empty(), "half a set of keys is none");
    }

    #[test]
    fn the_stewards_key_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        let chain: Name = "main".parse().unwrap();
        home::make_folder(&home.chain(&chain)).unwrap();
        create_steward_key(&home, &chain).unwrap();
        let made = steward(&home, &chain);
        assert!(made.is_some() && create_steward_key(&home, &chain).is_err());
        assert_eq!(steward(&home, &chain), made);
    }
}
