//! What a snapshot takes from the store: the state of one height in pieces, tiles, blocks, validator sets.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use chain_types::Hash;
use rocksdb::IteratorMode;

use super::columns::Column;
use super::log::tile_key;
use super::{Store, StoreError, damaged};
use crate::snapshot::tree::{Record, Subtree, prefix, subtree};
use crate::snapshot::{MAX_BITS, edge_lengths, encode_records};

/// A piece of state should be about this large.
const PIECE_BYTES: u64 = 1 << 20;
/// Kept in memory while the state is sorted into pieces.
const SORT_BYTES: usize = 8 << 20;

/// The state of one height, as files `state-<piece>` in a folder.
pub struct StateExport {
    /// The last block when the state was read.
    pub height: u64,
    pub bits: u8,
    pub subtrees: Vec<Subtree>,
}

impl Store {
    /// Writes the present state into an empty folder, in pieces by the leading bits of the keys' hashes. The chain goes on
    /// meanwhile; what is read is one height. Blocking; memory does not grow with the state.
    pub fn export_state(&self, dir: &Path) -> Result<StateExport, StoreError> {
        let view = self.db.snapshot();
        let tip = view.get_cf(self.cf(Column::Meta)?, "tip")?.ok_or_else(|| damaged("no tip"))?;
        let height = tip.as_slice().try_into().map(u64::from_be_bytes).map_err(|_| damaged("tip"))?;
        let bits = self.piece_bits(height);
        let mut sorter = Sorter::new(dir, bits);
        for row in view.iterator_cf(self.cf(Column::State)?, IteratorMode::Start) {
            let (key, value) = row?;
            sorter.add(&key, &value).map_err(|e| unwritten(dir, &e))?;
        }
        let subtrees = sorter.finish().map_err(|e| unwritten(dir, &e))?;
        Ok(StateExport { height, bits, subtrees })
    }

    fn piece_bits(&self, height: u64) -> u8 {
        let bytes = self.state_bytes();
        let enough = |bits: &u8| PIECE_BYTES << bits >= bytes;
        let bits = (0..=MAX_BITS).step_by(4).find(enough).unwrap_or(MAX_BITS);
        // The taking side builds its tree in one version a piece, the last of which is the height.
        (0..=bits).step_by(4).take_while(|bits| 1u64 << bits <= height).last().unwrap_or(0)
    }

    /// Hashes of the incomplete tiles of a log of `size` entries, lowest level first.
    pub fn edge_tiles(&self, size: u64) -> Result<Vec<Vec<Hash>>, StoreError> {
        let one = |(level, length): (u8, u64)| match length {
            0 => Ok(Vec::new()),
            _ => {
                let index = size >> (8 * (u32::from(level) + 1)).min(63);
                let tile = self.get(Column::Tile, &tile_key(level, index))?.unwrap_or_default();
                let hashes: Vec<Hash> = tile.chunks_exact(32).filter_map(Hash::from_slice).collect();
                let length = usize::try_from(length).unwrap_or(0);
                let edge = hashes.get(..length).map(<[Hash]>::to_vec);
                edge.ok_or_else(|| damaged("a tile of the log is too short"))
            }
        };
        (0u8..).zip(edge_lengths(size)).map(one).collect()
    }

    /// Up to `count` complete tiles of a level, one after the other.
    pub fn whole_tiles(&self, level: u8, first: u64, count: u64) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        for index in first..first.saturating_add(count) {
            let tile = self.get(Column::Tile, &tile_key(level, index))?.unwrap_or_default();
            if tile.len() != 256 * 32 {
                return Err(damaged("a tile of the log is not complete"));
            }
            bytes.extend_from_slice(&tile);
        }
        Ok(bytes)
    }
}

fn unwritten(dir: &Path, e: &io::Error) -> StoreError {
    StoreError::Write(format!("the snapshot in {}: {e}", dir.display()))
}

/// Sorts rows that come in key order into pieces by their keys' hashes, on disk.
struct Sorter<'a> {
    dir: &'a Path,
    bits: u8,
    waiting: Vec<Vec<u8>>,
    bytes: usize,
}

impl<'a> Sorter<'a> {
    fn new(dir: &'a Path, bits: u8) -> Self {
        Self { dir, bits, waiting: vec![Vec::new(); 1 << bits], bytes: 0 }
    }

    fn raw(&self, piece: usize) -> PathBuf {
        self.dir.join(format!("raw-{piece}"))
    }

    fn add(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let piece = prefix(&Hash::of(key), self.bits);
        if let Some(rows) = self.waiting.get_mut(piece) {
            for part in [key, value] {
                let length = u32::try_from(part.len()).map_err(io::Error::other)?;
                rows.extend_from_slice(&length.to_be_bytes());
                rows.extend_from_slice(part);
                self.bytes += part.len() + 4;
            }
        }
        match self.bytes > SORT_BYTES {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        for piece in 0..self.waiting.len() {
            let rows = self.waiting.get_mut(piece).map(std::mem::take).unwrap_or_default();
            if !rows.is_empty() {
                File::options().create(true).append(true).open(self.raw(piece))?.write_all(&rows)?;
            }
        }
        self.bytes = 0;
        Ok(())
    }

    /// Each piece by itself: in the order of its places, with its hash.
    fn finish(mut self) -> io::Result<Vec<Subtree>> {
        self.flush()?;
        (0..self.waiting.len()).map(|piece| self.finish_piece(piece)).collect()
    }

    fn finish_piece(&self, piece: usize) -> io::Result<Subtree> {
        let mut raw = Vec::new();
        match File::open(self.raw(piece)) {
            Ok(mut file) => drop(file.read_to_end(&mut raw)?),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        let mut rest = raw.as_slice();
        let mut part = || -> io::Result<Vec<u8>> {
            let mut length = [0; 4];
            rest.read_exact(&mut length)?;
            let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
            rest.read_exact(&mut bytes)?;
            Ok(bytes)
        };
        let mut records = Vec::new();
        loop {
            match part() {
                Ok(key) => records.push(Record::new(key, part()?)),
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(e) => return Err(e),
            }
        }
        records.sort_unstable();
        let found =
            subtree(&records, self.bits, piece).ok_or_else(|| io::Error::other("a record twice in the state"))?;
        fs::write(self.dir.join(format!("state-{piece}")), encode_records(&records))?;
        match fs::remove_file(self.raw(piece)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(found),
        }
    }
}
