//! A node that cannot run says why in one sentence, with an exit code that tells its supervisor whether to try again.

use std::net::TcpListener;

use rocksdb::{DB, Options};

use super::cluster::{Cluster, node};

fn run_and_fail(cluster: &Cluster, n: usize) -> (i32, String) {
    let config = cluster.validator_dir(n).join("node.toml");
    let output = tokio::task::block_in_place(|| node(&["run", "--config", config.to_str().unwrap()]));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), text.lines().last().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_configuration_key_is_named() {
    let cluster = Cluster::make(1);
    let path = cluster.validator_dir(0).join("node.toml");
    let config = format!("mempool_size = 5\n{}", std::fs::read_to_string(&path).unwrap());
    std::fs::write(&path, config).unwrap();
    let config = path.to_str().unwrap();
    let output = tokio::task::block_in_place(|| node(&["run", "--config", config]));
    assert_eq!(output.status.code(), Some(24));
    assert!(String::from_utf8_lossy(&output.stderr).contains("unknown field `mempool_size`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named_and_worth_another_try() {
    let cluster = Cluster::make(1);
    let address = format!("127.{}.1.1:26657", cluster.net);
    let _taken = TcpListener::bind(&address).unwrap();
    let (code, text) = run_and_fail(&cluster, 0);
    assert_eq!(code, 1);
    assert!(text.contains(&address) && text.contains("listen.gossip"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_a_newer_format_is_refused() {
    let mut cluster = Cluster::start(1).await;
    cluster.kill_all();
    let path = cluster.validator_dir(0).join("data");
    {
        let columns = DB::list_cf(&Options::default(), &path).unwrap();
        let db = DB::open_cf(&Options::default(), &path, columns).unwrap();
        db.put_cf(db.cf_handle("meta").unwrap(), "format", 99u64.to_be_bytes()).unwrap();
    }
    let (code, text) = run_and_fail(&cluster, 0);
    assert_eq!(code, 23);
    assert!(text.contains("format 99") && text.contains("install the newer version"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_chains_store_is_refused() {
    let mut cluster = Cluster::start(1).await;
    cluster.kill_all();
    let path = cluster.dir().join("genesis.json");
    let genesis = std::fs::read_to_string(&path).unwrap().replace("city.tenant.main", "city.tenant.other");
    std::fs::write(&path, genesis).unwrap();
    let (code, text) = run_and_fail(&cluster, 0);
    assert_eq!(code, 22);
    assert!(text.contains("belongs to chain"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let cluster = Cluster::make(1);
    let key = cluster.validator_dir(0).join("keys/consensus.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (code, text) = run_and_fail(&cluster, 0);
    assert_eq!(code, 24);
    assert!(text.contains("chmod 600"), "{text}");
}
