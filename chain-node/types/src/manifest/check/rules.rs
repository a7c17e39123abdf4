//! Rules between instances: no cycle, no chain of more than three steps, and nothing that this version cannot carry out.

use std::collections::{BTreeMap, BTreeSet};

use super::Faults;
use crate::manifest::chain_part::{ChainPart, Rule};
use crate::manifest::modules::module_spec;

const MAX_DEPTH: usize = 3;

pub fn check(chain: &ChainPart, prefix: &str, faults: &mut Faults) {
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (at, rule) in chain.rules.iter().enumerate() {
        let path = format!("{prefix}rules[{at}]");
        match rule {
            Rule::On { event, call, .. } => {
                edges.entry(&event.instance).or_default().insert(&call.instance);
                emits(chain, &event.instance, event.kind.as_deref(), &path, faults);
                instance(chain, &call.instance, &path, faults);
                let en = format!("no module of this version accepts {call} from a rule");
                faults.add(path, format!("本版本没有模块接受由规则触发的 {call}"), en);
            }
            Rule::Require { credential, before, .. } => {
                instance(chain, &before.instance, &path, faults);
                let en = format!("no module of this version answers whether credential {credential} is valid");
                faults.add(path, format!("本版本没有模块能核验凭证 {credential}"), en);
            }
        }
    }
    let path = format!("{prefix}rules");
    for start in edges.keys() {
        match longest(start, &edges, &mut Vec::new()) {
            None => {
                let (zh, en) =
                    (format!("规则从 {start} 出发又回到自身"), format!("rules lead from {start} back to itself"));
                faults.add(&path, zh, en);
            }
            Some(depth) if depth > MAX_DEPTH => {
                faults.add(
                    &path,
                    format!("规则链超过 {MAX_DEPTH} 步"),
                    format!("rules chain to more than {MAX_DEPTH} steps"),
                );
            }
            Some(_) => {}
        }
    }
}

fn instance(chain: &ChainPart, name: &str, path: &str, faults: &mut Faults) {
    if !chain.instances.contains(name) {
        faults.add(path, format!("没有实例 {name}"), format!("there is no instance {name}"));
    }
}

fn emits(chain: &ChainPart, name: &str, event: Option<&str>, path: &str, faults: &mut Faults) {
    instance(chain, name, path, faults);
    let Some(spec) = chain.instances.get(name).and_then(|i| module_spec(i.module)) else { return };
    if !event.is_some_and(|e| spec.events.contains(&e)) {
        let event = event.unwrap_or("?");
        let en = format!("no module of this version emits {name}.{event}");
        faults.add(path, format!("本版本没有模块发出事件 {name}.{event}"), en);
    }
}

/// Steps of the longest chain from an instance; `None` if one comes back. Instances are few (20), so a plain search does.
fn longest<'a>(at: &'a str, edges: &BTreeMap<&'a str, BTreeSet<&'a str>>, seen: &mut Vec<&'a str>) -> Option<usize> {
    if seen.contains(&at) {
        return None;
    }
    // Deeper than allowed is refused anyway; stopping there keeps the search small.
    if seen.len() > MAX_DEPTH + 1 {
        return Some(0);
    }
    seen.push(at);
    let mut most = 0;
    for next in edges.get(at).into_iter().flatten() {
        most = most.max(1 + longest(next, edges, seen)?);
    }
    seen.pop();
    Some(most)
}
