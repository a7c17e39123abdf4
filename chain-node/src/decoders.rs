//! Every decoder that bytes from outside this process reach, by name, for fuzzers and tests. A decoder must not panic, must
//! not allocate by what a length claims, and takes an object of one byte form in that form only.

use chain_types::encoding::{Decode, Encode, from_slice};
use chain_types::evidence::package::{Package, verify_file};
use chain_types::evidence::{CityProof, Evidence, Inputs};
use chain_types::light::Update;
use chain_types::manifest::ChainPart;
use chain_types::{Block, CommitCertificate, Genesis, Transaction, ValidatorSet};

use crate::config::Config;
use crate::{consensus, gossip};

/// Takes any bytes; panics only if a decoder breaks its promise.
pub type Decoder = fn(&[u8]) -> bool;

/// Each gives whether the bytes were an object.
pub const ALL: &[(&str, Decoder)] = &[
    ("transaction", transaction),
    ("block", one_form::<Block>),
    ("certificate", one_form::<CommitCertificate>),
    ("validators", one_form::<ValidatorSet>),
    ("genesis", one_form::<Genesis>),
    ("evidence", one_form::<Evidence>),
    ("package", package),
    ("city_proof", one_form::<CityProof>),
    ("light_update", one_form::<Update>),
    ("manifest", manifest),
    ("gossip", gossip::decodes),
    ("consensus", consensus::decodes),
    ("config", config),
];

/// Gives bytes to the decoder of this name.
///
/// # Panics
///
/// Without a decoder of this name: a fuzzer that tries nothing would find nothing for ever.
pub fn run(name: &str, bytes: &[u8]) -> bool {
    let found = ALL.iter().find(|(known, _)| *known == name);
    let (_, decode) = found.unwrap_or_else(|| panic!("there is no decoder `{name}`"));
    decode(bytes)
}

/// What was read and is written again is what was there.
pub(crate) fn one_form<T: Decode + Encode>(bytes: &[u8]) -> bool {
    let read = T::from_bytes(bytes);
    if let Ok(object) = &read {
        assert!(object.to_bytes() == bytes, "an object was taken in a second byte form");
    }
    read.is_ok()
}

fn transaction(bytes: &[u8]) -> bool {
    let read = Transaction::decode(bytes);
    if let Ok(tx) = &read {
        assert!(tx.bytes() == bytes && Transaction::id_of(bytes) == Ok(tx.id()), "a transaction has two names");
        // Any signature may come along with it.
        let _ = tx.verify();
    }
    read.is_ok()
}

fn package(bytes: &[u8]) -> bool {
    let read = Package::from_bytes(bytes);
    if let Ok(package) = &read {
        assert!(package.to_bytes() == bytes, "a package was taken in a second byte form");
        let _ = verify_file(bytes, &Inputs::default());
    }
    read.is_ok()
}

fn manifest(bytes: &[u8]) -> bool {
    from_slice::<ChainPart>(bytes).is_ok()
}

fn config(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| toml::from_str::<Config>(text).is_ok())
}

#[cfg(test)]
mod tests {
    use chain_types::crypto::SigningKey;
    use chain_types::encoding::{Value, to_vec};
    use chain_types::{Call, Fingerprint, Hash, Vote, VoteKind};

    use chain_types::evidence::Link;

    use super::*;

    const CONFIG: &str = r#"
        name = "validator-1"
        organisation = "bureau"
        genesis = "genesis.json"
        [listen]
        consensus = "127.0.0.1:26656"
        gossip = "127.0.0.1:26657"
        api = "127.0.0.1:8080"
        [limits]
        mempool_txs = 100
        [timeouts]
        propose_ms = 400
        vote_ms = 200
    "#;

    fn call() -> Call {
        Call {
            fingerprint: Fingerprint([7; 32]),
            valid_until_ms: 1_700_000_000_000,
            salt: [1; 8],
            app: "chain".into(),
            instance: "anchor".into(),
            method: "digests".into(),
            args: Value::Map(vec![("digests".into(), Value::Array(vec![Value::Bytes(vec![3; 32])]))]),
        }
    }

    fn city_proof(evidence: &Evidence, link: Link) -> Vec<u8> {
        CityProof { evidence: evidence.to_bytes(), link }.to_bytes()
    }

    fn light_update(evidence: &Evidence) -> Vec<u8> {
        let Evidence { set_changes, sealing: header, certificate, .. } = evidence.clone();
        Update { base: 1, set_changes, header, certificate, consistency: vec![Hash::of(b"log")] }.to_bytes()
    }

    /// Objects to begin with; `WRITE_CORPUS=1` writes them to where the fuzzer looks.
    #[test]
    fn an_object_of_each_kind_is_taken() {
        let key = SigningKey::from_seed(&[1; 32]);
        let tx = Transaction::sign(call(), &key).unwrap();
        let evidence = include_bytes!("../tests/data/format-1/call.evidence.cbor");
        let digest = include_bytes!("../tests/data/format-1/digest.evidence.cbor");
        let proof = Evidence::from_bytes(evidence).unwrap();
        let genesis = Genesis::from_bytes(&proof.genesis).unwrap();
        let sealing = Block { header: proof.sealing.clone(), txs: Vec::new() };
        let template = include_str!("../runtime/tests/it/application.yaml");
        let manifest: ChainPart = serde_yaml_ng::from_str(template).unwrap();
        let vote = Vote { fingerprint: Fingerprint([7; 32]), kind: VoteKind::Precommit, height: 5, round: 0, id: None };
        let id = chain_types::BlockId(Hash::of(b"block").0);
        let signatures = (0..3).map(|n| (n, key.sign(&vote.to_bytes()))).collect();
        let certificate = CommitCertificate { height: 5, round: 0, id, signatures };
        let mut all = vec![
            ("transaction", tx.bytes().to_vec()),
            ("certificate", certificate.to_bytes()),
            ("validators", genesis.validator_set().to_bytes()),
            ("genesis", genesis.to_bytes()),
            ("block", sealing.to_bytes()),
            ("manifest", to_vec(&manifest).unwrap()),
            ("config", CONFIG.as_bytes().to_vec()),
            ("evidence", evidence.to_vec()),
            ("evidence", digest.to_vec()),
            ("package", include_bytes!("../types/testdata/package/digest.evp").to_vec()),
            ("package", include_bytes!("../types/testdata/package/statement.evp").to_vec()),
            ("city_proof", city_proof(&proof, Link::Headers(vec![proof.sealing.clone()]))),
            ("city_proof", city_proof(&proof, Link::Log(vec![Hash::of(b"log")]))),
            ("light_update", light_update(&proof)),
        ];
        all.extend(gossip::samples().into_iter().map(|bytes| ("gossip", bytes)));
        all.extend(consensus::samples().into_iter().map(|bytes| ("consensus", bytes)));
        for (n, (name, bytes)) in all.iter().enumerate() {
            assert!(run(name, bytes), "{name} {n}");
            if std::env::var_os("WRITE_CORPUS").is_some() {
                let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(folder.join(format!("{:.16}", Hash::of(bytes).to_string())), bytes).unwrap();
            }
        }
    }
}
