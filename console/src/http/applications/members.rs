//! Who takes part: organisations with their roles, as the chain has them. The owner's administrator changes them by a transaction.

use super::{Frame, dynamic_form};
use crate::applications::people::{self, Roles};
use crate::applications::{self, unreachable};
use crate::audit::{self, Actor, Entry};
use crate::auth::{Action, Principal, Resource};
use crate::error::{Error, Result};
use crate::http::extract::{Form, Path, View};
use crate::text::Message;
use axum::response::Response;
use serde_json::{Map, Value as Json, json};

pub async fn show(view: View, principal: Principal, Path(name): Path<String>) -> Result<Response> {
    let deployed = applications::find(&view.app, &principal, &name, Action::ViewApplication).await?;
    let frame = Frame::of(&view, &principal, deployed).await?;
    let words = frame.words(&view);
    let admitted = people::admissions(&view.app, &frame.deployed).await?;
    let roles: Vec<Json> = frame
        .deployed
        .template()
        .chain
        .roles
        .iter()
        .map(|(id, role)| json!({ "id": id, "title": words.pick(&role.title) }))
        .collect();
    let row = |(id, _): &(String, chain_types::genesis::Text)| {
        let has = admitted.iter().find(|(known, _)| known == id).map(|(_, roles)| roles.clone()).unwrap_or_default();
        let boxes: Vec<Json> = roles.iter().map(|role| json!({ "id": role["id"], "title": role["title"], "on": has.contains(role["id"].as_str().unwrap_or_default()) })).collect();
        json!({ "id": id, "title": words.organisation(id), "owner": *id == frame.deployed.row.owner, "roles": boxes })
    };
    let rows: Vec<Json> = frame.organisations.iter().map(row).collect();
    let changes = principal.can(Action::DeployApplication, &Resource::Tenant(&frame.deployed.tenant));
    let data = json!({ "head": frame.head(&view, "members"), "rows": rows, "can_change": changes && frame.deployed.row.state != "removed" });
    dynamic_form(&view, "applications/members.html", Map::new(), Vec::new(), data)
}

pub async fn change(
    view: View,
    principal: Principal,
    Path(name): Path<String>,
    Form(typed): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let deployed = applications::find(&view.app, &principal, &name, Action::DeployApplication).await?;
    let get = |name: &'static str| typed.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.clone());
    let organisation = get("organisation").next().ok_or(Error::NotFound)?;
    let known = people::organisations_on_chain(&deployed.way(&view.app)?.client).await.map_err(|_| unreachable())?;
    if !known.contains(&organisation) {
        return Err(Error::NotFound);
    }
    let roles: Roles = get("role").collect();
    let mut tx = view.app.db.write().await?;
    let after = json!({ "organisation": organisation, "roles": roles });
    let entry = Entry::done("application.admit", "application", &name).of(Some(&deployed.tenant)).after(after);
    audit::record(&mut tx, Actor::Person(&principal), entry).await?;
    tx.commit().await?;
    let call = people::admit(deployed.name(), &organisation, &roles)?;
    people::as_administrator(&view.app, &deployed, &deployed.row.owner, call).await?;
    Ok(view.done(&format!("/applications/{name}/members"), Message::new("application-admitted")))
}
