//! The archive as three readers see it: the same bytes for the same inputs, digests that agree, nothing but what was given.

use std::collections::BTreeMap;
use std::io::Read;

use super::*;

fn image(items: Vec<Item>) -> Image {
    Image {
        name: "localhost/made/up:1".into(),
        user: "65532:65532".into(),
        entrypoint: vec!["/a/tool".into()],
        labels: vec![("kind".into(), "test".into())],
        items,
    }
}

fn item(path: &str, text: &str) -> Item {
    Item { path: path.into(), executable: true, bytes: text.as_bytes().to_vec() }
}

fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        assert_eq!((entry.header().mtime().unwrap(), entry.header().uid().unwrap()), (0, 0));
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), bytes)
    });
    entries.collect()
}

#[test]
fn the_same_files_in_any_order_and_of_any_age_are_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("tool");
    std::fs::write(&source, "one").unwrap();
    let first = Item::read(&source, "/a/tool").unwrap();
    let file = std::fs::File::options().write(true).open(&source).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(86_400)).unwrap();
    let later = Item::read(&source, "/a/tool").unwrap();
    let one = image(vec![first, item("/b", "two")]).archive().unwrap();
    assert_eq!(one, image(vec![item("/b", "two"), later]).archive().unwrap());
    assert_ne!(one.0, image(vec![item("/b", "three")]).archive().unwrap().0);
}

#[test]
fn index_manifest_and_configuration_name_each_other_by_digest() {
    let (digest_of_image, archive) = image(vec![item("/a/tool", "one")]).archive().unwrap();
    let files = files(&archive);
    let json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
    let at = |digest: &serde_json::Value| {
        let name = digest.as_str().unwrap().replace("sha256:", "blobs/sha256/");
        assert_eq!(blob(&files[&name]), name);
        files[&name].clone()
    };
    let index = json(&files["index.json"]);
    assert_eq!(index["manifests"][0]["digest"], digest_of_image);
    assert_eq!(index["manifests"][0]["annotations"]["io.containerd.image.name"], "localhost/made/up:1");
    let manifest = json(&at(&index["manifests"][0]["digest"]));
    let configuration = json(&at(&manifest["config"]["digest"]));
    assert_eq!(configuration["config"]["User"], "65532:65532");
    assert_eq!(configuration["rootfs"]["diff_ids"][0], manifest["layers"][0]["digest"]);
    let layer = super::tests::files(&at(&manifest["layers"][0]["digest"]));
    assert_eq!(layer.into_keys().collect::<Vec<_>>(), ["a/", "a/tool"]);
    let docker = json(&files["manifest.json"]);
    assert_eq!(docker[0]["RepoTags"][0], "localhost/made/up:1");
    assert!(files.contains_key(docker[0]["Config"].as_str().unwrap()));
    assert!(files.contains_key(docker[0]["Layers"][0].as_str().unwrap()));
}

#[test]
fn two_different_files_at_one_place_and_a_relative_path_are_refused() {
    assert!(image(vec![item("/a", "one"), item("/a", "one")]).archive().is_ok());
    assert!(image(vec![item("/a", "one"), item("/a", "two")]).archive().unwrap_err().to_string().contains("/a"));
    assert!(image(vec![item("a", "one")]).archive().is_err());
}

#[test]
fn a_program_brings_its_libraries_its_loader_and_the_authorities() {
    let (items, start) = program::items(&std::env::current_exe().unwrap()).unwrap();
    let paths: Vec<&str> = items.iter().map(|item| item.path.as_str()).collect();
    assert_eq!(paths[0], start);
    assert!(paths.iter().any(|path| path.contains("libc.so")), "{paths:?}");
    assert!(paths.iter().any(|path| path.contains("ld-linux") || path.contains("ld-musl")), "{paths:?}");
    assert!(paths.contains(&"/etc/ssl/certs/ca-certificates.crt"), "{paths:?}");
}

#[test]
fn what_ldd_says_is_read_and_a_missing_library_is_an_error() {
    let says = "\tlinux-vdso.so.1 (0x7ffd)\n\tlibm.so.6 => /lib/x/libm.so.6 (0x7f)\n\t/lib64/ld-linux-x86-64.so.2 (0x7f)\n";
    let found: Vec<String> = program::parse(says).unwrap().iter().map(|path| path.display().to_string()).collect();
    assert_eq!(found, ["/lib/x/libm.so.6", "/lib64/ld-linux-x86-64.so.2"]);
    assert!(program::parse("\tnot a dynamic executable\n").unwrap().is_empty());
    assert!(program::parse("\tlibz.so.1 => not found\n").unwrap_err().to_string().contains("libz.so.1"));
}
