//! On which line of a template's text a fault stands.
//!
//! A search in the text by indentation, not a second parser: it follows the path key by key and stops at the last one
//! that has a line of its own, so a fault inside `{…}` is reported on the line where the braces begin.

/// The line, from 1, of a fault's path; `None` if not even its first key is found.
pub fn line_of(text: &str, path: &str) -> Option<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let (mut from, mut to, mut found) = (0, lines.len(), None);
    for segment in path.split('.') {
        let (key, item) = match segment.split_once('[') {
            Some((key, rest)) => (key, rest.trim_end_matches(']').parse::<usize>().ok()),
            None => (segment, None),
        };
        let Some(at) = child(&lines, from, to, |line| line.strip_prefix(key).is_some_and(|r| r.starts_with(':')), 0)
        else {
            break;
        };
        (from, to, found) = (at + 1, end_of_block(&lines, at, to), Some(at + 1));
        let Some(item) = item.and_then(|n| child(&lines, from, to, |line| line.starts_with("- "), n)) else { continue };
        (from, to, found) = (item, end_of_block(&lines, item, to), Some(item + 1));
        // The first key of a list item stands on the item's own line.
        from += 1;
    }
    found
}

fn indentation(line: &str) -> Option<usize> {
    let trimmed = line.trim_start();
    (!trimmed.is_empty() && !trimmed.starts_with('#')).then(|| line.len() - trimmed.len())
}

/// The n-th line of a block's own level that fits.
fn child(lines: &[&str], from: usize, to: usize, fits: impl Fn(&str) -> bool, n: usize) -> Option<usize> {
    let block = || lines.iter().enumerate().take(to).skip(from);
    let level = block().find_map(|(_, line)| indentation(line))?;
    let own = block().filter(|(_, line)| indentation(line) == Some(level) && fits(line.trim_start()));
    own.map(|(at, _)| at).nth(n)
}

/// Where what belongs to a line ends.
fn end_of_block(lines: &[&str], at: usize, to: usize) -> usize {
    let level = lines.get(at).and_then(|line| indentation(line)).unwrap_or(0);
    let outside = |(_, line): &(usize, &&str)| indentation(line).is_some_and(|own| own <= level);
    lines.iter().enumerate().take(to).skip(at + 1).find(outside).map_or(to, |(at, _)| at)
}
