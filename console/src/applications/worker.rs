//! Watches the Application objects and carries each out, step by step, in a task of its own. What is done stands in SQL before the next step
//! begins, so a console that starts again goes on where it was; pages are told of every change.

use super::report::{self, Standing, Waits};
use super::steps::{self, Report};
use super::upgrade::{self, Upgrade};
use super::{Deployed, Row, object, row};
use crate::app::App;
use crate::error::Result;
use crate::live::{Payload, Topic};
use crate::time::now_ms;
use operator_api::steps::{deployment, upgrade as upgrade_ids};
use operator_api::{Name, Step, StepState, Text, reason};
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinHandle;

/// How long until a chain that refused to uninstall is asked again.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);

static WAKE: Notify = Notify::const_new();

/// An object was written: look at once.
pub fn wake() {
    WAKE.notify_one();
}

/// Starts the worker and the sender of counted scans; both end when the console stops.
pub fn start(app: &App) {
    tokio::spawn(watch(app.clone()));
    tokio::spawn(super::scans::run(app.clone()));
}

async fn watch(app: App) {
    let mut running: HashMap<Name, JoinHandle<()>> = HashMap::new();
    loop {
        running.retain(|_, task| !task.is_finished());
        // Of a chain that is not known yet nobody can say that it is gone.
        let names = if app.chains.city().is_known { app.objects.application_names() } else { Vec::new() };
        for name in names {
            if running.contains_key(&name) {
                continue;
            }
            match wanted(&app, &name).await {
                Ok(Some(row)) => {
                    let task = tokio::spawn(work(app.clone(), row));
                    running.insert(name, task);
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(%error, application = %name, "an application's object couldn't be taken over")
                }
            }
        }
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = WAKE.notified() => {}
            () = tokio::time::sleep(Duration::from_millis(700)) => {}
        }
    }
}

/// The row of an object that asks for work.
async fn wanted(app: &App, name: &Name) -> Result<Option<Row>> {
    let Some(object) = app.objects.application(name)? else { return Ok(None) };
    let going = object.metadata.deletion_timestamp.is_some();
    let mut row = match object::project(app, &object).await? {
        Ok(row) => row,
        Err(waits) => {
            // Nothing of it is on a chain, so nothing keeps it.
            if going {
                app.objects.release_application(&object).await?;
            } else {
                report::tell_waiting(app, &object, &waits).await;
            }
            return Ok(None);
        }
    };
    if row.state == "removed" {
        app.objects.release_application(&object).await?;
        return Ok(None);
    }
    if going && row.state != "removing" {
        set_state(app, name.as_str(), "removing").await?;
        row.state = "removing".to_owned();
    }
    if row.state == "ready" && upgrade::of_object(app, &row, &object).await? {
        return self::row(app, name.as_str()).await;
    }
    Ok(matches!(row.state.as_str(), "deploying" | "upgrading" | "removing").then_some(row))
}

async fn set_state(app: &App, name: &str, state: &str) -> Result<()> {
    sqlx::query("update application set state = $1, changed_ms = $2 where name = $3")
        .bind(state)
        .bind(now_ms())
        .bind(name)
        .execute(app.db.pool())
        .await?;
    Ok(())
}

async fn work(app: App, row: Row) {
    let name = row.name.clone();
    let outcome = carry_on(&app, row).await;
    if let Err(error) = outcome {
        tracing::warn!(application = %name, error = %format!("{error:#}"), "an application waits; trying again");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn carry_on(app: &App, row: Row) -> Result<()> {
    match row.state.as_str() {
        "removing" => remove(app, &Deployed::of(row)?).await,
        "upgrading" => match Upgrade::of(&row)? {
            Some(upgrade) => carry_out_upgrade(app, &upgrade, row.steps()).await,
            None => set_state(app, &row.name, "ready").await,
        },
        _ => deploy(app, Deployed::of(row)?).await,
    }
}

/// The steps of one deployment or upgrade as they stand, in SQL and on pages.
struct Progress<'a> {
    app: &'a App,
    deployed: &'a Deployed,
    /// The version before, during an upgrade.
    upgrade: Option<&'a Upgrade>,
    steps: Vec<Step>,
}

impl Progress<'_> {
    fn busy(&self) -> &'static str {
        if self.upgrade.is_some() { "upgrading" } else { "deploying" }
    }

    fn failed(&self) -> &'static str {
        if self.upgrade.is_some() { "upgrade-failed" } else { "failed" }
    }

    fn change(&mut self, at: usize, state: StepState, detail: Option<Text>) {
        let Some(step) = self.steps.get_mut(at) else { return };
        *step = step.moved_to(state, now_ms().unsigned_abs());
        if detail.is_some() {
            step.detail = detail;
        }
    }

    async fn save(&self, state: &str) -> Result<()> {
        let json = serde_json::to_string(&self.steps).map_err(anyhow::Error::from)?;
        // Somebody may have asked for removal in the meantime; that stands. What is ready is in no upgrade any more.
        sqlx::query(
            "update application set steps_json = $1, state = $2, changed_ms = $3,
                                    upgrade_json = case when $2 = 'ready' then null else upgrade_json end
             where name = $4 and state <> 'removing'",
        )
        .bind(json)
        .bind(state)
        .bind(now_ms())
        .bind(self.deployed.name())
        .execute(self.app.db.pool())
        .await?;
        self.tell(state);
        let (deployed, upgrade) = (self.deployed, self.upgrade);
        report::tell(self.app, &Standing { deployed, upgrade, steps: &self.steps, state }).await;
        Ok(())
    }

    fn tell(&self, state: &str) {
        let Some(topic) = self.deployed.row.topic() else { return };
        let data = progress_data(self.deployed, &self.steps, state);
        if let Err(error) = self.app.publish_parts(topic.clone(), "applications/progress_part.html", &data) {
            tracing::error!(%error, "a deployment's progress couldn't be rendered");
        }
        if matches!(state, "ready" | "failed" | "upgrade-failed") {
            self.app.live.publish(topic, Payload::Changed);
            self.app.publish_changed(Topic::tenant(&self.deployed.tenant, "applications"));
        }
    }
}

/// What the progress part of a page is made of; depends on no reader.
pub fn progress_data(deployed: &Deployed, steps: &[Step], state: &str) -> serde_json::Value {
    let now = now_ms().unsigned_abs();
    let one = |step: &Step| {
        json!({
            "id": step.id,
            "state": match step.state {
                StepState::Waiting => "waiting",
                StepState::Running => "now",
                StepState::Done => "done",
                StepState::Failed => "failed",
            },
            "detail": step.detail,
            "link": step.link,
            "took_ms": step.took_ms(now),
        })
    };
    let busy = matches!(state, "deploying" | "upgrading");
    let done = steps.iter().filter(|step| step.state == StepState::Done).count();
    let started = steps.iter().filter_map(|step| step.started_ms).min();
    let ended = steps.iter().filter_map(|step| step.ended_ms).max();
    let took = started.map(|started| if busy { now } else { ended.unwrap_or(now) }.saturating_sub(started));
    json!({
        "name": deployed.name(),
        "state": state,
        "steps": steps.iter().map(one).collect::<Vec<_>>(),
        "usable": super::usable(state, steps),
        "upgrade": steps.iter().any(|step| step.id == upgrade_ids::UPGRADE),
        "done": done,
        "total": steps.len(),
        "took_ms": took,
    })
}

async fn deploy(app: &App, deployed: Deployed) -> Result<()> {
    let mut steps = deployed.row.steps();
    if steps.is_empty() {
        steps = Step::all_waiting(&deployment::ALL);
    }
    let mut progress = Progress { app, deployed: &deployed, upgrade: None, steps };
    if !all_steps(&mut progress).await? {
        return Ok(());
    }
    progress.save("ready").await
}

/// From the version in force to the higher one. What both versions are stays written until the last step is done.
async fn carry_out_upgrade(app: &App, upgrade: &Upgrade, steps: Vec<Step>) -> Result<()> {
    upgrade::align_object(app, &upgrade.to).await?;
    let mut progress = Progress { app, deployed: &upgrade.to, upgrade: Some(upgrade), steps };
    if !all_steps(&mut progress).await? {
        return Ok(());
    }
    progress.save("ready").await
}

/// Carries out what is not done yet; whether all of it succeeded.
async fn all_steps(progress: &mut Progress<'_>) -> Result<bool> {
    let (app, deployed) = (progress.app, progress.deployed);
    if progress.steps.iter().any(|step| step.state == StepState::Done) {
        // A console that has just started finds its chains first.
        super::people::reachable(app, &deployed.row.chain, Duration::from_secs(60)).await;
    }
    for at in 0..progress.steps.len() {
        if progress.steps[at].state == StepState::Done {
            continue;
        }
        // One write ends the step before and begins this one.
        progress.change(at, StepState::Running, None);
        progress.save(progress.busy()).await?;
        let id = progress.steps[at].id.clone();
        let reason = match carry_out(progress, at, &id).await {
            Ok(Ok(report)) => {
                progress.change(at, StepState::Done, report.detail);
                progress.steps[at].link = report.link;
                continue;
            }
            Ok(Err(reason)) => reason,
            Err(error) => {
                tracing::warn!(application = %deployed.name(), step = %id, error = %format!("{error:#}"), "a step of a deployment failed");
                reason(app, &error)
            }
        };
        progress.change(at, StepState::Failed, Some(reason));
        progress.save(progress.failed()).await?;
        return Ok(false);
    }
    Ok(true)
}

/// Runs a step; details that it tells on its way are shown at once and not stored.
async fn carry_out(progress: &mut Progress<'_>, at: usize, id: &str) -> Result<std::result::Result<Report, Text>> {
    let (app, deployed, upgrade) = (progress.app, progress.deployed, progress.upgrade);
    let (sender, mut receiver) = unbounded_channel();
    let mut tell = move |detail: Text| drop(sender.send(detail));
    let running = async {
        match upgrade {
            Some(upgrade) => upgrade::steps::carry_out(app, upgrade, id, &mut tell).await,
            None => steps::carry_out(app, deployed, id, &mut tell).await,
        }
    };
    tokio::pin!(running);
    loop {
        tokio::select! {
            biased;
            carried = &mut running => return carried,
            Some(detail) = receiver.recv() => {
                progress.change(at, StepState::Running, Some(detail));
                progress.tell(progress.busy());
            }
        }
    }
}

fn reason(app: &App, error: &crate::error::Error) -> Text {
    use crate::text::Lang;
    let texts = app.texts();
    match error {
        crate::error::Error::Internal(inner) => Text::same(format!("{inner:#}")),
        other => Text::new(texts.say(Lang::Zh, &other.message()), texts.say(Lang::En, &other.message())),
    }
}

async fn remove(app: &App, deployed: &Deployed) -> Result<()> {
    let object = object::read(app, deployed.name())?;
    match steps::uninstall(app, deployed).await? {
        Ok(()) => {
            set_state(app, deployed.name(), "removed").await?;
            if let Some(object) = &object {
                app.objects.release_application(object).await?;
            }
        }
        Err(sentence) => {
            tracing::error!(application = %deployed.name(), reason = %sentence.en, "the chain refused to uninstall an application");
            // The wish is withdrawn: the application is still there, and its page says so.
            let withdrawn = object.as_ref().map(|object| app.objects.keep_application(object)).transpose()?;
            if withdrawn.unwrap_or(true) {
                set_state(app, deployed.name(), "failed").await?;
            } else if let Some(object) = &object {
                // It stands in the object, and is asked of the chain again: what it objects to may be settled by then.
                report::tell_waiting(app, object, &Waits { reason: reason::STEP_FAILED, sentence }).await;
                tokio::time::sleep(REFUSED_PAUSE).await;
            }
        }
    }
    if let Some(topic) = row(app, deployed.name()).await?.and_then(|row| row.topic()) {
        app.publish_changed(topic);
    }
    app.publish_changed(Topic::tenant(&deployed.tenant, "applications"));
    Ok(())
}
