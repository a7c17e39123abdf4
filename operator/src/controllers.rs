//! What only the leader runs: a controller for each kind and what they need beside them. Each runs until `shutdown`; the
//! first that cannot go on ends the process, and the other replica takes over.

use std::fmt::Display;

use futures::{
    Stream, StreamExt as _,
    future::{BoxFuture, FutureExt as _, try_join_all},
};
use tokio_util::sync::CancellationToken;

use crate::{backup, chain, context::Shared, founding, objects::is_conflict, restore, tenant};

/// Runs every controller.
pub async fn run(context: Shared, shutdown: CancellationToken) -> anyhow::Result<()> {
    let controllers: Vec<BoxFuture<'static, anyhow::Result<()>>> = vec![
        tenant::run(context.clone(), shutdown.clone()).boxed(),
        chain::run(context.clone(), shutdown.clone()).boxed(),
        backup::run(context.clone(), shutdown.clone()).boxed(),
        restore::run(context.clone(), shutdown.clone()).boxed(),
        founding::run(context, shutdown).boxed(),
    ];
    try_join_all(controllers).await.map(|_| ())
}

/// Somebody else wrote the object since it was read.
pub const CONFLICT: &str = "conflict";

/// What a pass failed of, for counting.
pub fn what_failed(error: &anyhow::Error) -> &'static str {
    match error.downcast_ref::<kube::Error>() {
        Some(error) if is_conflict(error) => CONFLICT,
        Some(_) => "api-server",
        None => "other",
    }
}

/// Goes along with a controller until it ends. What a pass could not do is logged; the controller tries it again.
pub async fn log_failures<T, E: Display>(passes: impl Stream<Item = Result<T, E>>) {
    passes
        .for_each(|result| async move {
            if let Err(error) = result {
                tracing::warn!("{error:#}");
            }
        })
        .await;
}
