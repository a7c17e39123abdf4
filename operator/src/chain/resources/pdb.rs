//! The chain's PodDisruptionBudget: whoever drains a machine leaves a quorum of caught-up validators, or waits.

use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::Place;

/// `quorum` of the voting set as it is now. Pods that do not vote anyway may always be evicted, or a drain would wait for them for ever.
pub fn budget(place: &Place, quorum: u32) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: place.of_chain(place.chain.to_string()),
        spec: Some(PodDisruptionBudgetSpec {
            min_available: Some(IntOrString::Int(i32::try_from(quorum).unwrap_or(i32::MAX))),
            selector: Some(place.pods()),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}
