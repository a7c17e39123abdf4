//! What a resting store need not keep in memory: rows that are only in memtables and in the write-ahead log become tables.
//! They are as durable before as after; the node is smaller, and its next start has less of the log to read.

use rocksdb::FlushOptions;
use rocksdb::properties::CUR_SIZE_ALL_MEM_TABLES;

use super::columns::{self, ALL};
use super::{Store, StoreError};

/// Less than this is kept in memory: a table for a few blocks is not worth its file.
const WORTH_BYTES: u64 = 4 << 20;

impl Store {
    /// Writes memtables out if they hold much; says whether it did. Blocking; writers go on meanwhile.
    ///
    /// # Errors
    ///
    /// A failed flush is RocksDB's background error: the next write fails with the same reason and ends the node.
    pub fn settle(&self) -> Result<bool, StoreError> {
        let columns = ALL.iter().map(|column| columns::handle(&self.db, *column)).collect::<Result<Vec<_>, _>>()?;
        let mut held = 0;
        for column in &columns {
            held += self.db.property_int_value_cf(column, CUR_SIZE_ALL_MEM_TABLES)?.unwrap_or(0);
        }
        if held < WORTH_BYTES {
            return Ok(false);
        }
        self.db.flush_cfs_opt(&columns, &FlushOptions::default()).map_err(|e| StoreError::Write(e.to_string()))?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use chain_types::crypto::SigningKey;

    use super::*;
    use crate::sample;
    use crate::store::columns::Column;

    #[test]
    fn a_little_stays_in_memory_and_much_is_written_out_and_still_read() {
        let key = SigningKey::from_seed(&[1; 32]).public();
        let store = Store::in_memory(&sample::genesis(&[key], key, 1), 4).unwrap();
        assert!(!store.settle().unwrap());
        let state = columns::handle(&store.db, Column::State).unwrap();
        for n in 0..5_000u32 {
            store.db.put_cf(state, n.to_be_bytes(), [n.to_be_bytes()[3]; 1_000]).unwrap();
        }
        assert!(store.settle().unwrap());
        assert!(!store.settle().unwrap());
        assert_eq!(store.db.get_cf(state, 4_999u32.to_be_bytes()).unwrap(), Some(vec![135; 1_000]));
    }
}
