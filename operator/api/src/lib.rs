//! The custom resources of CityChain and nothing else: group `citychain.dev`, version `v1alpha1`.
//!
//! A spec says what a person wants, a status says what the provisioner saw. The same types are the objects of a
//! Kubernetes cluster and the YAML files of the embedded home, so a file can be taken from one to the other unchanged.
//!
//! Specs refuse unknown fields: a misspelt key is an error with its name, never a silent default. Statuses accept
//! them, so that an older program can read what a newer one reported. Values are parsed once into types that cannot be
//! invalid ([`Name`], [`ChainId`], [`ValidatorName`], [`Version`], [`PublicKey`]); what needs more than one field to
//! judge (quota, quorum, who may run what) is decided in `chain-plan`, never here.
//!
//! This crate reads no file, knows no clock and starts nothing.

pub mod application;
pub mod backup;
pub mod chain;
pub mod cluster;
pub mod conditions;
pub mod names;
pub mod object;
pub mod restore;
pub mod steps;
pub mod tenant;
pub mod text;
pub mod time;

pub use application::{Application, ApplicationSpec, ApplicationStatus};
pub use backup::{
    BackupPhase, BackupRun, ChainBackup, ChainBackupSpec, ChainBackupStatus, Destination, Drill, Holds, RunDrill,
    S3Destination, Schedule, VolumeDestination,
};
pub use chain::{
    Chain, ChainPhase, ChainSpec, ChainState, ChainStatus, Governance, Membership, Resources, Share, ValidatorRow,
    ValidatorState, Validators,
};
pub use conditions::{Condition, ConditionStatus, reason, set_condition};
pub use names::{ChainId, InvalidName, Name, PublicKey, ValidatorName, Version};
pub use object::{Kind, Metadata, Object};
pub use restore::{ChainRestore, ChainRestoreSpec, ChainRestoreStatus, RestorePhase, RestoreState, RestoredValidator};
pub use steps::{Step, StepState};
pub use tenant::{Custody, Organisation, OrganisationKey, Quota, Tenant, TenantSpec, TenantStatus, Usage};
pub use text::Text;
pub use time::Time;

/// The API group of every kind.
pub const GROUP: &str = "citychain.dev";
/// The only version. It grows by optional fields with defaults.
pub const VERSION: &str = "v1alpha1";
/// What `apiVersion` must read.
pub const API_VERSION: &str = "citychain.dev/v1alpha1";
