//! The first start in a pod: folder and master key on its volume, and an administrator whose one-time password the installation made. Nobody is
//! asked, nothing is printed, and what is there is left as it is.

use super::{make_home, make_master_key};
use crate::app::App;
use crate::audit::Actor;
use crate::auth::{Role, password};
use crate::config::Config;
use crate::names::Login;
use crate::service::users::{self, NewUser};
use anyhow::{Context, bail};
use std::path::Path;
use zeroize::Zeroizing;

/// Folder and key. The volume's group is the pod's own: that is how volumes are mounted.
pub fn prepare_volume(config: &Config) -> anyhow::Result<()> {
    make_home(&config.home, 0o007)?;
    make_master_key(&config.home, &config.master_key)
}

/// Name and password of the first administrator, as the installation made them.
#[derive(serde::Deserialize)]
struct Administrator {
    username: String,
    password: String,
}

impl Administrator {
    /// From a folder with a file for each, as a mounted Secret is, or from one YAML or JSON file.
    fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            |path: &Path| std::fs::read_to_string(path).with_context(|| format!("couldn't read {}", path.display()));
        let given = if path.is_dir() {
            Self { username: text(&path.join("username"))?, password: text(&path.join("password"))? }
        } else {
            serde_yaml_ng::from_str(&Zeroizing::new(text(path)?))
                // The parser's own words could repeat the password.
                .map_err(|_| anyhow::anyhow!("{} must hold `username` and `password`", path.display()))?
        };
        if given.password.trim().is_empty() {
            bail!("the password in {} is empty", path.display());
        }
        Ok(given)
    }
}

/// The first account of a console that has none: the platform operator's, whose password must be changed at the first sign-in.
pub async fn first_administrator(app: &App, given: Option<&Path>) -> anyhow::Result<()> {
    let (accounts,): (i64,) = sqlx::query_as("select count(*) from users").fetch_one(app.db.pool()).await?;
    if accounts > 0 {
        return Ok(());
    }
    let Some(path) = given else {
        bail!(
            "nobody could sign in: name the first administrator with --administrator, a file with `username` and `password`"
        );
    };
    let administrator = Administrator::read(path)?;
    let Some(login) = Login::parse(&administrator.username) else {
        bail!("{:?} in {} is no sign-in name", administrator.username, path.display());
    };
    let secret = Zeroizing::new(administrator.password.trim().to_owned());
    let hash = password::hash(secret).await?;
    let new = NewUser {
        display_name: login.as_str().to_owned(),
        login,
        role: Role::PlatformOperator,
        tenant: None,
        organisation: None,
    };
    let mut tx = app.db.write().await?;
    users::insert(&mut tx, Actor::System, &new, &hash, true).await?;
    tx.commit().await?;
    tracing::info!(
        login = new.login.as_str(),
        "the first administrator can sign in; the password must be changed then"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn a_pods_first_start_makes_one_administrator_who_must_change_the_password() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("administrator");
        std::fs::create_dir(&secret).unwrap();
        std::fs::write(secret.join("username"), "admin\n").unwrap();
        std::fs::write(secret.join("password"), "first-words-only-once\n").unwrap();
        let toml = folder.path().join("mounted.toml");
        std::fs::write(&toml, "environment = \"production\"").unwrap();
        let settings = Settings { home: folder.path().join("volume/home"), config: Some(toml), ..Settings::default() };
        let config = Config::read(&settings).unwrap();
        prepare_volume(&config).unwrap();
        // As the volume comes back with the pod's group.
        std::fs::set_permissions(&config.home, PermissionsExt::from_mode(0o2770)).unwrap();
        prepare_volume(&config).unwrap();
        let app = App::open(config).await.unwrap();
        let error = first_administrator(&app, None).await.unwrap_err().to_string();
        assert!(error.contains("--administrator"), "{error}");
        for _ in 0..2 {
            first_administrator(&app, Some(&secret)).await.unwrap();
        }
        let all: Vec<(String, i64)> =
            sqlx::query_as("select login, must_change from users").fetch_all(app.db.pool()).await.unwrap();
        assert_eq!(all, [("admin".to_owned(), 1)]);
        // Once there are accounts the file may go.
        first_administrator(&app, None).await.unwrap();
    }

    #[test]
    fn an_administrators_file_that_does_not_fit_is_told_without_its_password() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("administrator.yaml");
        for text in ["username: a", "username: admin\npassword: ''", "hunter2-hunter2", "{username: [hunter2-hunter2]}"]
        {
            std::fs::write(&path, text).unwrap();
            let error = Administrator::read(&path).err().unwrap();
            assert!(!format!("{error:#}").contains("hunter2"), "{error:#}");
        }
        std::fs::write(&path, "{\"username\": \"admin\", \"password\": \"words\"}").unwrap();
        let given = Administrator::read(&path).unwrap();
        assert_eq!((given.username.as_str(), given.password.as_str()), ("admin", "words"));
    }
}
