//! One file's text and, for Rust, the same text with comments and literals blanked, so that a search for code never
//! answers with prose. Offsets and lines are the same in both.

use std::cell::OnceCell;
use std::ops::Range;

pub struct Source {
    pub path: String,
    pub text: String,
    code: OnceCell<String>,
    tests: OnceCell<Vec<Range<usize>>>,
}

/// Words with which an item starts; anything else after an attribute is a field, a variant or an arm.
const ITEM_WORDS: &[&str] = &[
    "pub",
    "fn",
    "mod",
    "use",
    "impl",
    "struct",
    "enum",
    "const",
    "static",
    "type",
    "trait",
    "async",
    "unsafe",
    "extern",
    "macro_rules",
];

impl Source {
    pub fn new(path: String, text: String) -> Self {
        Self { path, text, code: OnceCell::new(), tests: OnceCell::new() }
    }

    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The text with the inside of comments, strings and character literals replaced by spaces.
    pub fn code(&self) -> &str {
        self.code.get_or_init(|| blank_literals(&self.text))
    }

    /// Byte ranges of what is compiled for tests only.
    pub fn test_ranges(&self) -> &[Range<usize>] {
        self.tests.get_or_init(|| test_ranges(self.code()))
    }

    pub fn is_test_at(&self, offset: usize) -> bool {
        self.test_ranges().iter().any(|range| range.contains(&offset))
    }

    /// The line of a byte offset, from 1.
    pub fn line_at(&self, offset: usize) -> usize {
        1 + self.text.as_bytes()[..offset.min(self.text.len())].iter().filter(|byte| **byte == b'\n').count()
    }

    /// Offsets at which `needle` stands in the raw text.
    pub fn find_in_text(&self, needle: &str) -> Vec<usize> {
        self.text.match_indices(needle).map(|(at, _)| at).collect()
    }

    /// Offsets at which `needle` stands in code, outside comments and literals.
    pub fn find_in_code(&self, needle: &str) -> Vec<usize> {
        self.code().match_indices(needle).map(|(at, _)| at).collect()
    }
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// The end of the identifier that starts at `at`.
pub fn word_end(code: &[u8], at: usize) -> usize {
    at + code[at..].iter().take_while(|byte| is_word(**byte)).count()
}

/// Offsets at which `word` stands alone in the code.
pub fn words(code: &str, word: &str) -> Vec<usize> {
    let bytes = code.as_bytes();
    let alone = |at: &usize| {
        let before = at.checked_sub(1).is_none_or(|before| !is_word(bytes[before]));
        before && bytes.get(at + word.len()).is_none_or(|after| !is_word(*after))
    };
    code.match_indices(word).map(|(at, _)| at).filter(alone).collect()
}

pub fn skip_space(code: &[u8], at: usize) -> usize {
    at + code[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// The offset after the bracket that closes the one at `open`, or the end of the text where none does.
pub fn after_matching(code: &[u8], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, byte) in code.iter().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// Where the item that starts at `at` (after its attributes) ends: behind its block, semicolon, or comma for what is
/// no item but a field, a variant or an arm.
fn item_end(code: &[u8], at: usize) -> usize {
    let starts_item = ITEM_WORDS.contains(&std::str::from_utf8(&code[at..word_end(code, at)]).unwrap_or(""));
    let mut here = at;
    while here < code.len() {
        match code[here] {
            b'{' => return after_matching(code, here),
            b'(' | b'[' => here = after_matching(code, here),
            b';' => return here + 1,
            b',' if !starts_item => return here + 1,
            b'}' => return here,
            _ => here += 1,
        }
    }
    here
}

fn test_ranges(code: &str) -> Vec<Range<usize>> {
    let bytes = code.as_bytes();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (at, _) in code.match_indices("#[").chain(code.match_indices("#![")) {
        let inner = bytes[at + 1] == b'!';
        let open = at + 1 + usize::from(inner);
        let end = after_matching(bytes, open);
        let attribute: String = code[open + 1..end.saturating_sub(1).max(open + 1)].split_whitespace().collect();
        if !is_test_attribute(&attribute) {
            continue;
        }
        if inner {
            ranges.push(0..code.len());
            continue;
        }
        let mut item = skip_space(bytes, end);
        while bytes[item..].starts_with(b"#[") {
            item = skip_space(bytes, after_matching(bytes, item + 1));
        }
        ranges.push(at..item_end(bytes, item));
    }
    ranges
}

fn is_test_attribute(attribute: &str) -> bool {
    if attribute == "test" || attribute.ends_with("::test") || attribute.contains("::test(") {
        return true;
    }
    attribute.starts_with("cfg(") && !words(attribute, "test").is_empty() && !attribute.contains("not(test)")
}

/// Replaces comments and the inside of literals by spaces, byte for byte, keeping line ends.
fn blank_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => at + line_length(&bytes[at..]),
            b'/' if bytes[at..].starts_with(b"/*") => block_comment_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'\'' => char_end(bytes, at),
            byte if is_word(byte) => {
                let after = word_end(bytes, at);
                match raw_string_end(bytes, at, after) {
                    Some(end) => end,
                    None => {
                        at = after;
                        continue;
                    }
                }
            }
            _ => {
                at += 1;
                continue;
            }
        };
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8(out).unwrap_or_default()
}

fn line_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len())
}

fn block_comment_end(bytes: &[u8], open: usize) -> usize {
    let (mut at, mut depth) = (open, 0usize);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if bytes[at..].starts_with(b"*/") {
            (at, depth) = (at + 2, depth - 1);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn string_end(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of a character literal, or just behind the quote of a lifetime.
fn char_end(bytes: &[u8], open: usize) -> usize {
    let rest = &bytes[open + 1..];
    match rest.first() {
        Some(b'\\') => {
            let close = rest.iter().skip(2).position(|byte| *byte == b'\'');
            close.map_or(bytes.len(), |close| open + close + 4)
        }
        Some(first) => {
            let length = match first {
                0x00..=0x7f => 1,
                0x80..=0xdf => 2,
                0xe0..=0xef => 3,
                _ => 4,
            };
            if rest.get(length) == Some(&b'\'') { open + length + 2 } else { open + 1 }
        }
        None => bytes.len(),
    }
}

/// The end of a literal whose prefix (`r`, `b`, `c`, `br`, `cr`) stands at `at..after`, if that is what it is.
fn raw_string_end(bytes: &[u8], at: usize, after: usize) -> Option<usize> {
    let prefix = &bytes[at..after];
    let raw = matches!(prefix, b"r" | b"br" | b"cr");
    match bytes.get(after) {
        Some(b'"') if matches!(prefix, b"b" | b"c") => Some(string_end(bytes, after)),
        Some(b'\'') if prefix == b"b" => Some(char_end(bytes, after)),
        Some(b'"' | b'#') if raw => {
            let hashes = bytes[after..].iter().take_while(|byte| **byte == b'#').count();
            if bytes.get(after + hashes) != Some(&b'"') {
                return None;
            }
            let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
            let inside = after + hashes + 1;
            let found = bytes[inside..].windows(close.len()).position(|window| window == close);
            Some(found.map_or(bytes.len(), |found| inside + found + close.len()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
