//! What a person asks for: whose keys shall be replaced, as one line of text. The same text is the list of what is still to be done:
//! whoever has got new keys is taken off it, so that nothing else has to be remembered.

use std::collections::BTreeSet;

use operator_api::{Text, ValidatorName};

use crate::{
    plan::{Plan, Role},
    words,
};

const ALL: &str = "all";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub validators: BTreeSet<ValidatorName>,
    /// Words that are no validator of this chain.
    pub unknown: Vec<String>,
}

impl Request {
    /// `all`, or names with commas between.
    pub fn parse(text: &str, plan: &Plan) -> Self {
        let members: BTreeSet<ValidatorName> =
            plan.nodes.iter().filter(|node| node.role == Role::Validator).map(|node| node.name).collect();
        let mut request = Self::default();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word.parse().ok().filter(|name| members.contains(name)) {
                Some(name) => drop(request.validators.insert(name)),
                None if word == ALL => request.validators.extend(&members),
                None => request.unknown.push(word.chars().filter(|c| !c.is_control()).take(40).collect()),
            }
        }
        request
    }

    /// What is left to ask for once this validator has its new keys; `None` if that is nothing.
    pub fn without(&self, done: ValidatorName) -> Option<String> {
        let left = self.validators.iter().filter(|name| **name != done).map(ToString::to_string);
        let words: Vec<String> = left.chain(self.unknown.iter().cloned()).collect();
        (!words.is_empty()).then(|| words.join(","))
    }

    /// What cannot be done, as somebody who mistyped a name has to hear it.
    pub fn mistake(&self, plan: &Plan) -> Option<Text> {
        if self.unknown.is_empty() {
            return None;
        }
        let members: Vec<ValidatorName> =
            plan.nodes.iter().filter(|node| node.role == Role::Validator).map(|node| node.name).collect();
        let (unknown, members) = (words::list(&self.unknown), words::list(&members));
        Some(Text::new(
            format!("要求更换密钥的 {} 不是本链的验证者；可写 {}，或 all。", unknown.zh, members.zh),
            format!(
                "New keys are asked for {}, which is no validator of this chain: write {}, or all.",
                unknown.en, members.en
            ),
        ))
    }
}
