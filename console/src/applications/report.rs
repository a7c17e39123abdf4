//! The status of an Application object, for whoever reads objects instead of pages: steps, what is installed, and the conditions that
//! `kubectl wait` knows. Made from what SQL says; equal input gives an equal status, so steady state costs no write.

use super::Deployed;
use super::upgrade::Upgrade;
use crate::app::App;
use crate::time::now_ms;
use operator_api::steps::{deployment, upgrade as upgrade_ids};
use operator_api::{
    Application, ApplicationStatus, Condition, ConditionStatus, Step, StepState, Text, Time, conditions, reason,
    set_condition,
};

/// How far an application is.
pub struct Standing<'a> {
    pub deployed: &'a Deployed,
    /// The version before, during an upgrade.
    pub upgrade: Option<&'a Upgrade>,
    pub steps: &'a [Step],
    /// As in SQL.
    pub state: &'a str,
}

/// Why an object is not carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Waits {
    /// One of [`reason`].
    pub reason: &'static str,
    pub sentence: Text,
}

/// What stands in the object's status from now on.
pub fn status(
    before: &ApplicationStatus,
    object: &Application,
    standing: &Standing<'_>,
    now_ms: u64,
) -> ApplicationStatus {
    let Standing { deployed, upgrade, steps, state } = standing;
    let done = |id: &str| steps.iter().any(|step| step.id == id && step.state == StepState::Done);
    let installed = match upgrade {
        Some(upgrade) if !done(upgrade_ids::UPGRADE) => Some(&upgrade.from.row.version),
        Some(_) => Some(&deployed.row.version),
        None => (*state == "ready" || done(deployment::INSTALL)).then_some(&deployed.row.version),
    };
    let made = |step: &&Step| matches!(step.id.as_str(), deployment::INSTALL | upgrade_ids::UPGRADE);
    let link = steps.iter().find(made).and_then(|step| step.link.as_ref());
    let transaction = link.and_then(|link| link.rsplit('/').next()).map(str::to_owned);
    let failed = steps.iter().find(|step| step.state == StepState::Failed).and_then(|step| step.detail.clone());
    let (reason, works, busy) = match *state {
        "ready" => (reason::INSTALLED, true, false),
        "upgrading" => (reason::INSTALLING, true, true),
        "upgrade-failed" => (reason::STEP_FAILED, true, false),
        "failed" => (reason::STEP_FAILED, false, false),
        "removing" | "removed" => (reason::UNINSTALLING, false, true),
        _ => (reason::INSTALLING, false, true),
    };
    let all = steps.len();
    let count = steps.iter().filter(|step| step.state == StepState::Done).count();
    let message = failed.as_ref().map_or(format!("{count} of {all} steps are done"), |reason| reason.en.clone());
    ApplicationStatus {
        observed_generation: object.metadata.generation,
        conditions: judged(before, object, (reason, works, busy), &message, now_ms),
        sentences: failed.into_iter().collect(),
        steps: steps.to_vec(),
        installed_version: installed.and_then(|version| version.parse().ok()),
        install_transaction: transaction.or_else(|| before.install_transaction.clone()),
        public_path: super::public::pages(deployed).next().map(|(_, page)| page.route.clone()),
    }
}

/// The same for an object that cannot be carried out yet, or not at all.
pub fn waiting(before: &ApplicationStatus, object: &Application, waits: &Waits, now_ms: u64) -> ApplicationStatus {
    let works = before.installed_version.is_some() && waits.reason != reason::NAME_TAKEN;
    ApplicationStatus {
        observed_generation: object.metadata.generation,
        conditions: judged(before, object, (waits.reason, works, false), &waits.sentence.en, now_ms),
        sentences: vec![waits.sentence.clone()],
        ..before.clone()
    }
}

fn judged(
    before: &ApplicationStatus,
    object: &Application,
    (reason, works, busy): (&str, bool, bool),
    message: &str,
    now_ms: u64,
) -> Vec<Condition> {
    let mut all = before.conditions.clone();
    for (kind, status) in [(conditions::READY, works), (conditions::PROGRESSING, busy)] {
        let condition = Condition {
            kind: kind.to_owned(),
            status: ConditionStatus::from(status),
            reason: reason.to_owned(),
            message: message.to_owned(),
            // Kubernetes keeps whole seconds of it.
            last_transition_time: Time::from_ms(now_ms - now_ms % 1000),
            observed_generation: object.metadata.generation,
        };
        set_condition(&mut all, condition);
    }
    all
}

/// Writes the status, if there is still an object. One that cannot be written is written at the next change: pages read SQL.
pub async fn tell(app: &App, standing: &Standing<'_>) {
    write(app, standing.deployed.name(), |before, object| status(before, object, standing, now_ms().unsigned_abs()))
        .await;
}

/// Writes why the object waits.
pub async fn tell_waiting(app: &App, object: &Application, waits: &Waits) {
    write(app, object.name().as_str(), |before, object| waiting(before, object, waits, now_ms().unsigned_abs())).await;
}

async fn write(app: &App, name: &str, made: impl FnOnce(&ApplicationStatus, &Application) -> ApplicationStatus) {
    let Ok(name) = name.parse() else { return };
    let object = match app.objects.application(&name) {
        Ok(Some(object)) => object,
        Ok(None) => return,
        Err(error) => return tracing::warn!(%error, application = %name, "an application's object couldn't be read"),
    };
    let new = made(&app.objects.application_status(&object), &object);
    if let Err(error) = app.objects.report_application(&object, &new).await {
        tracing::warn!(%error, application = %name, "an application's status couldn't be written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use operator_api::ApplicationSpec;

    fn object() -> Application {
        let spec: ApplicationSpec = serde_json::from_value(serde_json::json!({
            "chain": "main", "template": "letters", "version": "1.0.0", "owner": "notary"
        }))
        .unwrap();
        let mut object = Application::new("letters".parse().unwrap(), spec);
        object.metadata.generation = 3;
        object
    }

    fn condition<'a>(status: &'a ApplicationStatus, kind: &str) -> &'a Condition {
        status.conditions.iter().find(|condition| condition.kind == kind).unwrap()
    }

    #[test]
    fn an_object_that_waits_says_for_what_and_costs_one_write() {
        let waits =
            Waits { reason: reason::WAITING_FOR_CHAIN, sentence: Text::new("没有链", "there is no chain `main`") };
        let first = waiting(&ApplicationStatus::default(), &object(), &waits, 10_500);
        let ready = condition(&first, conditions::READY);
        assert_eq!((ready.status, ready.message.as_str()), (ConditionStatus::False, "there is no chain `main`"));
        assert_eq!((first.observed_generation, ready.last_transition_time), (3, Time::from_ms(10_000)));
        assert_eq!(waiting(&first, &object(), &waits, 99_000), first, "said already");
    }

    #[test]
    fn an_upgrade_that_waits_leaves_what_is_installed_ready() {
        let installed = ApplicationStatus { installed_version: "1.0.0".parse().ok(), ..ApplicationStatus::default() };
        let waits = Waits { reason: reason::WAITING_FOR_TEMPLATE, sentence: Text::same("x") };
        let status = waiting(&installed, &object(), &waits, 1_000);
        assert_eq!(condition(&status, conditions::READY).status, ConditionStatus::True);
        assert_eq!(status.installed_version, installed.installed_version);
    }
}
