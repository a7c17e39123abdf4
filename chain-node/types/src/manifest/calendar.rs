//! Dates and times of records: the proleptic Gregorian calendar, in the city's time (UTC+08:00, no daylight saving), as
//! pure arithmetic. On chain a date is text `YYYY-MM-DD` and a time is milliseconds since 1970.

/// The offset of every city that this product serves, as EPCIS writes it.
pub const CITY_OFFSET: &str = "+08:00";
const CITY_OFFSET_MS: i64 = 8 * 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    pub year: i64,
    pub month: i64,
    pub day: i64,
}

impl Date {
    /// The day in the city at a moment.
    pub fn of_ms(time_ms: u64) -> Self {
        let ms = i64::try_from(time_ms).unwrap_or(i64::MAX - CITY_OFFSET_MS);
        civil(ms.saturating_add(CITY_OFFSET_MS).div_euclid(DAY_MS))
    }

    /// `YYYY-MM-DD`, if there is such a day.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = text.len() == 10
            && text.bytes().enumerate().all(|(at, b)| match at {
                4 | 7 => b == b'-',
                _ => b.is_ascii_digit(),
            });
        let part = |from, to| text.get(from..to).and_then(|t| t.parse::<i64>().ok());
        let date = Self { year: part(0, 4)?, month: part(5, 7)?, day: part(8, 10)? };
        (well_formed && date.year >= 1 && civil(date.days()) == date).then_some(date)
    }

    /// Days since 1970-01-01.
    fn days(self) -> i64 {
        // The year begins in March here, so that the leap day is its last.
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let era = year.div_euclid(400);
        let of_era = year - era * 400;
        let shifted = (self.month + 9).rem_euclid(12);
        let of_year = (153 * shifted + 2) / 5 + self.day - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

fn civil(days: i64) -> Date {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted - era * 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let m = (5 * of_year + 2) / 153;
    let month = if m < 10 { m + 3 } else { m - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Date { year, month, day: of_year - (153 * m + 2) / 5 + 1 }
}

/// Milliseconds since 1970 of `YYYY-MM-DD[T ]hh:mm[:ss[.sss]][Z|±hh:mm]`; without an offset it is the city's time, as a
/// browser's form sends it.
pub fn parse_time_ms(text: &str) -> Option<i64> {
    let date = Date::parse(text.get(..10)?)?;
    let rest = text.get(10..)?.strip_prefix(['T', ' '])?;
    let (clock, offset_ms) = match rest.find(['Z', '+', '-']) {
        None => (rest, CITY_OFFSET_MS),
        Some(at) => (rest.get(..at)?, parse_offset(rest.get(at..)?)?),
    };
    let mut parts = clock.splitn(3, ':');
    let (hour, minute) = (two_digits(parts.next()?, 23)?, two_digits(parts.next()?, 59)?);
    let second_ms = parts.next().map_or(Some(0), parse_second_ms)?;
    Some(date.days() * DAY_MS + hour * 3_600_000 + minute * 60_000 + second_ms - offset_ms)
}

fn two_digits(text: &str, max: i64) -> Option<i64> {
    let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| digits && *n <= max)
}

fn parse_second_ms(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = (1..=9).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit());
    let padded: String = fraction.chars().chain("000".chars()).take(3).collect();
    let ms: i64 = padded.parse().ok().filter(|_| digits)?;
    Some(two_digits(whole, 59)? * 1_000 + ms)
}

fn parse_offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, rest) = text.split_at_checked(1)?;
    let (hours, minutes) = rest.split_once(':')?;
    let ms = two_digits(hours, 14)? * 3_600_000 + two_digits(minutes, 59)? * 60_000;
    Some(if sign == "-" { -ms } else { ms })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_days_that_exist_are_dates() {
        for good in ["2026-11-23", "2024-02-29", "2000-02-29", "0001-01-01", "9999-12-31"] {
            assert_eq!(Date::parse(good).map(|d| d.to_string()).as_deref(), Some(good));
        }
        for bad in [
            "2026-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-1-01",
            "20260101",
            "2026-01-01 ",
            "0000-01-01",
            "２０２６-01-01",
        ] {
            assert_eq!(Date::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_in_the_city() {
        let midnight = u64::try_from(parse_time_ms("2026-01-01T00:00").unwrap()).unwrap();
        assert_eq!(midnight, 1_767_196_800_000);
        assert_eq!(Date::of_ms(midnight).to_string(), "2026-01-01");
        assert_eq!(Date::of_ms(midnight - 1).to_string(), "2025-12-31");
    }

    #[test]
    fn times_are_read_with_and_without_offset() {
        let utc = parse_time_ms("2026-01-01T00:00:00Z").unwrap();
        assert_eq!(parse_time_ms("2026-01-01T08:00:00+08:00"), Some(utc));
        assert_eq!(parse_time_ms("2026-01-01 08:00"), Some(utc));
        assert_eq!(parse_time_ms("2025-12-31T19:30:00.250-04:30"), Some(utc + 250));
        for bad in ["2026-01-01", "2026-01-01T24:00", "2026-01-01T1:00", "2026-01-01T10:00:60", "2026-01-01T10:00+8"] {
            assert_eq!(parse_time_ms(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_day_reads_back(days in -700_000i64..2_900_000) {
            let date = civil(days);
            prop_assert_eq!(date.days(), days);
            prop_assert_eq!(Date::parse(&date.to_string()), Some(date));
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,40}") {
            let _ = (Date::parse(&text), parse_time_ms(&text));
        }
    }
}
