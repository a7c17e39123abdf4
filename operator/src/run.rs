//! One replica: it serves webhook, health and metrics at once, waits for the lead, carries out while it has it, and ends the
//! process when it loses it: whatever was under way must not go on beside another leader.

use std::{future::pending, time::Duration};

use anyhow::Context as _;
use kube::Client;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    certificate,
    config::Config,
    context::{Context, Shared},
    controllers,
    leader::Election,
    serve,
};

/// What is under way at the end has this long; below the pod's grace period.
const END_WITHIN: Duration = Duration::from_secs(20);

/// Runs until SIGTERM or SIGINT, or until the lead is lost.
pub async fn run(config: Config, pod: &str) -> anyhow::Result<()> {
    // A second call is refused and harmless.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::try_default()
        .await
        .context("the API server's address is not known; the operator runs in a pod, or with a kubeconfig")?;
    let namespace = config.operator_namespace.clone();
    let context = Context::new(client.clone(), config, pod)?;
    // Serving ends last: while the lead is given back, admission is answered still.
    let (shutdown, closing) = (CancellationToken::new(), CancellationToken::new());
    let election = Election::new(client, &namespace, pod);
    let mut serving = tokio::spawn(serve::run(context.clone(), closing.clone()));
    let ended = tokio::select! {
        served = &mut serving => served?.and_then(|()| anyhow::bail!("serving ended by itself")),
        led = lead(context, election, shutdown.clone()) => led,
        _ = ends_of_signals(&shutdown) => Ok(()),
    };
    shutdown.cancel();
    closing.cancel();
    // Requests under way are answered; an idle connection of the API server is not waited for.
    let _ = tokio::time::timeout(Duration::from_secs(3), serving).await;
    ended
}

/// Asks everything to end at the first signal; completes, as a last resort, when that takes too long.
async fn ends_of_signals(shutdown: &CancellationToken) -> anyhow::Result<()> {
    let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
        () = shutdown.cancelled() => return pending().await,
    }
    tracing::info!("ending");
    shutdown.cancel();
    tokio::time::sleep(END_WITHIN).await;
    tracing::warn!("what was under way didn't end in time");
    Ok(())
}

async fn lead(context: Shared, mut election: Election, shutdown: CancellationToken) -> anyhow::Result<()> {
    if shutdown.run_until_cancelled(election.won()).await.is_none() {
        return Ok(());
    }
    context.metrics.set_leader(true);
    // The lead is kept while the controllers end, so that nobody begins beside them.
    let ended = tokio::select! {
        loss = election.lost() => return Err(loss.into()),
        ended = carry_out(context, shutdown.clone()) => ended,
    };
    election.release().await;
    match ended {
        Ok(()) if !shutdown.is_cancelled() => anyhow::bail!("the controllers ended by themselves"),
        ended => ended,
    }
}

/// What only the leader does. Dropped where it stands when the lead is lost.
async fn carry_out(context: Shared, shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(certificate::keep::run(context.clone(), shutdown.clone()));
    tasks.spawn(controllers::run(context, shutdown));
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}
