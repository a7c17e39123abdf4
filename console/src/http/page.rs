//! The Tera engine, parsed at start-up, and what templates can call. Renders; decides nothing.
//!
//! Tera 2: components instead of macros, an undefined variable is an error. A component that calls `t()` declares `@lang`.

use super::assets::{Addresses, Web};
use crate::text::{Lang, Texts, value};
use crate::time;
use anyhow::Context as _;
use fluent_bundle::FluentArgs;
use serde::Serialize;
use std::sync::Arc;
use tera::{Context, Kwargs, State, Tera, Value};

/// Templates, texts and static addresses of one moment.
pub struct Engine {
    pub tera: Tera,
    pub texts: Arc<Texts>,
    pub addresses: Arc<Addresses>,
}

/// The engine in use, and where it came from.
pub struct Pages {
    web: Web,
    engine: Arc<Engine>,
}

impl Pages {
    /// Parses everything; any mistake is an error.
    pub fn load(web: Web) -> anyhow::Result<Self> {
        let engine = Arc::new(engine(&web)?);
        Ok(Self { web, engine })
    }

    pub fn web(&self) -> &Web {
        &self.web
    }

    /// The engine; with `--web`, parsed anew from the folder as it is now.
    pub fn engine(&self) -> Result<Arc<Engine>, tera::Error> {
        if !self.web.changes() {
            return Ok(self.engine.clone());
        }
        engine(&self.web).map(Arc::new).map_err(|error| tera::Error::message(format!("{error:#}")))
    }

    pub fn texts(&self) -> Arc<Texts> {
        self.engine().map_or_else(|_| self.engine.texts.clone(), |engine| engine.texts.clone())
    }

    /// The address of a file below `web/static`.
    pub fn address(&self, name: &str) -> Option<String> {
        if !self.web.changes() {
            return self.engine.addresses.get(name).map(str::to_owned);
        }
        Addresses::of(&self.web).get(name).map(str::to_owned)
    }

    /// Renders a template that depends on no reader, for pushing to pages.
    pub fn part(&self, template: &str, lang: Lang, data: &impl Serialize) -> Result<String, tera::Error> {
        let mut context = Context::from_serialize(data)?;
        context.insert("lang", lang.tag());
        self.engine()?.tera.render(template, &context)
    }
}

fn engine(web: &Web) -> anyhow::Result<Engine> {
    let texts = Arc::new(Texts::load(web)?);
    let addresses = Arc::new(Addresses::of(web));
    let mut tera = Tera::new();
    register(&mut tera, texts.clone(), addresses.clone());
    let mut templates = Vec::new();
    for path in web.list("templates/") {
        let text = web.text(&path)?;
        templates.push((path.trim_start_matches("templates/").to_owned(), text));
    }
    tera.add_raw_templates(templates)
        .map_err(|error| anyhow::anyhow!("{error}"))
        .context("a template doesn't parse")?;
    Ok(Engine { tera, texts, addresses })
}

fn lang_of(state: &State) -> Lang {
    state.get::<String>("lang").ok().flatten().and_then(|tag| Lang::parse(&tag)).unwrap_or_default()
}

fn register(tera: &mut Tera, texts: Arc<Texts>, addresses: Arc<Addresses>) {
    let filter_texts = texts.clone();
    // t(key="tenant-count", n=3): the text in the reader's language; `or` is shown if there is none.
    tera.register_function("t", move |arguments: Kwargs, state: &State| translate(&texts, &arguments, state));
    tera.register_function("asset", move |arguments: Kwargs, _: &State| {
        let path = arguments.must_get::<&str>("path")?;
        addresses.get(path).map(str::to_owned).ok_or_else(|| tera::Error::message(format!("web/static has no {path}")))
    });
    tera.register_filter("time", |ms: i64, _: Kwargs, _: &State| time::local(ms));
    tera.register_filter("date", |ms: i64, _: Kwargs, _: &State| time::local_date(ms));
    tera.register_filter("clock", |ms: i64, _: Kwargs, _: &State| time::local_clock(ms));
    tera.register_filter("iso", |ms: i64, _: Kwargs, _: &State| time::iso(ms));
    tera.register_filter("num", |number: i64, _: Kwargs, _: &State| grouped(number));
    tera.register_filter("bytes", |bytes: i64, _: Kwargs, _: &State| size(bytes));
    tera.register_filter("middle", |text: &str, arguments: Kwargs, _: &State| -> Result<String, tera::Error> {
        Ok(middle(text, arguments.get::<u64>("keep")?.unwrap_or(6) as usize))
    });
    tera.register_filter("duration", move |ms: i64, _: Kwargs, state: &State| {
        duration(&filter_texts, ms, lang_of(state))
    });
    // {zh, en} → the reader's text
    tera.register_filter("pick", |both: Value, _: Kwargs, state: &State| -> Result<Value, tera::Error> {
        let field = lang_of(state).pick("zh", "en");
        both.as_map()
            .and_then(|map| map.get(&tera::value::Key::from(field)).cloned())
            .ok_or_else(|| tera::Error::message(format!("pick needs a map with zh and en, without {field}")))
    });
}

fn translate(texts: &Texts, arguments: &Kwargs, state: &State) -> Result<String, tera::Error> {
    let key = arguments.must_get::<&str>("key")?;
    let mut values = FluentArgs::new();
    for (name, argument) in arguments.iter() {
        match name.as_str() {
            Some("key" | "or") | None => {}
            Some(name) => values.set(name.replace('_', "-"), value(&argument.to_string())),
        }
    }
    if let Some(text) = texts.find(lang_of(state), key, Some(&values)) {
        return Ok(text);
    }
    match arguments.get::<&str>("or")? {
        Some(text) => Ok(text.to_owned()),
        None => Err(tera::Error::message(format!("the locales have no text {key}"))),
    }
}

/// `2,081,447`
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.5 MB`
fn size(bytes: i64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// `9f3c41…a1e7b0`
fn middle(text: &str, keep: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= keep * 2 + 1 {
        return text.to_owned();
    }
    let (head, tail) = (&characters[..keep], &characters[characters.len() - keep..]);
    head.iter().chain(['…'].iter()).chain(tail.iter()).collect()
}

/// `0.4 s`, `42 s`, `3 min 20 s`, `2 h 5 min`
fn duration(texts: &Texts, ms: i64, lang: Lang) -> String {
    let say = |key: &str, values: &[(&str, i64)]| {
        let message =
            values.iter().fold(crate::text::Message::new(key), |message, (name, value)| message.with(name, value));
        texts.say(lang, &message)
    };
    match ms {
        ..1000 => format!("{:.2} s", ms.max(0) as f64 / 1000.0),
        1000..10_000 => format!("{:.1} s", ms as f64 / 1000.0),
        10_000..60_000 => format!("{} s", ms / 1000),
        60_000..3_600_000 => say("duration-minutes", &[("m", ms / 60_000), ("s", ms / 1000 % 60)]),
        3_600_000..86_400_000 => say("duration-hours", &[("h", ms / 3_600_000), ("m", ms / 60_000 % 60)]),
        _ => say("duration-days", &[("d", ms / 86_400_000), ("h", ms / 3_600_000 % 24)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_for_reading() {
        assert_eq!(
            ["0", "999", "1,000", "-1,234,567"],
            [0, 999, 1000, -1_234_567].map(grouped).each_ref().map(String::as_str)
        );
        assert_eq!([size(5), size(1500), size(2_500_000)], ["5 B", "1.5 KB", "2.5 MB"]);
        assert_eq!(middle("0123456789abcdef", 4), "0123…cdef");
        assert_eq!(middle("short", 4), "short");
        let texts = Texts::load(&Web::built_in()).unwrap();
        assert_eq!(duration(&texts, 400, Lang::En), "0.40 s");
        assert_eq!(duration(&texts, 200_000, Lang::En), "3 min 20 s");
    }
}
