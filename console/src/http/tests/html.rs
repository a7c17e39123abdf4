//! A reader of our own HTML, strict enough to find what must not be in it. Not a browser: it reads tags and attributes, in order.

use std::collections::HashMap;

/// A start tag with its attributes.
#[derive(Debug)]
pub struct Tag {
    pub name: String,
    pub attributes: HashMap<String, String>,
    /// Names of the elements around it, the outermost first.
    pub inside: Vec<String>,
}

const VOID: [&str; 9] = ["meta", "link", "img", "input", "br", "hr", "use", "path", "rect"];

/// Start tags in order. Panics with the place if an element is closed that is not open, or left open.
pub fn tags(html: &str) -> Vec<Tag> {
    let (mut found, mut open): (Vec<Tag>, Vec<String>) = (Vec::new(), Vec::new());
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if rest.starts_with('!') {
            continue;
        }
        let end = tag_end(rest);
        let (inner, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        if let Some(name) = inner.strip_prefix('/') {
            let last = open.pop();
            assert_eq!(
                last.as_deref(),
                Some(name.trim()),
                "closed in the wrong order, near {:?}",
                &after.chars().take(80).collect::<String>()
            );
            continue;
        }
        let name: String = inner.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        assert!(!name.is_empty(), "a stray < near {:?}", &rest.chars().take(80).collect::<String>());
        found.push(Tag { attributes: attributes(&inner[name.len()..]), inside: open.clone(), name: name.clone() });
        if !inner.ends_with('/') && !VOID.contains(&name.as_str()) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    found
}

/// Where the tag ends: the first `>` outside of quotes.
fn tag_end(text: &str) -> usize {
    let mut quote = None;
    for (i, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return i,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    panic!("a tag without an end: {:?}", text.chars().take(80).collect::<String>());
}

fn attributes(text: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let mut rest = text.trim_end_matches('/').trim();
    while !rest.is_empty() {
        let name: String = rest.chars().take_while(|c| !c.is_whitespace() && *c != '=').collect();
        rest = rest[name.len()..].trim_start();
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix('=') {
            let quote = after
                .chars()
                .next()
                .filter(|c| matches!(c, '"' | '\''))
                .unwrap_or_else(|| panic!("an attribute without quotes: {name}"));
            let (quoted, after) =
                after[1..].split_once(quote).expect("the quote is closed, or the tag would not have ended");
            value = quoted.to_owned();
            rest = after.trim_start();
        }
        assert!(found.insert(name.clone(), value).is_none(), "the attribute {name} stands twice in {text:?}");
    }
    found
}

/// Everything that no page may have.
pub fn check(page: &str, html: &str) {
    let tags = tags(html);
    let labels: Vec<&str> = tags
        .iter()
        .filter(|tag| tag.name == "label")
        .filter_map(|tag| tag.attributes.get("for").map(String::as_str))
        .collect();
    let mut ids = HashMap::new();
    for tag in &tags {
        for name in ["style", "onclick", "onload", "onsubmit", "onchange"] {
            assert!(!tag.attributes.contains_key(name), "{page}: {name}= in {tag:?}");
        }
        assert!(
            tag.name != "style" && (tag.name != "script" || tag.attributes.contains_key("src")),
            "{page}: inline {}",
            tag.name
        );
        for name in ["src", "href", "action", "hx-get", "hx-post"] {
            let address = tag.attributes.get(name).map_or("", String::as_str);
            assert!(!address.contains("://") && !address.starts_with("//"), "{page}: an address elsewhere in {tag:?}");
            assert!(!address.trim_start().to_lowercase().starts_with("javascript:"), "{page}: {tag:?}");
        }
        if let Some(id) = tag.attributes.get("id") {
            assert!(ids.insert(id.clone(), ()).is_none(), "{page}: the id {id} stands twice");
        }
        let hidden = tag.attributes.get("type").is_some_and(|kind| kind == "hidden");
        if matches!(tag.name.as_str(), "input" | "select" | "textarea") && !hidden {
            let labelled = tag.attributes.contains_key("aria-label")
                || tag.attributes.get("id").is_some_and(|id| labels.contains(&id.as_str()));
            assert!(labelled, "{page}: no label for {tag:?}");
        }
        if tag.name == "img" {
            assert!(tag.attributes.contains_key("alt"), "{page}: {tag:?}");
        }
        let posts = tag.name == "form" && tag.attributes.get("method").is_some_and(|method| method == "post");
        assert!(!(posts && tag.inside.contains(&"form".to_owned())), "{page}: a form in a form");
    }
    for label in labels {
        assert!(ids.contains_key(label), "{page}: a label for {label}, which is not there");
    }
    let count = |name: &str| tags.iter().filter(|tag| tag.name == name).count();
    assert_eq!((count("h1"), count("main"), count("title")), (1, 1, 1), "{page}: one h1, one main, one title");
    let posts = tags
        .iter()
        .filter(|tag| tag.name == "form" && tag.attributes.get("method").is_some_and(|method| method == "post"))
        .count();
    assert_eq!(html.matches("name=\"_csrf\"").count(), posts, "{page}: every posting form carries the token");
    for text in ["[error", "⟦", "{{", "{%"] {
        assert!(!html.contains(text), "{page}: {text} is left in the page");
    }
}

#[test]
#[should_panic(expected = "style=")]
fn an_inline_style_is_found() {
    check("x", "<main><h1 style=\"color:red\">x</h1></main>");
}

#[test]
#[should_panic(expected = "no label")]
fn an_input_without_a_label_is_found() {
    check("x", "<title>x</title><main><h1>x</h1><input name=\"a\" id=\"a\"></main>");
}

#[test]
#[should_panic(expected = "elsewhere")]
fn an_address_elsewhere_is_found() {
    check("x", "<title>x</title><main><h1>x</h1><a href=\"https://example.org\">x</a></main>");
}

#[test]
#[should_panic(expected = "stands twice")]
fn an_id_that_stands_twice_is_found() {
    check("x", "<title>x</title><main id=\"a\"><h1 id=\"a\">x</h1></main>");
}
