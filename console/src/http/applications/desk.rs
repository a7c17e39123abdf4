//! The scan desk: codes from a scanner, a camera or the keyboard, and one button a call. The answer stands above the input, which is ready
//! for the next code.

use super::{Frame, dynamic_form};
use crate::applications::arguments::{assemble, field_of};
use crate::applications::calls::{self, Call};
use crate::applications::{self, people};
use crate::auth::{Action, Principal};
use crate::error::{Error, Result};
use crate::http::extract::{Form, Path, View};
use crate::outbox::Outcome;
use axum::response::Response;
use chain_types::manifest::{Page, ScanPage};
use serde_json::{Map, Value as Json, json};

pub async fn show(
    view: &View,
    frame: &Frame,
    id: &str,
    scan: &ScanPage,
    pairs: &[(String, String)],
) -> Result<Response> {
    let form = pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    page(view, frame, id, scan, form, Vec::new(), None)
}

/// Inputs beside the codes that some call of the desk asks for.
fn extras(frame: &Frame, view: &View, scan: &ScanPage) -> Vec<Json> {
    let words = frame.words(view);
    let mut extras: Vec<Json> = Vec::new();
    for (_, call) in scan.calls.iter() {
        let Some((_, module)) = frame.deployed.instance(&call.instance) else { continue };
        let Some(spec) = module.call(&call.method) else { continue };
        for arg in spec.args.iter().filter(|arg| matches!(arg.name, "destination" | "reason")) {
            if extras.iter().any(|extra| extra["name"] == arg.name) {
                continue;
            }
            let others = frame.organisations.iter().filter(|(id, _)| *id != frame.person.organisation);
            let choices: Vec<Json> = match arg.name {
                "destination" => others.map(|(id, title)| json!({ "value": id, "label": words.pick(title) })).collect(),
                _ => Vec::new(),
            };
            let label =
                format!("{}（{}）", view.lang().pick(arg.title.0, arg.title.1), words.call_title(&call.to_string()));
            extras.push(json!({ "name": arg.name, "label": label, "choices": choices }));
        }
    }
    extras
}

fn page(
    view: &View,
    frame: &Frame,
    id: &str,
    scan: &ScanPage,
    form: Map<String, Json>,
    errors: Vec<(String, String)>,
    said: Option<Json>,
) -> Result<Response> {
    let words = frame.words(view);
    let calls: Vec<Json> = scan
        .calls
        .iter()
        .filter(|(_, call)| frame.person.may(&frame.deployed, &call.instance, &call.method))
        .map(|(name, call)| json!({ "name": name, "label": words.call_title(&call.to_string()), "danger": call.method == "destroy" }))
        .collect();
    let data = json!({
        "head": frame.head(view, id), "page_title": scan.title.as_ref().map(|title| words.pick(title)), "calls": calls,
        "extras": extras(frame, view, scan), "result": said,
    });
    dynamic_form(view, "applications/desk.html", form, errors, data)
}

pub async fn act(
    view: View,
    principal: Principal,
    Path((name, id)): Path<(String, String)>,
    Form(typed): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let deployed = applications::find(&view.app, &principal, &name, Action::UseApplication).await?;
    let frame = Frame::of(&view, &principal, deployed).await?;
    let Some(Page::Scan(scan)) = frame.deployed.page(&id).cloned() else { return Err(Error::NotFound) };
    let mut form: Map<String, Json> = typed.into_iter().map(|(name, value)| (name, json!(value))).collect();
    let chosen = form.get("call").and_then(Json::as_str).unwrap_or_default().to_owned();
    let call = scan.calls.get(&chosen).cloned().ok_or(Error::NotFound)?;
    let (of, module) = frame.deployed.instance(&call.instance).ok_or(Error::NotFound)?;
    let spec = module.call(&call.method).ok_or(Error::NotFound)?;
    let asked = |name: &str| spec.args.iter().any(|arg| arg.name == name);
    let given: Map<String, Json> =
        form.iter().filter(|(name, _)| asked(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
    let words = frame.words(&view);
    let title = words.call_title(&call.to_string());
    let assembled = match assemble(of, spec, &given) {
        Ok(assembled) => assembled,
        Err(faults) => {
            let errors = faults.into_iter().map(|fault| {
                let field = field_of(&fault.path);
                (
                    field.clone(),
                    format!("{}：{}", words.label(&call.instance, "item", &field), words.pick(&fault.reason)),
                )
            });
            let errors = errors.collect();
            return page(&view, &frame, &id, &scan, form, errors, None);
        }
    };
    let signer = people::signer_of(&view.app, &frame.deployed, &principal).await?;
    let codes =
        given.get("codes").and_then(Json::as_str).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let sent = Call {
        app: frame.deployed.name(),
        instance: &call.instance,
        method: &call.method,
        args: assembled.args,
        kept: assembled.kept,
    };
    let standing = calls::act(&view.app, &principal, &frame.deployed, &signer, sent).await?;
    match standing.outcome {
        Outcome::Committed(committed) if committed.applied => {
            form.insert("codes".to_owned(), json!(""));
            let said = json!({ "title": title, "codes": codes, "height": committed.height, "tx": standing.tx, "chain": frame.deployed.row.chain });
            page(&view, &frame, &id, &scan, form, Vec::new(), Some(said))
        }
        Outcome::Committed(committed) => {
            let refusal = committed.refusal.map(|refusal| words.refusal(&refusal, &call.instance)).unwrap_or_default();
            page(&view, &frame, &id, &scan, form, vec![("codes".to_owned(), format!("{title}：{refusal}"))], None)
        }
        Outcome::Rejected { reason } => page(&view, &frame, &id, &scan, form, vec![("codes".to_owned(), reason)], None),
        Outcome::Waiting { .. } | Outcome::Expired => Err(applications::unreachable()),
    }
}
