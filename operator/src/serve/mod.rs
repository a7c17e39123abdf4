//! What a replica serves: `/healthz`, `/readyz` and `/metrics` in plain HTTP on one port, the webhook in TLS on another. Both
//! replicas serve, whoever leads. Ready means that the webhook has its certificate.

pub mod tls;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    certificate::{Held, SECRET},
    context::Shared,
    webhook,
};

/// Metrics and health.
pub const PLAIN_PORT: u16 = 8080;
pub const WEBHOOK_PORT: u16 = 8443;

/// How soon a new certificate is served, and how often it is looked for while there is none.
const LOOK_EVERY: Duration = Duration::from_secs(30);
const LOOK_FIRST_EVERY: Duration = Duration::from_secs(1);

/// Serves until `shutdown`, then ends what is under way.
pub async fn run(context: Shared, shutdown: CancellationToken) -> anyhow::Result<()> {
    let serving = Arc::new(tls::Serving::default());
    let plain = listen(PLAIN_PORT).await?;
    let encrypted = tls::TlsListener::new(listen(WEBHOOK_PORT).await?, Arc::clone(&serving))?;
    let ended = || shutdown.clone().cancelled_owned();
    let health = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state((context.clone(), Arc::clone(&serving)));
    let health = axum::serve(plain, health).with_graceful_shutdown(ended());
    let hook = axum::serve(encrypted, webhook::router(context.clone())).with_graceful_shutdown(ended());
    tokio::try_join!(
        async { health.await.context("serving health and metrics ended") },
        async { hook.await.context("serving the webhook ended") },
        async {
            follow_certificate(context, serving, &shutdown).await;
            Ok(())
        },
    )?;
    Ok(())
}

async fn listen(port: u16) -> anyhow::Result<TcpListener> {
    // Both families where the machine has them.
    let any = [SocketAddr::from(([0u16; 8], port)), SocketAddr::from(([0u8; 4], port))];
    TcpListener::bind(any.as_slice())
        .await
        .with_context(|| format!("port {port} cannot be listened on; is another operator running here?"))
}

/// Serves what the Secret holds, soon after it changes.
async fn follow_certificate(context: Shared, serving: Arc<tls::Serving>, shutdown: &CancellationToken) {
    let api: Api<Secret> = Api::namespaced(context.client.clone(), &context.config.operator_namespace);
    let mut current: Option<Held> = None;
    loop {
        match api.get_opt(SECRET).await {
            Ok(secret) => {
                let held = secret.and_then(|secret| Held::read(secret.data.as_ref()?));
                if let Some(held) = held.filter(|held| Some(held) != current.as_ref()) {
                    match serving.set(&held) {
                        Ok(()) => {
                            context.metrics.set_certificate_end(held.facts.leaf_ends_s);
                            tracing::info!(ends_s = held.facts.leaf_ends_s, "serving the webhook's certificate");
                            current = Some(held);
                        }
                        Err(error) => tracing::error!(
                            "the certificate in the Secret {SECRET} can't be served: {error:#}; delete the Secret and it is made anew"
                        ),
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "the Secret {SECRET} can't be read"),
        }
        let pause = if current.is_some() { LOOK_EVERY } else { LOOK_FIRST_EVERY };
        if shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

type Health = (Shared, Arc<tls::Serving>);

async fn ready(State((_, serving)): State<Health>) -> (StatusCode, &'static str) {
    if serving.is_ready() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the webhook has no certificate yet; `operator setup` makes it")
    }
}

async fn metrics(State((context, _)): State<Health>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], context.metrics.text())
}
