//! Chains as people ask for them: which there are, one of them, what may be done to it. Decisions about validators are `chain-plan`'s; an
//! act here changes the chain's object and wakes its loop, which carries it out.

mod draft;
pub mod set;
mod summary;
#[cfg(test)]
mod tests;

pub use draft::{Draft, Typed, prefilled, tenant_of, tolerance};
pub use summary::{Level, Summary, level};

use crate::app::App;
use crate::audit::{self, Actor, Entry as Row, Outcome};
use crate::auth::{Action, Principal, Resource};
use crate::chains::{Entry, View, object_name, spec};
use crate::error::{Error, FieldErrors, Result};
use crate::names::Name;
use crate::objects::ObjectError;
use crate::text::{Lang, Message};
use crate::time::now_ms;
use chain_plan::quorum::Act;
use chain_plan::situation::Situation;
use chain_plan::{FieldError, validate_change};
use operator_api::{Chain, ChainState, Text, ValidatorName, ValidatorState};
use serde_json::json;
use std::sync::Arc;

/// A chain that the reader may see, with its tenant.
pub struct Found {
    pub entry: Arc<Entry>,
    pub view: Arc<View>,
    pub tenant: Name,
}

/// Every chain that the reader may see, by name.
pub fn list(app: &App, principal: &Principal) -> Vec<Found> {
    let found = app.chains.all().into_iter().filter_map(|entry| {
        let view = entry.view();
        let tenant = view.owner()?;
        principal.can(Action::ViewChain, &Resource::Tenant(&tenant)).then_some(Found { entry, view, tenant })
    });
    found.collect()
}

/// One chain; another tenant's does not exist.
pub fn find(app: &App, principal: &Principal, chain: &Name) -> Result<Found> {
    let entry = app.chains.find(&object_name(chain)).ok_or(Error::NotFound)?;
    let view = entry.view();
    let tenant = view.owner().ok_or(Error::NotFound)?;
    principal.require(Action::ViewChain, &Resource::Tenant(&tenant))?;
    Ok(Found { entry, view, tenant })
}

/// Writes the object of a new chain; its loop does the rest.
pub async fn create(app: &App, principal: &Principal, lang: Lang, draft: &Draft) -> Result<Name> {
    let tenant = draft.tenant();
    principal.require(Action::CreateChain, &Resource::Tenant(&tenant))?;
    let object = draft.object(now_ms().unsigned_abs());
    if let Err(errors) = spec::parse_new(app, &object) {
        return Err(Error::Invalid(in_form(&errors, lang)));
    }
    let name = crate::chains::console_name(object.name());
    let entry = Row::done("chain.create", "chain", name.as_str()).of(Some(&tenant)).after(json!(object.spec));
    record(app, principal, entry, async {
        match app.objects.create(&object.spec.tenant, &object).await {
            Ok(_) => Ok(()),
            Err(ObjectError::Taken) => Err(Error::field("name", Message::new("chain-name-taken"))),
            Err(ObjectError::Refused(sentence)) => Err(Error::field("", Message::Plain(sentence))),
            Err(error) => Err(error.into()),
        }
    })
    .await?;
    app.chains.changed.notify_one();
    Ok(name)
}

/// Wants a validator to run or not. Refused with the arithmetic if the chain would not survive it.
pub async fn set_validator(
    app: &App,
    principal: &Principal,
    lang: Lang,
    chain: &Name,
    validator: ValidatorName,
    state: ValidatorState,
) -> Result<()> {
    let action = if state == ValidatorState::Running { "validator.start" } else { "validator.stop" };
    let object_id = format!("{chain}/{validator}");
    change(app, principal, lang, chain, action, &object_id, |object| {
        match state {
            ValidatorState::Running => object.spec.validator_states.remove(&validator),
            other => object.spec.validator_states.insert(validator, other),
        };
    })
    .await
}

/// Puts the chain as a whole to sleep or wakes it.
pub async fn set_state(app: &App, principal: &Principal, lang: Lang, chain: &Name, state: ChainState) -> Result<()> {
    let action = if state == ChainState::Running { "chain.wake" } else { "chain.hibernate" };
    change(app, principal, lang, chain, action, chain.as_str(), |object| object.spec.state = state).await
}

/// Changes the spec, if it may become that now.
async fn change(
    app: &App,
    principal: &Principal,
    lang: Lang,
    chain: &Name,
    action: &'static str,
    object_id: &str,
    edit: impl FnOnce(&mut Chain),
) -> Result<()> {
    let found = find(app, principal, chain)?;
    principal.require(Action::ChangeChain, &Resource::Tenant(&found.tenant))?;
    let _editing = found.entry.editing.lock().await;
    // As it is now, not as it was when the page was asked for.
    let view = found.entry.view();
    let (Some(before), Some(valid)) = (&view.object, &view.valid) else {
        return Err(Error::conflict("chain-unusable", Message::new("chain-unusable")));
    };
    let mut object = before.clone();
    edit(&mut object);
    if object.spec == before.spec {
        return Ok(());
    }
    let row = || Row::done(action, "chain", object_id).of(Some(&found.tenant));
    let refused = async |reason: serde_json::Value| {
        let refused = row().outcome(Outcome::Refused).after(json!({ "reason": reason }));
        record(app, principal, refused, std::future::ready(Ok(()))).await
    };
    let judged = spec::parse(app, &object)
        .map_err(|errors| refusal_of(&view, before, &object, &errors))
        .and_then(|wanted| validate_change(valid, &wanted, &view.observed).map_err(|refusal| refusal.reason));
    if let Err(reason) = judged {
        refused(json!(reason)).await?;
        return Err(Error::conflict("chain-refused", Message::Plain(lang.pick(&reason.zh, &reason.en).to_owned())));
    }
    let entry = row().before(json!(before.spec)).after(json!(object.spec));
    // Admission has the last word: it asks the nodes now, and others change the same object.
    match record(app, principal, entry, async { Ok(app.objects.replace(&object).await?) }).await {
        Ok(stored) => found.entry.stored(stored),
        Err(Error::Refused { status, code, message }) => {
            let said = if let Message::Plain(sentence) = &message { sentence.as_str() } else { code };
            refused(json!(said)).await?;
            return Err(Error::Refused { status, code, message });
        }
        Err(error) => return Err(error),
    }
    found.entry.wake.notify_one();
    Ok(())
}

/// Why a spec does not hold together. Of stopping too many, the arithmetic as things are now says more than the rule about specs.
fn refusal_of(view: &View, before: &Chain, wanted: &Chain, errors: &[FieldError]) -> Text {
    let newly_off: Vec<ValidatorName> = wanted
        .spec
        .validator_states
        .keys()
        .filter(|name| !before.spec.validator_states.contains_key(name))
        .copied()
        .collect();
    if let (Some(plan), false) = (&view.plan, newly_off.is_empty()) {
        let arithmetic = Situation::of(plan, &view.observed).without(&newly_off, Act::Stop(newly_off.clone()));
        if !arithmetic.holds() {
            return arithmetic.sentence();
        }
    }
    errors.first().map(|error| error.reason.clone()).unwrap_or_default()
}

/// Asks for the chain's end: its nodes stop and its data is set aside. `typed` must repeat the name.
pub async fn delete(app: &App, principal: &Principal, chain: &Name, typed: &str) -> Result<()> {
    let found = find(app, principal, chain)?;
    principal.require(Action::DeleteChain, &Resource::Tenant(&found.tenant))?;
    if typed.trim() != chain.as_str() {
        return Err(Error::field("typed", Message::new("field-typed-differs").with("name", chain)));
    }
    let _editing = found.entry.editing.lock().await;
    let view = found.entry.view();
    let object = view.object.clone().ok_or(Error::NotFound)?;
    let entry = Row::done("chain.delete", "chain", chain.as_str())
        .of(Some(&found.tenant))
        .before(json!({ "fingerprint": view.status.fingerprint, "height": view.status.height }));
    let stored = record(app, principal, entry, async { Ok(app.objects.delete(&object).await?) }).await?;
    found.entry.stored(stored);
    found.entry.wake.notify_one();
    Ok(())
}

/// The audit row and the act: the row first, so that an act that happened is never without one.
async fn record<T>(
    app: &App,
    principal: &Principal,
    entry: Row<'_>,
    act: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut tx = app.db.write().await?;
    audit::record(&mut tx, Actor::Person(principal), entry).await?;
    let done = act.await?;
    tx.commit().await?;
    Ok(done)
}

/// What `chain-plan` found wrong, at the form's fields.
pub fn in_form(errors: &[FieldError], lang: Lang) -> FieldErrors {
    let mut fields = FieldErrors::default();
    for error in errors {
        let field = match error.field.as_str() {
            "metadata.name" => "name",
            "spec.title.zh" => "title_zh",
            "spec.title.en" => "title_en",
            "spec.tenant" => "tenant",
            "spec.operator" => "operator",
            "spec.resources.memoryMib" => "memory_mib",
            "spec.resources.storageGib" => "storage_gib",
            field if field.starts_with("spec.validators") => "validators",
            _ => "",
        };
        fields.add(field, Message::Plain(lang.pick(&error.reason.zh, &error.reason.en).to_owned()));
    }
    fields
}
