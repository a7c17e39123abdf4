//! Texts in two languages. Looks up Fluent messages; never decides what to say. zh-CN first, English second.
//!
//! Fluent's own bundles are used rather than `fluent-templates`, whose loaders read a folder: ours are built into the program, and re-read only with `--web`.

use crate::http::assets::Web;
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A language the console speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Lang {
    #[default]
    Zh,
    En,
}

impl Lang {
    pub const ALL: [Lang; 2] = [Lang::Zh, Lang::En];

    /// The tag for `<html lang>`.
    pub fn tag(self) -> &'static str {
        match self {
            Lang::Zh => "zh-CN",
            Lang::En => "en",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "zh" | "zh-CN" => Some(Lang::Zh),
            "en" => Some(Lang::En),
            _ => None,
        }
    }

    /// The first language of an `Accept-Language` header that the console speaks; Chinese if none is.
    pub fn negotiate(header: &str) -> Self {
        let wanted =
            header.split(',').map(|part| part.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        wanted
            .filter_map(|tag| match tag.split('-').next() {
                Some("zh") => Some(Lang::Zh),
                Some("en") => Some(Lang::En),
                _ => None,
            })
            .next()
            .unwrap_or_default()
    }

    /// Picks one of two texts.
    pub fn pick<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }
}

/// Something to say, before it is known in which language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// A message of the locales with its arguments.
    Key { key: String, arguments: BTreeMap<String, String> },
    /// A sentence that arrives finished, such as a refusal with its arithmetic.
    Plain(String),
}

impl Message {
    pub fn new(key: impl Into<String>) -> Self {
        Self::Key { key: key.into(), arguments: BTreeMap::new() }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        if let Self::Key { arguments, .. } = &mut self {
            arguments.insert(name.to_owned(), value.to_string());
        }
        self
    }
}

type Bundle = FluentBundle<FluentResource>;

/// All messages of both languages.
pub struct Texts {
    zh: Bundle,
    en: Bundle,
}

impl Texts {
    /// Parses `locales/<tag>/*.ftl`. A message defined twice or a line that doesn't parse is an error.
    pub fn load(web: &Web) -> anyhow::Result<Self> {
        Ok(Self { zh: bundle(web, Lang::Zh)?, en: bundle(web, Lang::En)? })
    }

    /// The message, or `None` if there is none of that name.
    pub fn find(&self, lang: Lang, key: &str, arguments: Option<&FluentArgs<'_>>) -> Option<String> {
        let bundle = match lang {
            Lang::Zh => &self.zh,
            Lang::En => &self.en,
        };
        let pattern = bundle.get_message(key)?.value()?;
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, arguments, &mut errors).into_owned();
        if !errors.is_empty() {
            tracing::warn!(text.key = key, text.errors = ?errors, "a text lacks an argument");
        }
        Some(text)
    }

    /// The message; a missing one shows its name, so that a page still appears.
    pub fn say(&self, lang: Lang, message: &Message) -> String {
        match message {
            Message::Plain(text) => text.clone(),
            Message::Key { key, arguments } => {
                let mut values = FluentArgs::new();
                for (name, value) in arguments {
                    values.set(name.as_str(), self::value(value));
                }
                self.find(lang, key, Some(&values)).unwrap_or_else(|| format!("[{key}]"))
            }
        }
    }

    /// A message without arguments.
    pub fn get(&self, lang: Lang, key: &str) -> String {
        self.find(lang, key, None).unwrap_or_else(|| format!("[{key}]"))
    }

    pub fn has(&self, lang: Lang, key: &str) -> bool {
        self.find(lang, key, Some(&FluentArgs::new())).is_some()
    }
}

/// A number for plural rules where the text is one, text otherwise.
pub fn value(text: &str) -> FluentValue<'static> {
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => FluentValue::from(number),
        _ => FluentValue::from(text.to_owned()),
    }
}

fn bundle(web: &Web, lang: Lang) -> anyhow::Result<Bundle> {
    let identifier = lang.tag().parse().expect("both tags are language identifiers");
    let mut bundle = Bundle::new_concurrent(vec![identifier]);
    // No invisible direction marks around arguments: both languages run left to right, and copied text must be clean.
    bundle.set_use_isolating(false);
    for path in web.list(&format!("locales/{}/", lang.tag())) {
        let text = web.text(&path)?;
        let resource =
            FluentResource::try_new(text).map_err(|(_, errors)| anyhow::anyhow!("{path} doesn't parse: {errors:?}"))?;
        bundle
            .add_resource(resource)
            .map_err(|errors| anyhow::anyhow!("{path} repeats a message of another file: {errors:?}"))?;
    }
    Ok(bundle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_language_we_speak_wins() {
        assert_eq!(Lang::negotiate("fr-FR, en-GB;q=0.8, zh;q=0.5"), Lang::En);
        assert_eq!(Lang::negotiate("zh-TW,en"), Lang::Zh);
        assert_eq!(Lang::negotiate(""), Lang::Zh);
    }

    #[test]
    fn a_message_is_said_in_both_languages_with_its_arguments() {
        let texts = Texts::load(&Web::built_in()).unwrap();
        let message = Message::new("session-locked").with("minutes", 15);
        for lang in Lang::ALL {
            assert!(texts.say(lang, &message).contains("15"));
        }
        assert_eq!(texts.say(Lang::En, &Message::new("no-such-text")), "[no-such-text]");
    }
}
