//! Names in braces within a text: the parameters of a sentence, the field of an address.

/// In order, each as often as it stands there; a brace that is never closed names nothing.
pub fn names_in_braces(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}
