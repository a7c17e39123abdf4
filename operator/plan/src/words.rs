//! Small pieces of sentences in both languages: lists, durations, numbers of blocks. No sentence of its own.

use std::fmt::Display;

use operator_api::Text;

/// "a, b and c" / "a、b 和 c".
pub fn list<T: Display>(things: &[T]) -> Text {
    let words: Vec<String> = things.iter().map(ToString::to_string).collect();
    match words.as_slice() {
        [] => Text::default(),
        [one] => Text::same(one.as_str()),
        [first @ .., last] => {
            Text::new(format!("{} 和 {last}", first.join("、")), format!("{} and {last}", first.join(", ")))
        }
    }
}

/// A length of time in the largest unit that gives at least one: "18 seconds", "3 minutes", "2 hours", "5 days".
pub fn duration(ms: u64) -> Text {
    let seconds = ms / 1_000;
    let (number, zh, en) = match seconds {
        0..60 => (seconds, "秒", "second"),
        60..3_600 => (seconds / 60, "分钟", "minute"),
        3_600..86_400 => (seconds / 3_600, "小时", "hour"),
        _ => (seconds / 86_400, "天", "day"),
    };
    Text::new(format!("{number} {zh}"), counted(number, en))
}

/// A time still to wait, rounded up so that it never reads "0 seconds".
pub fn wait(ms: u64) -> Text {
    duration(ms.div_ceil(1_000).max(1) * 1_000)
}

/// "1 block", "2 blocks".
pub fn counted(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_durations_read_naturally() {
        assert_eq!(list(&["a"]), Text::same("a"));
        assert_eq!(list(&["a", "b", "c"]), Text::new("a、b 和 c", "a, b and c"));
        assert_eq!(duration(1_999), Text::new("1 秒", "1 second"));
        assert_eq!(duration(18_400), Text::new("18 秒", "18 seconds"));
        assert_eq!(duration(3_600_000), Text::new("1 小时", "1 hour"));
        assert_eq!(wait(1), Text::new("1 秒", "1 second"));
        assert_eq!(wait(3_001), Text::new("4 秒", "4 seconds"));
    }
}
