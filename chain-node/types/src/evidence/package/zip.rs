//! The one ZIP form of a package: members stored, in a fixed order, with fixed times and attributes, and nothing else.
//!
//! Own code on purpose: one list of members has exactly one byte form here, and whatever any other writer would do
//! differently is refused, so that no two readers can see two different contents (overlapping or hidden members, names
//! twice, comments, extra fields, data before or after). Members are never compressed, so none is larger than its file.
//! Any ZIP program opens the result. Knows nothing of what the members mean.

/// 1 January 1980, 00:00: the first moment that the format can write.
const DATE: u16 = 0x0021;
/// The version of the format that stored members need.
const VERSION: u16 = 10;
const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const LOCAL_BYTES: usize = 30;

/// Why bytes are not a package's ZIP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZipError {
    #[error("the file ends within a member or its header")]
    Cut,
    #[error("member `{0}` is compressed or encrypted; a package stores its members as they are")]
    Method(String),
    #[error("`{0}` is no member of a package, stands twice, or stands out of order")]
    Name(String),
    #[error("member `{0}` is larger than a package may carry")]
    TooLarge(&'static str),
    #[error("the checksum of member `{0}` does not match")]
    Checksum(&'static str),
    #[error("the file is not in the one form of a package: headers or directory differ")]
    Form,
}

/// What a package may hold: names in their order, each with its greatest size in bytes.
pub type Members = [(&'static str, usize)];

/// The ZIP of these members; they stand in the order of the slice.
pub fn write(members: &[(&'static str, &[u8])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in members {
        let offset = small(out.len());
        let (size, sum) = (small(bytes.len()), checksum(bytes));
        put32(&mut out, LOCAL);
        put_shared(&mut out, name, size, sum);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(bytes);
        put32(&mut directory, CENTRAL);
        put16(&mut directory, VERSION);
        put_shared(&mut directory, name, size, sum);
        // No comment, first disk, no attributes.
        directory.extend_from_slice(&[0; 10]);
        put32(&mut directory, offset);
        directory.extend_from_slice(name.as_bytes());
    }
    let (offset, count) = (small(out.len()), u16::try_from(members.len()).unwrap_or(u16::MAX));
    let size = small(directory.len());
    out.append(&mut directory);
    put32(&mut out, END);
    put32(&mut out, 0);
    put16(&mut out, count);
    put16(&mut out, count);
    put32(&mut out, size);
    put32(&mut out, offset);
    put16(&mut out, 0);
    out
}

/// The members, one place for each that may be there. Fails unless [`write`] of them gives exactly these bytes.
pub fn read<'b>(bytes: &'b [u8], may_hold: &Members) -> Result<Vec<Option<&'b [u8]>>, ZipError> {
    let mut found: Vec<Option<&[u8]>> = vec![None; may_hold.len()];
    let (mut at, mut next) = (0, 0);
    while get32(bytes, at) == Some(LOCAL) {
        let header = bytes.get(at..).and_then(|b| b.get(..LOCAL_BYTES)).ok_or(ZipError::Cut)?;
        let length = usize::from(get16(header, 26).unwrap_or_default());
        let name = bytes.get(at + LOCAL_BYTES..).and_then(|b| b.get(..length)).ok_or(ZipError::Cut)?;
        let place = may_hold.iter().skip(next).position(|(known, _)| known.as_bytes() == name);
        let place = next + place.ok_or_else(|| ZipError::Name(shown(name)))?;
        let Some((name, limit)) = may_hold.get(place).copied() else { return Err(ZipError::Form) };
        if (get16(header, 6), get16(header, 8)) != (Some(0), Some(0)) {
            return Err(ZipError::Method(name.into()));
        }
        let size = usize::try_from(get32(header, 22).unwrap_or(u32::MAX)).unwrap_or(usize::MAX);
        if size > limit {
            return Err(ZipError::TooLarge(name));
        }
        let from = at + LOCAL_BYTES + length;
        let content = bytes.get(from..).and_then(|b| b.get(..size)).ok_or(ZipError::Cut)?;
        if get32(header, 14) != Some(checksum(content)) {
            return Err(ZipError::Checksum(name));
        }
        if let Some(slot) = found.get_mut(place) {
            *slot = Some(content);
        }
        (at, next) = (from + size, place + 1);
    }
    let members: Vec<_> = may_hold.iter().zip(&found).filter_map(|((name, _), b)| b.map(|b| (*name, b))).collect();
    match write(&members) == bytes {
        true => Ok(found),
        false => Err(ZipError::Form),
    }
}

/// What local header and directory say alike: version, flags, method, time, checksum, sizes, length of the name.
fn put_shared(out: &mut Vec<u8>, name: &str, size: u32, sum: u32) {
    for field in [VERSION, 0, 0, 0, DATE] {
        put16(out, field);
    }
    for field in [sum, size, size] {
        put32(out, field);
    }
    put16(out, u16::try_from(name.len()).unwrap_or(u16::MAX));
    put16(out, 0);
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn get16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

fn get32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

/// Members are bounded far below 4 GiB by [`Members`]; what is not could never be read again.
fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A stranger's name in a sentence.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().take(60).map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// CRC-32 (ISO 3309, as ZIP uses it).
pub fn checksum(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let (mut table, mut n) = ([0; 256], 0);
        while n < 256 {
            let (mut value, mut bit) = (n as u32, 0);
            while bit < 8 {
                value = if value & 1 == 1 { 0xedb8_8320 ^ (value >> 1) } else { value >> 1 };
                bit += 1;
            }
            table[n] = value;
            n += 1;
        }
        table
    };
    let step = |sum: u32, byte: &u8| {
        TABLE.get(usize::from(sum.to_le_bytes()[0] ^ byte)).copied().unwrap_or_default() ^ (sum >> 8)
    };
    !bytes.iter().fold(u32::MAX, step)
}
