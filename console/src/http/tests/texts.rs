//! Texts and templates as files: both languages say the same things, templates say nothing by themselves, and only what exists is asked for.

use crate::http::assets::Web;
use crate::text::{Lang, Texts};
use std::collections::{BTreeMap, BTreeSet};

/// Message → the names of its arguments, of one language.
fn messages(lang: Lang) -> BTreeMap<String, BTreeSet<String>> {
    let web = Web::built_in();
    let mut messages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut current = String::new();
    for path in web.list(&format!("locales/{}/", lang.tag())) {
        for line in web.text(&path).unwrap().lines().filter(|line| !line.starts_with('#')) {
            if let Some((key, _)) = line.split_once(" =").filter(|(key, _)| !key.starts_with(' ') && !key.is_empty()) {
                current = key.to_owned();
                assert!(messages.insert(current.clone(), BTreeSet::new()).is_none(), "{path}: {current} stands twice");
            }
            for argument in line.split('$').skip(1) {
                let name = argument.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
                messages.entry(current.clone()).or_default().insert(name);
            }
        }
    }
    messages
}

#[test]
fn both_languages_have_the_same_messages_with_the_same_arguments() {
    let (zh, en) = (messages(Lang::Zh), messages(Lang::En));
    let (zh_keys, en_keys): (BTreeSet<_>, BTreeSet<_>) = (zh.keys().collect(), en.keys().collect());
    assert_eq!(
        zh_keys.symmetric_difference(&en_keys).collect::<Vec<_>>(),
        Vec::<&&String>::new(),
        "only in one language"
    );
    for (key, arguments) in &zh {
        assert_eq!(arguments, &en[key], "{key}");
    }
}

#[test]
fn every_message_that_a_template_asks_for_exists() {
    let (web, texts) = (Web::built_in(), Texts::load(&Web::built_in()).unwrap());
    let known = messages(Lang::Zh);
    let mut asked = 0;
    for path in web.list("templates/") {
        let template = web.text(&path).unwrap();
        // The filter `get` takes a key of its own.
        for call in template.replace("get(key=", "get(").split("t(key=\"").skip(1) {
            let (key, after) = call.split_once('"').unwrap();
            asked += 1;
            if after.trim_start().starts_with('~') {
                // A composed name: at least one message must begin so.
                assert!(known.keys().any(|known| known.starts_with(key)), "{path}: no message begins with {key}");
            } else {
                assert!(Lang::ALL.iter().all(|lang| texts.has(*lang, key)), "{path}: {key}");
            }
        }
    }
    assert!(asked > 300, "the templates were not read: {asked}");
}

#[test]
fn roles_and_acts_and_error_codes_have_their_words() {
    let texts = Texts::load(&Web::built_in()).unwrap();
    let roles = crate::auth::Role::ALL
        .iter()
        .flat_map(|role| [format!("role-{}", role.as_str()), format!("role-{}-hint", role.as_str())]);
    let acts = source_literals("Entry::done(\"").into_iter().map(|act| format!("audit-{}", act.replace('.', "-")));
    let messages = source_literals("Message::new(\"");
    let keys: Vec<String> = roles.chain(acts).chain(messages).filter(|key| !key.starts_with("no-such")).collect();
    assert!(keys.len() > 60, "the sources were not read: {}", keys.len());
    for key in keys {
        assert!(Lang::ALL.iter().all(|lang| texts.has(*lang, &key)), "{key}");
    }
}

/// Text literals that follow `before` in the console's sources.
fn source_literals(before: &str) -> Vec<String> {
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten().filter(|entry| entry.file_name() != "tests") {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                let source = std::fs::read_to_string(entry.path()).unwrap();
                found.extend(source.split(before).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
            }
        }
    }
    found
}

#[test]
fn templates_hold_no_chinese_no_style_and_no_syntax_of_the_past() {
    let web = Web::built_in();
    for path in web.list("templates/") {
        let template = web.text(&path).unwrap();
        let chinese =
            template.chars().find(|c| ('\u{3400}'..='\u{9fff}').contains(c) || ('\u{3000}'..='\u{303f}').contains(c));
        assert_eq!(chinese, None, "{path}: texts stand in web/locales");
        for past in [
            "{% macro",
            "{% import",
            "sse-swap",
            "hx-ext",
            "htmx:afterSwap",
            "hx-vars",
            " style=",
            "<style",
            "http://",
            "https://",
        ] {
            assert!(!template.contains(past), "{path}: {past}");
        }
    }
}

#[test]
fn what_pages_load_stays_small() {
    let web = Web::built_in();
    for (file, most) in [
        ("theme.css", 20_480),
        ("components.css", 12_288),
        ("public.css", 12_288),
        ("app.js", 6_144),
        ("icons.svg", 16_384),
    ] {
        let size = web.bytes(&format!("static/{file}")).unwrap().len();
        assert!(size <= most, "{file} has {size} bytes of {most}");
    }
}
