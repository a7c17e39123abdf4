//! Reading the audit log: filtered, by page, as CSV, and checked.

use crate::app::App;
use crate::audit::{self, Head, Row, Verdict};
use crate::auth::{Action, Principal, Resource};
use crate::error::{Error, FieldErrors, Result};
use crate::names::Name;
use crate::text::Message;
use crate::time::{self, parse_date};
use serde::{Deserialize, Serialize};
use sqlx::Any;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::QueryAs;

pub const PER_PAGE: i64 = 50;
/// The most rows in one CSV; more is a matter of narrowing the dates.
const MOST_EXPORTED: i64 = 50_000;

/// What to look for, as it stands in the address.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Filter {
    pub who: String,
    pub action: String,
    pub tenant: String,
    pub result: String,
    pub from: String,
    pub to: String,
}

/// One page of rows, the newest first.
#[derive(Serialize)]
pub struct Page {
    pub rows: Vec<Row>,
    pub total: i64,
    pub page: i64,
    pub per_page: i64,
}

/// The conditions, with every parameter always there: numbered ones are what both databases understand.
macro_rules! narrowed {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " from audit where ($1 = '' or tenant = $1) and ($2 = '' or lower(actor_name) like $2 or lower(object_id) like $2)
              and ($3 = '' or action = $3) and ($4 = '' or result = $4) and at_ms >= $5 and at_ms < $6 ",
            $after
        )
    };
}

/// A filter as parameters of `narrowed!`.
struct Narrow {
    tenant: String,
    who: String,
    action: String,
    result: String,
    from_ms: i64,
    end_ms: i64,
}

impl Narrow {
    /// People of a tenant read their tenant's rows only, whatever the filter says.
    fn to(principal: &Principal, filter: &Filter) -> Result<Self> {
        let who = filter.who.trim().to_lowercase().replace(['%', '_'], "");
        Ok(Self {
            tenant: principal.tenant.as_ref().map_or(filter.tenant.as_str(), Name::as_str).to_owned(),
            who: if who.is_empty() { String::new() } else { format!("%{who}%") },
            action: filter.action.clone(),
            result: filter.result.clone(),
            from_ms: date("from", &filter.from)?.unwrap_or(0),
            end_ms: date("to", &filter.to)?.map_or(i64::MAX, |day| day + 86_400_000),
        })
    }

    fn bind<'q, T>(&self, sql: &'static str) -> QueryAs<'q, Any, T, AnyArguments>
    where
        T: for<'r> sqlx::FromRow<'r, AnyRow>,
    {
        sqlx::query_as(sql)
            .bind(self.tenant.clone())
            .bind(self.who.clone())
            .bind(self.action.clone())
            .bind(self.result.clone())
            .bind(self.from_ms)
            .bind(self.end_ms)
    }
}

pub async fn page(app: &App, principal: &Principal, filter: &Filter, page: i64) -> Result<Page> {
    principal.require(Action::ViewAudit, &Resource::of(principal.tenant.as_ref()))?;
    let narrow = Narrow::to(principal, filter)?;
    let (total,): (i64,) = narrow.bind(narrowed!("select count(*)", "")).fetch_one(app.db.pool()).await?;
    let page = page.clamp(1, (total + PER_PAGE - 1).max(PER_PAGE) / PER_PAGE);
    let rows = rows(app, principal, filter, PER_PAGE, (page - 1) * PER_PAGE).await?;
    Ok(Page { rows, total, page, per_page: PER_PAGE })
}

async fn rows(app: &App, principal: &Principal, filter: &Filter, limit: i64, offset: i64) -> Result<Vec<Row>> {
    let query = Narrow::to(principal, filter)?.bind(narrowed!("select *", "order by seq desc limit $7 offset $8"));
    Ok(query.bind(limit).bind(offset).fetch_all(app.db.pool()).await?)
}

fn date(field: &'static str, text: &str) -> Result<Option<i64>> {
    match text.trim() {
        "" => Ok(None),
        text => parse_date(text)
            .map(Some)
            .ok_or_else(|| Error::Invalid(FieldErrors::one(field, Message::new("field-date-form")))),
    }
}

/// The newest rows that concern the reader, for the overview.
pub async fn newest(app: &App, principal: &Principal, limit: i64) -> Result<Vec<Row>> {
    principal.require(Action::ViewAudit, &Resource::of(principal.tenant.as_ref()))?;
    rows(app, principal, &Filter::default(), limit, 0).await
}

/// What kinds of acts there are, for the filter.
pub async fn actions(app: &App, principal: &Principal) -> Result<Vec<String>> {
    principal.require(Action::ViewAudit, &Resource::of(principal.tenant.as_ref()))?;
    let query = Narrow::to(principal, &Filter::default())?.bind(narrowed!("select distinct action", "order by action"));
    let actions: Vec<(String,)> = query.fetch_all(app.db.pool()).await?;
    Ok(actions.into_iter().map(|(action,)| action).collect())
}

/// The filtered rows as CSV with a byte order mark, so that Excel reads it as UTF-8. Numbers that Excel would round are quoted texts.
pub async fn csv(app: &App, principal: &Principal, filter: &Filter) -> Result<String> {
    principal.require(Action::ExportAudit, &Resource::of(principal.tenant.as_ref()))?;
    let mut csv = String::from(
        "\u{feff}seq,time,actor,actor_id,tenant,action,object_kind,object_id,result,request_id,before,after,previous_hash,hash\r\n",
    );
    for row in rows(app, principal, filter, MOST_EXPORTED, 0).await? {
        let (seq, at) = (row.seq.to_string(), time::local(row.at_ms));
        let cells = [
            &seq,
            &at,
            &row.actor_name,
            &row.actor,
            row.tenant.as_ref().unwrap_or(&String::new()),
            &row.action,
            &row.object_kind,
            &row.object_id,
            &row.result,
            &row.request_id,
            row.before_json.as_ref().unwrap_or(&String::new()),
            row.after_json.as_ref().unwrap_or(&String::new()),
            &row.previous_hash,
            &row.hash,
        ]
        .map(|cell| cell_text(cell));
        csv.push_str(&cells.join(","));
        csv.push_str("\r\n");
    }
    Ok(csv)
}

/// Quoted; a text that a spreadsheet would run as a formula gets an apostrophe in front.
fn cell_text(cell: &str) -> String {
    let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", cell.replace('"', "\"\""))
}

/// Recomputes the whole log.
pub async fn check(app: &App, principal: &Principal) -> Result<Verdict> {
    principal.require(Action::ViewAudit, &Resource::City)?;
    Ok(audit::verify(&app.db).await?)
}

/// The end of the log, for whoever sees all of it.
pub async fn head(app: &App, principal: &Principal) -> Result<Option<Head>> {
    if !principal.can(Action::ViewAudit, &Resource::City) {
        return Ok(None);
    }
    Ok(Some(audit::head(&app.db).await?))
}

#[cfg(test)]
mod tests {
    use super::cell_text;

    #[test]
    fn a_cell_cannot_break_out_or_run() {
        assert_eq!(cell_text("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
        assert_eq!(cell_text("=1+1"), "\"'=1+1\"");
    }
}
