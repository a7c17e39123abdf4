//! A network namespace for each validator, joined by [`Switch`]; and a link of its own from this test to each, which no
//! partition touches, so that clients always reach whom they want to ask.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::switch::{Switch, hardware_address};

static NEXT: AtomicU32 = AtomicU32::new(0);

pub struct Network {
    names: Vec<String>,
    /// First words of a name, and the two middle numbers of the addresses.
    prefix: String,
    net: (u32, u32),
    pub switch: Option<Switch>,
}

fn ip(words: &str) -> Result<(), String> {
    let done = Command::new("ip").args(words.split_whitespace()).stdin(Stdio::null()).output();
    let done = done.map_err(|e| format!("the program `ip` does not run: {e}"))?;
    match done.status.success() {
        true => Ok(()),
        false => Err(format!("`ip {words}`: {}", String::from_utf8_lossy(&done.stderr).trim())),
    }
}

impl Network {
    /// Fails with what this machine lacks: the rights, the program `ip`, namespaces, veth, or packet sockets.
    pub fn make(validators: usize) -> Result<Self, String> {
        let id = std::process::id().wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed) << 12) % 60_000;
        let (prefix, net) = (format!("cc{id:x}"), (100 + id / 250 % 100, id % 250));
        let mut network = Self { names: Vec::new(), prefix, net, switch: None };
        for n in 0..validators {
            network.names.push(format!("{}n{n}", network.prefix));
            network.join(n)?;
        }
        let interfaces: Vec<String> = (0..validators).map(|n| format!("{}d{n}", network.prefix)).collect();
        network.switch = Some(Switch::start(&interfaces)?);
        Ok(network)
    }

    /// Where a validator listens.
    pub fn host(&self, n: usize) -> String {
        format!("10.{}.{}.{}", self.net.0, self.net.1, n + 1)
    }

    /// What runs a command there.
    pub fn within(&self, n: usize) -> Vec<String> {
        ["ip", "netns", "exec", &self.names[n]].map(str::to_owned).to_vec()
    }

    fn join(&self, n: usize) -> Result<(), String> {
        let (space, prefix, host) = (&self.names[n], &self.prefix, self.host(n));
        let (near, far) = (format!("{prefix}d{n}"), format!("{prefix}m{n}"));
        let ours = format!("172.31.{}.{}", self.net.1, n * 4 + 1);
        let theirs = format!("172.31.{}.{}", self.net.1, n * 4 + 2);
        let address = hardware_address(n);
        ip(&format!("netns add {space}"))?;
        // One frame a segment: what the kernel would cut up later does not fit through the switch.
        ip(&format!(
            "link add {near} gso_max_segs 1 type veth peer name data address {address} gso_max_segs 1 netns {space}"
        ))?;
        ip(&format!("link set {near} up"))?;
        ip(&format!("-n {space} link set lo up"))?;
        ip(&format!("-n {space} link set data up"))?;
        ip(&format!("-n {space} address add {host}/24 dev data"))?;
        ip(&format!("link add {far} type veth peer name test netns {space}"))?;
        ip(&format!("address add {ours}/30 dev {far}"))?;
        ip(&format!("link set {far} up"))?;
        ip(&format!("-n {space} address add {theirs}/30 dev test"))?;
        ip(&format!("-n {space} link set test up"))?;
        ip(&format!("route add {host}/32 via {theirs} dev {far}"))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        drop(self.switch.take());
        // A namespace takes its ends of the links with it, and they the other ends.
        for name in &self.names {
            let _ = ip(&format!("netns delete {name}"));
        }
    }
}
