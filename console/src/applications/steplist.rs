//! Samples and acceptance checks of a template: real calls through the accounts of roles, real verdicts of public pages. A step that does
//! not lead to what it expects fails the deployment with a reason.

use super::arguments::{assemble, own_fields};
use super::calls::{self, Call};
use super::people::{self, of_role};
use super::shown::Words;
use super::{Deployed, public};
use crate::app::App;
use crate::catalog;
use crate::error::Result;
use crate::text::Lang;
use crate::time::{local_date, now_ms};
use chain_types::Hash;
use chain_types::manifest::{
    Actor, ArgKind, Expect, FieldType, Instance, Level, ModuleSpec, Ordered, Page, PublicPage, Span, Step, StepValue,
};
use operator_api::Text;
use serde_json::{Map, Value as Json, json};
use std::time::Duration;

/// A page follows its chain within a block; this is longer.
const PAGE_PATIENCE: Duration = Duration::from_secs(3);

/// What earlier steps gave, by the names under which they were saved.
#[derive(Default)]
pub struct Saved(Map<String, Json>);

impl Saved {
    fn keep(&mut self, name: &str, made: &calls::Made) {
        let fields = made.committed.events.iter().filter_map(|event| event.fields.as_object().cloned()).flatten();
        self.0.insert(name.to_owned(), Json::Object(fields.collect()));
    }

    /// What a step gave when it was carried out, at an earlier deployment.
    pub async fn recall(&mut self, app: &App, deployed: &Deployed, name: &str, step: &Step) -> Result<()> {
        if let Step::Call { save: Some(save), .. } = step
            && let Some(made) = calls::made(app, deployed, name).await?
        {
            self.keep(save, &made);
        }
        Ok(())
    }
}

/// Who stands for whom in a list of steps.
pub struct Cast {
    pub own: String,
    /// `@other`
    pub other: Option<String>,
}

impl Cast {
    fn organisation(&self, actor: &Actor) -> Option<&str> {
        match actor.organisation.as_deref() {
            None => Some(&self.own),
            Some("own") => Some(&self.own),
            Some(_) => self.other.as_deref(),
        }
    }
}

fn failed(zh: impl Into<String>, en: impl Into<String>) -> Text {
    Text::new(zh, en)
}

/// Carries out one step. The error is a sentence for people.
pub async fn carry_out(
    app: &App,
    deployed: &Deployed,
    cast: &Cast,
    name: &str,
    step: &Step,
    saved: &mut Saved,
) -> Result<Result<(), Text>> {
    match step {
        Step::Call { actor, call, with, save, expect } => {
            let Some(organisation) = cast.organisation(actor) else {
                return Ok(Err(failed(
                    "需要第二家机构，本链没有",
                    "this needs a second organisation, which the chain lacks",
                )));
            };
            let Some((instance, module)) = deployed.instance(&call.instance) else {
                return Ok(Err(failed(
                    format!("没有实例 {}", call.instance),
                    format!("there is no instance {}", call.instance),
                )));
            };
            let Some(spec) = module.call(&call.method) else {
                return Ok(Err(failed(format!("没有操作 {call}"), format!("there is no call {call}"))));
            };
            let context = Context { app, deployed, cast, saved };
            let typed = context.values(with, instance, module, &call.method);
            let assembled = match assemble(instance, spec, &typed) {
                Ok(assembled) => assembled,
                Err(faults) => {
                    let first = faults.into_iter().next();
                    let (path, reason) = first.map(|fault| (fault.path, fault.reason)).unwrap_or_default();
                    return Ok(Err(failed(
                        format!("{call}：{path} {}", reason.zh),
                        format!("{call}: {path} {}", reason.en),
                    )));
                }
            };
            let signer = of_role(deployed, organisation, &actor.role);
            let sent = Call {
                app: deployed.name(),
                instance: &call.instance,
                method: &call.method,
                args: assembled.args,
                kept: assembled.kept,
            };
            let made = calls::once(app, deployed, name, &signer, sent).await?;
            let outcome = judge_call(deployed, &call.to_string(), &call.instance, expect, &made);
            if outcome.is_err() {
                calls::forget(app, deployed, name).await?;
            }
            if let (Ok(()), Some(save)) = (&outcome, save) {
                saved.keep(save, &made);
            }
            Ok(outcome)
        }
        Step::Page { page, with, expect } => {
            let context = Context { app, deployed, cast, saved };
            match deployed.template().pages.get(page) {
                Some(Page::Public(public)) if deployed.page(page).is_some() => {
                    context.judge_page(page, public, with, expect).await
                }
                // Switched off by an answer: there is nothing to judge.
                Some(_) if deployed.page(page).is_none() => Ok(Ok(())),
                _ => Ok(Err(failed(format!("{page} 不是公众页"), format!("{page} is no public page")))),
            }
        }
    }
}

fn judge_call(
    deployed: &Deployed,
    call: &str,
    instance: &str,
    expect: &Expect,
    made: &calls::Made,
) -> Result<(), Text> {
    let refusal = made.committed.refusal.as_ref();
    match (&expect.refused, refusal) {
        (None, None) => Ok(()),
        (Some(wanted), Some(refusal)) if refusal.code == *wanted => Ok(()),
        (Some(wanted), None) => Err(failed(
            format!("{call} 应被拒绝（{wanted}），却成功了"),
            format!("{call} should be refused ({wanted}) and was applied"),
        )),
        (_, Some(refusal)) => {
            let said = |lang| {
                let texts = deployed_texts();
                Words { deployed, texts, lang, organisations: &[] }.refusal(refusal, instance)
            };
            Err(failed(format!("{call} 被拒绝：{}", said(Lang::Zh)), format!("{call} was refused: {}", said(Lang::En))))
        }
    }
}

/// Texts for sentences that need none of the locales.
fn deployed_texts() -> &'static crate::text::Texts {
    static TEXTS: std::sync::OnceLock<crate::text::Texts> = std::sync::OnceLock::new();
    TEXTS.get_or_init(|| {
        crate::text::Texts::load(&crate::http::assets::Web::built_in())
            .expect("the built-in texts parse, or no console starts")
    })
}

struct Context<'a> {
    app: &'a App,
    deployed: &'a Deployed,
    cast: &'a Cast,
    saved: &'a Saved,
}

impl Context<'_> {
    fn values(
        &self,
        with: &Ordered<StepValue>,
        instance: &Instance,
        module: &ModuleSpec,
        method: &str,
    ) -> Map<String, Json> {
        let call = module.call(method);
        let one = |(name, value): (&str, &StepValue)| {
            let field = own_fields(instance).into_iter().find(|(own, _)| *own == name).map(|(_, field)| field.kind);
            let is_date = field == Some(FieldType::Date)
                || call.is_some_and(|call| call.args.iter().any(|arg| arg.name == name && arg.kind == ArgKind::Date));
            let is_time = field == Some(FieldType::Datetime);
            (name.to_owned(), self.value(value, is_date, is_time))
        };
        with.iter().map(one).collect()
    }

    fn value(&self, value: &StepValue, is_date: bool, is_time: bool) -> Json {
        match value {
            StepValue::Boolean(value) => json!(value),
            StepValue::Integer(value) => json!(value),
            StepValue::Text(text) => self.text(text, is_date, is_time),
            StepValue::List(items) => items.iter().map(|item| self.value(item, is_date, is_time)).collect(),
            StepValue::Map(pairs) => {
                pairs.iter().map(|(name, value)| (name.to_owned(), self.value(value, false, false))).collect()
            }
        }
    }

    fn text(&self, text: &str, is_date: bool, is_time: bool) -> Json {
        if let Some(path) = text.strip_prefix('$') {
            return self.reference(path);
        }
        if let Some(digest) = self.file(text) {
            return json!(digest.to_string());
        }
        let signed = text
            .split_at_checked(1)
            .filter(|(sign, _)| is_date && matches!(*sign, "-" | "+") || is_time && matches!(*sign, "-" | "+"));
        let moment = signed.and_then(|(sign, span)| {
            let ms = i64::try_from(span.parse::<Span>().ok()?.ms).ok()?;
            Some(now_ms() + if sign == "-" { -ms } else { ms })
        });
        match moment {
            Some(ms) if is_date => json!(local_date(ms)),
            Some(ms) => json!(ms),
            None => json!(text),
        }
    }

    /// `e.number`, `other.organisation`, `own.organisation`
    fn reference(&self, path: &str) -> Json {
        let (name, field) = path.split_once('.').unwrap_or((path, ""));
        match name {
            "own" => json!(self.cast.own),
            "other" => json!(self.cast.other),
            _ => self.saved.0.get(name).and_then(|saved| saved.get(field)).cloned().unwrap_or_default(),
        }
    }

    /// The digest of a file of the template's folder.
    fn file(&self, path: &str) -> Option<Hash> {
        path.starts_with("sample/")
            .then(|| catalog::file(self.app, &self.deployed.row.template, path))?
            .map(|bytes| Hash::of(&bytes))
    }

    async fn judge_page(
        &self,
        name: &str,
        page: &PublicPage,
        with: &Ordered<StepValue>,
        expect: &Expect,
    ) -> Result<Result<(), Text>> {
        let text = |value: &StepValue| match self.value(value, false, false) {
            Json::String(text) => text,
            other => other.to_string(),
        };
        let digest = with.get("file").map(text).and_then(|text| text.parse::<Hash>().ok());
        let code = with.iter().find(|(name, _)| *name != "file").map(|(_, value)| text(value)).unwrap_or_default();
        let end = tokio::time::Instant::now() + PAGE_PATIENCE;
        loop {
            let seen = public::examine(self.app, self.deployed, page, &code, digest).await?;
            let state = seen.record.as_ref().map(|record| record.status.clone()).unwrap_or_default();
            let right = expect.level.is_none_or(|level| level == seen.level)
                && expect.state.as_ref().is_none_or(|wanted| *wanted == state);
            if right {
                return Ok(Ok(()));
            }
            if tokio::time::Instant::now() > end {
                let wanted = format!(
                    "{} {}",
                    expect.level.map(level_name).unwrap_or_default(),
                    expect.state.clone().unwrap_or_default()
                );
                let zh = format!(
                    "公众页 {name} 对 {code} 的结论是“{}”（{} {state}），应为 {wanted}",
                    seen.text.zh,
                    level_name(seen.level)
                );
                let en = format!(
                    "public page {name} says \"{}\" ({} {state}) of {code}; expected {wanted}",
                    seen.text.en,
                    level_name(seen.level)
                );
                return Ok(Err(failed(zh, en)));
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

pub fn level_name(level: Level) -> &'static str {
    match level {
        Level::Ok => "ok",
        Level::Warn => "warn",
        Level::Bad => "bad",
    }
}

/// The roles that steps act in: `(role, of another organisation)`, each once.
pub fn actors(deployed: &Deployed) -> Vec<(String, bool)> {
    let template = deployed.template();
    let mut all = Vec::new();
    for step in template.samples.iter().chain(&template.checks) {
        if let Step::Call { actor, .. } = step {
            let one =
                (actor.role.clone(), actor.organisation.as_deref().is_some_and(|organisation| organisation != "own"));
            if !all.contains(&one) {
                all.push(one);
            }
        }
    }
    all
}

/// Whether the application is on its chain as it was asked for.
pub async fn is_installed(app: &App, deployed: &Deployed) -> Result<bool> {
    let key = people::application_key(deployed.name());
    let value = deployed.way(app)?.client.state_value(&key).await.map_err(|_| super::unreachable())?;
    let hash = value.and_then(|value| value.json.get("console_hash")?.as_str().map(str::to_owned));
    Ok(hash.as_deref() == Some(deployed.resolved.console_hash().to_string().as_str()))
}
