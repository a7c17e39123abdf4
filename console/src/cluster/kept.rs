//! Which objects of one kind there are, as a watch tells it: one by one, and at times the whole list anew, after which what was not in it is
//! gone. Holds them; judges nothing.

use kube::api::DynamicObject;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Which object: namespace, if its kind has one, and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub namespace: Option<String>,
    pub name: String,
}

impl Key {
    pub fn of(object: &DynamicObject) -> Self {
        let metadata = &object.metadata;
        Self { namespace: metadata.namespace.clone(), name: metadata.name.clone().unwrap_or_default() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(out, "{namespace}/{}", self.name),
            None => out.write_str(&self.name),
        }
    }
}

pub struct Kept<T> {
    all: BTreeMap<Key, T>,
    /// Those that the list under way has named so far, whether they fit or not.
    named: Option<BTreeSet<Key>>,
    complete: bool,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { all: BTreeMap::new(), named: None, complete: false }
    }
}

impl<T> Kept<T> {
    /// A list begins.
    pub fn list(&mut self) {
        self.named = Some(BTreeSet::new());
    }

    /// The object is there, whatever it says.
    pub fn name(&mut self, key: &Key) {
        if let Some(named) = &mut self.named {
            named.insert(key.clone());
        }
    }

    /// The list is complete; those that it did not name are gone, and to be taken leave of one by one.
    pub fn listed(&mut self) -> Vec<Key> {
        self.complete = true;
        let named = self.named.take().unwrap_or_default();
        self.all.keys().filter(|key| !named.contains(*key)).cloned().collect()
    }

    /// A whole list has been seen.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    pub fn keep(&mut self, key: Key, value: T) {
        self.all.insert(key, value);
    }

    pub fn forget(&mut self, key: &Key) -> Option<T> {
        self.all.remove(key)
    }

    pub fn get(&self, key: &Key) -> Option<&T> {
        self.all.get(key)
    }

    pub fn get_mut(&mut self, key: &Key) -> Option<&mut T> {
        self.all.get_mut(key)
    }

    pub fn keys(&self) -> Vec<Key> {
        self.all.keys().cloned().collect()
    }

    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.all.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key { namespace: Some("tenant-a".to_owned()), name: name.to_owned() }
    }

    #[test]
    fn what_a_new_list_does_not_name_is_gone_and_what_does_not_fit_is_not() {
        let mut kept = Kept::default();
        kept.list();
        assert!(!kept.is_complete());
        for name in ["one", "two", "odd"] {
            kept.name(&key(name));
            kept.keep(key(name), 1);
        }
        assert_eq!((kept.listed(), kept.is_complete()), (vec![], true));
        kept.list();
        kept.name(&key("one"));
        // Changed to something that cannot be read: it is still there.
        kept.name(&key("odd"));
        assert_eq!(kept.listed(), [key("two")]);
        assert_eq!(key("two").to_string(), "tenant-a/two");
    }
}
