//! Column families and how RocksDB is set up: small memory, no surprises.

use std::path::Path;

use rocksdb::{BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, Options};

use super::StoreError;

/// Format of this version's stores. Readers know every older one; a newer one is refused.
pub const FORMAT: u64 = 1;

/// One kind of row each. Heights and indexes are big-endian, so that rows lie in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// `format`, `genesis`, `tip`; `set` ‖ height → the validators from that height on; `change` ‖ height → how the block
    /// before that height proves them.
    Meta,
    /// height ‖ round ‖ block id → proposal: every block that may still be decided, and every decided one.
    Block,
    /// height → round ‖ block id ‖ commit certificate.
    Decision,
    /// height → roots after executing it, and results.
    Result,
    /// transaction id → height ‖ position.
    Transaction,
    /// state key → value after the last block.
    State,
    /// SHA-256 of a state key ‖ height → the value that this height replaced.
    Replaced,
    /// tree node key → node.
    Node,
    /// height ‖ what became stale then: rows of `Node` and `Replaced` to prune.
    Stale,
    /// tile level ‖ tile index → up to 256 hashes.
    Tile,
    /// first log entry of a call → height ‖ position.
    Entry,
    /// digest ‖ log entry → nothing.
    Digest,
}

pub const ALL: [Column; 12] = [
    Column::Meta,
    Column::Block,
    Column::Decision,
    Column::Result,
    Column::Transaction,
    Column::State,
    Column::Replaced,
    Column::Node,
    Column::Stale,
    Column::Tile,
    Column::Entry,
    Column::Digest,
];

impl Column {
    pub fn name(self) -> &'static str {
        match self {
            Column::Meta => "meta",
            Column::Block => "block",
            Column::Decision => "decision",
            Column::Result => "result",
            Column::Transaction => "transaction",
            Column::State => "state",
            Column::Replaced => "replaced",
            Column::Node => "node",
            Column::Stale => "stale",
            Column::Tile => "tile",
            Column::Entry => "entry",
            Column::Digest => "digest",
        }
    }

    /// Rows looked up by exact key get a bloom filter.
    fn is_point_lookup(self) -> bool {
        matches!(self, Column::Transaction | Column::State | Column::Node)
    }
}

pub fn open(path: &Path) -> Result<DB, StoreError> {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    // Memtables of all columns together; a validator is meant to fit into 40 MB.
    options.set_db_write_buffer_size(24 << 20);
    options.set_max_total_wal_size(64 << 20);
    options.set_max_background_jobs(2);
    options.set_keep_log_file_num(4);
    options.set_max_log_file_size(1 << 20);
    options.set_max_open_files(256);
    // A torn record at the end of the write-ahead log is a write that was never acknowledged; anything else is damage.
    options.set_wal_recovery_mode(rocksdb::DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_paranoid_checks(true);
    let cache = Cache::new_lru_cache(16 << 20);
    let describe = |c: &Column| ColumnFamilyDescriptor::new(c.name(), column_options(*c, &cache));
    DB::open_cf_descriptors(&options, path, ALL.iter().map(describe)).map_err(|e| {
        let reason = match e.to_string() {
            e if e.contains("lock") => "another process has it open; stop that node first".to_owned(),
            e => e,
        };
        StoreError::Open { path: path.into(), reason }
    })
}

fn column_options(column: Column, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    table.set_format_version(5);
    if column.is_point_lookup() {
        table.set_bloom_filter(10.0, false);
    }
    let mut options = Options::default();
    options.set_write_buffer_size(8 << 20);
    options.set_max_write_buffer_number(2);
    options.set_block_based_table_factory(&table);
    // Hashes and signatures do not compress; blocks, results and state do a little.
    options.set_compression_type(match column {
        Column::Block | Column::Result | Column::State => DBCompressionType::Zstd,
        _ => DBCompressionType::None,
    });
    options
}

pub fn handle(db: &DB, column: Column) -> Result<&ColumnFamily, StoreError> {
    db.cf_handle(column.name()).ok_or_else(|| super::damaged(column.name()))
}

/// height ‖ …
pub fn height_key(height: u64) -> [u8; 8] {
    height.to_be_bytes()
}
