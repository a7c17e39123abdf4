//! One node's process: started in a session of its own, known by pid and start time, stopped exactly. A process is ours only if both
//! agree with `process.json`: a pid alone may be somebody else's by now.
//!
//! The record is written by the process itself before it becomes `chain-node` ([`become_node`]), so there is no moment in which
//! a node runs that no record names, however the console ends.

use super::home::{self, FileError};
use chain_plan::exit::Exit;
use chain_types::Hash;
use operator_api::{Name, ValidatorName, Version};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A log that is larger than this is moved aside at a start, and emptied into the file before while the node runs.
const LOG_BYTES: u64 = 8 << 20;
/// A node that was asked to end and has not after this long is killed.
pub const GRACE: Duration = Duration::from_secs(10);

/// `process.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub pid: u32,
    /// Field 22 of `/proc/<pid>/stat`: in clock ticks since the machine started.
    pub start_time: u64,
    pub version: Version,
    /// `start_hash` of the configuration that it was started with.
    pub started: Option<Hash>,
    /// `hash` of the configuration that it has loaded last.
    pub loaded: Option<Hash>,
    pub started_ms: u64,
    /// How it ended, once that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    pub at_ms: u64,
}

impl Ended {
    pub fn of(status: Option<ExitStatus>, at_ms: u64) -> Self {
        let (code, signal) = status.map_or((None, None), |status| (status.code(), status.signal()));
        Self { code, signal, at_ms }
    }

    pub fn exit(self) -> Exit {
        match (self.code, self.signal) {
            (Some(code), _) => Exit::Code(code),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => Exit::Unseen,
        }
    }
}

impl Record {
    pub fn read(folder: &Path) -> Result<Option<Self>, FileError> {
        home::read_json(&folder.join("process.json"))
    }

    pub fn write(&self, folder: &Path) -> Result<(), FileError> {
        home::write_json(&folder.join("process.json"), self)
    }

    pub fn forget(folder: &Path) -> Result<(), FileError> {
        let path = folder.join("process.json");
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(FileError::Write { path: path.display().to_string(), source })
            }
            _ => Ok(()),
        }
    }

    /// The process that it names is there, and is the one it named.
    pub fn is_alive(&self) -> bool {
        start_time(self.pid) == Some(self.start_time)
    }

    /// Opens the process so that a signal reaches it and nobody who has its pid later.
    fn open(&self) -> Option<OwnedFd> {
        let pid = Pid::from_raw(i32::try_from(self.pid).ok()?)?;
        let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        // Checked after opening: the descriptor stands for whoever had the pid then.
        self.is_alive().then_some(process)
    }
}

/// When a process started, in clock ticks since the machine did; `None` if it is gone or has ended and only waits to be reaped.
pub fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything, brackets and spaces included.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    match fields.first()? {
        &"Z" | &"X" => None,
        _ => fields.get(19)?.parse().ok(),
    }
}

/// What to start.
pub struct Start<'a> {
    pub program: &'a Path,
    pub folder: &'a Path,
    pub version: Version,
    pub started: Option<Hash>,
    pub loaded: Option<Hash>,
    pub now_ms: u64,
}

/// Starts this program again as [`become_node`], which turns into the node.
pub fn start(start: &Start<'_>) -> io::Result<Child> {
    let log = open_log(start.folder)?;
    // The running program itself, even if its file has been replaced since.
    let mut command = Command::new("/proc/self/exe");
    command.arg("become-node").arg("--program").arg(start.program).arg("--folder").arg(start.folder);
    command.arg("--version-of-it").arg(start.version.to_string()).arg("--started-ms").arg(start.now_ms.to_string());
    if let Some(hash) = start.started {
        command.arg("--started").arg(hash.to_string());
    }
    if let Some(hash) = start.loaded {
        command.arg("--loaded").arg(hash.to_string());
    }
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).current_dir(start.folder);
    command.spawn()
}

/// Waits until a started process has written down who it is, or has ended: whoever stops everything right afterwards finds it.
pub async fn recorded(child: &mut Child, folder: &Path) {
    for _ in 0..600 {
        let written = Record::read(folder).ok().flatten().is_some_and(|record| record.pid == child.id());
        if written || !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What `start` tells the process that becomes the node.
#[derive(clap::Args)]
pub struct Become {
    #[arg(long)]
    program: PathBuf,
    #[arg(long)]
    folder: PathBuf,
    #[arg(long)]
    version_of_it: Version,
    #[arg(long)]
    started_ms: u64,
    #[arg(long)]
    started: Option<Hash>,
    #[arg(long)]
    loaded: Option<Hash>,
}

/// Leaves the console's session, writes down who it is, and becomes the node. Returns only if that fails.
pub fn become_node(options: Become) -> anyhow::Error {
    // A terminal's hang-up and Ctrl-C end the console, not the chains.
    if let Err(error) = rustix::process::setsid() {
        return anyhow::anyhow!("couldn't start a session: {error}");
    }
    let pid = std::process::id();
    let Some(start_time) = start_time(pid) else { return anyhow::anyhow!("couldn't read /proc/{pid}/stat") };
    let record = Record {
        pid,
        start_time,
        version: options.version_of_it,
        started: options.started,
        loaded: options.loaded,
        started_ms: options.started_ms,
        ended: None,
    };
    if let Err(error) = record.write(&options.folder) {
        return error.into();
    }
    let mut command = Command::new(&options.program);
    let error = command.arg("run").arg("--config").arg(options.folder.join("node.toml")).exec();
    anyhow::anyhow!("couldn't run {}: {error}", options.program.display())
}

fn open_log(folder: &Path) -> io::Result<File> {
    let folder = folder.join("log");
    fs::create_dir_all(&folder)?;
    let path = folder.join("node.log");
    if fs::metadata(&path).is_ok_and(|meta| meta.len() > LOG_BYTES) {
        fs::rename(&path, folder.join("node.log.1"))?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// Keeps a running node's log within bounds: what is there goes to the file before, and the node writes on at the start of an
/// empty one. A line written between the two steps is lost.
pub fn rotate_log(folder: &Path) -> io::Result<()> {
    let path = folder.join("log/node.log");
    if fs::metadata(&path).map_or(0, |meta| meta.len()) <= LOG_BYTES {
        return Ok(());
    }
    fs::copy(&path, folder.join("log/node.log.1"))?;
    OpenOptions::new().write(true).truncate(true).open(&path).map(|_| ())
}

/// The last lines of the node's log, newest last.
pub fn log_tail(folder: &Path, lines: usize) -> Vec<String> {
    let read = || -> io::Result<String> {
        let mut file = File::open(folder.join("log/node.log"))?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(16 << 10)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let all: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    all[all.len().saturating_sub(lines)..].iter().map(|line| (*line).to_owned()).collect()
}

/// Ends a process cleanly: asks, waits, and kills it if it does not end in time. Already gone is as good.
pub async fn stop(record: &Record, grace: Duration) -> io::Result<()> {
    let Some(process) = record.open() else { return Ok(()) };
    if pidfd_send_signal(&process, Signal::TERM).is_err() || gone(record, grace).await {
        return Ok(());
    }
    tracing::warn!(process.pid = record.pid, "the node did not end in time and is killed");
    let _ = pidfd_send_signal(&process, Signal::KILL);
    if gone(record, Duration::from_secs(5)).await {
        return Ok(());
    }
    Err(io::Error::other(format!("process {} does not end, not even when killed", record.pid)))
}

async fn gone(record: &Record, within: Duration) -> bool {
    let end = tokio::time::Instant::now() + within;
    while record.is_alive() {
        if tokio::time::Instant::now() >= end {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

/// Stops every node that a record of the home names; with no console running too. Returns how many there were.
pub async fn stop_all(home: &home::Home) -> anyhow::Result<usize> {
    let mut running = Vec::new();
    for chain in folders(&home.chains()) {
        for validator in folders(&chain.join("validators")) {
            if let Some(record) = Record::read(&validator)?.filter(|record| record.ended.is_none()) {
                running.push((validator, record));
            }
        }
    }
    let stops = running.iter().map(|(folder, record)| async move {
        let alive = record.is_alive();
        stop(record, GRACE).await?;
        // A plain start follows, not one after a crash.
        Record::forget(folder)?;
        anyhow::Ok(alive)
    });
    let stopped = futures::future::try_join_all(stops).await?;
    Ok(stopped.into_iter().filter(|alive| *alive).count())
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect()
}

/// "medical/validator-3", for logs.
pub fn called(chain: &Name, node: ValidatorName) -> String {
    format!("{chain}/{node}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(pid: u32, start_time: u64) -> Record {
        let version = "0.1.0".parse().unwrap();
        Record { pid, start_time, version, started: None, loaded: None, started_ms: 1, ended: None }
    }

    #[tokio::test]
    async fn a_process_is_stopped_and_another_with_its_pid_is_not() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let start_time = start_time(child.id()).unwrap();
        stop(&record(child.id(), start_time + 1), GRACE).await.unwrap();
        assert!(child.try_wait().unwrap().is_none(), "the start time was another one");
        stop(&record(child.id(), start_time), GRACE).await.unwrap();
        assert_eq!(Ended::of(Some(child.wait().unwrap()), 7).exit(), Exit::Signal(15));
    }

    #[tokio::test]
    async fn one_that_does_not_listen_is_killed() {
        let mut child = Command::new("sh")
            .args(["-c", "trap '' TERM; echo up; while :; do sleep 1; done"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut up = [0; 3];
        child.stdout.take().unwrap().read_exact(&mut up).unwrap();
        stop(&record(child.id(), start_time(child.id()).unwrap()), Duration::from_millis(200)).await.unwrap();
        assert_eq!(Ended::of(Some(child.wait().unwrap()), 7).exit(), Exit::Signal(9));
    }

    #[tokio::test]
    async fn stopping_everything_forgets_the_records_and_does_nothing_twice() {
        let folder = tempfile::tempdir().unwrap();
        let home = home::Home::new(folder.path());
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let node = folder.path().join("chains/main/validators/1");
        record(child.id(), start_time(child.id()).unwrap()).write(&node).unwrap();
        record(u32::MAX, 1).write(&folder.path().join("chains/main/validators/2")).unwrap();
        assert_eq!(stop_all(&home).await.unwrap(), 1);
        child.wait().unwrap();
        assert!(Record::read(&node).unwrap().is_none());
        assert_eq!(stop_all(&home).await.unwrap(), 0);
    }

    #[test]
    fn a_log_that_grew_is_moved_aside_while_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = open_log(folder.path()).unwrap();
        io::Write::write_all(&mut log, &vec![b'a'; LOG_BYTES as usize + 1]).unwrap();
        rotate_log(folder.path()).unwrap();
        io::Write::write_all(&mut log, b"next\nlast\n").unwrap();
        assert_eq!(log_tail(folder.path(), 1), ["last"]);
        assert_eq!(fs::metadata(folder.path().join("log/node.log")).unwrap().len(), 10);
        assert_eq!(fs::metadata(folder.path().join("log/node.log.1")).unwrap().len(), LOG_BYTES + 1);
    }
}
