//! The console's clock and how a time is written. Milliseconds since 1970 in storage, Beijing time to the second on pages.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

/// Now, in milliseconds since 1970.
pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

fn beijing() -> TimeZone {
    TimeZone::fixed(Offset::constant(8))
}

/// `2026-11-23 11:30:54`, Beijing time.
pub fn local(ms: i64) -> String {
    format(ms, "%Y-%m-%d %H:%M:%S")
}

/// `2026-11-23`, Beijing time.
pub fn local_date(ms: i64) -> String {
    format(ms, "%Y-%m-%d")
}

/// `11:30:54`, Beijing time.
pub fn local_clock(ms: i64) -> String {
    format(ms, "%H:%M:%S")
}

/// `2026-11-23T11:30:54+08:00`, for the `datetime` attribute.
pub fn iso(ms: i64) -> String {
    format(ms, "%Y-%m-%dT%H:%M:%S%:z")
}

/// Midnight in Beijing of the day that contains `ms`.
pub fn day_start_ms(ms: i64) -> i64 {
    const OFFSET_MS: i64 = 8 * 3_600_000;
    const DAY_MS: i64 = 86_400_000;
    (ms + OFFSET_MS).div_euclid(DAY_MS) * DAY_MS - OFFSET_MS
}

/// The first millisecond of a `2026-11-23` in Beijing, or `None` if the text is no date.
pub fn parse_date(text: &str) -> Option<i64> {
    let date: jiff::civil::Date = text.parse().ok()?;
    Some(date.to_zoned(beijing()).ok()?.timestamp().as_millisecond())
}

fn format(ms: i64, pattern: &str) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(time) => time.to_zoned(beijing()).strftime(pattern).to_string(),
        Err(_) => ms.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_starts_at_midnight_in_beijing() {
        let ms = parse_date("2026-11-23").unwrap();
        assert_eq!(local(ms), "2026-11-23 00:00:00");
        assert_eq!(day_start_ms(ms), ms);
        assert_eq!(day_start_ms(ms + 86_399_999), ms);
        assert_eq!(day_start_ms(ms - 1), ms - 86_400_000);
        assert_eq!(iso(ms), "2026-11-23T00:00:00+08:00");
        assert_eq!(parse_date("2026-13-01"), None);
    }
}
