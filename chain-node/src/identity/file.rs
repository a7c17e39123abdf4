//! The identity file: which key signs in this volume, and up to where. Two slots are written in turn, in place, each with a
//! number and a checksum, so that a torn write leaves the one before it; the newer whole slot counts.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::UNIX_EPOCH;

use chain_types::encoding::{Decode, DecodeError, Encode, Reader, Writer};
use chain_types::{Hash, PublicKey};

const DOMAIN: &str = "citychain/identity/1";
/// Slots lie in blocks of their own, so that tearing one cannot touch the other.
const SLOT: u64 = 4_096;
/// Length, record, checksum.
const SLOT_BYTES: usize = 512;

/// A place in the order of votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    pub height: u64,
    pub round: u32,
}

/// What tells a volume from a copy of it: the file's own number and its time of birth, which copying gives anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    inode: u64,
    /// Nanoseconds since 1970; 0 where the file system does not tell.
    born_ns: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    pub key: PublicKey,
    pub volume: Volume,
    /// Nothing later was signed here.
    pub last: Position,
    /// The node must watch before it votes.
    pub waits: bool,
}

/// The open file. One process has it: the store beside it is locked.
pub struct IdentityFile {
    file: File,
    number: u64,
    record: Option<Record>,
    volume: Volume,
}

impl Volume {
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let born = metadata.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let born_ns = born.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0);
        Ok(Self { inode: metadata.ino(), born_ns })
    }
}

impl IdentityFile {
    /// Opens the file, or makes it; gives what it holds, nothing if it is new or no slot is whole.
    pub fn open(path: &Path) -> io::Result<(Self, Option<Record>)> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        // The name must be as durable as what is written under it.
        if let Some(dir) = path.parent() {
            File::open(dir)?.sync_all()?;
        }
        let mut newest: Option<(u64, Record)> = None;
        for slot in 0..2 {
            let mut bytes = [0; SLOT_BYTES];
            let read = read_up_to(&file, &mut bytes, slot * SLOT)?;
            let found = bytes.get(..read).and_then(decode_slot);
            newest = match (newest, found) {
                (Some(a), Some(b)) if a.0 > b.0 => Some(a),
                (a, b) => b.or(a),
            };
        }
        let volume = Volume::of(&file)?;
        let (number, record) = newest.map_or((0, None), |(number, record)| (number, Some(record)));
        Ok((Self { file, number, record, volume }, record))
    }

    pub fn volume(&self) -> Volume {
        self.volume
    }

    /// What was written last. Nobody asks before the first write.
    pub fn record(&self) -> Record {
        let nothing = Record { key: PublicKey([0; 32]), volume: self.volume, last: Position::default(), waits: true };
        self.record.unwrap_or(nothing)
    }

    /// Durable when it returns. A failed write leaves the slot before it.
    pub fn write(&mut self, record: Record) -> io::Result<()> {
        let _timed = crate::stages::GUARD.time(0);
        let number = self.number + 1;
        let slot = encode_slot(number, &record)?;
        self.file.write_all_at(&slot, (number % 2) * SLOT)?;
        self.file.sync_data()?;
        (self.number, self.record) = (number, Some(record));
        Ok(())
    }
}

fn read_up_to(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(bytes.get_mut(read..).unwrap_or_default(), offset + read as u64)? {
            0 => break,
            n => read += n,
        }
    }
    Ok(read)
}

fn encode_slot(number: u64, record: &Record) -> io::Result<Vec<u8>> {
    let mut w = Writer::default();
    w.array(8).text(DOMAIN).uint(number);
    record.key.encode(&mut w);
    w.uint(record.volume.inode).uint(record.volume.born_ns);
    w.uint(record.last.height).uint(record.last.round.into()).bool(record.waits);
    let body = w.into_bytes();
    let length = u16::try_from(body.len()).map_err(io::Error::other)?;
    let mut slot = [&length.to_be_bytes()[..], &body, &Hash::of(&body).0].concat();
    slot.resize(SLOT_BYTES, 0);
    Ok(slot)
}

fn decode_slot(bytes: &[u8]) -> Option<(u64, Record)> {
    let length = usize::from(u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?));
    let body = bytes.get(2..2 + length)?;
    if bytes.get(2 + length..2 + length + 32)? != Hash::of(body).0.as_slice() {
        return None;
    }
    read(body).ok()
}

fn read(body: &[u8]) -> Result<(u64, Record), DecodeError> {
    let mut r = Reader::new(body);
    r.domain(DOMAIN, 8)?;
    let number = r.uint()?;
    let key = Decode::decode(&mut r)?;
    let volume = Volume { inode: r.uint()?, born_ns: r.uint()? };
    let last = Position { height: r.uint()?, round: r.u32()? };
    Ok((number, Record { key, volume, last, waits: r.bool()? }))
}
