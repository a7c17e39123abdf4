//! Pages: every field, state, role and call that they name must exist.

use super::Faults;
use crate::manifest::braces::names_in_braces;
use crate::manifest::chain_part::{ChainPart, Instance};
use crate::manifest::fields::FieldType;
use crate::manifest::modules::{KindSpec, module_spec};
use crate::manifest::pages::{Action, DetailPage, LabelsPage, ListPage, Page, PublicPage, Switch, Tab};
use crate::manifest::references::{MethodRef, Target, is_label};
use crate::manifest::template::AppTemplate;
use crate::manifest::verdict::Condition;

pub fn check(template: &AppTemplate, faults: &mut Faults) {
    faults.require(!template.pages.is_empty(), "pages", "至少一个页面", "there must be a page");
    for (name, page) in template.pages.iter() {
        let path = format!("pages.{name}");
        faults.require(
            is_label(name),
            &path,
            "名称须为小写字母、数字和下划线",
            "a name has lower-case letters, digits and underscores",
        );
        let head = page.head();
        roles(&template.chain, head.roles, &path, faults);
        if let Some(title) = head.title {
            faults.title(&format!("{path}.title"), title, 40);
        }
        if let Some(Switch::Answer(text)) = head.condition {
            let en = format!("`{text}` is not a yes-or-no answer");
            faults.add(format!("{path}.if"), format!("`{text}` 不是是否型答案"), en);
        }
        one(template, page, &path, faults);
    }
}

fn one(template: &AppTemplate, page: &Page, path: &str, faults: &mut Faults) {
    let chain = &template.chain;
    match page {
        Page::List(p) | Page::Board(p) | Page::Desk(p) | Page::Ledger(p) => list(chain, p, path, faults),
        Page::Detail(p) => detail(chain, p, path, faults),
        Page::Form(p) => call(chain, &p.call, &format!("{path}.call"), faults),
        Page::Timeline(p) => drop(Records::find(chain, &p.of, &format!("{path}.of"), faults)),
        Page::Graph(_) => {
            faults.add(path, "本版本没有模块记录可画的关系", "no module of this version keeps relations to draw")
        }
        Page::Scan(p) => {
            for (name, method) in p.calls.iter() {
                call(chain, method, &format!("{path}.calls.{name}"), faults);
            }
        }
        Page::Labels(p) => labels(chain, p, path, faults),
        Page::Public(p) => public(chain, p, path, faults),
    }
}

/// The records that a page shows.
struct Records<'a> {
    instance: &'a Instance,
    kind: &'static KindSpec,
}

impl<'a> Records<'a> {
    fn find(chain: &'a ChainPart, target: &Target, path: &str, faults: &mut Faults) -> Option<Self> {
        let Some(instance) = chain.instances.get(&target.instance) else {
            faults.add(
                path,
                format!("没有实例 {}", target.instance),
                format!("there is no instance {}", target.instance),
            );
            return None;
        };
        // An unknown module has been reported with its instance.
        let spec = module_spec(instance.module)?;
        let kind = spec.kind(target.kind.as_deref().unwrap_or(""));
        if kind.is_none() {
            let kinds: Vec<&str> = spec.kinds.iter().map(|k| k.name).collect();
            let (zh, en) = (
                format!("{target} 没有记录；可选 {}", kinds.join("、")),
                format!("{target} has no records; choose from {}", kinds.join(", ")),
            );
            faults.add(path, zh, en);
        }
        kind.map(|kind| Self { instance, kind })
    }

    /// The type of a field that can be shown, wherever it comes from.
    fn field(&self, name: &str) -> Option<FieldType> {
        let number = self.instance.record.as_ref().and_then(|r| r.number()).is_some_and(|(n, _)| n == name);
        let own = || self.kind.own_fields.then(|| self.instance.own_field(name)).flatten().map(|f| f.kind);
        let number = (number && self.kind.own_fields).then_some(FieldType::Text);
        number.or_else(|| self.kind.field(name).map(|f| f.kind)).or_else(own)
    }

    fn require_field(&self, name: &str, path: String, faults: &mut Faults) {
        if self.field(name).is_none() {
            faults.add(path, format!("没有字段 {name}"), format!("there is no field {name}"));
        }
    }

    fn require_state(&self, state: &str, path: String, faults: &mut Faults) {
        if !self.kind.states.contains(&state) {
            let states = self.kind.states;
            let en = format!("there is no state {state}; choose from {}", states.join(", "));
            faults.add(path, format!("没有状态 {state}；可选 {}", states.join("、")), en);
        }
    }
}

fn roles(chain: &ChainPart, roles: &[String], path: &str, faults: &mut Faults) {
    for role in roles.iter().filter(|r| !chain.roles.contains(r)) {
        let (zh, en) = (
            format!("没有人能担任角色 {role}：roles 中没有它"),
            format!("nobody can hold role {role}: it is not among the roles"),
        );
        faults.add(format!("{path}.roles"), zh, en);
    }
}

fn call(chain: &ChainPart, call: &MethodRef, path: &str, faults: &mut Faults) {
    let known = chain.spec_of(&call.instance).and_then(|spec| spec.call(&call.method)).is_some();
    if !known {
        faults.add(path, format!("没有操作 {call}"), format!("there is no call {call}"));
        return;
    }
    let allowed = chain.allow.iter().any(|(_, calls)| calls.contains(call));
    let (zh, en) = (format!("没有角色可以执行 {call}"), format!("no role may call {call}"));
    faults.require(allowed, path, &zh, &en);
}

fn actions(chain: &ChainPart, actions: &[Action], records: Option<&Records<'_>>, path: &str, faults: &mut Faults) {
    for (at, action) in actions.iter().enumerate() {
        let path = format!("{path}.actions[{at}]");
        call(chain, &action.call, &format!("{path}.call"), faults);
        roles(chain, &action.roles, &path, faults);
        for role in action.roles.iter().filter(|r| chain.roles.contains(r)) {
            let allowed = chain.allow.get(role).is_some_and(|calls| calls.contains(&action.call));
            let (zh, en) =
                (format!("角色 {role} 不能执行 {}", action.call), format!("role {role} may not call {}", action.call));
            faults.require(allowed, format!("{path}.roles"), &zh, &en);
        }
        if let Some(records) = records {
            action.states.iter().for_each(|s| records.require_state(s, format!("{path}.states"), faults));
        }
    }
}

fn list(chain: &ChainPart, page: &ListPage, path: &str, faults: &mut Faults) {
    let records = Records::find(chain, &page.of, &format!("{path}.of"), faults);
    faults.require(!page.columns.is_empty(), format!("{path}.columns"), "至少一列", "there must be a column");
    if let Some(records) = &records {
        page.columns.iter().for_each(|c| records.require_field(c, format!("{path}.columns"), faults));
        page.filters.iter().for_each(|c| records.require_field(c, format!("{path}.filters"), faults));
    }
    actions(chain, &page.actions, records.as_ref(), path, faults);
}

fn detail(chain: &ChainPart, page: &DetailPage, path: &str, faults: &mut Faults) {
    let records = Records::find(chain, &page.of, &format!("{path}.of"), faults);
    faults.require(!page.tabs.is_empty(), format!("{path}.tabs"), "至少一个标签页", "there must be a tab");
    for (at, tab) in page.tabs.iter().enumerate() {
        let path = format!("{path}.tabs[{at}]");
        match tab {
            Tab::Timeline(of) => drop(Records::find(chain, of, &path, faults)),
            Tab::Graph(of) => {
                let en = format!("no module of this version keeps a {of} to draw");
                faults.add(path, format!("本版本没有模块记录 {of} 关系"), en);
            }
            Tab::Content | Tab::Versions | Tab::Proof => {}
        }
    }
    actions(chain, &page.actions, records.as_ref(), path, faults);
}

fn labels(chain: &ChainPart, page: &LabelsPage, path: &str, faults: &mut Faults) {
    let records = Records::find(chain, &page.of, &format!("{path}.of"), faults);
    let (zh, en) = ("二维码内容须以 $public_url 开头", "a QR code says an address that begins with $public_url");
    faults.require(page.qr.starts_with("$public_url/"), format!("{path}.qr"), zh, en);
    faults.require(
        (20..=100).contains(&page.min_mm),
        format!("{path}.min_mm"),
        "应在 20 到 100 毫米之间",
        "must lie between 20 and 100 mm",
    );
    if let Some(records) = records {
        require_one_field(&page.qr, &records, format!("{path}.qr"), faults);
    }
}

/// An address holds one field in braces, which the records have.
fn require_one_field(address: &str, records: &Records<'_>, path: String, faults: &mut Faults) {
    let names: Vec<&str> = names_in_braces(address).collect();
    faults.require(names.len() == 1, &path, "须有且只有一个 {字段}", "there must be exactly one {field}");
    names.iter().for_each(|name| records.require_field(name, path.clone(), faults));
}

fn public(chain: &ChainPart, page: &PublicPage, path: &str, faults: &mut Faults) {
    let Some(records) = Records::find(chain, &page.of, &format!("{path}.of"), faults) else { return };
    faults.require(page.route.starts_with('/'), format!("{path}.route"), "须以 / 开头", "must begin with /");
    require_one_field(&page.route, &records, format!("{path}.route"), faults);
    if !page.aliases.is_empty() {
        faults.add(
            format!("{path}.aliases"),
            "本版本不提供其他地址形式",
            "this version serves no other form of an address",
        );
    }
    page.show.iter().for_each(|f| records.require_field(f, format!("{path}.show"), faults));
    if let Some(of) = &page.timeline {
        Records::find(chain, of, &format!("{path}.timeline"), faults);
    }
    for (at, verdict) in page.verdict.iter().enumerate() {
        let path = format!("{path}.verdict[{at}]");
        faults.title(&format!("{path}.text"), &verdict.text, 40);
        let last = at + 1 == page.verdict.len();
        let (zh, en) = ("只有最后一条可以没有条件，且必须没有", "the last line, and only that, has no condition");
        faults.require(verdict.when.is_none() == last, &path, zh, en);
        if let Some(condition) = &verdict.when {
            holds(condition, page, &records, format!("{path}.when"), faults);
        }
    }
    faults.require(!page.verdict.is_empty(), format!("{path}.verdict"), "至少一条结论", "there must be a verdict");
}

fn holds(condition: &Condition, page: &PublicPage, records: &Records<'_>, path: String, faults: &mut Faults) {
    match condition {
        Condition::State(state) => records.require_state(state, path, faults),
        Condition::FieldBeforeNow(name) => {
            let dated = matches!(records.field(name), Some(FieldType::Date | FieldType::Datetime));
            let (zh, en) = (format!("没有日期字段 {name}"), format!("there is no date field {name}"));
            faults.require(dated, path, &zh, &en);
        }
        Condition::CountAbove { count, above } => {
            faults.require(above.number().is_some(), &path, "above 须为整数", "above must be a whole number");
            let (zh, en) = (
                "只能统计 scans，且页面须有 counts_scans: true",
                "only scans are counted, and the page needs counts_scans: true",
            );
            faults.require(count == "scans" && page.counts_scans, path, zh, en);
        }
        Condition::Credential { credential, .. } => {
            let en = format!("no module of this version answers whether credential {credential} is valid");
            faults.add(path, format!("本版本没有模块能核验凭证 {credential}"), en);
        }
        Condition::EvidencePasses(_) => {
            faults.require(page.accepts.is_some(), path, "页面须有 accepts: file", "the page needs accepts: file");
        }
        Condition::Missing => {}
    }
}
