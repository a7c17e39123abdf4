//! The pattern of a text answer: a small part of what browsers understand in an input's `pattern`, matched here without
//! a general regular-expression engine. Pieces in a row, each a character, `\d` or a class such as `[A-Z0-9-]`, each
//! with an optional `{n}`, `{n,m}`, `?`, `+` or `*`, between `^` and `$`.

use std::collections::BTreeSet;

/// A parsed pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    ranges: Vec<(char, char)>,
    least: usize,
    most: usize,
}

/// Longest text that `+` and `*` take.
const MANY: usize = 200;

impl Pattern {
    /// Parses a pattern; `None` if it is not one of this kind.
    pub fn parse(text: &str) -> Option<Self> {
        let body = text.strip_prefix('^')?.strip_suffix('$')?;
        let mut rest = body.chars().peekable();
        let mut pieces = Vec::new();
        while let Some(c) = rest.next() {
            let ranges = match c {
                '[' => class(&mut rest)?,
                '\\' => match rest.next()? {
                    'd' => vec![('0', '9')],
                    c @ ('-' | '.' | '/' | '\\') => vec![(c, c)],
                    _ => return None,
                },
                '(' | ')' | '|' | '.' | '{' | '}' | '?' | '+' | '*' | ']' | '^' | '$' => return None,
                c => vec![(c, c)],
            };
            let (least, most) = quantity(&mut rest)?;
            pieces.push(Piece { ranges, least, most });
        }
        (!pieces.is_empty()).then_some(Self(pieces))
    }

    /// Whether the whole text fits.
    pub fn accepts(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        // All places in the text that the pieces so far can end at.
        let mut ends = BTreeSet::from([0usize]);
        for piece in &self.0 {
            ends = ends.iter().flat_map(|start| piece.ends(&text, *start)).collect();
        }
        ends.contains(&text.len())
    }
}

impl Piece {
    fn ends(&self, text: &[char], start: usize) -> impl Iterator<Item = usize> + use<> {
        let fits = |c: &&char| self.ranges.iter().any(|(from, to)| (from..=to).contains(c));
        let rest = text.get(start..).unwrap_or_default();
        let run = rest.iter().take(self.most).take_while(fits).count();
        (self.least..=run).map(move |n| start + n)
    }
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn class(rest: &mut Rest<'_>) -> Option<Vec<(char, char)>> {
    let mut ranges = Vec::new();
    loop {
        let from = match rest.next()? {
            ']' => break,
            '^' | '[' => return None,
            '\\' => rest.next()?,
            c => c,
        };
        let mut ahead = rest.clone();
        let range = ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']');
        if range {
            rest.next();
            ranges.push((from, rest.next()?));
        } else {
            ranges.push((from, from));
        }
    }
    let sane = !ranges.is_empty() && ranges.iter().all(|(from, to)| from <= to);
    sane.then_some(ranges)
}

fn quantity(rest: &mut Rest<'_>) -> Option<(usize, usize)> {
    let (least, most) = match rest.peek() {
        Some('?') => (0, 1),
        Some('+') => (1, MANY),
        Some('*') => (0, MANY),
        Some('{') => {
            rest.next();
            let text: String = rest.by_ref().take_while(|c| *c != '}').collect();
            let (least, most) = text.split_once(',').unwrap_or((&text, &text));
            let (least, most) = (least.parse().ok()?, most.parse().ok()?);
            return (least <= most && most <= MANY).then_some((least, most));
        }
        _ => return Some((1, 1)),
    };
    rest.next();
    Some((least, most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn answers_are_held_against_their_pattern() {
        let prefix = Pattern::parse("^[A-Z]{2,6}$").unwrap();
        assert!(prefix.accepts("YC") && prefix.accepts("YCHUAN"));
        assert!(!prefix.accepts("Y") && !prefix.accepts("YCHUANX") && !prefix.accepts("Yc"));
        let mixed = Pattern::parse(r"^[a-z]+-\d{2}x?$").unwrap();
        assert!(mixed.accepts("abc-12") && mixed.accepts("a-12x"));
        assert!(!mixed.accepts("-12") && !mixed.accepts("a-123") && !mixed.accepts(""));
    }

    #[test]
    fn what_it_does_not_understand_is_refused() {
        for bad in [
            "",
            "^$",
            "[A-Z]",
            "^(a|b)$",
            "^a.b$",
            "^[z-a]$",
            "^[^a]$",
            "^a{3,2}$",
            "^a{1,999}$",
            "^a**$",
            "^\\w$",
            "^[a$",
        ] {
            assert_eq!(Pattern::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_patterns_and_texts_never_panic(pattern in "\\^.{0,20}\\$", text in ".{0,30}") {
            if let Some(pattern) = Pattern::parse(&pattern) {
                let _ = pattern.accepts(&text);
            }
        }
    }
}
