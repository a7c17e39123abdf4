//! One segment: `blocks-<first>-<last>.archive`.
//!
//! Blocks one after the other (deterministic CBOR), then tables of fixed rows, sorted for binary search, then a footer:
//!
//! ```text
//! blocks    whole block …
//! offsets   u64 …                        where each block begins, one more for where the last one ends
//! ids       transaction id ‖ height ‖ position
//! entries   first log entry ‖ height ‖ position
//! digests   digest ‖ log entry
//! footer    CBOR; then its length (u32) and the magic (8 bytes)
//! ```
//! All numbers are big-endian. The footer holds the SHA-256 of everything before it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use chain_types::encoding::{Decode, DecodeError, Encode, Reader, Writer};
use chain_types::{Fingerprint, Hash, TxId};

use super::ArchiveError;
use crate::store::{LogPlace, TxPlace, WholeBlock};

const DOMAIN: &str = "citychain/archive/1";
const MAGIC: &[u8; 8] = b"ccarch01";
const ID_ROW: usize = 32 + 12;
const ENTRY_ROW: usize = 8 + 12;
const DIGEST_ROW: usize = 32 + 8;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Footer {
    fingerprint: Fingerprint,
    first: u64,
    last: u64,
    /// Entries in the log before the first block and after the last.
    log_start: u64,
    log_end: u64,
    /// Where offsets begin; the other tables follow.
    tables_at: u64,
    ids: u64,
    entries: u64,
    digests: u64,
    sha256: Hash,
}

impl Encode for Footer {
    fn encode(&self, w: &mut Writer) {
        w.array(11).text(DOMAIN);
        self.fingerprint.encode(w);
        w.uint(self.first).uint(self.last).uint(self.log_start).uint(self.log_end).uint(self.tables_at);
        w.uint(self.ids).uint(self.entries).uint(self.digests);
        self.sha256.encode(w);
    }
}

impl Decode for Footer {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.domain(DOMAIN, 11)?;
        let footer = Self {
            fingerprint: Decode::decode(r)?,
            first: r.uint()?,
            last: r.uint()?,
            log_start: r.uint()?,
            log_end: r.uint()?,
            tables_at: r.uint()?,
            ids: r.uint()?,
            entries: r.uint()?,
            digests: r.uint()?,
            sha256: Decode::decode(r)?,
        };
        match footer.first <= footer.last && footer.log_start <= footer.log_end {
            true => Ok(footer),
            false => Err(r.invalid("segment range")),
        }
    }
}

/// An open segment.
#[derive(Debug)]
pub struct Segment {
    path: PathBuf,
    file: File,
    footer: Footer,
    bytes: u64,
}

/// Writes through SHA-256.
struct Hashed<W> {
    inner: W,
    hasher: sha2::Sha256,
    at: u64,
}

impl<W: Write> Hashed<W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        use sha2::Digest as _;
        self.hasher.update(bytes);
        self.at += bytes.len() as u64;
        self.inner.write_all(bytes)
    }
}

#[derive(Default)]
struct Tables {
    offsets: Vec<u64>,
    ids: Vec<[u8; ID_ROW]>,
    entries: Vec<[u8; ENTRY_ROW]>,
    digests: Vec<[u8; DIGEST_ROW]>,
}

impl Tables {
    fn add(&mut self, whole: &WholeBlock) {
        let height = whole.block.header.height;
        for (position, outcome) in (0u32..).zip(&whole.outcomes) {
            let place = TxPlace { height, position }.row();
            self.ids.push(row(&outcome.tx.0, &place));
            if outcome.entries > 0 {
                self.entries.push(row(&outcome.first_entry.to_be_bytes(), &place));
            }
        }
        self.digests.extend(whole.digests.iter().map(|(entry, digest)| row(&digest.0, &entry.to_be_bytes())));
    }
}

fn row<const N: usize>(key: &[u8], value: &[u8]) -> [u8; N] {
    let mut row = [0; N];
    row.iter_mut().zip(key.iter().chain(value)).for_each(|(to, from)| *to = *from);
    row
}

impl Segment {
    /// Writes blocks of consecutive heights. On disk under its name when it returns.
    pub(super) fn write(dir: &Path, fingerprint: Fingerprint, blocks: &[WholeBlock]) -> Result<Self, ArchiveError> {
        let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else {
            let source = io::Error::other("a segment of no blocks");
            return Err(ArchiveError::Write { path: dir.into(), source });
        };
        let (low, high) = (first.block.header.height, last.block.header.height);
        let path = dir.join(format!("blocks-{low:012}-{high:012}.archive"));
        let growing = path.with_extension("partial");
        let write = || {
            let file = File::create(&growing)?;
            write_all(&file, fingerprint, blocks)?;
            file.sync_all()?;
            std::fs::rename(&growing, &path)?;
            File::open(dir)?.sync_all()
        };
        write().map_err(|source| ArchiveError::Write { path: path.clone(), source })?;
        Self::open(&path, fingerprint)
    }

    /// Opens a segment and reads its footer; [`Segment::verify`] reads the rest.
    pub(super) fn open(path: &Path, fingerprint: Fingerprint) -> Result<Self, ArchiveError> {
        let read = |source| ArchiveError::Read { path: path.into(), source };
        let bad = |reason: &str| ArchiveError::Damaged { path: path.into(), reason: reason.into() };
        let file = File::open(path).map_err(read)?;
        let bytes = file.metadata().map_err(read)?.len();
        let mut end = [0; 12];
        let trailer = bytes.checked_sub(12).ok_or_else(|| bad("it is too short"))?;
        file.read_exact_at(&mut end, trailer).map_err(read)?;
        let (length, magic) = end.split_at(4);
        let length = length.try_into().map(u32::from_be_bytes).unwrap_or(0);
        let at = trailer.checked_sub(length.into()).filter(|_| magic == MAGIC && length < 4096);
        let at = at.ok_or_else(|| bad("it does not end as a segment does"))?;
        let mut footer = vec![0; length as usize];
        file.read_exact_at(&mut footer, at).map_err(read)?;
        let footer = Footer::from_bytes(&footer).map_err(|e| bad(&format!("footer: {e}")))?;
        if footer.fingerprint != fingerprint {
            return Err(ArchiveError::OtherChain { path: path.into(), found: footer.fingerprint });
        }
        let segment = Self { path: path.into(), file, footer, bytes };
        match segment.table_end() == Some(at) {
            true => Ok(segment),
            false => Err(bad("its tables do not fill it")),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn first(&self) -> u64 {
        self.footer.first
    }

    pub fn last(&self) -> u64 {
        self.footer.last
    }

    pub fn log_end(&self) -> u64 {
        self.footer.log_end
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn ids_at(&self) -> u64 {
        self.footer.tables_at.saturating_add((self.footer.last - self.footer.first + 2).saturating_mul(8))
    }

    fn entries_at(&self) -> u64 {
        self.ids_at().saturating_add(self.footer.ids.saturating_mul(ID_ROW as u64))
    }

    fn digests_at(&self) -> u64 {
        self.entries_at().saturating_add(self.footer.entries.saturating_mul(ENTRY_ROW as u64))
    }

    fn table_end(&self) -> Option<u64> {
        self.digests_at().checked_add(self.footer.digests.checked_mul(DIGEST_ROW as u64)?)
    }

    /// A block whose height lies in the segment.
    pub(super) fn block(&self, height: u64) -> Result<WholeBlock, ArchiveError> {
        let mut offsets = [0; 16];
        let place = self.footer.tables_at + (height - self.footer.first) * 8;
        self.read(&mut offsets, place)?;
        let number = |range: std::ops::Range<usize>| {
            offsets.get(range).and_then(|b| b.try_into().ok()).map_or(0, u64::from_be_bytes)
        };
        let (start, end) = (number(0..8), number(8..16));
        let length = end.checked_sub(start).filter(|_| end <= self.footer.tables_at);
        let length =
            length.and_then(|n| usize::try_from(n).ok()).ok_or_else(|| self.bad("its offsets are no offsets"))?;
        let mut bytes = vec![0; length];
        self.read(&mut bytes, start)?;
        let whole = WholeBlock::from_bytes(&bytes).map_err(|e| self.bad(&format!("block {height}: {e}")))?;
        let certified = whole.certificate.id == whole.block.header.id() && whole.certificate.height == height;
        match whole.block.header.height == height && certified {
            true => Ok(whole),
            false => Err(self.bad(&format!("block {height} is another block"))),
        }
    }

    pub(super) fn find_transaction(&self, id: &TxId) -> Result<Option<TxPlace>, ArchiveError> {
        let at = self.lower_bound::<ID_ROW>(self.ids_at(), self.footer.ids, &id.0)?;
        let row = self.row::<ID_ROW>(self.ids_at(), self.footer.ids, at)?;
        Ok(row.filter(|row| row.starts_with(&id.0)).and_then(|row| TxPlace::from_bytes(row.get(32..)?)))
    }

    pub(super) fn find_entry(&self, index: u64) -> Result<Option<LogPlace>, ArchiveError> {
        if !(self.footer.log_start..self.footer.log_end).contains(&index) {
            return Ok(None);
        }
        // The last call that begins at or before the entry.
        let after =
            self.lower_bound::<ENTRY_ROW>(self.entries_at(), self.footer.entries, &(index + 1).to_be_bytes())?;
        let Some(at) = after.checked_sub(1) else { return Ok(None) };
        let Some(row) = self.row::<ENTRY_ROW>(self.entries_at(), self.footer.entries, at)? else { return Ok(None) };
        let first = row.get(..8).and_then(|b| b.try_into().ok()).map(u64::from_be_bytes);
        let place = row.get(8..).and_then(TxPlace::from_bytes);
        Ok(first.zip(place).map(|(first, call)| LogPlace { call, offset: index - first }))
    }

    pub(super) fn find_digest(&self, digest: &Hash, limit: usize) -> Result<Vec<u64>, ArchiveError> {
        let mut at = self.lower_bound::<DIGEST_ROW>(self.digests_at(), self.footer.digests, &digest.0)?;
        let mut found = Vec::new();
        while found.len() < limit {
            let row = self.row::<DIGEST_ROW>(self.digests_at(), self.footer.digests, at)?;
            let Some(row) = row.filter(|row| row.starts_with(&digest.0)) else { break };
            found.extend(row.get(32..).and_then(|b| b.try_into().ok()).map(u64::from_be_bytes));
            at += 1;
        }
        Ok(found)
    }

    /// Reads all of it.
    pub(super) fn verify(&self) -> Result<(), ArchiveError> {
        use sha2::Digest as _;
        let (mut hasher, mut at, mut buffer) = (sha2::Sha256::new(), 0u64, vec![0; 1 << 20]);
        let end = self.table_end().unwrap_or(0);
        while at < end {
            let n = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
            let piece = buffer.get_mut(..n).unwrap_or_default();
            self.read(piece, at)?;
            hasher.update(piece);
            at += n as u64;
        }
        match Hash(hasher.finalize().into()) == self.footer.sha256 {
            true => Ok(()),
            false => Err(self.bad("its SHA-256 is not the one it was written with")),
        }
    }

    /// Index of the first row that is not below `key`.
    fn lower_bound<const N: usize>(&self, table: u64, rows: u64, key: &[u8]) -> Result<u64, ArchiveError> {
        let (mut low, mut high) = (0, rows);
        while low < high {
            let middle = low + (high - low) / 2;
            let row = self.row::<N>(table, rows, middle)?;
            match row.is_some_and(|row| row.get(..key.len()).is_some_and(|k| k < key)) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        Ok(low)
    }

    fn row<const N: usize>(&self, table: u64, rows: u64, at: u64) -> Result<Option<[u8; N]>, ArchiveError> {
        if at >= rows {
            return Ok(None);
        }
        let mut row = [0; N];
        self.read(&mut row, table + at * N as u64)?;
        Ok(Some(row))
    }

    fn read(&self, into: &mut [u8], at: u64) -> Result<(), ArchiveError> {
        self.file.read_exact_at(into, at).map_err(|source| ArchiveError::Read { path: self.path.clone(), source })
    }

    fn bad(&self, reason: &str) -> ArchiveError {
        ArchiveError::Damaged { path: self.path.clone(), reason: reason.into() }
    }
}

fn write_all(file: &File, fingerprint: Fingerprint, blocks: &[WholeBlock]) -> io::Result<()> {
    let mut out = Hashed { inner: BufWriter::new(file), hasher: sha2::Digest::new(), at: 0 };
    let mut tables = Tables::default();
    for whole in blocks {
        tables.offsets.push(out.at);
        tables.add(whole);
        out.put(&whole.to_bytes())?;
    }
    let tables_at = out.at;
    tables.offsets.push(tables_at);
    tables.ids.sort_unstable();
    tables.digests.sort_unstable();
    tables.offsets.iter().try_for_each(|offset| out.put(&offset.to_be_bytes()))?;
    tables.ids.iter().try_for_each(|row| out.put(row))?;
    tables.entries.iter().try_for_each(|row| out.put(row))?;
    tables.digests.iter().try_for_each(|row| out.put(row))?;
    let heights = blocks.first().zip(blocks.last()).map(|(a, b)| (&a.block.header, &b.block.header));
    let (first, last, log_start, before_last) =
        heights.map_or((0, 0, 0, 0), |(a, b)| (a.height, b.height, a.log_size, b.log_size));
    let added: u64 = blocks.last().map_or(0, |whole| whole.outcomes.iter().map(|outcome| outcome.entries).sum());
    let footer = Footer {
        fingerprint,
        first,
        last,
        log_start,
        log_end: before_last + added,
        tables_at,
        ids: tables.ids.len() as u64,
        entries: tables.entries.len() as u64,
        digests: tables.digests.len() as u64,
        sha256: Hash(sha2::Digest::finalize(out.hasher).into()),
    };
    let footer = footer.to_bytes();
    let length = u32::try_from(footer.len()).map_err(io::Error::other)?;
    out.inner.write_all(&footer)?;
    out.inner.write_all(&length.to_be_bytes())?;
    out.inner.write_all(MAGIC)?;
    out.inner.flush()
}
