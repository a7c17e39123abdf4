//! Sizes and times that every node must agree on, or must refuse beyond.

/// One transaction's envelope, in bytes.
pub const MAX_TX_BYTES: usize = 512 * 1024;
/// All envelopes of one block, in bytes.
pub const MAX_BLOCK_BYTES: usize = 2 * 1024 * 1024;
/// Transactions in one block.
pub const MAX_BLOCK_TXS: usize = 2_000;
/// Digests in one anchor call.
pub const MAX_DIGESTS: usize = 10_000;
/// How far beyond a block's time a transaction's `valid_until_ms` may lie; ids are remembered as long.
pub const VALIDITY_WINDOW_MS: u64 = 10 * 60 * 1000;
/// A proposal may be this far ahead of a voter's clock.
pub const CLOCK_AHEAD_MS: u64 = 1_000;
/// A fresh proposal may be this far behind a voter's clock, beside the propose timeout.
pub const CLOCK_BEHIND_MS: u64 = 1_000;
/// A log entry; longer ones are entered as their hash (tlog-tiles has 16-bit lengths).
pub const MAX_ENTRY_BYTES: usize = 65_535;
/// The chain part of an application manifest, in bytes.
pub const MAX_MANIFEST_BYTES: usize = 256 * 1024;
/// Validators of one chain: a full mesh and linear certificates are meant for this size.
pub const MAX_VALIDATORS: usize = 32;
/// Steps of a state proof; the tree is 256 deep, real depth is about log2 of the number of records.
pub const MAX_PROOF_STEPS: usize = 256;
