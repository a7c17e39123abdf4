//! A validator's disk that fails at one write: `disk.c` between the process and its files, told what to do through a
//! file that both have open.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::cluster::Cluster;

/// What goes wrong at a write; the numbers are those of `disk.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The power goes, and everything unsynced with it.
    Lost = 1,
    /// So, but half of the write in hand is on disk.
    Torn = 2,
    /// So, in whole sectors.
    TornSector = 3,
    /// The power goes when the write is on disk and nothing unsynced before it is.
    Reordered = 4,
    /// The process is killed; the machine goes on.
    Killed = 5,
    /// Carried out and reported as failed.
    Failed = 6,
    /// Not carried out for want of space.
    NoSpace = 7,
    /// From then on the disk can only be read.
    ReadOnly = 8,
    /// From then on every write fails.
    Broken = 9,
    /// Syncs that do nothing, and then the power goes.
    Lying = 10,
    /// The power goes now, whatever the process does.
    CutNow = 11,
}

impl Kind {
    /// Ends the process from outside.
    pub fn is_cut(self) -> bool {
        !matches!(self, Self::Failed | Self::NoSpace | Self::ReadOnly | Self::Broken)
    }
}

/// Whose writes count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// The log of consensus.
    Log = 1,
    Store = 2,
    Identity = 4,
    Archive = 8,
    All = 31,
}

/// What goes wrong, and at which write from now.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub kind: Kind,
    pub files: Files,
    pub nth: u64,
}

const MODE: u64 = 0;
const CLASSES: u64 = 4;
const COUNTDOWN: u64 = 8;
const FIRED: u64 = 16;
const WHERE: u64 = 24;
const BYTES: u64 = 4_096;

/// Stands under one validator of a cluster.
pub struct Disk {
    control: File,
}

impl Disk {
    /// Puts a disk under a validator; it is one from the validator's next start.
    pub fn under(cluster: &mut Cluster, n: usize) -> Self {
        let (control, kept) = (cluster.dir().join(format!("disk-{n}")), cluster.dir().join(format!("kept-{n}")));
        std::fs::create_dir_all(&kept).unwrap();
        let file = File::options().create(true).truncate(true).read(true).write(true).open(&control).unwrap();
        file.set_len(BYTES).unwrap();
        let set = |name: &str, path: PathBuf| format!("{name}={}", path.display());
        cluster.within[n] = vec![
            "env".into(),
            set("LD_PRELOAD", library().clone()),
            set("FAULT_DIR", cluster.validator_dir(n)),
            set("FAULT_CONTROL", control),
            set("FAULT_KEEP", kept),
        ];
        Self { control: file }
    }

    /// From now on, the n-th write is the one.
    pub fn arm(&self, fault: Fault) {
        self.heal();
        self.put(CLASSES, &(fault.files as u32).to_ne_bytes());
        self.put(COUNTDOWN, &fault.nth.to_ne_bytes());
        self.put(MODE, &(fault.kind as u32).to_ne_bytes());
    }

    /// The power goes now.
    pub fn cut(&self) {
        self.put(MODE, &(Kind::CutNow as u32).to_ne_bytes());
    }

    /// Nothing goes wrong any more, for a process that starts after this.
    pub fn heal(&self) {
        self.put(MODE, &[0; 4]);
        self.put(FIRED, &[0; 4]);
        self.put(WHERE, &[0; 256]);
    }

    /// The write that went wrong.
    pub fn struck(&self) -> Option<String> {
        let (mut fired, mut place) = ([0; 4], [0; 256]);
        self.control.read_exact_at(&mut fired, FIRED).unwrap();
        self.control.read_exact_at(&mut place, WHERE).unwrap();
        let end = place.iter().position(|byte| *byte == 0).unwrap();
        (fired != [0; 4]).then(|| String::from_utf8_lossy(&place[..end]).into_owned())
    }

    fn put(&self, at: u64, bytes: &[u8]) {
        self.control.write_all_at(bytes, at).unwrap();
    }
}

/// Compiled once by each test program; the C compiler is the one that links it.
fn library() -> &'static PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/writes/disk.c");
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let (own, path) = (folder.join(format!("disk-{}.so", std::process::id())), folder.join("disk.so"));
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
        let mut compile = Command::new(compiler);
        compile.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&own).arg(source).arg("-lpthread");
        let done = compile.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        // Another test program may do the same: each finds a whole file under the name.
        std::fs::rename(&own, &path).unwrap();
        path
    })
}
