//! What the deletion of a chain means for its ChainBackups: one more backup while its validators still run, and afterwards
//! nothing but to say where the runs lie. Pure. The chain's own loop waits for that backup (`chain/deletion`); neither asks
//! the other: both read the same two objects.

use kube::{
    ResourceExt as _,
    api::{DynamicObject, PartialObjectMeta},
    runtime::reflector::{ObjectRef, Store},
};
use operator_api::{BackupRun, Chain, ChainBackupSpec};

use crate::objects::{self, names};

/// How far a chain is on its way out, as one ChainBackup sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell<'a> {
    /// It stays.
    None,
    /// It is deleted, and the last backup of it has not been made yet. `chain`: its uid.
    Owed { chain: &'a str },
    /// It is deleted and nothing more is to be copied of it.
    Given,
    /// It is not there any more, and it was once.
    Gone,
}

/// `is_there`: some object has the chain's name, whether it can be read or not.
pub fn farewell<'a>(chain: Option<&'a Chain>, is_there: bool, runs: &[BackupRun]) -> Farewell<'a> {
    let Some(chain) = chain else {
        return if is_there || runs.is_empty() { Farewell::None } else { Farewell::Gone };
    };
    if chain.metadata.deletion_timestamp.is_none() {
        return Farewell::None;
    }
    match chain.metadata.uid.as_deref() {
        Some(uid) if !is_skipped(chain) && !runs.iter().any(|run| run.is_last_of(uid)) => Farewell::Owed { chain: uid },
        _ => Farewell::Given,
    }
}

/// A person has said that this chain may go without a final backup.
pub fn is_skipped(chain: &Chain) -> bool {
    chain.metadata.annotations.get(names::FINAL_BACKUP).is_some_and(|word| word == "skip")
}

/// The ChainBackups to be looked at because this chain is on its way out, or gone: nobody else wakes them.
pub fn of_leaving(
    chain: &PartialObjectMeta<DynamicObject>,
    known: &Store<DynamicObject>,
) -> Vec<ObjectRef<DynamicObject>> {
    if chain.metadata.deletion_timestamp.is_none() {
        return Vec::new();
    }
    let (namespace, name) = (chain.namespace(), chain.name_any());
    let of_chain = |backup: &&std::sync::Arc<DynamicObject>| {
        backup.namespace() == namespace && backup.data["spec"]["chain"].as_str() == Some(name.as_str())
    };
    let kind = objects::resource::<ChainBackupSpec>();
    known.state().iter().filter(of_chain).map(|backup| ObjectRef::from_obj_with(&**backup, kind.clone())).collect()
}
