//! The console's configuration: `console.toml` in the home, overridden by flags and environment. An unknown key is refused, not ignored.

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// What can be said on the command line or in the environment.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Settings {
    /// Folder that holds configuration, database, keys and chains
    #[arg(long, env = "CITYCHAIN_HOME", default_value = ".city", global = true)]
    pub home: PathBuf,
    /// Configuration file, instead of the home's console.toml
    #[arg(long, env = "CONSOLE_CONFIG", global = true)]
    pub config: Option<PathBuf>,
    /// File of the master key, instead of the home's master.key
    #[arg(long, env = "CONSOLE_MASTER_KEY_FILE", global = true)]
    pub master_key: Option<PathBuf>,
    /// Where chains are made, instead of what the configuration says
    #[arg(long, env = "CONSOLE_MODE", global = true)]
    pub mode: Option<Mode>,
    /// Address to listen on, instead of the configuration's
    #[arg(long, env = "CONSOLE_LISTEN", global = true)]
    pub listen: Option<SocketAddr>,
    /// Address that people use, the only source of QR contents
    #[arg(long, env = "CONSOLE_PUBLIC_URL", global = true)]
    pub public_url: Option<String>,
    /// sqlite:// or postgres:// address, instead of the configuration's
    #[arg(long, env = "CONSOLE_DATABASE", global = true)]
    pub database: Option<String>,
    /// Listen on the local network too
    #[arg(long, env = "LAN", global = true, value_parser = clap::builder::FalseyValueParser::new(), num_args = 0..=1, default_missing_value = "1")]
    pub lan: Option<bool>,
    /// Read templates, texts and static files from this folder at every request, instead of those built in (for working on pages)
    #[arg(long, env = "CONSOLE_WEB", global = true)]
    pub web: Option<PathBuf>,
}

/// A text in both languages.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bilingual {
    pub zh: String,
    pub en: String,
}

/// Where the city's objects live and who carries them out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Files of the home; this process makes chains as processes of this machine.
    #[default]
    Embedded,
    /// Custom resources of the Kubernetes cluster that the console runs in; the operator makes chains.
    Cluster,
}

/// `[cluster]`: what only a console in a cluster needs.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterFile {
    /// Versions of the node program that the operator has an image of: those that the form for a chain offers.
    pub versions: BTreeSet<operator_api::Version>,
}

/// What the top bar says about this installation.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    Demo,
    Sandbox,
    Production,
}

/// `console.toml`. Every key has a default but `public_url`'s is derived from `listen`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// What people type and what QR codes contain; derived from `listen` if absent.
    pub public_url: Option<String>,
    /// Phones on the same network may connect: listens on all addresses. Excludes nothing, but needs a `public_url` that phones reach.
    pub lan: bool,
    /// `sqlite://…` or `postgres://…`; a file `console.db` in the home if absent.
    pub database: Option<String>,
    /// The city's name.
    pub city: Bilingual,
    /// The city's name in identifiers of chains, `<city>.<tenant>.<chain>`.
    pub city_name: operator_api::Name,
    /// Validators listen on 127.<home_number>.<chain>.<n>; chosen free at the first start if absent.
    pub home_number: Option<u8>,
    pub environment: Environment,
    pub mode: Mode,
    pub session: SessionLimits,
    pub cluster: ClusterFile,
}

/// How long a session lives.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionLimits {
    /// Minutes without a request after which a session ends.
    pub idle_minutes: u32,
    /// Hours after sign-in at which a session ends in any case.
    pub absolute_hours: u32,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { idle_minutes: 30, absolute_hours: 12 }
    }
}

impl Default for File {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8800)),
            public_url: None,
            lan: false,
            database: None,
            city: Bilingual { zh: "云川市·示例".to_owned(), en: "Yunchuan (example)".to_owned() },
            city_name: "yunchuan".parse().expect("the default is a name"),
            home_number: None,
            environment: Environment::Demo,
            mode: Mode::default(),
            session: SessionLimits::default(),
            cluster: ClusterFile::default(),
        }
    }
}

/// The configuration in force, checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub home: PathBuf,
    pub listen: SocketAddr,
    /// Without a slash at the end.
    pub public_url: String,
    /// Cookies carry `Secure` and the `__Host-` prefix.
    pub https: bool,
    /// QR codes work on other devices.
    pub reachable: bool,
    pub database: String,
    pub city: Bilingual,
    pub city_name: operator_api::Name,
    pub home_number: Option<u8>,
    pub environment: Environment,
    pub mode: Mode,
    /// Versions of the node program that the cluster's operator can run.
    pub versions: BTreeSet<operator_api::Version>,
    pub master_key: PathBuf,
    pub session_idle_ms: i64,
    pub session_absolute_ms: i64,
    pub web: Option<PathBuf>,
}

impl Settings {
    pub fn config_file(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| self.home.join("console.toml"))
    }

    pub fn master_key_file(&self) -> PathBuf {
        self.master_key.clone().unwrap_or_else(|| self.home.join("master.key"))
    }
}

impl Config {
    /// Reads `console.toml` and applies flags and environment.
    pub fn read(settings: &Settings) -> anyhow::Result<Self> {
        let path = settings.config_file();
        let text = std::fs::read_to_string(&path).with_context(|| {
            let (path, home) = (path.display(), settings.home.display());
            format!("couldn't read {path}: run `console init --home {home}` first, or name the file with --config")
        })?;
        let file = parse(&text).with_context(|| format!("{} doesn't fit", path.display()))?;
        Self::decide(settings, file)
    }

    pub(crate) fn decide(settings: &Settings, file: File) -> anyhow::Result<Self> {
        let lan = settings.lan.unwrap_or(file.lan);
        let mut listen = settings.listen.unwrap_or(file.listen);
        if lan && listen.ip().is_loopback() {
            listen.set_ip(std::net::Ipv4Addr::UNSPECIFIED.into());
        }
        let given = settings.public_url.clone().or(file.public_url);
        let public_url = given.unwrap_or_else(|| default_url(listen)).trim_end_matches('/').to_owned();
        let Some((scheme, authority)) =
            public_url.split_once("://").filter(|(s, a)| matches!(*s, "http" | "https") && !a.is_empty())
        else {
            bail!("public_url must start with http:// or https://, not {public_url:?}");
        };
        if file.session.idle_minutes == 0 || file.session.absolute_hours == 0 {
            bail!("session.idle_minutes and session.absolute_hours must be at least 1");
        }
        let host = authority.split(['/', ':']).next().unwrap_or_default();
        Ok(Self {
            https: scheme == "https",
            reachable: !(host == "localhost" || host.starts_with("127.") || authority.starts_with("[::1]")),
            listen,
            database: settings.database.clone().or(file.database).unwrap_or_else(|| default_database(&settings.home)),
            city: file.city,
            city_name: file.city_name,
            home_number: file.home_number,
            environment: file.environment,
            mode: settings.mode.unwrap_or(file.mode),
            versions: file.cluster.versions,
            master_key: settings.master_key_file(),
            session_idle_ms: i64::from(file.session.idle_minutes) * 60_000,
            session_absolute_ms: i64::from(file.session.absolute_hours) * 3_600_000,
            home: settings.home.clone(),
            web: settings.web.clone(),
            public_url,
        })
    }
}

/// Parses the text of a `console.toml`.
pub fn parse(text: &str) -> anyhow::Result<File> {
    toml::from_str(text)
        .context("change or remove this key; `console init` in an empty folder writes a file with every key")
}

/// The text that `init` writes, with what each key means.
pub fn initial_text() -> String {
    let file = File::default();
    format!(
        "# Configuration of the console. Every key may be left out; flags and environment win over this file.\n\n\
         # Address to listen on.\nlisten = \"{}\"\n\n\
         # What people type and what QR codes contain. Derived from `listen` if absent.\n# public_url = \"https://city.example\"\n\n\
         # true: phones on the same network may connect.\nlan = false\n\n\
         # Absent: the file console.db beside this one.\n# database = \"postgres://console@localhost/console\"\n\n\
         # demo, sandbox or production: shown in the top bar.\nenvironment = \"demo\"\n\n\
         # The city in identifiers of chains: <city>.<tenant>.<chain>. Never change it once there are chains.\ncity_name = \"{}\"\n\n\
         # embedded: chains are processes of this machine. cluster: custom resources of the Kubernetes cluster that the console runs in.\nmode = \"embedded\"\n\n\
         # Validators listen on 127.<home_number>.<chain>.<n>. Absent: a free number is chosen at the first start.\n# home_number = 77\n\n\
         [city]\nzh = \"{}\"\nen = \"{}\"\n\n\
         [session]\n# Minutes without a request, and hours after sign-in, at which a session ends.\nidle_minutes = {}\nabsolute_hours = {}\n",
        file.listen, file.city_name, file.city.zh, file.city.en, file.session.idle_minutes, file.session.absolute_hours
    )
}

fn default_database(home: &Path) -> String {
    format!("sqlite://{}", home.join("console.db").display())
}

fn default_url(listen: SocketAddr) -> String {
    if listen.ip().is_unspecified() {
        return format!("http://127.0.0.1:{}", listen.port());
    }
    format!("http://{listen}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_initial_file_says_what_the_defaults_are() {
        let file = parse(&initial_text()).unwrap();
        let default = File::default();
        assert_eq!((file.listen, file.city, file.environment), (default.listen, default.city, default.environment));
        assert!(file.public_url.is_none() && file.database.is_none());
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_name() {
        let error = format!("{:#}", parse("listen_on = \"127.0.0.1:1\"").unwrap_err());
        assert!(error.contains("listen_on"), "{error}");
        assert!(parse("[session]\nidle = 3").is_err());
    }

    #[test]
    fn flags_win_and_a_local_address_is_known_as_such() {
        let mut settings = Settings { home: "/h".into(), ..Settings::default() };
        let config = Config::decide(&settings, File::default()).unwrap();
        assert_eq!(config.public_url, "http://127.0.0.1:8800");
        assert!(!config.reachable && !config.https);
        assert_eq!(config.database, "sqlite:///h/console.db");
        settings.lan = Some(true);
        settings.public_url = Some("https://city.example/".to_owned());
        let config = Config::decide(&settings, File::default()).unwrap();
        assert!(config.reachable && config.https && config.listen.ip().is_unspecified());
        assert_eq!(config.public_url, "https://city.example");
        settings.public_url = Some("city.example".to_owned());
        assert!(Config::decide(&settings, File::default()).is_err());
    }
}
