//! The page of an upgrade: what the higher version of the catalog changes, what it asks anew, and the confirmation. The steps then run on
//! the application's own page.

use super::{Frame, dynamic_form};
use crate::applications::upgrade::changes::{Change, Kind};
use crate::applications::upgrade::{self, Offer};
use crate::applications::{self, Deployed};
use crate::auth::{Action, Principal};
use crate::error::{Error, Result};
use crate::http::catalog::{default_answers, question_inputs, typed_answers};
use crate::http::extract::{Form, Path, View, redirect};
use crate::text::Message;
use axum::response::Response;
use chain_types::manifest::{Answers, Question};
use serde_json::{Map, Value as Json, json};

pub async fn ask(view: View, principal: Principal, Path(name): Path<String>) -> Result<Response> {
    let (deployed, offer) = offered(&view, &principal, &name).await?;
    let mut form = Map::new();
    default_answers(&mut form, asked(&offer));
    page(&view, &principal, deployed, &offer, form, Vec::new()).await
}

async fn offered(view: &View, principal: &Principal, name: &str) -> Result<(Deployed, Offer)> {
    let deployed = applications::find(&view.app, principal, name, Action::DeployApplication).await?;
    let offer = upgrade::offer(&view.app, &deployed, &Answers::new())?;
    let offer = offer.ok_or_else(|| Error::conflict("no-upgrade", Message::new("upgrade-none").with("name", name)))?;
    Ok((deployed, offer))
}

/// Questions that the present version did not ask.
fn asked(offer: &Offer) -> impl Iterator<Item = (&str, &Question)> {
    offer.listed.template.questions.iter().filter(|(id, _)| offer.questions.iter().any(|asked| asked == id))
}

const KINDS: [Kind; 7] =
    [Kind::Role, Kind::Instance, Kind::Field, Kind::Method, Kind::Rule, Kind::Page, Kind::Question];

/// Changes by kind, in the order in which a template is written.
fn grouped(changes: &[Change]) -> Vec<Json> {
    let group = |kind: Kind| {
        let of_kind: Vec<&Change> = changes.iter().filter(|change| change.kind == kind).collect();
        (!of_kind.is_empty()).then(|| json!({ "kind": kind, "changes": of_kind }))
    };
    KINDS.into_iter().filter_map(group).collect()
}

async fn page(
    view: &View,
    principal: &Principal,
    deployed: Deployed,
    offer: &Offer,
    form: Map<String, Json>,
    errors: Vec<(String, String)>,
) -> Result<Response> {
    let changes = &offer.changes;
    let faults: Vec<Json> =
        changes.faults.iter().map(|fault| json!({ "path": fault.path, "reason": fault.reason })).collect();
    let version = deployed.row.version.clone();
    let frame = Frame::of(view, principal, deployed).await?;
    let data = json!({
        "head": frame.head(view, ""), "version": version, "higher": offer.listed.template.version.to_string(),
        "added": grouped(&changes.added), "altered": grouped(&changes.altered), "faults": faults,
        "questions": question_inputs(asked(offer)),
    });
    dynamic_form(view, "applications/upgrade.html", form, errors, data)
}

pub async fn confirm(
    view: View,
    principal: Principal,
    Path(name): Path<String>,
    Form(typed): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let (deployed, offer) = offered(&view, &principal, &name).await?;
    let form: Map<String, Json> = typed.into_iter().map(|(name, value)| (name, json!(value))).collect();
    // What the administrator saw is what is carried out: the catalog may have gone on since.
    let seen =
        form.get("version").and_then(Json::as_str).unwrap_or_default() == offer.listed.template.version.to_string();
    let text = |name: &str| form.get(name).and_then(Json::as_str).unwrap_or_default().trim().to_owned();
    let mut errors = Vec::new();
    let answers = typed_answers(&view, asked(&offer), text, &mut errors);
    if !seen || !errors.is_empty() || !offer.changes.faults.is_empty() {
        return page(&view, &principal, deployed, &offer, form, errors).await;
    }
    upgrade::request(&view.app, &principal, &name, &answers).await?;
    Ok(redirect(&format!("/applications/{name}")))
}

pub async fn withdraw(view: View, principal: Principal, Path(name): Path<String>) -> Result<Response> {
    upgrade::withdraw(&view.app, &principal, &name).await?;
    Ok(view.done(&format!("/applications/{name}"), Message::new("upgrade-withdrawn")))
}
