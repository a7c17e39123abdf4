//! Applications: the list, an application's own page with its steps, and the pages that are made from its manifest.

mod act;
mod desk;
mod labels;
mod members;
mod records;
mod show;
mod upgrade;

use super::extract::View;
use crate::app::App;
use crate::applications::people::Person;
use crate::applications::shown::Words;
use crate::applications::{Deployed, organisations};
use crate::error::Result;
use crate::text::Texts;
use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use chain_types::genesis::Text;
use chain_types::manifest::Page;
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

pub fn router() -> Router<App> {
    Router::new()
        .route("/applications", get(show::list))
        .route("/applications/{name}", get(show::show))
        .route("/applications/{name}/progress", get(show::progress))
        .route("/applications/{name}/retry", post(show::retry))
        .route("/applications/{name}/upgrade", get(upgrade::ask).post(upgrade::confirm))
        .route("/applications/{name}/upgrade/withdraw", post(upgrade::withdraw))
        .route("/applications/{name}/remove", post(show::remove))
        .route("/applications/{name}/key", post(show::key))
        .route("/applications/{name}/members", get(members::show).post(members::change))
        .route("/applications/{name}/pages/{page}", get(records::page).post(desk::act))
        .route("/applications/{name}/pages/{page}/export", get(records::export))
        .route("/applications/{name}/pages/{page}/record", get(records::record))
        .route("/applications/{name}/act/{instance}/{method}", get(act::ask).post(act::act))
}

/// A form whose fields the manifest names: `form` is what was typed, `errors` what is wrong, in the order of the form.
pub fn dynamic_form(
    view: &View,
    template: &str,
    form: Map<String, Json>,
    errors: Vec<(String, String)>,
    data: Json,
) -> Result<Response> {
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let list: Vec<Json> = errors.iter().map(|(field, text)| json!({ "field": field, "text": text })).collect();
    let mut by_field = Map::new();
    for (field, text) in errors {
        by_field.entry(field).or_insert(json!(text));
    }
    let mut whole = data;
    whole["form"] = Json::Object(form);
    whole["errors"] = Json::Object(by_field);
    whole["error_list"] = Json::Array(list);
    view.page_with(status, template, &whole)
}

/// What every generated page needs: words, the person, the organisations of the tenant.
struct Frame {
    deployed: Deployed,
    person: Person,
    /// The chain could not be asked: what is shown comes from the index alone.
    stale: bool,
    organisations: Vec<(String, Text)>,
    texts: Arc<Texts>,
}

impl Frame {
    async fn of(view: &View, principal: &crate::auth::Principal, deployed: Deployed) -> Result<Self> {
        let person = crate::applications::people::person(&view.app, &deployed, principal).await;
        let organisations = organisations(&view.app, &deployed.tenant).await?;
        let stale = person.is_err();
        Ok(Self { person: person.unwrap_or_default(), stale, deployed, organisations, texts: view.app.texts() })
    }

    fn words<'a>(&'a self, view: &View) -> Words<'a> {
        Words { deployed: &self.deployed, texts: &self.texts, lang: view.lang(), organisations: &self.organisations }
    }

    /// Name, title and the tabs of an application's pages.
    fn head(&self, view: &View, current: &str) -> Json {
        let words = self.words(view);
        let (name, template) = (self.deployed.name(), self.deployed.template());
        let mut tabs = vec![tab(
            &view.app.texts().get(view.lang(), "application-overview"),
            &format!("/applications/{name}"),
            current.is_empty(),
        )];
        for (id, page) in template.pages.iter().filter(|(_, page)| page.is_on()) {
            let own = matches!(
                page,
                Page::List(_) | Page::Board(_) | Page::Ledger(_) | Page::Desk(_) | Page::Scan(_) | Page::Labels(_)
            );
            let head = page.head();
            if own && self.person.sees(head.roles) {
                let title = head.title.map_or_else(|| id.to_owned(), |title| words.pick(title));
                tabs.push(tab(&title, &format!("/applications/{name}/pages/{id}"), current == id));
            }
        }
        tabs.push(tab(
            &view.app.texts().get(view.lang(), "application-members"),
            &format!("/applications/{name}/members"),
            current == "members",
        ));
        let roles: Vec<String> = self
            .person
            .roles
            .iter()
            .filter_map(|role| template.chain.roles.get(role))
            .map(|role| words.pick(&role.title))
            .collect();
        json!({
            "name": name, "title": words.pick(&template.title), "chain": self.deployed.row.chain, "state": self.deployed.row.state,
            "tabs": tabs, "stale": self.stale, "roles": roles, "organisation": words.organisation(&self.person.organisation),
            "removed": matches!(self.deployed.row.state.as_str(), "removed" | "removing"),
        })
    }

    /// The detail page of a kind of records, if the manifest has one.
    fn detail_of(&self, instance: &str, kind: &str) -> Option<String> {
        let pages = self.deployed.template().pages.iter().filter(|(_, page)| page.is_on());
        let mut found = pages.filter_map(|(id, page)| match page {
            Page::Detail(detail)
                if detail.of.instance == instance && crate::applications::records::kind_of(&detail.of) == kind =>
            {
                Some(id)
            }
            _ => None,
        });
        found.next().map(str::to_owned)
    }
}

fn tab(label: &str, href: &str, current: bool) -> Json {
    json!({ "label": label, "href": href, "current": current })
}
