//! What the rail shows to whom: one row a section, filtered by the policy. A new section is one row here and two texts `nav-<key>`.

use crate::auth::{Action, Principal, Resource};
use serde::Serialize;

#[derive(Clone, Copy, PartialEq)]
enum Of {
    City,
    /// The reader's own tenant; the city for its own people.
    Own,
    /// Only for people of a tenant.
    Tenant,
}

struct Section {
    group: &'static str,
    key: &'static str,
    /// `{tenant}` stands for the reader's own.
    href: &'static str,
    icon: &'static str,
    /// With `g` before it, opens the section.
    shortcut: &'static str,
    needs: Option<(Action, Of)>,
}

const SECTIONS: &[Section] = &[
    Section { group: "", key: "overview", href: "/", icon: "home", shortcut: "h", needs: None },
    Section {
        group: "build",
        key: "chains",
        href: "/chains",
        icon: "chain",
        shortcut: "c",
        needs: Some((Action::ViewChain, Of::Own)),
    },
    Section {
        group: "build",
        key: "developers",
        href: "/developers",
        icon: "code",
        shortcut: "d",
        needs: Some((Action::ViewApiKeys, Of::Tenant)),
    },
    Section {
        group: "applications",
        key: "applications",
        href: "/applications",
        icon: "app",
        shortcut: "a",
        needs: Some((Action::ViewApplication, Of::Own)),
    },
    Section {
        group: "applications",
        key: "catalog",
        href: "/catalog",
        icon: "plus",
        shortcut: "m",
        needs: Some((Action::ViewCatalog, Of::Own)),
    },
    Section {
        group: "manage",
        key: "tenants",
        href: "/tenants",
        icon: "tenants",
        shortcut: "t",
        needs: Some((Action::ListTenants, Of::City)),
    },
    Section {
        group: "manage",
        key: "own-tenant",
        href: "/tenants/{tenant}",
        icon: "tenants",
        shortcut: "t",
        needs: Some((Action::ListUsers, Of::Tenant)),
    },
    Section {
        group: "manage",
        key: "people",
        href: "/people",
        icon: "users",
        shortcut: "u",
        needs: Some((Action::ListUsers, Of::Own)),
    },
    Section {
        group: "manage",
        key: "audit",
        href: "/audit",
        icon: "audit",
        shortcut: "l",
        needs: Some((Action::ViewAudit, Of::Own)),
    },
    Section { group: "learn", key: "help", href: "/help", icon: "help", shortcut: "", needs: None },
];

#[derive(Serialize)]
pub struct Group {
    key: &'static str,
    links: Vec<Link>,
}

#[derive(Serialize)]
struct Link {
    key: &'static str,
    href: String,
    icon: &'static str,
    shortcut: &'static str,
    current: bool,
}

/// The rail for a person on a page.
pub fn groups(principal: &Principal, path: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for section in SECTIONS.iter().filter(|section| shown(section, principal)) {
        let tenant = principal.tenant.as_ref().map_or("", crate::names::Name::as_str);
        let href = section.href.replace("{tenant}", tenant);
        let link = Link {
            key: section.key,
            current: is_current(&href, path),
            href,
            icon: section.icon,
            shortcut: section.shortcut,
        };
        match groups.last_mut().filter(|group| group.key == section.group) {
            Some(group) => group.links.push(link),
            None => groups.push(Group { key: section.group, links: vec![link] }),
        }
    }
    groups
}

fn shown(section: &Section, principal: &Principal) -> bool {
    let Some((action, of)) = section.needs else { return true };
    if of == Of::Tenant && principal.tenant.is_none() {
        return false;
    }
    let resource = if of == Of::City { Resource::City } else { Resource::of(principal.tenant.as_ref()) };
    principal.can(action, &resource)
}

fn is_current(href: &str, path: &str) -> bool {
    if href == "/" {
        path == "/"
    } else {
        path == href || path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/'))
    }
}
