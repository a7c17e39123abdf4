//! How fields are written for people: titles from the manifest or the module, values by their type, personal values masked. Decides only
//! words and form.

use super::Deployed;
use super::records::Record;
use crate::text::{Lang, Texts};
use crate::time;
use chain_types::genesis::Text;
use chain_types::manifest::{Field, FieldType, Mask, Place};
use chain_types::outcome::Refusal;
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::HashMap;

/// A field as a page shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    pub name: String,
    pub label: String,
    /// text | state | hash | hashes | code
    pub kind: &'static str,
    pub text: String,
    pub items: Vec<String>,
    /// Of a state: ok | warn | bad | idle | info
    pub status: &'static str,
    /// chain | commitment | private
    pub place: &'static str,
}

/// What words are made of: the reader's language, the application, its tenant's organisations.
pub struct Words<'a> {
    pub deployed: &'a Deployed,
    pub texts: &'a Texts,
    pub lang: Lang,
    pub organisations: &'a [(String, Text)],
}

pub fn status_of(state: &str) -> &'static str {
    match state {
        "active" | "anchored" | "ready" | "closed" => "ok",
        "in_transit" | "deploying" | "upgrading" => "info",
        "recalled" | "open" | "failed" | "upgrade-failed" => "bad",
        "withdrawn" | "sold" | "suspended" => "warn",
        _ => "idle",
    }
}

impl Words<'_> {
    pub fn pick(&self, text: &Text) -> String {
        self.lang.pick(&text.zh, &text.en).to_owned()
    }

    pub fn organisation(&self, id: &str) -> String {
        let known = self.organisations.iter().find(|(known, _)| known == id);
        known.map_or_else(|| id.to_owned(), |(_, title)| self.pick(title))
    }

    fn say(&self, key: &str, or: &str) -> String {
        self.texts.find(self.lang, key, None).unwrap_or_else(|| or.to_owned())
    }

    pub fn state(&self, state: &str) -> String {
        self.say(&format!("app-state-{state}"), state)
    }

    pub fn step(&self, step: &str) -> String {
        self.say(&format!("biz-step-{}", step.replace('_', "-")), step)
    }

    fn own(&self, instance: &str, name: &str) -> Option<&Field> {
        self.deployed.resolved.chain().instances.get(instance)?.own_field(name)
    }

    /// The field's title: the manifest's, the module's, or its name.
    pub fn label(&self, instance: &str, kind: &str, name: &str) -> String {
        if let Some(title) = self.own(instance, name).and_then(|field| field.title.as_ref()) {
            return self.pick(title);
        }
        let module = self.deployed.instance(instance).map(|(_, module)| module);
        let kinds = module.map(|module| module.kinds).unwrap_or_default();
        let of_kind = kinds.iter().filter(|of| of.name == kind || of.name.is_empty());
        let mut found = of_kind.filter_map(|of| of.field(name));
        match found.next().or_else(|| kinds.iter().find_map(|of| of.field(name))) {
            Some(field) => self.lang.pick(field.title.0, field.title.1).to_owned(),
            None => self.say(&format!("app-field-{}", name.replace('_', "-")), name),
        }
    }

    fn kind(&self, instance: &str, kind: &str, name: &str) -> FieldType {
        if let Some(field) = self.own(instance, name) {
            return field.kind;
        }
        let module = self.deployed.instance(instance).map(|(_, module)| module);
        let kinds = module.map(|module| module.kinds).unwrap_or_default();
        let exact = kinds.iter().filter(|of| of.name == kind || of.name.is_empty()).find_map(|of| of.field(name));
        exact.or_else(|| kinds.iter().find_map(|of| of.field(name))).map_or(FieldType::Text, |field| field.kind)
    }

    /// A field of a record. `kept` are values that the console keeps off chain, by field.
    pub fn field(&self, record: &Record, name: &str, kept: &HashMap<String, String>) -> Shown {
        let own = self.own(&record.instance, name);
        let place = match own.map(|field| field.place) {
            Some(Place::Commitment) => "commitment",
            Some(Place::Private) => "private",
            _ => "chain",
        };
        let mut shown = Shown {
            name: name.to_owned(),
            label: self.label(&record.instance, &record.kind, name),
            kind: "text",
            text: String::new(),
            items: Vec::new(),
            status: "idle",
            place,
        };
        if place != "chain" {
            let mask = own.map_or(Mask::None, |field| field.mask);
            match kept.get(name) {
                Some(value) => shown.text = masked(mask, value),
                None if record.fields.contains_key(name) => {
                    shown.text = self.say("app-value-elsewhere", "…");
                }
                None => {}
            }
            return shown;
        }
        let Some(value) = record.fields.get(name).filter(|value| !value.is_null()) else { return shown };
        if name == "status" {
            (shown.kind, shown.text, shown.status) = ("state", self.state(&record.status), status_of(&record.status));
            return shown;
        }
        self.write(&mut shown, own, self.kind(&record.instance, &record.kind, name), value);
        shown
    }

    fn write(&self, shown: &mut Shown, own: Option<&Field>, kind: FieldType, value: &Json) {
        let plain = |value: &Json| match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        shown.text = match (kind, value) {
            (FieldType::Datetime, value) => value.as_i64().map(time::local).unwrap_or_default(),
            (FieldType::Enum, Json::String(text)) if shown.name == "bizStep" => self.step(text),
            (FieldType::Enum, Json::String(text)) => {
                let title = own.and_then(|field| field.values.get(text));
                title.map_or_else(|| self.state(text), |title| self.pick(title))
            }
            (FieldType::Boolean, value) => {
                let yes = value.as_bool().unwrap_or(false);
                self.say(if yes { "app-yes" } else { "app-no" }, if yes { "✓" } else { "–" })
            }
            (FieldType::Organisation, Json::String(id)) => self.organisation(id),
            (FieldType::Money, value) => {
                let fen = value.as_i64().unwrap_or(0);
                format!("¥ {}.{:02}", fen / 100, fen % 100)
            }
            (FieldType::Digests, Json::Array(items)) => {
                shown.kind = "hashes";
                shown.items = items.iter().map(plain).collect();
                shown.items.len().to_string()
            }
            (FieldType::Digest | FieldType::File | FieldType::Account, value) => {
                shown.kind = "hash";
                plain(value)
            }
            (FieldType::Code, value) => {
                shown.kind = "code";
                plain(value)
            }
            (FieldType::Quantity, value) => {
                let unit = own.and_then(|field| field.unit.as_ref()).map(|unit| format!(" {}", self.pick(unit)));
                format!("{}{}", plain(value), unit.unwrap_or_default())
            }
            (_, value) => plain(value),
        };
    }

    /// A refusal in plain words: names of organisations, fields and calls instead of their ids.
    pub fn refusal(&self, refusal: &Refusal, instance: &str) -> String {
        let mut named = refusal.clone();
        for (name, value) in &mut named.params {
            match name.as_str() {
                "holder" | "to" | "organisation" => *value = format!("“{}”", self.organisation(value)),
                "field" | "early" | "late" => *value = self.label(instance, "", value),
                "call" => *value = self.call_title(value),
                "role" => {
                    let role = self.deployed.resolved.chain().roles.get(value);
                    *value = role.map_or_else(|| value.clone(), |role| self.pick(&role.title));
                }
                _ => {}
            }
        }
        self.pick(&chain_types::manifest::sentence(&named))
    }

    /// `goods.ship` → 发货
    pub fn call_title(&self, call: &str) -> String {
        let found =
            call.split_once('.').and_then(|(instance, method)| self.deployed.instance(instance)?.1.call(method));
        found.map_or_else(|| call.to_owned(), |call| self.lang.pick(call.title.0, call.title.1).to_owned())
    }
}

/// A personal value as somebody sees it who need not see all of it.
pub fn masked(mask: Mask, value: &str) -> String {
    let letters: Vec<char> = value.chars().collect();
    let keep = |head: usize, tail: usize| -> String {
        if letters.len() <= head + tail {
            return "*".repeat(letters.len());
        }
        let middle = "*".repeat(letters.len() - head - tail);
        let (first, last) = (&letters[..head], &letters[letters.len() - tail..]);
        first.iter().collect::<String>() + &middle + &last.iter().collect::<String>()
    };
    match mask {
        Mask::None => value.to_owned(),
        Mask::Name if letters.len() == 2 => format!("{}*", letters[0]),
        Mask::Name => keep(1, 1),
        Mask::IdNumber => keep(6, 4),
        Mask::Phone => keep(3, 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_values_show_no_more_than_their_mask() {
        assert_eq!(masked(Mask::Name, "张三"), "张*");
        assert_eq!(masked(Mask::Name, "欧阳三"), "欧*三");
        assert_eq!(masked(Mask::Name, "三"), "*");
        assert_eq!(masked(Mask::IdNumber, "110101199001011234"), "110101********1234");
        assert_eq!(masked(Mask::Phone, "13800001234"), "138****1234");
        assert_eq!(masked(Mask::Phone, "123"), "***");
    }
}
