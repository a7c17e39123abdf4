//! Times that were measured, printed as rows of one table and kept in the file that `CITYCHAIN_MEASURED` names.

use std::io::Write;
use std::time::Duration;

/// Notes a time and holds it against its limit.
pub fn within(what: &str, took: Duration, limit: Duration) {
    row(what, &seconds(took), &format!("≤ {} s", limit.as_secs()));
    assert!(took <= limit, "{what} took {}, limit {} s", seconds(took), limit.as_secs());
}

/// Notes a time that nobody limits.
pub fn took(what: &str, took: Duration) {
    row(what, &seconds(took), "");
}

/// Notes a number and holds it against what it has to be.
pub fn exactly(what: &str, number: usize, wanted: usize) {
    row(what, &number.to_string(), &wanted.to_string());
    assert_eq!(number, wanted, "{what}");
}

/// Notes what was found, without a limit.
pub fn row(what: &str, value: &str, limit: &str) {
    println!("measured | {what} | {value} | {limit}");
    let Some(path) = std::env::var_os("CITYCHAIN_MEASURED") else { return };
    let mut file = std::fs::File::options().append(true).create(true).open(path).unwrap();
    writeln!(file, "{what}|{value}|{limit}").unwrap();
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}
