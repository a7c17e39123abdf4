//! Applications of the cluster, handed to the worker that carries them out. A name is an application's own in the whole city, because on
//! pages and in evidence it stands without its namespace: the object that had it first keeps it.

use super::Follower;
use super::kept::Key;
use crate::applications::report::Waits;
use crate::applications::{object, report, worker};
use crate::objects::cluster::parse;
use crate::time::now_ms;
use kube::api::DynamicObject;
use operator_api::{Application, ApplicationSpec, Condition, ConditionStatus, Kind, Time, conditions, reason};
use serde_json::json;

impl Follower {
    pub async fn application_seen(&mut self, object: &DynamicObject) {
        let key = Key::of(object);
        self.applications.name(&key);
        let seen: Application = match parse::<ApplicationSpec>(object) {
            Ok(seen) => seen,
            Err(reason) => {
                self.say_invalid(object, &key, &reason).await;
                return self.misfit(ApplicationSpec::KIND, key, &reason);
            }
        };
        self.misfits.remove(&(ApplicationSpec::KIND, key.clone()));
        self.applications.keep(key, seen.clone());
        if self.is_second_of_name(&seen) {
            // Nothing of this one is carried out, so nothing keeps it either.
            return self.say_waits(&seen, &object::name_taken(seen.name().as_str())).await;
        }
        self.cluster.seen(|known| known.insert(seen.name().clone(), seen));
        worker::wake();
    }

    pub fn application_gone(&mut self, key: &Key) {
        self.misfits.remove(&(ApplicationSpec::KIND, key.clone()));
        let Some(gone) = self.applications.forget(key) else { return };
        let heir = self.applications.all().filter(|other| other.name() == gone.name()).min_by_key(|other| age(other));
        self.cluster.seen(|known| match heir {
            Some(heir) => drop(known.insert(heir.name().clone(), heir.clone())),
            None => drop(known.remove(gone.name())),
        });
        worker::wake();
    }

    /// An older object in another namespace has the name.
    fn is_second_of_name(&self, seen: &Application) -> bool {
        let mut same = self.applications.all().filter(|other| other.name() == seen.name());
        same.any(|other| other.metadata.namespace != seen.metadata.namespace && age(other) < age(seen))
    }

    async fn say_waits(&self, seen: &Application, waits: &Waits) {
        let before = seen.status.clone().unwrap_or_default();
        let status = report::waiting(&before, seen, waits, now_ms().unsigned_abs());
        if status != before
            && let Err(error) = self.cluster.report_application(seen, &status).await
        {
            tracing::warn!(%error, application = %seen.name(), "an application's status couldn't be written");
        }
    }

    /// Of an object that cannot be read only name and generation are known.
    async fn say_invalid(&self, object: &DynamicObject, key: &Key, reason: &str) {
        let said = object.data.pointer("/status/conditions/0/message").and_then(|message| message.as_str());
        if said == Some(reason) {
            return;
        }
        let generation = object.metadata.generation.unwrap_or(1).unsigned_abs();
        let condition = Condition {
            kind: conditions::READY.to_owned(),
            status: ConditionStatus::False,
            reason: reason::INVALID_SPEC.to_owned(),
            message: reason.to_owned(),
            last_transition_time: Time::from_ms(now_ms().unsigned_abs()),
            observed_generation: generation,
        };
        let status = json!({ "observedGeneration": generation, "conditions": [condition] });
        let written = self.cluster.patch_status::<ApplicationSpec>(key.namespace.as_deref(), &key.name, status).await;
        if let Err(error) = written {
            tracing::warn!(%error, application = %key, "an application's status couldn't be written");
        }
    }
}

/// Older ones first; of the same second, by namespace.
fn age(object: &Application) -> (Option<Time>, Option<&str>) {
    (object.metadata.creation_timestamp, object.metadata.namespace.as_deref())
}
