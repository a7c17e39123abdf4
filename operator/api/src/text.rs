//! A sentence or a title in the two languages of the product. Both are always there: a page never falls back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Chinese first, English second.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Simplified Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Text {
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }

    /// The same word in both languages: an identifier, a number, a key.
    pub fn same(word: impl Into<String>) -> Self {
        let zh = word.into();
        Self { en: zh.clone(), zh }
    }

    /// Sentence after sentence; English takes a space between them, Chinese does not.
    #[must_use]
    pub fn then(mut self, next: &Self) -> Self {
        if !self.en.is_empty() && !next.en.is_empty() {
            self.en.push(' ');
        }
        self.zh.push_str(&next.zh);
        self.en.push_str(&next.en);
        self
    }
}
