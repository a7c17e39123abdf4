//! The roles of one person: which fit together, and where. Pure.

use super::Role;
use crate::names::Name;
use serde::{Serialize, Serializer};
use std::collections::BTreeSet;

/// What one person is, in the order of [`Role::ALL`]; empty for somebody who may do nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

/// Why a role cannot be added to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It belongs to another place: the city's to the city's people, a tenant's to a tenant's.
    Place,
    Has,
    /// Whoever audits changes nothing, and whoever changes things is not their own auditor.
    Audit,
}

impl Roles {
    pub fn one(role: Role) -> Self {
        Self(BTreeSet::from([role]))
    }

    /// Words joined by commas, as SQL gives them. A word that this version does not know gives no role: better less than something else.
    pub fn parse(words: &str) -> Self {
        Self(words.split(',').filter_map(Role::parse).collect())
    }

    pub fn iter(&self) -> impl Iterator<Item = Role> {
        self.0.iter().copied()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    pub fn words(&self) -> Vec<&'static str> {
        self.iter().map(Role::as_str).collect()
    }

    /// Whether a person of this tenant, or of the city, can have `role` too.
    pub fn can_add(&self, role: Role, tenant: Option<&Name>) -> Result<(), Unfit> {
        if !role.fits(tenant) {
            return Err(Unfit::Place);
        }
        if self.contains(role) {
            return Err(Unfit::Has);
        }
        let audits = role == Role::Auditor || self.contains(Role::Auditor);
        if audits && !self.is_empty() { Err(Unfit::Audit) } else { Ok(()) }
    }
}

impl Serialize for Roles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_auditor_is_nothing_else_and_roles_stay_in_their_place() {
        let tenant = Name::parse("notary").unwrap();
        for first in Role::ALL {
            for second in Role::ALL {
                let fit = Roles::one(first).can_add(second, Some(&tenant));
                let expected = match (first, second) {
                    (_, Role::PlatformOperator) => Err(Unfit::Place),
                    (first, second) if first == second => Err(Unfit::Has),
                    (Role::Auditor, _) | (_, Role::Auditor) => Err(Unfit::Audit),
                    _ => Ok(()),
                };
                assert_eq!(fit, expected, "{first:?} {second:?}");
            }
        }
        assert_eq!(Roles::default().can_add(Role::Officer, None), Err(Unfit::Place));
        assert_eq!(Roles::default().can_add(Role::Auditor, None), Ok(()));
    }

    #[test]
    fn words_are_read_in_any_order_and_unknown_ones_give_nothing() {
        let roles = Roles::parse("officer,tenant-admin,no-such-role");
        assert_eq!(roles.words(), ["tenant-admin", "officer"]);
        assert!(Roles::parse("").is_empty());
    }
}
