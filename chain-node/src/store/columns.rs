//! Column families and how RocksDB is set up: small memory, no surprises.

use std::path::Path;

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, Options,
};

use super::StoreError;

/// The newest format that this version reads, and the one it writes: tree nodes by version (`node_rows`), what is stale in
/// one row a height (`stale`). It knows every older one, and refuses a newer. An older store becomes one of this format
/// with the first block that changes its state; until then whoever goes back to an older version can.
///
/// Format 1 was of stores that begin with block 1.
pub const FORMAT: u64 = 3;
/// Of an older store that may begin later (`first`): a version that knows only format 1 would take it for a damaged one.
pub const PRUNED_FORMAT: u64 = 2;

/// One kind of row each. Heights and indexes are big-endian, so that rows lie in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// `format`, `genesis`, `tip`, `first`; `set` ‖ height → the validators from that height on; `change` ‖ height → how the
    /// block before that height proves them; `nodes` → first version whose nodes lie by version.
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
    /// height → what became stale then: rows of `Node` and `Replaced` to prune.
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
    open_with(path, Options::default())
}

/// Like [`open`], upon options that say where files live; tests keep theirs in memory.
pub fn open_with(path: &Path, base: Options) -> Result<DB, StoreError> {
    let (options, columns) = upon(base);
    DB::open_cf_descriptors(&options, path, columns).map_err(|e| unopened(path, &e))
}

/// Without writing to it; what is only in its write-ahead log is read from there.
pub fn open_read_only(path: &Path) -> Result<DB, StoreError> {
    let (options, columns) = upon(Options::default());
    DB::open_cf_descriptors_read_only(&options, path, columns, false).map_err(|e| unopened(path, &e))
}

fn unopened(path: &Path, e: &rocksdb::Error) -> StoreError {
    if e.kind() == rocksdb::ErrorKind::Corruption {
        return StoreError::Damaged(e.to_string());
    }
    let reason = match e.to_string() {
        e if e.contains("lock") => "another process has it open; stop that node first".to_owned(),
        e => e,
    };
    StoreError::Open { path: path.into(), reason }
}

fn upon(mut options: Options) -> (Options, Vec<ColumnFamilyDescriptor>) {
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
    let columns = ALL.iter().map(describe).collect();
    (options, columns)
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
    // Filters and indexes in pieces of a page. Whole, those of a million records no longer fit into the cache, and a lookup
    // reads hundreds of kilobytes for one bit of them: a record among 600,000 then took 122 µs instead of 50 to write.
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_metadata_block_size(4096);
    table.set_pin_top_level_index_and_filter(true);
    let mut options = Options::default();
    if column.is_point_lookup() {
        // Most of these lookups find nothing, as they should: a transaction that is not known yet, a record that is new.
        options.set_memtable_whole_key_filtering(true);
        options.set_memtable_prefix_bloom_ratio(0.02);
    }
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
