//! Samples and acceptance checks: their roles, calls, arguments, pages and expected refusals must exist.

use std::collections::BTreeSet;

use super::Faults;
use crate::manifest::modules::ArgKind;
use crate::manifest::ordered::Ordered;
use crate::manifest::references::{Actor, MethodRef};
use crate::manifest::refusals::Code;
use crate::manifest::steps::{Expect, Step, StepValue};
use crate::manifest::template::AppTemplate;

pub fn check(template: &AppTemplate, faults: &mut Faults) {
    // Always known: the organisation that deploys, and the one that `role@other` acts for.
    const GIVEN: [&str; 2] = ["own", "other"];
    faults.require(!template.checks.is_empty(), "checks", "至少一项验收检查", "there must be an acceptance check");
    for (list, steps) in [("samples", &template.samples), ("checks", &template.checks)] {
        let mut saved = BTreeSet::from(GIVEN);
        for (at, step) in steps.iter().enumerate() {
            one(template, step, &format!("{list}[{at}]"), &mut saved, faults);
        }
    }
}

fn one<'a>(template: &'a AppTemplate, step: &'a Step, path: &str, saved: &mut BTreeSet<&'a str>, faults: &mut Faults) {
    match step {
        Step::Call { actor, call, with, save, expect } => {
            values(with, saved, &format!("{path}.with"), faults);
            self::call(template, actor, call, with, expect, path, faults);
            faults.require(
                expect.level.is_none(),
                format!("{path}.expect"),
                "level 属于页面步骤",
                "a level belongs to a page step",
            );
            saved.extend(save.as_deref());
        }
        Step::Page { page, with, expect } => {
            values(with, saved, &format!("{path}.with"), faults);
            let known = template.pages.contains(page);
            let (zh, en) = (format!("没有页面 {page}"), format!("there is no page {page}"));
            faults.require(known, format!("{path}.page"), &zh, &en);
            let fits = expect.refused.is_none() && !expect.is_empty();
            faults.require(
                fits,
                format!("{path}.expect"),
                "页面步骤须期待 level 或 state",
                "a page step expects a level or a state",
            );
        }
    }
}

fn call(
    template: &AppTemplate,
    actor: &Actor,
    call: &MethodRef,
    with: &Ordered<StepValue>,
    expect: &Expect,
    path: &str,
    faults: &mut Faults,
) {
    let chain = &template.chain;
    let (zh, en) = (format!("没有人能担任角色 {}", actor.role), format!("nobody can hold role {}", actor.role));
    faults.require(chain.roles.contains(&actor.role), format!("{path}.as"), &zh, &en);
    let Some((spec, method)) = chain.spec_of(&call.instance).and_then(|s| Some((s, s.call(&call.method)?))) else {
        return faults.add(format!("{path}.call"), format!("没有操作 {call}"), format!("there is no call {call}"));
    };
    // Fields of the record may stand beside the arguments: a step is written as a person thinks of it.
    let takes_fields = method.args.iter().any(|a| a.kind == ArgKind::Fields);
    let instance = chain.instances.get(&call.instance);
    for name in with.names() {
        let argument = method.args.iter().any(|a| a.name == name);
        let field = takes_fields && instance.is_some_and(|i| i.own_field(name).is_some());
        let (zh, en) = (format!("{call} 没有参数 {name}"), format!("{call} has no argument {name}"));
        faults.require(argument || field, format!("{path}.with.{name}"), &zh, &en);
    }
    let allowed = chain.allow.get(&actor.role).is_some_and(|calls| calls.contains(call));
    match expect.refused.as_deref() {
        None => {
            let (zh, en) =
                (format!("角色 {} 不能执行 {call}", actor.role), format!("role {} may not call {call}", actor.role));
            faults.require(allowed, format!("{path}.as"), &zh, &en);
        }
        Some(code) => {
            let known = Code::parse(code).is_some_and(|code| spec.can_refuse(code));
            let (zh, en) = (format!("{call} 不会以 {code} 拒绝"), format!("{call} is never refused with {code}"));
            faults.require(known, format!("{path}.expect.refused"), &zh, &en);
        }
    }
}

/// `$name.…` must refer to something saved before.
fn values(with: &Ordered<StepValue>, saved: &BTreeSet<&str>, path: &str, faults: &mut Faults) {
    for (name, value) in with.iter() {
        self::value(value, saved, &format!("{path}.{name}"), faults);
    }
}

fn value(value: &StepValue, saved: &BTreeSet<&str>, path: &str, faults: &mut Faults) {
    match value {
        StepValue::Text(text) => {
            let Some(name) = text.strip_prefix('$').and_then(|t| t.split('.').next()) else { return };
            let (zh, en) = (format!("前面没有保存 {name}"), format!("nothing before saves {name}"));
            faults.require(saved.contains(name), path, &zh, &en);
        }
        StepValue::List(items) => items.iter().for_each(|v| self::value(v, saved, path, faults)),
        StepValue::Map(map) => values(map, saved, path, faults),
        StepValue::Boolean(_) | StepValue::Integer(_) => {}
    }
}
