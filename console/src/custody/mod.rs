//! Keys that the platform holds for organisations and their people (`custody: platform`): made here, sealed in SQL, opened to
//! sign. It decides nothing about who may sign (that is the caller's `auth::policy`), and no key ever leaves it but to sign.
//!
//! A key belongs to `(tenant, organisation, account)` and serves on every chain of the tenant: the chain's fingerprint is inside
//! every signed byte string, so a signature for one chain is none for another.

use crate::app::App;
use crate::error::{Error, Result};
use crate::names::{Name, random_bytes};
use crate::time::now_ms;
use chain_types::PublicKey;
use chain_types::crypto::SigningKey;
use zeroize::Zeroizing;

/// The account that a chain's genesis binds for each organisation.
pub const ADMINISTRATOR: &str = "administrator";

/// The public side of a key that is held here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub organisation: String,
    pub account: String,
    pub public_key: PublicKey,
}

fn purpose(tenant: &Name, organisation: &str, account: &str) -> String {
    format!("custody/{tenant}/{organisation}/{account}")
}

/// The account's public key; the key is made if there is none yet. Two callers at once get the same one.
pub async fn ensure(app: &App, tenant: &Name, organisation: &str, account: &str) -> Result<PublicKey> {
    if let Some(held) = find(app, tenant, organisation, account).await? {
        return Ok(held);
    }
    let seed = Zeroizing::new(random_bytes::<32>());
    let key = SigningKey::from_seed(&seed);
    let sealed = app.sealing.seal(&purpose(tenant, organisation, account), seed.as_slice());
    sqlx::query(
        "insert into custody_key (tenant, organisation, account, public_key, sealed, created_ms) values ($1, $2, $3, $4, $5, $6)
         on conflict (tenant, organisation, account) do nothing",
    )
    .bind(tenant.as_str())
    .bind(organisation)
    .bind(account)
    .bind(key.public().to_string())
    .bind(sealed)
    .bind(now_ms())
    .execute(app.db.pool())
    .await?;
    // Whoever was first is the one: read back rather than believe.
    find(app, tenant, organisation, account).await?.ok_or(Error::NotFound)
}

/// The key itself, to sign with. `NotFound` if the platform holds none for this account.
pub async fn signing_key(app: &App, tenant: &Name, organisation: &str, account: &str) -> Result<SigningKey> {
    let row: Option<(Vec<u8>,)> =
        sqlx::query_as("select sealed from custody_key where tenant = $1 and organisation = $2 and account = $3")
            .bind(tenant.as_str())
            .bind(organisation)
            .bind(account)
            .fetch_optional(app.db.pool())
            .await?;
    let (sealed,) = row.ok_or(Error::NotFound)?;
    let opened = app.sealing.open(&purpose(tenant, organisation, account), &sealed);
    let seed = opened.map_err(|error| anyhow::anyhow!("the key of {organisation}/{account}: {error}"))?;
    let seed: Zeroizing<[u8; 32]> = Zeroizing::new(
        seed.as_slice().try_into().map_err(|_| anyhow::anyhow!("the key of {organisation}/{account} is no seed"))?,
    );
    Ok(SigningKey::from_seed(&seed))
}

/// The public key of an account, if the platform holds its key.
pub async fn find(app: &App, tenant: &Name, organisation: &str, account: &str) -> Result<Option<PublicKey>> {
    let row: Option<(String,)> =
        sqlx::query_as("select public_key from custody_key where tenant = $1 and organisation = $2 and account = $3")
            .bind(tenant.as_str())
            .bind(organisation)
            .bind(account)
            .fetch_optional(app.db.pool())
            .await?;
    row.map(|(text,)| public(&text)).transpose()
}

/// Every key that is held for a tenant, by organisation and account.
pub async fn held(app: &App, tenant: &Name) -> Result<Vec<Held>> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "select organisation, account, public_key from custody_key where tenant = $1 order by organisation, account",
    )
    .bind(tenant.as_str())
    .fetch_all(app.db.pool())
    .await?;
    let held = |(organisation, account, text): (String, String, String)| {
        Ok(Held { organisation, account, public_key: public(&text)? })
    };
    rows.into_iter().map(held).collect()
}

fn public(text: &str) -> Result<PublicKey> {
    text.parse().map_err(|_| anyhow::anyhow!("a public key in custody_key is not 64 hexadecimal digits").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::tests::Site;

    #[tokio::test]
    async fn a_key_is_made_once_and_signs_as_its_public_side_says() {
        let site = Site::new().await;
        let tenant = Name::parse("notary").unwrap();
        let made = ensure(&site.app, &tenant, "court", ADMINISTRATOR).await.unwrap();
        assert_eq!(ensure(&site.app, &tenant, "court", ADMINISTRATOR).await.unwrap(), made);
        let key = signing_key(&site.app, &tenant, "court", ADMINISTRATOR).await.unwrap();
        assert!(chain_types::crypto::verify_strict(&made, b"m", &key.sign(b"m")));
        assert_ne!(ensure(&site.app, &tenant, "court", "clerk").await.unwrap(), made);
        assert!(held(&site.app, &tenant).await.unwrap().iter().any(|held| held.public_key == made));
    }

    #[tokio::test]
    async fn another_tenants_key_is_not_there_and_a_moved_one_does_not_open() {
        let site = Site::new().await;
        let (notary, medical) = (Name::parse("notary").unwrap(), Name::parse("medical").unwrap());
        ensure(&site.app, &notary, "court", ADMINISTRATOR).await.unwrap();
        assert!(matches!(signing_key(&site.app, &medical, "court", ADMINISTRATOR).await, Err(Error::NotFound)));
        sqlx::query("update custody_key set tenant = 'medical' where organisation = 'court'")
            .execute(site.app.db.pool())
            .await
            .unwrap();
        assert!(signing_key(&site.app, &medical, "court", ADMINISTRATOR).await.is_err());
    }
}
