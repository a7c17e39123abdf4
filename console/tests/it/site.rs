//! A console process with the example city in a temporary home: starts, is killed, starts again, and stops with every node it started.

use super::client::Person;
use console::db::Db;
use std::collections::HashMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than anything here takes on a busy machine.
pub const LONG: Duration = Duration::from_secs(120);
/// The chain that tests deploy on, and the tenant that owns it.
pub const CHAIN: &str = "notary";

pub struct Site {
    folder: TempDir,
    pub url: String,
    listen: String,
    database: Option<String>,
    passwords: HashMap<String, String>,
    child: Option<Child>,
    pub db: Db,
}

/// The node program: of this build, or the one that NODE_BIN names.
fn node() -> PathBuf {
    let beside = Path::new(env!("CARGO_BIN_EXE_console")).with_file_name("chain-node");
    let path = std::env::var_os("NODE_BIN").map_or(beside, PathBuf::from);
    assert!(path.is_file(), "{} is missing: run `cargo build -p chain-node` or set NODE_BIN", path.display());
    path
}

/// Asks until the answer is there.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + LONG;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Site {
    /// A city with an empty catalog, on a database of its own: the home's, or the one that is given.
    pub async fn start(database: Option<String>) -> Self {
        let mut site = Self::prepare(database).await;
        site.launch().await;
        site.chain_works().await;
        site
    }

    /// The same before its first start: no chain has been made.
    pub async fn prepare(database: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("apps")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let home = folder.path().join("home");
        let listen = format!("127.0.0.1:{port}");
        let address = database.clone().unwrap_or_else(|| format!("sqlite://{}", home.join("console.db").display()));
        let made =
            command(folder.path(), &listen, database.as_deref()).args(["init", "--demo", "--json"]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let accounts: Vec<serde_json::Value> = serde_json::from_slice(&made.stdout).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let passwords = accounts.iter().map(|one| (text(&one["login"]), text(&one["password"]))).collect();
        let db = Db::open(&address).await.unwrap();
        let url = format!("http://{listen}");
        Self { folder, url, listen, database, passwords, child: None, db }
    }

    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Starts the console.
    pub fn spawn(&mut self) {
        let log =
            fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("console.log")).unwrap();
        let mut serve = command(self.folder.path(), &self.listen, self.database.as_deref());
        self.child = Some(serve.arg("serve").stdout(Stdio::null()).stderr(log).spawn().unwrap());
    }

    /// Starts the console and waits until it answers.
    pub async fn launch(&mut self) {
        self.spawn();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/readyz", self.url);
        until("the console is ready", async || {
            let answer = http.get(&url).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub fn status(&self, chain: &str) -> serde_json::Value {
        let text = fs::read(self.home().join("chains").join(chain).join("status.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    pub async fn chain_works(&self) {
        until("the chain works", async || {
            let status = self.status(CHAIN);
            matches!(status["phase"].as_str(), Some("healthy" | "idle")).then_some(())
        })
        .await;
    }

    /// Writes a template into the catalog.
    pub fn offer(&self, id: &str, yaml: &str) {
        let folder = self.folder.path().join("apps").join(id);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("app.yaml"), yaml).unwrap();
    }

    pub async fn person(&self, login: &str) -> Person {
        Person::sign_in(&self.url, login, &self.passwords[login]).await
    }

    /// One value of SQL as text; empty if there is no row.
    pub async fn ask(&self, query: &'static str, bound: &str) -> String {
        let row: Option<(String,)> = sqlx::query_as(query).bind(bound).fetch_optional(self.db.pool()).await.unwrap();
        row.map(|(value,)| value).unwrap_or_default()
    }

    pub async fn count(&self, query: &'static str, bound: &str) -> i64 {
        let (n,): (i64,) = sqlx::query_as(query).bind(bound).fetch_one(self.db.pool()).await.unwrap();
        n
    }

    /// The state that an application is in, and its version.
    pub async fn application(&self, name: &str) -> (String, String) {
        let row: Option<(String, String)> = sqlx::query_as("select state, version from application where name = $1")
            .bind(name.to_owned())
            .fetch_optional(self.db.pool())
            .await
            .unwrap();
        row.unwrap_or_default()
    }

    /// Waits until an application is in one of these states, which it must then keep to: another end is a failure.
    pub async fn settled(&self, name: &str, state: &str) {
        until(&format!("{name} is {state}"), async || {
            let (now, _) = self.application(name).await;
            if now != state && matches!(now.as_str(), "failed" | "upgrade-failed") {
                let steps = self.ask("select steps_json from application where name = $1", name).await;
                panic!("{name} is {now}: {steps}");
            }
            (now == state).then_some(())
        })
        .await;
    }

    /// How often a method was applied in an application, as the verified blocks say.
    pub async fn applied(&self, app: &str, method: &str) -> i64 {
        let (n,): (i64,) = sqlx::query_as(
            "select count(*) from chain_tx where chain = $1 and app = $2 and method = $3 and applied = 1",
        )
        .bind(CHAIN)
        .bind(app.to_owned())
        .bind(method.to_owned())
        .fetch_one(self.db.pool())
        .await
        .unwrap();
        n
    }
}

fn command(folder: &Path, listen: &str, database: Option<&str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_console"));
    command.arg("--home").arg(folder.join("home")).args(["--listen", listen]);
    if let Some(database) = database {
        command.args(["--database", database]);
    }
    command.env("CITYCHAIN_APPS_DIR", folder.join("apps")).env("CITYCHAIN_NODE_BIN", node());
    command.env_remove("CONSOLE_WEB").env_remove("CONSOLE_PUBLIC_URL").env_remove("LAN");
    command
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("console.log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the console's last words:\n{}", lines[lines.len().saturating_sub(30)..].join("\n"));
        }
        // Nodes outlive their console on purpose.
        let _ = command(self.folder.path(), &self.listen, self.database.as_deref()).arg("stop").output();
    }
}
