//! What a chain costs as it grows: fills the state with so many records, measures the rate again, and says what a
//! transaction and a digest leave on disk, by kind of row, so that what pruning gives back can be told from what stays.

use super::chain::Chain;
use super::load;
use super::report::Row;
use super::stages::labelled;

/// Transactions signed ahead while the state is filled.
const CHUNK: usize = 20_000;
/// A run that tells the rate, and digests of the run that tells what one takes, where the state is at least as large.
const FINDING: usize = 20_000;
const DIGESTS: usize = 400_000;
const IN_REQUEST: usize = 100;
/// Columns that pruning leaves alone: state, its tree, the log's hashes, and what evidence needs of the validator sets.
/// `replaced` and `stale` are pruned by themselves, with every block.
const KEPT: [&str; 6] = ["meta", "state", "node", "tile", "replaced", "stale"];

/// Bytes by column, of the first validator.
async fn columns(chain: &Chain) -> anyhow::Result<Vec<(String, f64)>> {
    Ok(labelled(&chain.metrics(0).await?, "citychain_store_column_bytes", "column"))
}

pub async fn measure(chain: &Chain, keys: usize) -> anyhow::Result<Vec<Row>> {
    let (finding, digests) = (FINDING.min(keys), DIGESTS.min(20 * keys));
    load::transactions(chain, finding.div_ceil(4), IN_REQUEST).await?;
    let empty = load::transactions(chain, finding, IN_REQUEST).await?;
    let before = chain.disk_bytes(0)?;
    let mut rows = vec![Row::new("rate-empty", "transactions, 100 a request, state nearly empty", empty.rate, "/s")];
    let mut left = keys;
    while left > 0 {
        let count = left.min(CHUNK);
        let chunk = load::transactions(chain, count, IN_REQUEST).await?;
        left -= count;
        eprintln!("{} of {keys} records, {:.0} /s", keys - left, chunk.rate);
    }
    let full = load::transactions(chain, finding, IN_REQUEST).await?;
    let (txs, all) = ((keys + finding) as f64, (keys + 2 * finding + finding.div_ceil(4)) as f64);
    rows.push(Row::new("keys", "records in the state", all, ""));
    rows.push(Row::new("rate-full", "transactions, 100 a request, with them", full.rate, "/s"));
    rows.push(Row::new("rate-share", "  of the rate with a nearly empty state", full.rate / empty.rate * 100.0, "%"));
    rows.push(Row::new("memory-full", "memory of the largest validator", chain.memory_mb()?, "MB"));
    rows.push(Row::new("disk-tx", "disk a transaction, every block kept", (chain.disk_bytes(0)? - before) / txs, "B"));
    let after_txs = columns(chain).await?;
    rows.extend(by_column("tx", "a transaction", &[], &after_txs, all));
    let disk = chain.disk_bytes(0)?;
    let anchored = load::digests(chain, digests).await?;
    let count = digests.next_multiple_of(10_000) as f64;
    rows.push(Row::new("digests", "anchored digests in batches of 10,000", anchored.rate, "/s"));
    rows.push(Row::new("disk-digest", "disk a digest, every block kept", (chain.disk_bytes(0)? - disk) / count, "B"));
    rows.extend(by_column("digest", "a digest", &after_txs, &columns(chain).await?, count));
    Ok(rows)
}

/// What stays when blocks are dropped, and what each kind of row takes.
fn by_column(key: &str, of: &str, before: &[(String, f64)], after: &[(String, f64)], count: f64) -> Vec<Row> {
    let was = |name: &str| before.iter().find(|(column, _)| column == name).map_or(0.0, |(_, bytes)| *bytes);
    let grown: Vec<(&str, f64)> =
        after.iter().map(|(name, bytes)| (name.as_str(), (bytes - was(name)) / count)).collect();
    let total =
        |kept: bool| grown.iter().filter(|(c, _)| KEPT.contains(c) == kept).map(|(_, bytes)| bytes).sum::<f64>();
    let mut rows = vec![
        Row::new(
            format!("kept-{key}"),
            format!("  of it in tables, {of}: stays when blocks are dropped"),
            total(true),
            "B",
        ),
        Row::new(format!("dropped-{key}"), format!("  of it in tables, {of}: goes with its block"), total(false), "B"),
    ];
    for (name, bytes) in grown.iter().filter(|(_, bytes)| *bytes >= 0.5) {
        rows.push(Row::new(format!("column-{name}-{key}"), format!("    {name}"), *bytes, "B"));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_is_told_from_what_goes_with_its_block() {
        let sizes = |state: f64, block: f64| vec![("state".to_owned(), state), ("block".to_owned(), block)];
        let rows = by_column("tx", "a transaction", &sizes(10.0, 0.0), &sizes(30.0, 100.0), 10.0);
        let value = |key: &str| rows.iter().find(|row| row.key == key).unwrap().value;
        assert_eq!([value("kept-tx"), value("dropped-tx"), value("column-block-tx")], [2.0, 10.0, 10.0]);
    }
}
