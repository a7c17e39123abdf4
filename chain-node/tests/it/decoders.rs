//! Decoders meet bytes that are almost right. The same decoders run under a fuzzer (`chain-node/fuzz`); what it once found
//! lies in its corpus and is tried here each time.

use std::path::{Path, PathBuf};

use chain_node::decoders::ALL;
use proptest::prelude::*;

fn corpus(decoder: &str) -> Vec<Vec<u8>> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(decoder);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// One way of damaging bytes.
#[derive(Debug, Clone)]
enum Damage {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Repeat(prop::sample::Index, prop::sample::Index),
    /// A length that claims the most there is.
    Huge(prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    use prop::sample::Index;
    prop_oneof![
        4 => (any::<Index>(), 1u8..).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        1 => any::<Index>().prop_map(Damage::Cut),
        2 => (any::<Index>(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, new)| Damage::Insert(at, new)),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Damage::Repeat(a, b)),
        1 => any::<Index>().prop_map(Damage::Huge),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    if bytes.is_empty() {
        return bytes.push(0x9b);
    }
    let len = bytes.len();
    match damage {
        Damage::Flip(at, bits) => bytes[at.index(len)] ^= bits,
        Damage::Cut(at) => bytes.truncate(at.index(len)),
        Damage::Insert(at, new) => drop(bytes.splice(at.index(len)..at.index(len), new.iter().copied())),
        Damage::Repeat(a, b) => {
            let (a, b) = (a.index(len).min(b.index(len)), a.index(len).max(b.index(len)));
            let again = bytes[a..b].to_vec();
            bytes.extend(again);
        }
        Damage::Huge(at) => {
            let at = at.index(len);
            let major = bytes[at] & 0xe0;
            bytes.splice(at..=at, [major | 0x1b, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff]);
        }
    }
}

#[test]
fn every_decoder_knows_what_lies_in_its_corpus() {
    for (name, decode) in ALL {
        let taken = corpus(name).iter().filter(|bytes| decode(bytes)).count();
        assert!(taken > 0, "{name} took nothing of its corpus: damaging it would show nothing");
        assert!(!decode(&[]) || *name == "config", "{name} took nothing at all for an object");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn damaged_bytes_are_refused_or_read_and_never_a_panic(
        file in any::<prop::sample::Index>(),
        damages in prop::collection::vec(damage(), 1..6),
    ) {
        for (name, decode) in ALL {
            let corpus = corpus_once(name);
            let mut bytes = corpus[file.index(corpus.len())].clone();
            damages.iter().for_each(|damage| apply(&mut bytes, damage));
            decode(&bytes);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for (_, decode) in ALL {
            decode(&bytes);
        }
    }
}

fn corpus_once(decoder: &str) -> &'static [Vec<u8>] {
    use std::collections::HashMap;
    use std::sync::LazyLock;
    static ALL_FILES: LazyLock<HashMap<&str, Vec<Vec<u8>>>> =
        LazyLock::new(|| ALL.iter().map(|(name, _)| (*name, corpus(name))).collect());
    &ALL_FILES[decoder]
}

#[test]
fn the_fuzzer_has_a_target_for_every_decoder_and_for_nothing_else() {
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let targets = manifest["bin"].as_array().unwrap().iter().map(|bin| bin["name"].as_str().unwrap());
    let (mut targets, mut decoders): (Vec<_>, Vec<_>) =
        (targets.collect(), ALL.iter().map(|(name, _)| *name).collect());
    targets.sort_unstable();
    decoders.sort_unstable();
    assert_eq!(targets, decoders);
}
