//! How records are numbered: `YC{yyyy}{seq:8}` gives `YC202600000001`. The number is assigned when the call is executed.

use super::calendar::Date;

/// A number pattern, parsed: letters, digits and hyphens, at most one `{yyyy}`, exactly one `{seq:n}` at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberPattern {
    parts: Vec<Part>,
    width: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Year,
}

/// Longest literal text of a pattern in all.
const MAX_LITERAL: usize = 20;

impl NumberPattern {
    /// Parses a pattern whose answers have been filled in; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, (&'static str, &'static str)> {
        let sequence = ("编号须以 {seq:n} 结尾，n 为 1 到 12", "a number pattern ends with {seq:n}, n from 1 to 12");
        let (before, width) = text.strip_suffix('}').and_then(|t| t.rsplit_once("{seq:")).ok_or(sequence)?;
        let width = width.parse().ok().filter(|w| (1..=12).contains(w)).ok_or(sequence)?;
        let literals: Vec<&str> = before.split("{yyyy}").collect();
        if literals.len() > 2 {
            return Err(("编号中年份只能出现一次", "a number pattern names the year once at most"));
        }
        let sane = |t: &&str| t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !literals.iter().all(sane) || literals.iter().map(|t| t.len()).sum::<usize>() > MAX_LITERAL {
            let zh = "编号前缀只能用至多 20 个字母、数字和连字符";
            return Err((zh, "the text of a number pattern is at most 20 letters, digits and hyphens"));
        }
        let mut parts = Vec::new();
        for (at, literal) in literals.into_iter().enumerate() {
            if at > 0 {
                parts.push(Part::Year);
            }
            parts.push(Part::Literal(literal.to_owned()));
        }
        Ok(Self { parts, width })
    }

    /// What counts up: each year of its own if the number shows the year, else one sequence for ever.
    pub fn sequence(&self, time_ms: u64) -> String {
        match self.parts.contains(&Part::Year) {
            true => Date::of_ms(time_ms).year.to_string(),
            false => "all".to_owned(),
        }
    }

    /// The number of a place in the sequence. It grows beyond its width rather than repeat.
    pub fn number(&self, time_ms: u64, place: u64) -> String {
        let year = Date::of_ms(time_ms).year;
        let parts = self.parts.iter().map(|p| match p {
            Part::Literal(text) => text.clone(),
            Part::Year => format!("{year:04}"),
        });
        let width = self.width;
        format!("{}{place:0width$}", parts.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_carry_prefix_year_and_place() {
        let pattern = NumberPattern::parse("YC{yyyy}{seq:8}").unwrap();
        let new_year = 1_767_196_800_000;
        assert_eq!(pattern.number(new_year, 1), "YC202600000001");
        assert_eq!(pattern.number(new_year - 1, 123_456_789), "YC2025123456789");
        assert_eq!(pattern.sequence(new_year - 1), "2025");
        let plain = NumberPattern::parse("A-{seq:3}").unwrap();
        assert_eq!((plain.number(new_year, 7).as_str(), plain.sequence(new_year).as_str()), ("A-007", "all"));
    }

    #[test]
    fn patterns_that_could_repeat_or_mislead_are_refused() {
        for bad in [
            "",
            "YC",
            "YC{seq:0}",
            "YC{seq:13}",
            "{seq:3}YC",
            "{yyyy}{yyyy}{seq:3}",
            "Y C{seq:3}",
            "$p{seq:3}",
            "{seq:2}{seq:3}",
        ] {
            assert!(NumberPattern::parse(bad).is_err(), "{bad}");
        }
    }
}
