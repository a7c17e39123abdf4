//! Who may do what to which thing: one pure function over one table. Default deny. No database, no clock.
//!
//! Another tenant's thing is hidden, never forbidden: whether it exists is none of the asker's business.

use super::Principal;
use crate::names::Name;

/// What a person is to the city or to a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs the city's chains and tenants; reads no tenant's business data.
    PlatformOperator,
    /// Runs one tenant: people, applications, keys.
    TenantAdmin,
    /// Works in a tenant's applications.
    Officer,
    /// Builds on a tenant's chain: keys, requests, documentation.
    Developer,
    /// Reads and exports, changes nothing; of one tenant or, without one, of the city.
    Auditor,
}

impl Role {
    pub const ALL: [Role; 5] =
        [Role::PlatformOperator, Role::TenantAdmin, Role::Officer, Role::Developer, Role::Auditor];

    /// The word in SQL, in forms, and in the text `role-<word>`.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::PlatformOperator => "platform-operator",
            Role::TenantAdmin => "tenant-admin",
            Role::Officer => "officer",
            Role::Developer => "developer",
            Role::Auditor => "auditor",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Whether a person of this tenant, or of the city, can have this role.
    pub fn fits(self, tenant: Option<&Name>) -> bool {
        match self {
            Role::PlatformOperator => tenant.is_none(),
            Role::TenantAdmin | Role::Officer | Role::Developer => tenant.is_some(),
            Role::Auditor => true,
        }
    }
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    ListTenants,
    CreateTenant,
    ViewTenant,
    /// Suspend, resume, rename, add organisations.
    ChangeTenant,
    ListUsers,
    /// Invite, disable, reset a password.
    ManageUsers,
    ViewAudit,
    ExportAudit,
    /// Anchor the audit log on the city chain now.
    AnchorAudit,
    ViewChain,
    CreateChain,
    /// Start, stop, restart validators; upgrade.
    ChangeChain,
    DeleteChain,
    ViewCatalog,
    /// Deploy, upgrade, suspend or remove an application.
    DeployApplication,
    /// That it is installed, its version and health; not its records.
    ViewApplication,
    /// Records and actions inside an application; roles of the application decide further.
    UseApplication,
    ViewApiKeys,
    /// Create, rotate, revoke.
    ManageApiKeys,
    ViewRequests,
}

impl Action {
    pub const ALL: [Action; 20] = [
        Action::ListTenants,
        Action::CreateTenant,
        Action::ViewTenant,
        Action::ChangeTenant,
        Action::ListUsers,
        Action::ManageUsers,
        Action::ViewAudit,
        Action::ExportAudit,
        Action::AnchorAudit,
        Action::ViewChain,
        Action::CreateChain,
        Action::ChangeChain,
        Action::DeleteChain,
        Action::ViewCatalog,
        Action::DeployApplication,
        Action::ViewApplication,
        Action::UseApplication,
        Action::ViewApiKeys,
        Action::ManageApiKeys,
        Action::ViewRequests,
    ];
}

/// What it is done to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Resource<'a> {
    /// The city as a whole: its tenants, its own people, the city chain.
    City,
    /// A tenant, or anything that belongs to it.
    Tenant(&'a Name),
}

impl<'a> Resource<'a> {
    /// What belongs to `tenant`, or to the city if there is none.
    pub fn of(tenant: Option<&'a Name>) -> Self {
        tenant.map_or(Self::City, Self::Tenant)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Allow,
    /// Answer as if it did not exist.
    Hide,
    /// Say that the role does not allow it.
    Refuse,
}

/// The one decision: what any of the person's roles allows. None of them makes another tenant's thing appear.
pub fn may(who: &Principal, action: Action, resource: &Resource<'_>) -> Decision {
    if hidden(who.tenant.as_ref(), resource) {
        return Decision::Hide;
    }
    let allowed = who.roles.iter().any(|role| decide(role, who.tenant.as_ref(), action, resource) == Decision::Allow);
    if allowed { Decision::Allow } else { Decision::Refuse }
}

/// Whether it belongs to another tenant.
fn hidden(of: Option<&Name>, resource: &Resource<'_>) -> bool {
    matches!((of, resource), (Some(own), Resource::Tenant(other)) if own != *other)
}

fn decide(role: Role, of: Option<&Name>, action: Action, resource: &Resource<'_>) -> Decision {
    if !role.fits(of) {
        return Decision::Refuse;
    }
    if hidden(of, resource) {
        return Decision::Hide;
    }
    let allowed = match (of, resource) {
        (None, Resource::City) => city_on_city(role, action),
        (None, Resource::Tenant(_)) => city_on_tenant(role, action),
        (Some(_), Resource::Tenant(_)) => tenant_on_itself(role, action),
        // The catalog is the same for everybody; nothing else of the city is a tenant's.
        (Some(_), Resource::City) => action == Action::ViewCatalog,
    };
    if allowed { Decision::Allow } else { Decision::Refuse }
}

fn city_on_city(role: Role, action: Action) -> bool {
    use Action as A;
    match role {
        Role::PlatformOperator => true,
        Role::Auditor => matches!(
            action,
            A::ListTenants
                | A::ListUsers
                | A::ViewAudit
                | A::ExportAudit
                | A::ViewChain
                | A::ViewCatalog
                | A::ViewApplication
        ),
        Role::TenantAdmin | Role::Officer | Role::Developer => false,
    }
}

fn city_on_tenant(role: Role, action: Action) -> bool {
    use Action as A;
    match role {
        // Sees that an application is there and well, not what is in it; deploying and keys are the tenant's own.
        Role::PlatformOperator => {
            !matches!(action, A::DeployApplication | A::UseApplication | A::ManageApiKeys | A::ViewRequests)
        }
        Role::Auditor => matches!(
            action,
            A::ViewTenant
                | A::ListUsers
                | A::ViewAudit
                | A::ExportAudit
                | A::ViewChain
                | A::ViewCatalog
                | A::ViewApplication
        ),
        Role::TenantAdmin | Role::Officer | Role::Developer => false,
    }
}

fn tenant_on_itself(role: Role, action: Action) -> bool {
    use Action as A;
    let reads = matches!(action, A::ViewTenant | A::ViewChain | A::ViewCatalog | A::ViewApplication);
    match role {
        Role::TenantAdmin => {
            reads
                || matches!(
                    action,
                    A::ListUsers
                        | A::ManageUsers
                        | A::ViewAudit
                        | A::ExportAudit
                        | A::DeployApplication
                        | A::UseApplication
                        | A::ViewApiKeys
                        | A::ManageApiKeys
                        | A::ViewRequests
                )
        }
        Role::Officer => reads || action == A::UseApplication,
        Role::Developer => {
            reads || matches!(action, A::UseApplication | A::ViewApiKeys | A::ManageApiKeys | A::ViewRequests)
        }
        Role::Auditor => {
            reads || matches!(action, A::ListUsers | A::ViewAudit | A::ExportAudit | A::ViewApiKeys | A::ViewRequests)
        }
        Role::PlatformOperator => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One line an action: operator on city, operator on tenant, city auditor on city, on tenant, then admin, officer, developer, auditor on their own tenant. `+` allowed, `-` refused.
    const TABLE: [(Action, &str); 20] = [
        (Action::ListTenants, "++ +- ----"),
        (Action::CreateTenant, "++ -- ----"),
        (Action::ViewTenant, "++ -+ ++++"),
        (Action::ChangeTenant, "++ -- ----"),
        (Action::ListUsers, "++ ++ +--+"),
        (Action::ManageUsers, "++ -- +---"),
        (Action::ViewAudit, "++ ++ +--+"),
        (Action::ExportAudit, "++ ++ +--+"),
        (Action::AnchorAudit, "++ -- ----"),
        (Action::ViewChain, "++ ++ ++++"),
        (Action::CreateChain, "++ -- ----"),
        (Action::ChangeChain, "++ -- ----"),
        (Action::DeleteChain, "++ -- ----"),
        (Action::ViewCatalog, "++ ++ ++++"),
        (Action::DeployApplication, "+- -- +---"),
        (Action::ViewApplication, "++ ++ ++++"),
        (Action::UseApplication, "+- -- +++-"),
        (Action::ViewApiKeys, "++ -- +-++"),
        (Action::ManageApiKeys, "+- -- +-+-"),
        (Action::ViewRequests, "+- -- +-++"),
    ];

    fn shown(decision: Decision) -> char {
        match decision {
            Decision::Allow => '+',
            Decision::Refuse => '-',
            Decision::Hide => '0',
        }
    }

    #[test]
    fn every_role_may_do_exactly_what_the_table_says() {
        let own = Name::parse("medical").unwrap();
        assert_eq!(TABLE.map(|(action, _)| action), Action::ALL);
        for (action, expected) in TABLE {
            let of_city = |role, resource: Resource<'_>| shown(decide(role, None, action, &resource));
            let of_tenant = |role| shown(decide(role, Some(&own), action, &Resource::Tenant(&own)));
            let actual: String = [
                of_city(Role::PlatformOperator, Resource::City),
                of_city(Role::PlatformOperator, Resource::Tenant(&own)),
                ' ',
                of_city(Role::Auditor, Resource::City),
                of_city(Role::Auditor, Resource::Tenant(&own)),
                ' ',
                of_tenant(Role::TenantAdmin),
                of_tenant(Role::Officer),
                of_tenant(Role::Developer),
                of_tenant(Role::Auditor),
            ]
            .into_iter()
            .collect();
            assert_eq!(actual, expected, "{action:?}");
        }
    }

    #[test]
    fn another_tenants_things_do_not_exist() {
        let (own, other) = (Name::parse("medical").unwrap(), Name::parse("notary").unwrap());
        for role in [Role::TenantAdmin, Role::Officer, Role::Developer, Role::Auditor] {
            for action in Action::ALL {
                assert_eq!(
                    decide(role, Some(&own), action, &Resource::Tenant(&other)),
                    Decision::Hide,
                    "{role:?} {action:?}"
                );
            }
        }
    }

    #[test]
    fn the_city_is_closed_to_tenants_but_for_the_catalog() {
        let own = Name::parse("medical").unwrap();
        for role in [Role::TenantAdmin, Role::Officer, Role::Developer, Role::Auditor] {
            for action in Action::ALL {
                let expected = if action == Action::ViewCatalog { Decision::Allow } else { Decision::Refuse };
                assert_eq!(decide(role, Some(&own), action, &Resource::City), expected, "{role:?} {action:?}");
            }
        }
    }

    #[test]
    fn a_role_that_does_not_fit_its_place_may_do_nothing() {
        let own = Name::parse("medical").unwrap();
        for action in Action::ALL {
            assert_eq!(decide(Role::PlatformOperator, Some(&own), action, &Resource::Tenant(&own)), Decision::Refuse);
            assert_eq!(decide(Role::TenantAdmin, None, action, &Resource::City), Decision::Refuse);
        }
    }
}
