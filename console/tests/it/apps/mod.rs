//! Templates that only these tests deploy.

/// Letters with a number each, a public page, two checks: version 1.0.0.
pub const LETTERS: &str = include_str!("letters.yaml");
/// Goods whose public page counts how often a code is looked up.
pub const GOODS: &str = include_str!("goods.yaml");

/// `LETTERS` with one thing after another changed; each must be there.
pub fn letters(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(LETTERS.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the template has no {from:?}");
        text.replace(from, to)
    })
}
