//! Chinese and English say the same things: every key, attribute and variable of one language exists in the other.
//!
//! A language is a folder of `web/locales` (`web/locales/zh-CN/main.ftl`) or, without folders, a file's name.

use super::{Finding, Tree};
use std::collections::{BTreeMap, BTreeSet};

struct Text {
    path: String,
    line: usize,
    empty: bool,
    variables: BTreeSet<String>,
}

type Language = BTreeMap<String, Text>;

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut languages: BTreeMap<String, Language> = BTreeMap::new();
    let mut findings = Vec::new();
    for file in tree.under("web/locales/").filter(|file| file.path.ends_with(".ftl")) {
        let inside = &file.path["web/locales/".len()..];
        let name = inside.split_once('/').map_or(inside.trim_end_matches(".ftl"), |(folder, _)| folder);
        let language = languages.entry(name.to_owned()).or_default();
        for (key, text) in parse(&file.path, &file.text) {
            if let Some(first) = language.get(&key) {
                let said = format!("{key} is given twice, first in {}:{}: keep one", first.path, first.line);
                findings.push(Finding::new(&text.path, text.line, said));
            } else {
                language.insert(key, text);
            }
        }
    }
    if let (1, Some((only, language))) = (languages.len(), languages.iter().next()) {
        let path = language.values().next().map_or("web/locales", |text| text.path.as_str());
        findings.push(Finding::new(path, 1, format!("{only} is the only language: add the other one, zh or en")));
    }
    for (name, language) in &languages {
        for (other_name, other) in languages.iter().filter(|(other, _)| *other != name) {
            findings.extend(language.iter().filter_map(|(key, text)| compare(key, text, other_name, other)));
        }
        findings.extend(
            language.iter().filter(|(_, text)| text.empty).map(|(key, text)| {
                Finding::new(&text.path, text.line, format!("{key} has no text in {name}: write it"))
            }),
        );
    }
    findings
}

fn compare(key: &str, text: &Text, other_name: &str, other: &Language) -> Option<Finding> {
    let said = match other.get(key) {
        None => format!("{key} is missing in {other_name}: add it there, or remove it here"),
        Some(same) => {
            let missing = text.variables.difference(&same.variables).next()?;
            format!("{key} uses ${missing} here and not in {other_name}: both must say it")
        }
    };
    Some(Finding::new(&text.path, text.line, said))
}

/// The messages, terms and attributes of a Fluent file, with what each one's text refers to.
fn parse(path: &str, text: &str) -> Vec<(String, Text)> {
    let mut found: Vec<(String, Text)> = Vec::new();
    let mut message = String::new();
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        let indented = line.starts_with([' ', '\t']);
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name.trim(), value.trim()),
            None => ("", line.trim()),
        };
        let key = match name.strip_prefix('.') {
            Some(attribute) if indented && is_key(attribute) => Some(format!("{message}.{attribute}")),
            None if !indented && is_key(name.trim_start_matches('-')) => Some(name.to_owned()),
            _ => None,
        };
        if let Some(key) = key {
            if !indented {
                message.clone_from(&key);
            }
            let text =
                Text { path: path.to_owned(), line: index + 1, empty: value.is_empty(), variables: variables(value) };
            found.push((key, text));
        } else if let Some((_, text)) = found.last_mut() {
            text.empty = false;
            text.variables.extend(variables(line));
        }
    }
    let with_attributes: BTreeSet<String> =
        found.iter().filter_map(|(key, _)| key.split_once('.').map(|(message, _)| message.to_owned())).collect();
    for (key, text) in &mut found {
        text.empty &= !with_attributes.contains(key);
    }
    found
}

fn is_key(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

fn variables(value: &str) -> BTreeSet<String> {
    let name = |part: &str| {
        part.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect::<String>()
    };
    value.split('$').skip(1).map(name).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(zh: &str, en: &str) -> Vec<String> {
        let tree = Tree::of(&[("web/locales/en/main.ftl", en), ("web/locales/zh-CN/main.ftl", zh)]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_key_or_attribute_of_one_language_only_is_found() {
        assert_eq!(
            found("a = 甲\nb = 乙\n", "a = A\n"),
            ["web/locales/zh-CN/main.ftl:2: b is missing in en: add it there, or remove it here"]
        );
        assert_eq!(found("a = 甲\n", "a = A\n    .title = T\n").len(), 1);
    }

    #[test]
    fn a_variable_that_one_language_forgot_is_found() {
        assert_eq!(found("a = 共 { $n } 个\n", "a = some\n").len(), 1);
        assert_eq!(found("a =\n    共\n    { $n } 个\n", "a = { $n } of them\n"), Vec::<String>::new());
    }

    #[test]
    fn an_empty_text_a_second_one_and_a_lonely_language_are_found() {
        assert_eq!(found("a =\nb = 乙\n", "a = A\nb = B\n").len(), 1);
        assert_eq!(found("a = 甲\na = 乙\n", "a = A\n").len(), 1);
        assert_eq!(check(&Tree::of(&[("web/locales/zh-CN.ftl", "a = 甲\n")])).len(), 1);
    }

    #[test]
    fn plurals_terms_comments_and_text_with_an_equals_sign_are_read_right() {
        let zh = "# c = 注\n-city = 城链\na = { $n ->\n   *[other] x = { $n }\n}\nonly\n";
        let en = "-city = CityChain\na = { $n ->\n    [one] one\n   *[other] { $n }\n}\n";
        assert_eq!(found(zh.trim_end_matches("only\n"), en), Vec::<String>::new());
    }
}
