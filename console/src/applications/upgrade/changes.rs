//! What a newer version of a template changes for an application that is deployed: what it adds, what reads differently, and what stands
//! against it. Additions only: an application's people, printed codes and programs rely on all that it offers. The chain judges the part
//! that it keeps once more by [`ChainPart::upgrade_faults`]; the rest is judged here alone. Pure.

use crate::applications::arguments::own_fields;
use chain_types::genesis::Text;
use chain_types::manifest::{
    ChainPart, Guard, Instance, ManifestError, MethodRef, Page, ResolvedTemplate, Rule, module_spec, text,
};
use serde::Serialize;

/// The kind of thing that changes; its word is the page's text `upgrade-kind-<word>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Role,
    Instance,
    Field,
    Method,
    Rule,
    Page,
    Question,
}

/// One thing, and what it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub kind: Kind,
    pub title: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<Text>,
}

/// All that changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub added: Vec<Change>,
    pub altered: Vec<Change>,
    /// Why the newer version cannot take the older one's place; with any of these there is no upgrade.
    pub faults: Vec<ManifestError>,
}

/// Compares what is deployed with what is to take its place, answers filled in.
pub fn between(old: &ResolvedTemplate, new: &ResolvedTemplate) -> Changes {
    let mut changes = Changes { faults: old.chain().upgrade_faults(new.chain()), ..Changes::default() };
    chain_part(old.chain(), new.chain(), &mut changes);
    pages(old, new, &mut changes);
    let known = &old.template().questions;
    let asked = new.template().questions.iter().filter(|(id, _)| !known.contains(id));
    changes.added.extend(asked.map(|(_, question)| change(Kind::Question, &question.title, None)));
    changes
}

fn change(kind: Kind, title: &Text, of: Option<Text>) -> Change {
    Change { kind, title: title.clone(), of }
}

fn same(name: &str) -> Text {
    Text { zh: name.to_owned(), en: name.to_owned() }
}

fn fault(path: String, zh: &str, en: &str) -> ManifestError {
    ManifestError { path, reason: Text { zh: zh.to_owned(), en: en.to_owned() } }
}

fn chain_part(old: &ChainPart, new: &ChainPart, changes: &mut Changes) {
    let roles = new.roles.iter().filter(|(name, _)| !old.roles.contains(name));
    changes.added.extend(roles.map(|(_, role)| change(Kind::Role, &role.title, None)));
    for (name, instance) in new.instances.iter() {
        let title = instance.title.clone().unwrap_or_else(|| same(name));
        match old.instances.get(name) {
            None => changes.added.push(change(Kind::Instance, &title, None)),
            Some(before) => self::instance(name, &title, before, instance, changes),
        }
    }
    for (role, calls) in new.allow.iter() {
        let before = old.allow.get(role);
        let added = calls.iter().filter(|call| before.is_none_or(|before| !before.contains(call)));
        let title = new.roles.get(role).map(|role| role.title.clone());
        changes.added.extend(added.map(|call| change(Kind::Method, &call_title(new, call), title.clone())));
    }
    for (role, calls) in old.allow.iter() {
        let kept = new.allow.get(role);
        for call in calls.iter().filter(|call| kept.is_none_or(|kept| !kept.contains(call))) {
            let path = format!("allow.{role}.{call}");
            changes.faults.push(fault(path, "角色已有的操作不能取消", "a call that a role has cannot be taken away"));
        }
    }
    changes.added.extend(new.rules.iter().filter(|rule| !old.rules.contains(rule)).map(rule_change));
    for (at, _) in old.rules.iter().enumerate().filter(|(_, rule)| !new.rules.contains(rule)) {
        changes.faults.push(fault(
            format!("rules[{at}]"),
            "规则不能取消或更换",
            "a rule cannot be dropped or replaced",
        ));
    }
}

fn call_title(part: &ChainPart, call: &MethodRef) -> Text {
    let instance = part.instances.get(&call.instance).and_then(|instance| module_spec(instance.module));
    let spec = instance.and_then(|module| module.call(&call.method));
    spec.map_or_else(|| same(&call.to_string()), |spec| text(spec.title))
}

fn rule_change(rule: &Rule) -> Change {
    let words = match rule {
        Rule::On { event, call, .. } => format!("{event} → {call}"),
        Rule::Require { credential, before, .. } => format!("{credential} ⇒ {before}"),
    };
    change(Kind::Rule, &same(&words), None)
}

fn instance(name: &str, title: &Text, old: &Instance, new: &Instance, changes: &mut Changes) {
    let before = own_fields(old);
    for (id, field) in own_fields(new) {
        let shown = change(Kind::Field, &field.title.clone().unwrap_or_else(|| same(id)), Some(title.clone()));
        match before.iter().find(|(known, _)| *known == id) {
            None => changes.added.push(shown),
            Some((_, known)) if *known != field => changes.altered.push(shown),
            Some(_) => {}
        }
    }
    let guard = |guard: &Guard| change(Kind::Rule, &guard_title(guard), Some(title.clone()));
    let named = |guards: &[Guard], wanted: &Guard| guards.iter().find(|guard| guard.name() == wanted.name()).copied();
    for one in &new.guards {
        match named(&old.guards, one) {
            None => changes.added.push(guard(one)),
            Some(known) if known != *one => changes.altered.push(guard(one)),
            Some(_) => {}
        }
    }
    for one in old.guards.iter().filter(|one| named(&new.guards, one).is_none()) {
        let path = format!("instances.{name}.guards.{}", one.name());
        changes.faults.push(fault(path, "约束不能取消", "a guard cannot be dropped"));
    }
    if old.batch && !new.batch {
        changes.faults.push(fault(format!("instances.{name}.batch"), "批量存证不能取消", "batches cannot be dropped"));
    }
}

/// What a guard means to people.
fn guard_title(guard: &Guard) -> Text {
    let (zh, en) = match guard {
        Guard::OwnerAppendsOnly => ("只有登记的机构可以补充", "only the organisation that made a record adds to it"),
        Guard::WithdrawNeedsReason => ("撤回须说明原因", "a withdrawal needs a reason"),
        Guard::ClockOffsetMax(span) => {
            let (zh, en) =
                (format!("时间不得超前链上时钟 {span}"), format!("no time is more than {span} ahead of the chain's"));
            return Text { zh, en };
        }
        Guard::HolderOfRecord => ("只有持有者可以处置", "only the holder ships, sells or destroys"),
        Guard::ReceiverMatches => ("收货方须为指定的目的地", "only the declared destination receives"),
        Guard::NoEventAfterDestroyed => ("销毁后不再流转", "a destroyed item never moves again"),
        Guard::NotExpiredToSell => ("过期不得销售", "nothing is sold after its last day"),
        Guard::SoldOnce => ("一件只售一次", "an item is sold once"),
        Guard::RecallBlocksSale => ("召回期间不得销售", "nothing of a recalled lot is sold"),
        Guard::RecallClosesWhenAllDisposed => {
            ("全部处置后才能结束召回", "a recall closes when every item is disposed of")
        }
    };
    Text { zh: zh.to_owned(), en: en.to_owned() }
}

fn pages(old: &ResolvedTemplate, new: &ResolvedTemplate, changes: &mut Changes) {
    let (before, after) = (&old.template().pages, &new.template().pages);
    let title = |id: &str, page: &Page| page.head().title.cloned().unwrap_or_else(|| same(id));
    for (id, page) in after.iter().filter(|(_, page)| page.is_on()) {
        match before.get(id).filter(|page| page.is_on()) {
            None => changes.added.push(change(Kind::Page, &title(id, page), None)),
            Some(known) if known != page => changes.altered.push(change(Kind::Page, &title(id, page), None)),
            Some(_) => {}
        }
    }
    for (id, page) in before.iter().filter(|(_, page)| page.is_on()) {
        let path = format!("pages.{id}");
        match (page, after.get(id).filter(|page| page.is_on())) {
            (_, None) => changes.faults.push(fault(path, "页面不能取消", "a page cannot be dropped")),
            (Page::Public(old), Some(Page::Public(new))) if old.route != new.route => {
                let (zh, en) =
                    ("公众页地址不能更换：已印出的二维码指向它", "the route cannot change: printed codes lead there");
                changes.faults.push(fault(format!("{path}.route"), zh, en));
            }
            (old, Some(new)) if old.kind() != new.kind() => {
                changes.faults.push(fault(format!("{path}.kind"), "页面的种类不能更换", "a page's kind cannot change"));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chain_types::manifest::{Answers, AppTemplate};

    const OLD: &str = include_str!("../testdata/small.yaml");

    fn resolved(yaml: &str) -> ResolvedTemplate {
        serde_yaml_ng::from_str::<AppTemplate>(yaml).unwrap().resolve(&Answers::new()).unwrap()
    }

    fn changed(pairs: &[(&str, &str)]) -> Changes {
        let yaml = pairs.iter().fold(OLD.to_owned(), |yaml, (from, to)| {
            assert!(yaml.contains(from), "{from}");
            yaml.replace(from, to)
        });
        between(&resolved(OLD), &resolved(&yaml))
    }

    #[test]
    fn the_same_version_changes_nothing() {
        assert_eq!(between(&resolved(OLD), &resolved(OLD)), Changes::default());
    }

    #[test]
    fn what_is_added_is_named_by_kind() {
        let changes = changed(&[
            (
                "    clerk: {title: {zh: 办事员, en: Clerk}}",
                "    clerk: {title: {zh: 办事员, en: Clerk}}\n    head: {title: {zh: 科长, en: Head}}",
            ),
            (
                "          note: {",
                "          extra: {type: text, place: chain, title: {zh: 备注, en: Extra}}\n          note: {",
            ),
            ("papers.withdraw]", "papers.withdraw]\n    head: [papers.anchor]"),
            ("guards: []", "guards: [withdraw_needs_reason]"),
            ("  all: {", "  more: {kind: list, title: {zh: 更多, en: More}, of: papers, columns: [number]}\n  all: {"),
            ("max: 500", "max: 400"),
        ]);
        assert_eq!(changes.faults, []);
        let kinds: Vec<(Kind, &str)> = changes.added.iter().map(|one| (one.kind, one.title.en.as_str())).collect();
        assert_eq!(
            kinds,
            [
                (Kind::Role, "Head"),
                (Kind::Field, "Extra"),
                (Kind::Rule, "a withdrawal needs a reason"),
                (Kind::Method, "Anchor"),
                (Kind::Page, "More"),
            ]
        );
        assert_eq!(changes.altered.iter().map(|one| one.title.en.as_str()).collect::<Vec<_>>(), ["note"]);
    }

    #[test]
    fn what_is_taken_away_is_a_fault_with_its_place() {
        for (from, to, path) in [
            (", papers.withdraw]", "]", "allow.clerk.papers.withdraw"),
            ("          note: {type: text, max: 500, place: private}\n", "", "instances.papers.record.fields.note"),
            ("  all: {kind: list", "  other: {kind: list", "pages.all"),
            ("  all: {kind: list", "  all: {kind: ledger", "pages.all.kind"),
            ("{seq:4}", "{seq:5}", "instances.papers.record.key"),
        ] {
            let faults = changed(&[(from, to)]).faults;
            assert_eq!(faults.first().map(|fault| fault.path.as_str()), Some(path), "{to}");
        }
    }
}
