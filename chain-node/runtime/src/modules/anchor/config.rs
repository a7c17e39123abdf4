//! An instance's configuration, parsed.

use chain_types::manifest::{Field, FieldType, Guard, Instance, NumberPattern, Ordered};

/// What an instance of this module accepts.
#[derive(Debug, Clone)]
pub struct AnchorConfig {
    pub record: Option<RecordConfig>,
    pub batch: bool,
    pub owner_appends_only: bool,
    pub withdraw_needs_reason: bool,
    pub clock_offset_max_ms: Option<u64>,
}

/// A record type.
#[derive(Debug, Clone)]
pub struct RecordConfig {
    pub number: NumberPattern,
    /// All fields but that of the files.
    pub fields: Ordered<Field>,
    pub files: Option<(String, Field)>,
}

impl AnchorConfig {
    /// Digests only, for everybody: the instance that every chain has.
    pub const fn built_in() -> Self {
        Self {
            record: None,
            batch: true,
            owner_appends_only: false,
            withdraw_needs_reason: false,
            clock_offset_max_ms: None,
        }
    }

    /// The configuration of a checked manifest.
    pub fn of(instance: &Instance) -> Option<Self> {
        let record = match &instance.record {
            None => None,
            Some(record) => {
                let number = NumberPattern::parse(record.number()?.1).ok()?;
                let (files, fields): (Vec<_>, Vec<_>) = record
                    .fields
                    .iter()
                    .map(|(name, field)| (name.to_owned(), field.clone()))
                    .partition(|(_, field)| field.kind == FieldType::Digests);
                Some(RecordConfig { number, fields: fields.into_iter().collect(), files: files.into_iter().next() })
            }
        };
        let clock = instance.guards.iter().find_map(|g| match g {
            Guard::ClockOffsetMax(span) => Some(span.ms),
            _ => None,
        });
        Some(Self {
            record,
            batch: instance.batch,
            owner_appends_only: instance.guards.contains(&Guard::OwnerAppendsOnly),
            withdraw_needs_reason: instance.guards.contains(&Guard::WithdrawNeedsReason),
            clock_offset_max_ms: clock,
        })
    }
}
