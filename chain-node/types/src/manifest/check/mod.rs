//! Everything that can be wrong with a manifest that could be read. All faults are reported, none stops the search.

mod chain;
mod pages;
mod records;
mod rules;
mod steps;

pub use records::RESERVED_FIELDS;

use super::modules::module_spec;
use super::pattern::Pattern;
use super::references::is_label;
use super::template::{AppTemplate, Question, QuestionType};
use crate::genesis::{Text, is_name};

/// A fault: where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {}", reason.en)]
pub struct ManifestError {
    /// Keys from the top, joined by dots: `chain.instances.evidence.guards[1]`.
    pub path: String,
    pub reason: Text,
}

pub(super) fn error(path: impl Into<String>, zh: impl Into<String>, en: impl Into<String>) -> ManifestError {
    ManifestError { path: path.into(), reason: Text { zh: zh.into(), en: en.into() } }
}

/// Collects faults below a path.
#[derive(Default)]
struct Faults(Vec<ManifestError>);

impl Faults {
    fn add(&mut self, path: impl Into<String>, zh: impl Into<String>, en: impl Into<String>) {
        self.0.push(error(path, zh, en));
    }

    fn require(&mut self, holds: bool, path: impl Into<String>, zh: &str, en: &str) {
        if !holds {
            self.add(path, zh, en);
        }
    }

    fn result(self) -> Result<(), Vec<ManifestError>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }

    /// A text that people read.
    fn title(&mut self, path: &str, text: &Text, max: usize) {
        let sane = |t: &str| (1..=max).contains(&t.chars().count()) && !t.chars().any(char::is_control);
        if !sane(&text.zh) || !sane(&text.en) {
            let zh = format!("须有中文和英文，各不超过 {max} 个字符");
            self.add(path, zh, format!("needs Chinese and English, {max} characters each at most"));
        }
    }
}

/// Questions before a deployment.
const MAX_QUESTIONS: usize = 5;

impl AppTemplate {
    /// Whether it can be deployed.
    pub fn check(&self) -> Result<(), Vec<ManifestError>> {
        let mut faults = Faults::default();
        let zh = "须以小写字母开头，只含小写字母、数字和连字符，至多 30 位";
        let en = "must start with a lower-case letter and hold lower-case letters, digits and hyphens, 30 at most";
        faults.require(is_name(&self.id), "id", zh, en);
        faults.title("title", &self.title, 40);
        faults.title("summary", &self.summary, 200);
        self.check_requires(&mut faults);
        self.check_questions(&mut faults);
        if !faults.0.is_empty() {
            return faults.result();
        }
        // The rest is checked with the default answers in place: what is installed has no `$question` left.
        let resolved = self.resolve(&Default::default())?;
        let template = resolved.template();
        chain::check(&template.chain, "chain.", &mut faults);
        pages::check(template, &mut faults);
        steps::check(template, &mut faults);
        faults.result()
    }

    fn check_requires(&self, faults: &mut Faults) {
        faults.require(
            (1..=32).contains(&self.requires.validators),
            "requires.validators",
            "应在 1 到 32 之间",
            "must lie between 1 and 32",
        );
        for (module, version) in &self.requires.modules {
            let path = format!("requires.modules.{}", module.name());
            match module_spec(*module) {
                None => faults.add(path, "本版本没有这个模块", "this version has no such module"),
                Some(spec) if spec.version < *version => {
                    let zh = format!("本版本的模块版本为 {}", spec.version);
                    faults.add(path, zh, format!("this version has version {} of the module", spec.version));
                }
                Some(_) => {}
            }
        }
        for (name, instance) in self.chain.instances.iter() {
            if !self.requires.modules.contains_key(&instance.module) {
                let path = format!("chain.instances.{name}.module");
                faults.add(path, "模块未列入 requires.modules", "the module is not listed under requires.modules");
            }
        }
    }

    fn check_questions(&self, faults: &mut Faults) {
        let count = self.questions.len();
        faults.require(count <= MAX_QUESTIONS, "questions", "至多五个问题", "there are five questions at most");
        let used = self.used_questions();
        for (name, question) in self.questions.iter() {
            let path = format!("questions.{name}");
            faults.require(
                is_label(name),
                &path,
                "名称须为小写字母、数字和下划线",
                "a name has lower-case letters, digits and underscores",
            );
            faults.require(
                used.contains(name),
                &path,
                "没有任何地方用到这个答案",
                "nothing in the manifest uses its answer",
            );
            check_question(&path, question, faults);
        }
    }
}

fn check_question(path: &str, question: &Question, faults: &mut Faults) {
    faults.title(&format!("{path}.title"), &question.title, 40);
    let is_text = question.kind == QuestionType::Text;
    if let Some(pattern) = &question.pattern {
        let path = format!("{path}.pattern");
        faults.require(is_text, &path, "只有文本问题可以有格式", "only a text question has a pattern");
        let (zh, en) = (
            "格式只支持字符、\\d、字符类及次数，写在 ^ 与 $ 之间",
            "a pattern is characters, \\d and classes with counts, between ^ and $",
        );
        faults.require(Pattern::parse(pattern).is_some(), &path, zh, en);
    }
    let is_enum = question.kind == QuestionType::Enum;
    faults.require(
        is_enum != question.values.is_empty(),
        format!("{path}.values"),
        "选项用于且只用于 enum 问题",
        "values belong to enum questions, and those need them",
    );
    if let Err((zh, en)) = question.accepts(&question.default) {
        faults.add(format!("{path}.default"), zh, en);
    }
}
