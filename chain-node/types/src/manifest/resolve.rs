//! A template with its answers filled in: the values that are installed.
//!
//! `$name` of a question is replaced wherever text stands: alone it becomes the answer itself, within a text the answer's
//! text. Other `$` words (`$public_url`, `$e.number`) belong to the console and stay.

use std::collections::BTreeSet;

use serde::Serialize;

use super::chain_part::ChainPart;
use super::pattern::Pattern;
use super::template::{Answer, Answers, AppTemplate, Question, QuestionType};
use super::{ManifestError, error};
use crate::bytes::Hash;
use crate::encoding::{Value, from_value, to_value, to_vec};

/// What is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedTemplate {
    template: AppTemplate,
    answers: Answers,
}

/// What the console keeps of a template: everything but the chain part.
#[derive(Serialize)]
struct ConsolePart<'a> {
    id: &'a str,
    version: super::references::Version,
    title: &'a crate::genesis::Text,
    summary: &'a crate::genesis::Text,
    pages: &'a super::ordered::Ordered<super::pages::Page>,
    samples: &'a [super::steps::Step],
    checks: &'a [super::steps::Step],
}

impl ResolvedTemplate {
    /// The template, without any question left open.
    pub fn template(&self) -> &AppTemplate {
        &self.template
    }

    pub fn chain(&self) -> &ChainPart {
        &self.template.chain
    }

    /// Every question's answer, defaults included.
    pub fn answers(&self) -> &Answers {
        &self.answers
    }

    /// What `application.install` carries: deterministic CBOR.
    pub fn chain_part_bytes(&self) -> Vec<u8> {
        encoded(&self.template.chain)
    }

    /// What the chain keeps of the rest.
    pub fn console_hash(&self) -> Hash {
        let t = &self.template;
        let part = ConsolePart {
            id: &t.id,
            version: t.version,
            title: &t.title,
            summary: &t.summary,
            pages: &t.pages,
            samples: &t.samples,
            checks: &t.checks,
        };
        Hash::of_parts(&[b"citychain/console/1", &encoded(&part)])
    }
}

/// Manifest types hold nothing that CBOR cannot; the empty byte string would name no manifest.
fn encoded<T: Serialize>(part: &T) -> Vec<u8> {
    to_vec(part).unwrap_or_default()
}

impl AppTemplate {
    /// Fills in the answers, the defaults where there is none. Every fault is reported at once.
    pub fn resolve(&self, answers: &Answers) -> Result<ResolvedTemplate, Vec<ManifestError>> {
        let mut faults = Vec::new();
        for name in answers.keys().filter(|name| !self.questions.contains(name)) {
            faults.push(error(format!("answers.{name}"), "没有这个问题", "there is no such question"));
        }
        let mut all = Answers::new();
        for (name, question) in self.questions.iter() {
            let answer = answers.get(name).unwrap_or(&question.default);
            if let Err((zh, en)) = question.accepts(answer) {
                faults.push(error(format!("answers.{name}"), zh, en));
            }
            all.insert(name.to_owned(), answer.clone());
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let broken = |reason: String| vec![error(String::new(), format!("填入答案后无法读取：{reason}"), reason)];
        // Questions keep their own texts, so that a form can show them again.
        let mut open = self.clone();
        let questions = std::mem::take(&mut open.questions);
        let value = to_value(&open).map_err(|e| broken(e.to_string()))?;
        let mut template: Self = from_value(&substitute(value, &all)).map_err(broken)?;
        template.questions = questions;
        Ok(ResolvedTemplate { template, answers: all })
    }

    /// Questions that the manifest refers to.
    pub(super) fn used_questions(&self) -> BTreeSet<String> {
        let mut open = self.clone();
        let questions = std::mem::take(&mut open.questions);
        let mut used = BTreeSet::new();
        if let Ok(value) = to_value(&open) {
            each_text(&value, &mut |text| {
                used.extend(
                    references(text).map(|(_, name)| name).filter(|n| questions.contains(n)).map(str::to_owned),
                );
            });
        }
        used
    }
}

impl Question {
    /// Whether an answer will do, and what is wrong with it.
    pub fn accepts(&self, answer: &Answer) -> Result<(), (String, String)> {
        let no = |zh: &str, en: &str| Err((zh.to_owned(), en.to_owned()));
        match (self.kind, answer) {
            (QuestionType::Boolean, Answer::Boolean(_)) => Ok(()),
            (QuestionType::Enum, Answer::Text(text)) if self.values.contains(text) => Ok(()),
            (QuestionType::Enum, _) => no("请选择列出的一项", "choose one of the listed values"),
            (QuestionType::Integer, Answer::Integer(n)) => {
                let (least, most) = (self.min.unwrap_or(i64::MIN), self.max.unwrap_or(i64::MAX));
                match (least..=most).contains(n) {
                    true => Ok(()),
                    false => no("数值超出范围", "the number is out of range"),
                }
            }
            (QuestionType::Text, Answer::Text(text)) => {
                let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
                let fits = self.pattern.as_deref().is_none_or(|p| Pattern::parse(p).is_some_and(|p| p.accepts(text)));
                let sane = !text.chars().any(|c| c.is_control() || c == '$');
                match sane && fits && (self.min.unwrap_or(1)..=self.max.unwrap_or(100)).contains(&length) {
                    true => Ok(()),
                    false => no("不符合要求的格式", "the answer does not have the required form"),
                }
            }
            _ => no("类型不符", "the answer is of another type"),
        }
    }
}

/// `$name` words of a text: where they begin, and the name.
fn references(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices('$').filter_map(|(at, _)| {
        let rest = text.get(at + 1..)?;
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '_').unwrap_or(rest.len());
        rest.get(..end).filter(|name| !name.is_empty()).map(|name| (at, name))
    })
}

fn each_text(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::Text(text) => see(text),
        Value::Array(items) => items.iter().for_each(|v| each_text(v, see)),
        Value::Map(pairs) => pairs.iter().for_each(|(_, v)| each_text(v, see)),
        _ => {}
    }
}

fn substitute(value: Value, answers: &Answers) -> Value {
    match value {
        Value::Text(text) => fill(text, answers),
        Value::Array(items) => Value::Array(items.into_iter().map(|v| substitute(v, answers)).collect()),
        Value::Map(pairs) => Value::Map(pairs.into_iter().map(|(k, v)| (k, substitute(v, answers))).collect()),
        other => other,
    }
}

fn fill(text: String, answers: &Answers) -> Value {
    if let Some(answer) = text.strip_prefix('$').and_then(|name| answers.get(name)) {
        return match answer {
            Answer::Boolean(b) => Value::from(*b),
            Answer::Integer(n) => Value::from(*n),
            Answer::Text(text) => Value::from(text.as_str()),
        };
    }
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (at, name) in references(&text) {
        if let Some(answer) = answers.get(name) {
            out.push_str(text.get(done..at).unwrap_or_default());
            out.push_str(&answer.to_string());
            done = at + 1 + name.len();
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Value::Text(out)
}
