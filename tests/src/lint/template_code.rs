//! The content security policy allows no inline script and no inline style, so a page that holds one is broken.

use super::source::Source;
use super::{Finding, Tree};

pub fn check(tree: &Tree) -> Vec<Finding> {
    let pages = tree.under("web/templates/").chain(tree.under("web/apps/"));
    pages.filter(|file| [".html", ".svg"].iter().any(|end| file.path.ends_with(end))).flat_map(inline).collect()
}

fn inline(file: &Source) -> Vec<Finding> {
    let page = blank_comments(&file.text);
    let mut findings = Vec::new();
    for (at, _) in page.match_indices('<') {
        let Some(tag) = Tag::at(&page[at..]) else {
            continue;
        };
        let line = file.line_at(at);
        let mut say = |text: String| findings.push(Finding::new(&file.path, line, text));
        match tag.name.as_str() {
            "style" => {
                say("a <style> block is refused by the policy: put the rule into theme.css or public.css".to_owned())
            }
            "script" if !tag.is_data() && tag.value("src").is_none() => {
                say("an inline script is refused by the policy: put it into a file under web/static".to_owned());
            }
            _ => {}
        }
        for (name, value) in &tag.attributes {
            if name == "style" {
                say("a style attribute is refused by the policy: use a class, <progress> or an SVG attribute"
                    .to_owned());
            } else if is_handler(name) {
                say(format!(
                    "{name} runs inline code, which the policy refuses: listen for the event in a script file"
                ));
            } else if value.trim_start().to_ascii_lowercase().starts_with("javascript:") {
                say(format!("{name}=\"javascript:…\" is refused by the policy: use a button and a script file"));
            }
        }
    }
    findings
}

/// `onclick`, `onload`, …, and htmx's `hx-on:…`, which evaluates its value.
fn is_handler(name: &str) -> bool {
    let plain =
        name.strip_prefix("on").is_some_and(|event| event.len() > 2 && event.bytes().all(|b| b.is_ascii_lowercase()));
    plain || name.starts_with("hx-on")
}

/// Comments of HTML and of the template language, blanked byte for byte.
fn blank_comments(text: &str) -> String {
    let mut out = text.to_owned();
    for (open, close) in [("<!--", "-->"), ("{#", "#}")] {
        let mut from = 0;
        while let Some(start) = out[from..].find(open).map(|at| from + at) {
            let end = out[start..].find(close).map_or(out.len(), |at| start + at + close.len());
            let blank: String = out[start..end].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
            out.replace_range(start..end, &blank);
            from = end;
        }
    }
    out
}

struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    /// The start tag at the beginning of `text`, if one begins there. Template expressions in it are skipped whole.
    fn at(text: &str) -> Option<Self> {
        let name: String = text[1..].chars().take_while(char::is_ascii_alphanumeric).collect();
        if name.is_empty() {
            return None;
        }
        let mut tag = Self { name: name.to_ascii_lowercase(), attributes: Vec::new() };
        let mut rest = &text[1 + name.len()..];
        loop {
            rest = rest.trim_start();
            if rest.is_empty() || rest.starts_with('>') {
                return Some(tag);
            }
            if let Some(after) = after_expression(rest) {
                rest = after;
                continue;
            }
            let ends = |c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/' | '{' | '"' | '\'');
            let length = rest.find(ends).unwrap_or(rest.len());
            if length == 0 {
                rest = &rest[1..];
                continue;
            }
            let attribute = rest[..length].to_ascii_lowercase();
            rest = rest[length..].trim_start();
            let (value, after) = rest.strip_prefix('=').map_or(("", rest), |value| attribute_value(value.trim_start()));
            tag.attributes.push((attribute, value.to_owned()));
            rest = after;
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(attribute, _)| attribute == name).map(|(_, value)| value.as_str())
    }

    /// A block of data: it is never run, so the policy does not look at it.
    fn is_data(&self) -> bool {
        self.value("type").is_some_and(|kind| kind.ends_with("json"))
    }
}

fn after_expression(text: &str) -> Option<&str> {
    let close = if text.starts_with("{{") { "}}" } else { text.starts_with("{%").then_some("%}")? };
    Some(text.split_once(close).map_or("", |(_, after)| after))
}

fn attribute_value(text: &str) -> (&str, &str) {
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let mut at = 1;
            while at < text.len() && !text[at..].starts_with(quote) {
                let skipped = after_expression(&text[at..]).map(|after| text.len() - after.len());
                at = skipped.unwrap_or_else(|| at + text[at..].chars().next().map_or(1, char::len_utf8));
            }
            (&text[1..at.min(text.len())], text.get(at + 1..).unwrap_or(""))
        }
        _ => {
            let end = text.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(text.len());
            text.split_at(end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        check(&Tree::of(&[("web/templates/a.html", text)])).iter().map(|found| found.line).collect()
    }

    #[test]
    fn inline_style_script_and_handlers_are_found() {
        for text in [
            "\n<p style=\"color:red\">",
            "\n<p class='{{ \"a>b\" }}' STYLE='x'>",
            "\n<p {% if a > b %}hidden{% endif %} style=x>",
            "\n<style>a{}</style>",
            "\n<script>run()</script>",
            "\n<script defer>run()</script>",
            "\n<button onclick=\"run()\">",
            "\n<button hx-on:click=\"run()\">",
            "\n<a href=\" javascript:run()\">",
        ] {
            assert_eq!(lines(text), [2], "{text}");
        }
    }

    #[test]
    fn files_classes_and_data_pass() {
        for text in [
            "<script src=\"/static/app.js\" defer></script>",
            "<script type=\"application/json\" id=\"d\">{\"a\":1}</script>",
            "<p class=\"style\" data-style=\"x\" title='style=\"x\"'>",
            "<!-- <style> --> {# <p style=\"x\"> #} a < b",
            "<p data-only=\"1\" one=\"2\">",
            "<p class=\"",
        ] {
            assert_eq!(lines(text), Vec::<usize>::new(), "{text}");
        }
    }
}
