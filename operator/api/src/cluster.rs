//! How the objects stand in a cluster, for whoever reads them there: the operator, and the console. In the embedded home there are
//! no namespaces.

use serde_json::Value;

use crate::{Kind, Name, Object};

/// On an object that is to be deleted: its own name, typed once more. Admission refuses to delete a chain without it.
pub const CONFIRM_DELETION: &str = "citychain.dev/confirm-deletion";

/// On a Chain: validators that shall get new keys, `validator-<n>` with commas between, or `all`. Whoever provisions the chain takes off
/// the list who has them.
pub const ROTATE_KEYS: &str = "citychain.dev/rotate-keys";

const NAMESPACE_PREFIX: &str = "tenant-";

/// The namespace of a tenant.
pub fn namespace(tenant: &Name) -> String {
    format!("{NAMESPACE_PREFIX}{tenant}")
}

/// Whose namespace it is, if it is a tenant's.
pub fn tenant_of(namespace: &str) -> Option<Name> {
    namespace.strip_prefix(NAMESPACE_PREFIX)?.parse().ok()
}

/// An object as the API server hands it out, without the metadata that nobody here reads. What does not fit is the answer, not an
/// error of whoever watches: the sentence names the field.
pub fn stored<S: Kind>(mut object: Value) -> Result<Object<S>, String> {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for unread in ["managedFields", "selfLink", "generateName", "deletionGracePeriodSeconds"] {
            metadata.remove(unread);
        }
    }
    serde_json::from_value(object).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenants_namespace_names_its_tenant_and_no_other_does() {
        let tenant: Name = "notary".parse().unwrap();
        assert_eq!(tenant_of(&namespace(&tenant)), Some(tenant));
        for other in ["default", "tenant", "tenant-", "tenant-A", "tenant-Notary", "my-tenant-notary"] {
            assert_eq!(tenant_of(other), None, "{other}");
        }
    }
}
