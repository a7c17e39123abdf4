//! `console serve`: takes the home's lock, opens the database, listens, and stops in order when asked to.

use crate::app::App;
use crate::config::{Config, Mode, Settings};
use crate::objects::Objects;
use crate::provisioner::{self, home::Home, process};
use crate::setup::pod;
use crate::{cluster, http};
use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[derive(clap::Args)]
pub struct ServeOptions {
    /// Also stop every node when the console stops; otherwise chains go on and are adopted at the next start
    #[arg(long)]
    stop_nodes_on_exit: bool,
    /// In a cluster: the first administrator's `username` and `password`, in one file or in a folder with a file for each (a mounted Secret);
    /// used while there is no account yet
    #[arg(long, env = "CONSOLE_ADMINISTRATOR_FILE")]
    administrator: Option<PathBuf>,
}

/// Serves until SIGINT or SIGTERM.
pub async fn serve(settings: Settings, options: ServeOptions) -> anyhow::Result<()> {
    let config = Config::read(&settings)?;
    if config.mode == Mode::Cluster {
        pod::prepare_volume(&config)?;
    }
    let _lock = lock(&config.home)?;
    let listener = listen(config.listen).await?;
    let app = App::open(config).await?;
    match &app.objects {
        Objects::Home(_) => provisioner::start(&app).await?,
        Objects::Cluster(cluster) => {
            pod::first_administrator(&app, options.administrator.as_deref()).await?;
            cluster::start(&app, cluster.clone());
        }
    }
    crate::indexer::start(&app);
    crate::gateway::start(&app);
    crate::applications::start(&app);
    tokio::spawn(crate::service::audit_anchor::run(app.clone()));
    tokio::spawn(crate::service::witness::run(app.clone()));
    tracing::info!(url = %app.config.public_url, listen = %app.config.listen, home = %app.config.home.display(), "the console is ready");
    let router = http::router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let stopping = app.stopping.clone();
    let stop_on_signal = async move {
        if let Err(error) = wait_for_signal().await {
            tracing::error!(%error, "couldn't listen for signals; stop the process with SIGKILL");
            std::future::pending::<()>().await;
        }
        // Event streams never end by themselves; they end on this, and then the server can.
        stopping.cancel();
    };
    axum::serve(listener, router).with_graceful_shutdown(stop_on_signal).await.context("the server failed")?;
    app.chains.loops.close();
    app.chains.loops.wait().await;
    if options.stop_nodes_on_exit {
        process::stop_all(&Home::new(&app.config.home)).await?;
    }
    app.db.close().await;
    tracing::info!("the console has stopped");
    Ok(())
}

/// `console stop`: ends every node that the home's records name; with a console running, stop that first or it starts them again.
pub async fn stop_nodes(settings: Settings) -> anyhow::Result<()> {
    // A running console would start again what is stopped. Without a home there is nothing to stop either.
    let _lock = if settings.home.exists() { Some(lock(&settings.home)?) } else { None };
    let stopped = process::stop_all(&Home::new(&settings.home)).await?;
    match stopped {
        0 => println!("no node of {} is running", settings.home.display()),
        1 => println!("1 node has stopped"),
        n => println!("{n} nodes have stopped"),
    }
    Ok(())
}

/// `console reindex CHAIN`
pub async fn reindex(settings: Settings, chain: &str) -> anyhow::Result<()> {
    let config = Config::read(&settings)?;
    let _lock = lock(&config.home)?;
    let app = App::open(config).await?;
    crate::indexer::forget(&app, chain).await?;
    app.db.close().await;
    println!("the index of {chain} is forgotten; the next start of the console makes it anew");
    Ok(())
}

/// One console a home: two would both drive the same chains. The lock goes with the process, however it ends.
fn lock(home: &Path) -> anyhow::Result<File> {
    let path = home.join("lock");
    let file = File::create(&path).with_context(|| format!("couldn't open {}", path.display()))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        bail!("another console already serves {}; stop it first or choose another --home", home.display());
    }
    Ok(file)
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!(
                "port {} is in use; stop the program that holds it or choose another with --listen {}:PORT",
                address.port(),
                address.ip()
            )
        }
        Err(error) => {
            Err(error).with_context(|| format!("couldn't listen on {address}; choose another address with --listen"))
        }
    }
}

async fn wait_for_signal() -> std::io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
