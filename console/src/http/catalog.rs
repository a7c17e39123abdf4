//! The catalog: cards, a template's page, and the form that deploys it.

use super::applications::dynamic_form;
use super::extract::{Form, Path, View};
use crate::app::App;
use crate::applications::object::{self, Wanted};
use crate::applications::{Row, free_name, installed_counts, upgrade};
use crate::auth::{Action, Principal, Resource};
use crate::catalog::{self, Listed};
use crate::chains::console_name;
use crate::error::{Error, Result};
use crate::names::Name;
use crate::text::Message;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use chain_types::manifest::{Answer, Answers, Category, Place, Question, QuestionType, module_spec};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

pub fn router() -> Router<App> {
    Router::new()
        .route("/catalog", get(list))
        .route("/catalog/{template}", get(show))
        .route("/catalog/{template}/deploy", get(ask).post(deploy))
}

fn require(principal: &Principal) -> Result<()> {
    principal.require(Action::ViewCatalog, &Resource::of(principal.tenant.as_ref()))
}

fn can_deploy(principal: &Principal) -> bool {
    principal.tenant.as_ref().is_some_and(|tenant| principal.can(Action::DeployApplication, &Resource::Tenant(tenant)))
}

fn find(view: &View, template: &str) -> Result<std::sync::Arc<Listed>> {
    catalog::load(&view.app).find(template).ok_or(Error::NotFound)
}

fn modules(listed: &Listed) -> Vec<Json> {
    let one = |(module, version): (&chain_types::manifest::Module, &u32)| {
        let title = module_spec(*module).map(|spec| chain_types::manifest::text(spec.title));
        json!({ "name": module.name(), "version": version, "title": title })
    };
    listed.template.requires.modules.iter().map(one).collect()
}

fn icon(category: Category) -> &'static str {
    match category {
        Category::Traceability => "qr",
        Category::Livelihood => "users",
        Category::Government => "tenants",
        Category::Justice => "shield",
        Category::Funds => "key",
        Category::Governance => "audit",
        Category::Data => "link",
    }
}

/// Applications of a template that can be upgraded to what the catalog has: name and present version.
fn older(catalog: &catalog::Catalog, rows: &[Row], template: &str) -> Vec<Json> {
    let older = rows.iter().filter(|row| row.template == template && upgrade::offered(catalog, row).is_some());
    older.map(|row| json!({ "name": row.name, "version": row.version })).collect()
}

async fn list(view: View, principal: Principal) -> Result<Response> {
    require(&principal)?;
    let catalog = catalog::load(&view.app);
    let counts = installed_counts(&view.app, principal.tenant.as_ref()).await?;
    let rows = crate::applications::list(&view.app, &principal).await?;
    let card = |listed: &std::sync::Arc<Listed>| {
        let template = &listed.template;
        json!({
            "id": template.id, "title": template.title, "summary": template.summary, "version": template.version,
            "category": template.category.title(), "modules": modules(listed), "icon": icon(template.category),
            "installed": counts.get(&template.id).copied().unwrap_or(0), "older": older(&catalog, &rows, &template.id),
        })
    };
    let cards: Vec<Json> = catalog.templates.iter().map(card).collect();
    let broken = |broken: &catalog::Broken| {
        let faults: Vec<Json> =
            broken.faults.iter().map(|(path, reason)| json!({ "path": path, "reason": reason })).collect();
        json!({ "folder": broken.folder, "faults": faults })
    };
    let broken: Vec<Json> = catalog.broken.iter().map(broken).collect();
    let data = json!({ "cards": cards, "broken": broken, "can_deploy": can_deploy(&principal) });
    view.page("catalog/list.html", &data)
}

async fn show(view: View, principal: Principal, Path(template): Path<String>) -> Result<Response> {
    require(&principal)?;
    let listed = find(&view, &template)?;
    let template = &listed.template;
    let mut places: BTreeMap<&str, Vec<Json>> = BTreeMap::new();
    for (_, instance) in template.chain.instances.iter() {
        for (name, field) in crate::applications::arguments::own_fields(instance) {
            let place = match field.place {
                Place::Chain => "chain",
                Place::Commitment => "commitment",
                Place::Private => "private",
            };
            let same = chain_types::genesis::Text { zh: name.to_owned(), en: name.to_owned() };
            places.entry(place).or_default().push(json!(field.title.clone().unwrap_or(same)));
        }
    }
    let calls = |role: &str| -> Vec<Json> {
        let allowed = template.chain.allow.get(role).into_iter().flatten();
        let titles = allowed.filter_map(|call| {
            let instance = template.chain.instances.get(&call.instance)?;
            Some(json!(chain_types::manifest::text(module_spec(instance.module)?.call(&call.method)?.title)))
        });
        titles.collect()
    };
    let roles: Vec<Json> =
        template.chain.roles.iter().map(|(name, role)| json!({ "title": role.title, "calls": calls(name) })).collect();
    let pages: Vec<Json> = template
        .pages
        .iter()
        .filter_map(|(_, page)| Some(json!({ "kind": page.kind(), "title": page.head().title? })))
        .collect();
    let counts = installed_counts(&view.app, principal.tenant.as_ref()).await?;
    let rows = crate::applications::list(&view.app, &principal).await?;
    let data = json!({
        "id": template.id, "title": template.title, "summary": template.summary, "version": template.version,
        "category": template.category.title(), "modules": modules(&listed), "validators": template.requires.validators,
        "roles": roles, "places": places, "pages": pages, "questions": template.questions.len(),
        "checks": template.checks.len(), "installed": counts.get(&template.id).copied().unwrap_or(0),
        "can_deploy": can_deploy(&principal), "older": older(&catalog::load(&view.app), &rows, &template.id),
    });
    view.page("catalog/show.html", &data)
}

/// The chains of the reader's tenant: name, title, whether it can carry an application now.
fn chains(view: &View, tenant: &Name) -> Vec<Json> {
    let entries = view.app.chains.of_tenant(tenant.as_str());
    let one = |entry: std::sync::Arc<crate::chains::Entry>| {
        let seen = entry.view();
        json!({ "name": entry.name.as_str(), "title": seen.title(), "works": seen.works() })
    };
    entries.into_iter().map(one).collect()
}

/// The inputs of a form that asks `questions`.
pub fn question_inputs<'q>(questions: impl Iterator<Item = (&'q str, &'q Question)>) -> Vec<Json> {
    let one = |(name, question): (&str, &Question)| {
        let kind = match question.kind {
            QuestionType::Text => "text",
            QuestionType::Integer => "number",
            QuestionType::Boolean => "check",
            QuestionType::Enum => "select",
        };
        let choices: Vec<Json> =
            question.values.iter().map(|(value, label)| json!({ "value": value, "label": label })).collect();
        json!({ "name": format!("q_{name}"), "label": question.title, "hint": question.help, "kind": kind, "choices": choices })
    };
    questions.map(one).collect()
}

/// The defaults of questions, as a form shows them.
pub fn default_answers<'q>(form: &mut Map<String, Json>, questions: impl Iterator<Item = (&'q str, &'q Question)>) {
    for (name, question) in questions {
        let value = match &question.default {
            Answer::Boolean(true) => "1".to_owned(),
            Answer::Boolean(false) => String::new(),
            other => other.to_string(),
        };
        form.insert(format!("q_{name}"), json!(value));
    }
}

async fn ask(view: View, principal: Principal, Path(template): Path<String>) -> Result<Response> {
    require(&principal)?;
    let tenant = deployer(&principal)?;
    let listed = find(&view, &template)?;
    let mut form = Map::new();
    form.insert("name".to_owned(), json!(free_name(&view.app, &listed.template.id).await?));
    form.insert("sample_data".to_owned(), json!("1"));
    let working = chains(&view, &tenant).into_iter().find(|chain| chain["works"] == true);
    form.insert("chain".to_owned(), working.map(|chain| chain["name"].clone()).unwrap_or_default());
    default_answers(&mut form, listed.template.questions.iter());
    page(&view, &listed, &tenant, form, Vec::new())
}

fn deployer(principal: &Principal) -> Result<Name> {
    let tenant = principal.tenant.clone().ok_or(Error::Forbidden)?;
    principal.require(Action::DeployApplication, &Resource::Tenant(&tenant))?;
    Ok(tenant)
}

fn page(
    view: &View,
    listed: &Listed,
    tenant: &Name,
    form: Map<String, Json>,
    errors: Vec<(String, String)>,
) -> Result<Response> {
    let template = &listed.template;
    let data = json!({
        "id": template.id, "title": template.title, "summary": template.summary, "version": template.version,
        "chains": chains(view, tenant), "questions": question_inputs(template.questions.iter()),
    });
    dynamic_form(view, "catalog/deploy.html", form, errors, data)
}

/// What was typed as answers to `questions`; what does not fit is added to `errors`.
pub fn typed_answers<'q>(
    view: &View,
    questions: impl Iterator<Item = (&'q str, &'q Question)>,
    text: impl Fn(&str) -> String,
    errors: &mut Vec<(String, String)>,
) -> Answers {
    let mut answers = Answers::new();
    for (id, question) in questions {
        let typed = text(&format!("q_{id}"));
        let answer = match question.kind {
            QuestionType::Boolean => Some(Answer::Boolean(typed == "1")),
            QuestionType::Integer => typed.parse().ok().map(Answer::Integer),
            QuestionType::Text | QuestionType::Enum => Some(Answer::Text(typed)),
        };
        let answer = answer.unwrap_or(Answer::Text(String::new()));
        if let Err((zh, en)) = question.accepts(&answer) {
            errors.push((format!("q_{id}"), view.lang().pick(&zh, &en).to_owned()));
        }
        answers.insert(id.to_owned(), answer);
    }
    answers
}

async fn deploy(
    view: View,
    principal: Principal,
    Path(template): Path<String>,
    Form(typed): Form<Vec<(String, String)>>,
) -> Result<Response> {
    require(&principal)?;
    let tenant = deployer(&principal)?;
    let listed = find(&view, &template)?;
    let form: Map<String, Json> = typed.into_iter().map(|(name, value)| (name, json!(value))).collect();
    let text = |name: &str| form.get(name).and_then(Json::as_str).unwrap_or_default().trim().to_owned();
    let mut errors: Vec<(String, String)> = Vec::new();
    let name = Name::parse(&text("name")).filter(|name| name.as_str() != chain_types::state::CHAIN_APP);
    if name.is_none() {
        errors.push(("name".to_owned(), view.say(&Message::new("field-name-form"))));
    }
    let wanted_chain = text("chain");
    let chain =
        view.app.chains.of_tenant(tenant.as_str()).into_iter().find(|entry| entry.name.as_str() == wanted_chain);
    match &chain {
        None => errors.push(("chain".to_owned(), view.say(&Message::new("application-chain-choose")))),
        Some(entry) if !entry.view().works() => {
            errors.push(("chain".to_owned(), view.say(&Message::new("application-chain-not-ready"))));
        }
        Some(_) => {}
    }
    let answers = typed_answers(&view, listed.template.questions.iter(), text, &mut errors);
    let (Some(name), Some(chain)) = (name, chain.filter(|_| errors.is_empty())) else {
        return page(&view, &listed, &tenant, form, errors);
    };
    let owner = owner(&view, &principal, &tenant)?;
    let sample_data = text("sample_data") == "1";
    let wanted = Wanted {
        name: name.clone(),
        chain: console_name(&chain.name),
        tenant: tenant.clone(),
        owner,
        listed: &listed,
        answers,
        sample_data,
    };
    match object::create(&view.app, &principal, wanted).await {
        Ok(()) => Ok(super::extract::redirect(&format!("/applications/{name}"))),
        Err(Error::Invalid(wrong)) => {
            let errors = wrong.0.iter().map(|(field, message)| ((*field).to_owned(), view.say(message))).collect();
            page(&view, &listed, &tenant, form, errors)
        }
        Err(error) => Err(error),
    }
}

/// The organisation that owns what this person deploys: the own one, if the platform holds its key.
fn owner(view: &View, principal: &Principal, tenant: &Name) -> Result<Name> {
    let city = view.app.chains.city();
    let object = city.tenants.iter().find(|(name, _)| name.as_str() == tenant.as_str()).map(|(_, seen)| &seen.object);
    let held: Vec<&str> = object
        .iter()
        .flat_map(|object| &object.spec.organisations)
        .filter(|organisation| organisation.custody == operator_api::Custody::Platform)
        .map(|organisation| organisation.id.as_str())
        .collect();
    let own = principal.organisation.as_deref().filter(|own| held.contains(own));
    let owner = own.or_else(|| held.first().copied()).and_then(Name::parse);
    owner.ok_or_else(|| Error::conflict("no-owner", Message::new("application-no-owner")))
}
