//! A person's word that a volume is the only one of its key. Needed where watching cannot help: when all validators of a
//! chain were moved together, each would wait for the others' blocks for ever.

use std::io;
use std::path::Path;

use chain_types::PublicKey;

use super::file::{IdentityFile, Position, Record};

/// Lets the stopped node of this home vote at its next start. Gives the last position that it may have signed at, which it
/// still does not go behind.
pub fn adopt(home: &Path, key: PublicKey, signed: Position) -> io::Result<Position> {
    let (mut file, record) = IdentityFile::open(&home.join("identity"))?;
    let known = record.filter(|record| record.key == key).map_or(Position::default(), |record| record.last);
    let last = known.max(signed);
    let volume = file.volume();
    file.write(Record { key, volume, last, waits: false })?;
    Ok(last)
}
