//! One call of an application as a form that the manifest and the module describe. A refusal by the chain is told in plain words and the
//! form keeps what was typed.

use super::{Frame, dynamic_form};
use crate::applications::arguments::{self, Choice, Input, assemble, field_of};
use crate::applications::calls::{self, Call};
use crate::applications::{self, people, records};
use crate::auth::{Action, Principal};
use crate::error::{Error, Result};
use crate::http::extract::{Form, Path, Query, View};
use crate::outbox::Outcome;
use crate::text::Message;
use crate::time::now_ms;
use axum::response::Response;
use chain_types::api::Committed;
use chain_types::genesis::Text;
use chain_types::manifest::{ArgumentFault, CallSpec, Instance, Page};
use serde_json::{Map, Value as Json, json};

type Place = (String, String, String);

/// Names of a form that are not the call's.
const OF_THE_FORM: [&str; 5] = ["_csrf", "record", "kind", "make_codes", "lang"];

pub async fn ask(
    view: View,
    principal: Principal,
    Path((name, instance, method)): Path<Place>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Response> {
    let deployed = applications::find(&view.app, &principal, &name, Action::UseApplication).await?;
    let frame = Frame::of(&view, &principal, deployed).await?;
    let mut form: Map<String, Json> = pairs.into_iter().map(|(name, value)| (name, json!(value))).collect();
    prefill(&frame, &view, &instance, &method, &mut form).await?;
    page(&view, &frame, &instance, &method, form, Vec::new()).await
}

/// What the record that the form was opened from says already.
async fn prefill(frame: &Frame, view: &View, instance: &str, method: &str, form: &mut Map<String, Json>) -> Result<()> {
    let text =
        |form: &Map<String, Json>, name: &str| form.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let (record, kind) = (text(form, "record"), text(form, "kind"));
    let mut set = |name: &str, value: String| {
        form.entry(name.to_owned()).or_insert(json!(value));
    };
    match kind.as_str() {
        "record" => set("number", record),
        "lot" => {
            let (product, lot) = record.split_once('/').unwrap_or((&record, ""));
            set("product", product.to_owned());
            set("lot", lot.to_owned());
            set("lots", record.clone());
        }
        "item" => set("codes", record),
        "product" => set("product", record),
        "recall" => set("recall", record),
        _ => {}
    }
    let Some((of, module)) = frame.deployed.instance(instance) else { return Ok(()) };
    if module.call(method).is_some_and(|call| call.args.iter().any(|arg| arg.name == "fields" && arg.required)) {
        let now = crate::time::iso(now_ms());
        for (name, field) in arguments::own_fields(of) {
            if field.kind == chain_types::manifest::FieldType::Datetime {
                set(name, now.get(..16).unwrap_or_default().to_owned());
            }
        }
    }
    if arguments::makes_codes(of, method) {
        set("make_codes", "10".to_owned());
    }
    let _ = view;
    Ok(())
}

/// Products to choose from, where a call names one that is there.
async fn complete(view: &View, frame: &Frame, instance: &str, method: &str, inputs: &mut [Input]) -> Result<()> {
    let wanted = inputs.iter_mut().find(|input| input.name == "product" && method != "register_product");
    if let Some(input) = wanted {
        let products = records::ids(&view.app, &frame.deployed, instance, "product", 200).await?;
        let own = products.into_iter().filter(|(_, json)| {
            json.get("organisation").and_then(Json::as_str) == Some(frame.person.organisation.as_str())
        });
        input.choices = own
            .map(|(id, json)| {
                let name = json.get("fields").and_then(|fields| fields.get("name")?.as_str()).unwrap_or_default();
                let label = format!("{id} {name}");
                Choice { value: id, label: Text { zh: label.clone(), en: label } }
            })
            .collect();
        if !input.choices.is_empty() {
            input.kind = "select";
        }
    }
    Ok(())
}

fn found<'a>(frame: &'a Frame, instance: &str, method: &str) -> Result<(&'a Instance, &'static CallSpec)> {
    let (of, module) = frame.deployed.instance(instance).ok_or(Error::NotFound)?;
    Ok((of, module.call(method).ok_or(Error::NotFound)?))
}

async fn page(
    view: &View,
    frame: &Frame,
    instance: &str,
    method: &str,
    form: Map<String, Json>,
    errors: Vec<(String, String)>,
) -> Result<Response> {
    let (of, call) = found(frame, instance, method)?;
    let others: Vec<(String, Text)> =
        frame.organisations.iter().filter(|(id, _)| *id != frame.person.organisation).cloned().collect();
    let mut inputs = arguments::inputs(of, call, &others);
    complete(view, frame, instance, method, &mut inputs).await?;
    let makes_codes = arguments::makes_codes(of, method);
    if makes_codes {
        for input in inputs.iter_mut().filter(|input| input.name == "codes") {
            input.required = false;
        }
    }
    let words = frame.words(view);
    let label = format!("{instance}.{method}");
    let actions = frame.deployed.template().pages.iter().flat_map(|(_, page)| page.actions());
    let action = actions.into_iter().find(|action| action.call.instance == instance && action.call.method == method);
    let title = action
        .and_then(|action| action.label.as_ref())
        .map_or_else(|| words.call_title(&label), |label| words.pick(label));
    let allowed = frame.person.may(&frame.deployed, instance, method);
    let roles: Vec<String> = frame
        .deployed
        .allowed(instance, method)
        .iter()
        .filter_map(|role| frame.deployed.resolved.chain().roles.get(role))
        .map(|role| words.pick(&role.title))
        .collect();
    let data = json!({
        "head": frame.head(view, page_of(frame, instance, &form).as_deref().unwrap_or("")), "call_title": title, "inputs": inputs,
        "makes_codes": makes_codes, "has_files": inputs.iter().any(|input| input.kind == "files"), "allowed": allowed,
        "roles_needed": roles, "danger": matches!(method, "withdraw" | "destroy" | "open_recall"),
    });
    dynamic_form(view, "applications/act.html", form, errors, data)
}

/// The list that the form belongs to.
fn page_of(frame: &Frame, instance: &str, form: &Map<String, Json>) -> Option<String> {
    let kind = form.get("kind").and_then(Json::as_str).unwrap_or_default();
    let lists = frame.deployed.template().pages.iter().filter_map(|(id, page)| match page {
        Page::List(list) if list.of.instance == instance => Some((id, records::kind_of(&list.of))),
        _ => None,
    });
    let lists: Vec<(&str, &str)> = lists.collect();
    let of_kind = lists.iter().find(|(_, of)| *of == kind).or(lists.first());
    of_kind.map(|(id, _)| (*id).to_owned())
}

/// What is wrong with each field, in the order of the form.
fn errors_of(
    view: &View,
    frame: &Frame,
    instance: &str,
    of: &Instance,
    call: &CallSpec,
    faults: Vec<ArgumentFault>,
) -> Vec<(String, String)> {
    let inputs = arguments::inputs(of, call, &[]);
    let words = frame.words(view);
    let sentence = |fault: ArgumentFault| {
        let field = field_of(&fault.path);
        let input = inputs.iter().find(|input| input.name == field);
        let label = input.map_or_else(|| words.label(instance, "", &field), |input| words.pick(&input.label));
        (field, format!("{label}：{}", words.pick(&fault.reason)))
    };
    let mut errors: Vec<(String, String)> = faults.into_iter().map(sentence).collect();
    errors.sort_by_key(|(field, _)| inputs.iter().position(|input| input.name == *field));
    errors
}

/// What was typed; several inputs of one name are lines of one value.
fn form_of(typed: Vec<(String, String)>) -> Map<String, Json> {
    let mut form = Map::new();
    for (name, value) in typed {
        match form.get_mut(&name) {
            Some(Json::String(before)) => {
                before.push('\n');
                before.push_str(&value);
            }
            _ => drop(form.insert(name, json!(value))),
        }
    }
    form
}

pub async fn act(
    view: View,
    principal: Principal,
    Path((name, instance, method)): Path<Place>,
    Form(typed): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let deployed = applications::find(&view.app, &principal, &name, Action::UseApplication).await?;
    let frame = Frame::of(&view, &principal, deployed).await?;
    let (of, call) = found(&frame, &instance, &method)?;
    let form = form_of(typed);
    let text = |name: &str| form.get(name).and_then(Json::as_str).unwrap_or_default().trim().to_owned();
    let mut given: Map<String, Json> = form
        .iter()
        .filter(|(name, _)| !OF_THE_FORM.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if arguments::makes_codes(of, &method) && text("codes").is_empty() {
        let count = text("make_codes").parse::<usize>().unwrap_or(0).min(1_000);
        given.insert("codes".to_owned(), json!(arguments::new_codes(of, &text("product"), count)));
    }
    let assembled = match assemble(of, call, &given) {
        Ok(assembled) => assembled,
        Err(faults) => {
            let errors = errors_of(&view, &frame, &instance, of, call, faults);
            return page(&view, &frame, &instance, &method, form, errors).await;
        }
    };
    let signer = people::signer_of(&view.app, &frame.deployed, &principal).await?;
    let sent = Call {
        app: frame.deployed.name(),
        instance: &instance,
        method: &method,
        args: assembled.args,
        kept: assembled.kept,
    };
    let standing = calls::act(&view.app, &principal, &frame.deployed, &signer, sent).await?;
    match standing.outcome {
        Outcome::Committed(committed) if committed.applied => {
            Ok(done(&view, &frame, &instance, &method, &form, &committed))
        }
        Outcome::Committed(committed) => {
            let errors = committed.refusal.iter().map(|refusal| {
                let field = refusal.params.get("field").map(|path| field_of(path)).unwrap_or_default();
                (field, frame.words(&view).refusal(refusal, &instance))
            });
            let errors = errors.collect();
            page(&view, &frame, &instance, &method, form, errors).await
        }
        Outcome::Rejected { reason } => {
            page(&view, &frame, &instance, &method, form, vec![(String::new(), reason)]).await
        }
        Outcome::Waiting { .. } | Outcome::Expired => {
            let list = page_of(&frame, &instance, &form).unwrap_or_default();
            Ok(view.done(&format!("/applications/{name}/pages/{list}"), Message::new("application-call-waiting")))
        }
    }
}

/// Leads to what the call made or changed.
fn done(
    view: &View,
    frame: &Frame,
    instance: &str,
    method: &str,
    form: &Map<String, Json>,
    committed: &Committed,
) -> Response {
    let fields = committed.events.iter().find_map(|event| event.fields.as_object());
    let text = |name: &str| -> Option<String> {
        let value = fields.and_then(|fields| fields.get(name)).or_else(|| form.get(name))?;
        value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()))
    };
    let code = || fields.and_then(|fields| fields.get("codes")?.as_array()?.first()?.as_str().map(str::to_owned));
    let target = match method {
        "register_product" => text("product").map(|id| ("product", id)),
        "open_lot" | "commission" => {
            text("product").zip(text("lot")).map(|(product, lot)| ("lot", format!("{product}/{lot}")))
        }
        "open_recall" | "close_recall" => text("recall").map(|id| ("recall", id)),
        _ => text("number").map(|id| ("record", id)).or_else(|| code().map(|code| ("item", code))),
    };
    let words = frame.words(view);
    let title = words.call_title(&format!("{instance}.{method}"));
    let name = frame.deployed.name();
    let (location, id) = match target {
        Some((kind, id)) => {
            let encoded = crate::http::middleware::percent_encode(&id);
            let detail = frame
                .detail_of(instance, kind)
                .map(|page| format!("/applications/{name}/pages/{page}/record?id={encoded}"));
            let kind = json!({ "kind": kind });
            let list = page_of(frame, instance, kind.as_object().unwrap_or(&Map::new())).unwrap_or_default();
            (detail.unwrap_or_else(|| format!("/applications/{name}/pages/{list}")), id)
        }
        None => (format!("/applications/{name}"), String::new()),
    };
    let message =
        Message::new("application-call-done").with("what", title).with("id", id).with("height", committed.height);
    view.done(&location, message)
}
