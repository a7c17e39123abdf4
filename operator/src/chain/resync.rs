//! A validator that shall get its data anew: which one is asked for, by an annotation of its Chain, and the volume that goes.
//!
//! The request names the volume by its uid. Once that volume is gone the request asks for nothing, whoever forgets to take it
//! back, and no other volume is ever thrown away by it.

use chain_plan::Observed;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{
    Client,
    api::{Api, DeleteParams, Preconditions},
};
use operator_api::{Chain, ValidatorName};

use super::{facts::Facts, resources::Place};
use crate::objects::{is_conflict, is_not_found, names};

/// A request that is not answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resync {
    pub validator: ValidatorName,
    /// The uid of its volume.
    volume: String,
}

impl Resync {
    pub fn asked(chain: &Chain, facts: &Facts) -> Option<Self> {
        let (validator, volume) = chain.metadata.annotations.get(names::RESYNC)?.split_once('=')?;
        let (validator, volume) = (validator.parse().ok()?, volume.to_owned());
        let live = facts.validators.get(&validator)?.volume.as_ref()?;
        (live.uid == volume).then_some(Self { validator, volume })
    }

    /// Lets the volume go with its pod: until then Kubernetes keeps it, and its StatefulSet makes no other.
    pub async fn drop_volume(&self, client: &Client, place: &Place, claim: &str) -> kube::Result<()> {
        let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &place.namespace);
        let exactly = Preconditions { uid: Some(self.volume.clone()), resource_version: None };
        match api.delete(claim, &DeleteParams::background().preconditions(exactly)).await {
            Err(error) if !is_not_found(&error) && !is_conflict(&error) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// It is restarted in its turn, as after a change of its configuration.
pub fn mark_restart(observed: &mut Observed, name: ValidatorName) {
    if let Some(seen) = observed.nodes.get_mut(&name) {
        seen.config.started = Some(chain_types::Hash([0; 32]));
    }
}
