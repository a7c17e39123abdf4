//! What a citizen is told of a record: found by its public address, judged by the manifest's verdict list. The same function answers the
//! public page and the acceptance checks of a deployment.

use super::records::{self, Record};
use super::verdict::{Facts, judge};
use super::{Deployed, Row, rows};
use crate::app::App;
use crate::error::Result;
use crate::names::Name;
use crate::reach::Way;
use crate::time::now_ms;
use chain_types::Hash;
use chain_types::genesis::Text;
use chain_types::manifest::{Accepts, Level, Page, PublicPage};
use serde_json::Value as Json;
use std::sync::Arc;

/// What was found and concluded.
pub struct Examined {
    pub record: Option<Record>,
    pub level: Level,
    pub text: Text,
    /// Whether the digest that was handed in is one of the record's.
    pub matches: Option<bool>,
}

/// The public page of an application with its address.
pub fn pages(deployed: &Deployed) -> impl Iterator<Item = (&str, &PublicPage)> {
    deployed.template().pages.iter().filter(|(_, page)| page.is_on()).filter_map(|(id, page)| match page {
        Page::Public(page) => Some((id, page)),
        _ => None,
    })
}

/// The part of an address that names the record: `/v/{number}` and `/v/YC1` give `YC1`.
pub fn code_of<'p>(route: &str, path: &'p str) -> Option<&'p str> {
    let (before, rest) = route.split_once('{')?;
    let (_, after) = rest.split_once('}')?;
    let code = path.strip_prefix(before)?.strip_suffix(after)?;
    (!code.is_empty() && !code.contains('/')).then_some(code)
}

/// The address of a record.
pub fn path_of(route: &str, code: &str) -> String {
    match (route.split_once('{'), route.split_once('}')) {
        (Some((before, _)), Some((_, after))) => format!("{before}{code}{after}"),
        _ => route.to_owned(),
    }
}

/// Applications with public pages, those that were deployed first first: a code that two know is the elder's.
pub async fn published(app: &App) -> Result<Vec<Deployed>> {
    let mut rows: Vec<Row> = rows(app, None, "").await?;
    rows.retain(|row| row.state != "removing" && row.usable());
    rows.reverse();
    Ok(rows
        .into_iter()
        .filter_map(|row| Deployed::of(row).ok())
        .filter(|deployed| pages(deployed).next().is_some())
        .collect())
}

/// The record of a public page as the chain has it now, and the verdict. `digest` is what the visitor handed in.
pub async fn examine(
    app: &App,
    deployed: &Deployed,
    page: &PublicPage,
    code: &str,
    digest: Option<Hash>,
) -> Result<Examined> {
    let mut record = records::find(app, deployed, &page.of, code).await?;
    if let Some(record) = record.as_mut().filter(|_| page.counts_scans) {
        let waiting = super::scans::uncounted(app, deployed, &page.of.instance, code).await?;
        let counted = record.fields.get("scans").and_then(Json::as_i64).unwrap_or(0);
        record.fields.insert("scans".to_owned(), (counted + waiting).into());
    }
    let matches = match (&record, digest) {
        (Some(record), Some(digest)) => Some(holds(app, deployed, page, record, digest).await?),
        _ => None,
    };
    let facts = Facts {
        missing: record.is_none(),
        state: record.as_ref().map(|record| record.status.clone()),
        fields: record.as_ref().map(|record| record.fields.clone()).unwrap_or_default(),
        evidence: matches,
        now_ms: now_ms(),
    };
    let verdict = judge(&page.verdict, &facts);
    let missing = Text { zh: "查无记录".to_owned(), en: "No such record".to_owned() };
    Ok(Examined {
        level: verdict.map_or(Level::Bad, |verdict| verdict.level),
        text: verdict.map_or(missing, |verdict| verdict.text.clone()),
        record,
        matches,
    })
}

/// Whether a digest is among those of any version of the record.
async fn holds(app: &App, deployed: &Deployed, page: &PublicPage, record: &Record, digest: Hash) -> Result<bool> {
    if page.accepts != Some(Accepts::File) {
        return Ok(false);
    }
    let wanted = Json::String(digest.to_string());
    let has = |record: &Record| record.fields.values().filter_map(Json::as_array).any(|items| items.contains(&wanted));
    if has(record) {
        return Ok(true);
    }
    let versions = records::versions(app, deployed, &page.of.instance, &record.id).await?;
    Ok(versions.iter().any(has))
}

/// Where a digest was found: in a record, or anchored without one.
pub struct Found {
    pub way: Arc<Way>,
    /// The public address of the record that holds it.
    pub path: Option<String>,
    pub entry: u64,
}

/// Looks a digest up on every chain that has a public page for files.
pub async fn look_up(app: &App, digest: Hash) -> Result<Vec<Found>> {
    let published = published(app).await?;
    let mut chains: Vec<&str> = published.iter().map(|deployed| deployed.row.chain.as_str()).collect();
    chains.sort_unstable();
    chains.dedup();
    let mut found = Vec::new();
    for chain in chains {
        let Some(way) = app.reach.find(chain) else { continue };
        let Ok(entries) = way.client.entries_of_digest(digest).await else { continue };
        for entry in entries.into_iter().take(10) {
            let path = record_of(app, chain, entry, &published).await?;
            if found.iter().all(|known: &Found| path.is_none() || known.path != path) {
                found.push(Found { way: way.clone(), path, entry });
            }
        }
    }
    // Records first: an entry without one says less.
    found.sort_by_key(|found| found.path.is_none());
    Ok(found)
}

/// The public address of the record whose call made a log entry.
async fn record_of(app: &App, chain: &str, entry: u64, published: &[Deployed]) -> Result<Option<String>> {
    let row: Option<(String, String, String)> = sqlx::query_as(
        "select e.app, e.instance, e.fields_json from chain_tx t join record_event e on e.chain = t.chain and e.tx = t.id
         where t.chain = $1 and t.applied = 1 and t.first_entry <= $2 and t.first_entry + t.entries > $2 order by e.seq limit 1",
    )
    .bind(chain)
    .bind(i64::try_from(entry).unwrap_or(i64::MAX))
    .fetch_optional(app.db.pool())
    .await?;
    let Some((name, instance, fields)) = row else { return Ok(None) };
    let fields: Json = serde_json::from_str(&fields).unwrap_or_default();
    let Some(number) = fields.get("number").and_then(Json::as_str) else { return Ok(None) };
    let deployed = published.iter().find(|deployed| deployed.name() == name && deployed.row.chain == chain);
    let page = deployed.and_then(|deployed| pages(deployed).find(|(_, page)| page.of.instance == instance));
    Ok(page.map(|(_, page)| path_of(&page.route, number)))
}

/// The chains whose evidence anybody may download: those with a public page.
pub async fn is_public(app: &App, chain: &Name) -> Result<bool> {
    Ok(published(app).await?.iter().any(|deployed| deployed.row.chain == chain.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_its_code_lead_to_each_other() {
        assert_eq!(code_of("/v/{number}", "/v/YC1"), Some("YC1"));
        assert_eq!(code_of("/t/food/{code}", "/t/food/0950"), Some("0950"));
        for other in ["/v/", "/v/a/b", "/w/a", "/v"] {
            assert_eq!(code_of("/v/{number}", other), None, "{other}");
        }
        assert_eq!(path_of("/t/food/{code}", "x1"), "/t/food/x1");
    }
}
