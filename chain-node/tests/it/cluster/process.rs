//! The program as processes, and the loopback networks that they listen on.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use super::PATIENCE;

pub const NODE: &str = env!("CARGO_BIN_EXE_chain-node");

static NEXT_NET: AtomicU8 = AtomicU8::new(0);

/// A loopback network 127.NET.1.x that is this cluster's for as long as the socket lives: other test programs on this
/// machine look for one, too, and a cluster may take a while before its nodes listen.
pub fn free_net() -> (u8, TcpListener) {
    loop {
        // Each program begins elsewhere, so that two seldom try the same one.
        let turn = std::process::id() % 120 + u32::from(NEXT_NET.fetch_add(1, Ordering::Relaxed) % 120);
        let net = 100 + (turn % 120) as u8;
        let mark = TcpListener::bind((std::net::Ipv4Addr::new(127, net, 1, 250), 26656));
        let unused = TcpListener::bind((std::net::Ipv4Addr::new(127, net, 1, 1), 8080)).is_ok();
        if let (Ok(mark), true) = (mark, unused) {
            return (net, mark);
        }
    }
}

pub fn node(args: &[&str]) -> Output {
    Command::new(NODE).args(args).stdin(Stdio::null()).output().unwrap()
}

/// Starts a node, behind these words if it runs in a network of its own.
pub fn spawn(within: &[String], dir: &Path) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(dir.join("log.txt")).unwrap();
    let mut command = match within {
        [] => Command::new(NODE),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(NODE);
            command
        }
    };
    command.arg("run").arg("--config").arg(dir.join("node.toml"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

/// One process; ends with the test.
pub struct Process(pub Child);

impl Process {
    /// Waits for its end; gives its exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(start.elapsed() < PATIENCE, "it goes on");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn check(home: &Path) -> serde_json::Value {
    let checked = node(&["check", "--json", "--home", home.to_str().unwrap()]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    serde_json::from_slice(&checked.stdout).unwrap()
}

pub fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy_dir(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}
