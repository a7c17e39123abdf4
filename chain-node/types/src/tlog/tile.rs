//! Paths of tiles and bundles of entries (C2SP tlog-tiles): `<level>/x001/x234/067[.p/<width>]`, `entries/…`.

use std::fmt;
use std::str::FromStr;

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;
const MAX_LEVEL: u8 = 63;
/// Tile indexes beyond this lie outside any log of 2^63 entries.
const MAX_INDEX: u64 = 1 << 55;

/// What a path is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Hashes of a tile level: roots of complete subtrees of 256^level entries.
    Hashes(u8),
    Entries,
}

/// A tile or bundle, whole (width 256) or its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TilePath {
    pub resource: Resource,
    pub index: u64,
    /// 1 to 256.
    pub width: u16,
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.resource {
            Resource::Hashes(level) => write!(f, "{level}")?,
            Resource::Entries => f.write_str("entries")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        let last = groups.first().copied().unwrap_or(0);
        for group in groups.iter().skip(1).rev() {
            write!(f, "/x{group:03}")?;
        }
        write!(f, "/{last:03}")?;
        match self.width {
            TILE_WIDTH => Ok(()),
            width => write!(f, ".p/{width}"),
        }
    }
}

impl FromStr for TilePath {
    /// There is nothing more to say than that it is not a path.
    type Err = ();

    fn from_str(path: &str) -> Result<Self, ()> {
        let (resource, rest) = path.split_once('/').ok_or(())?;
        let resource = match resource {
            "entries" => Resource::Entries,
            level => Resource::Hashes(level.parse().ok().filter(|l| *l <= MAX_LEVEL).ok_or(())?),
        };
        let (rest, width) = match rest.split_once(".p/") {
            Some((rest, width)) => (rest, width.parse().ok().filter(|w| (1..TILE_WIDTH).contains(w)).ok_or(())?),
            None => (rest, TILE_WIDTH),
        };
        let mut index = 0u64;
        for part in rest.split('/') {
            let digits: u64 = part.strip_prefix('x').unwrap_or(part).parse().map_err(|_| ())?;
            index = index.checked_mul(1000).and_then(|i| i.checked_add(digits)).ok_or(())?;
        }
        let parsed = Self { resource, index, width };
        // Whatever parses above but is written otherwise — signs, missing or extra zeros, misplaced x — is no path.
        if index < MAX_INDEX && parsed.to_string() == path { Ok(parsed) } else { Err(()) }
    }
}

/// Entries with their 16-bit lengths; none if one is longer than the format can hold.
pub fn write_bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut bundle = Vec::new();
    for entry in entries {
        bundle.extend_from_slice(&u16::try_from(entry.len()).ok()?.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Some(bundle)
}

/// The entries of a bundle; none if it ends inside one.
pub fn read_bundle(mut bundle: &[u8]) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    while !bundle.is_empty() {
        let (length, rest) = bundle.split_first_chunk::<2>()?;
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        bundle = rest;
    }
    Some(entries)
}
