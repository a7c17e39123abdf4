//! Who acts on chain: an organisation's administrator, a role's own account (samples, checks, scans), a person. Each is a key that the
//! platform holds; what it may do, the chain decides.

use super::calls::{self, Call};
use super::{Deployed, unreachable};
use crate::app::App;
use crate::auth::{Action, Principal, Resource};
use crate::custody::{self, ADMINISTRATOR};
use crate::error::{Error, Result};
use crate::outbox::{Outcome, Signer, send_alone};
use crate::text::Message;
use chain_client::Client;
use chain_types::encoding::{from_slice, to_value};
use chain_types::state::{CHAIN_APP, account_key, key, prefix};
use chain_types::{Account, PublicKey, Value};
use operator_api::Custody;
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// Names of roles.
pub type Roles = BTreeSet<String>;

const APPLICATION: &str = "application";

/// An id of two parts: the first is written with its length.
pub fn joined(first: &str, rest: &[u8]) -> Vec<u8> {
    let mut id = vec![u8::try_from(first.len()).unwrap_or(u8::MAX)];
    id.extend_from_slice(first.as_bytes());
    id.extend_from_slice(rest);
    id
}

pub fn application_key(app: &str) -> Vec<u8> {
    key(CHAIN_APP, APPLICATION, "application", app.as_bytes())
}

fn admission_key(app: &str, organisation: &str) -> Vec<u8> {
    key(CHAIN_APP, APPLICATION, "admission", &joined(app, organisation.as_bytes()))
}

fn assignment_key(app: &str, kid: &PublicKey) -> Vec<u8> {
    key(CHAIN_APP, APPLICATION, "assignment", &joined(app, &kid.0))
}

async fn roles_at(client: &Client, key: &[u8]) -> Result<Roles> {
    let value = client.state_value(key).await.map_err(|_| unreachable())?;
    Ok(value.and_then(|value| from_slice(&value.value).ok()).unwrap_or_default())
}

/// Roles that an organisation is admitted to.
pub async fn admitted(app: &App, deployed: &Deployed, organisation: &str) -> Result<Roles> {
    roles_at(&deployed.way(app)?.client, &admission_key(deployed.name(), organisation)).await
}

/// Every admitted organisation with its roles.
pub async fn admissions(app: &App, deployed: &Deployed) -> Result<Vec<(String, Roles)>> {
    let start = key(CHAIN_APP, APPLICATION, "admission", &joined(deployed.name(), b""));
    let entries = deployed.way(app)?.client.state_list(&start, None, 100).await.map_err(|_| unreachable())?;
    let one = |entry: chain_client::StateEntry| {
        let organisation = String::from_utf8(entry.key.get(start.len()..)?.to_vec()).ok()?;
        Some((organisation, from_slice(&entry.value).unwrap_or_default()))
    };
    Ok(entries.into_iter().filter_map(one).collect())
}

/// The account behind a key, if it is bound.
pub async fn account(client: &Client, kid: &PublicKey) -> Result<Option<Account>> {
    let value = client.state_value(&account_key(kid)).await.map_err(|_| unreachable())?;
    Ok(value.and_then(|value| from_slice(&value.value).ok()))
}

/// The organisations that a chain knows, by id.
pub async fn organisations_on_chain(client: &Client) -> Result<Vec<String>> {
    let start = prefix(CHAIN_APP, "identity", "organisation");
    let entries = client.state_list(&start, None, 500).await.map_err(|_| unreachable())?;
    Ok(entries.iter().filter_map(|entry| String::from_utf8(entry.key.get(start.len()..)?.to_vec()).ok()).collect())
}

/// Organisations of the application's tenant whose keys the platform holds and that its chain knows; the owner first.
pub async fn organisations(app: &App, deployed: &Deployed) -> Result<Vec<String>> {
    let known = organisations_on_chain(&deployed.way(app)?.client).await?;
    let city = app.chains.city();
    let tenant = city.tenants.iter().find(|(name, _)| name.as_str() == deployed.tenant.as_str());
    let held = tenant.into_iter().flat_map(|(_, view)| &view.object.spec.organisations);
    let held = held.filter(|organisation| organisation.custody == Custody::Platform);
    let mut ids: Vec<String> =
        held.map(|organisation| organisation.id.to_string()).filter(|id| known.contains(id)).collect();
    ids.sort_by_key(|id| *id != deployed.row.owner);
    Ok(ids)
}

pub fn administrator(deployed: &Deployed, organisation: &str) -> Signer {
    signer(deployed, organisation, ADMINISTRATOR)
}

/// The account of a role in one application, for what no person does: samples, checks, counted scans.
pub fn of_role(deployed: &Deployed, organisation: &str, role: &str) -> Signer {
    signer(deployed, organisation, &format!("{}/{role}", deployed.name()))
}

fn signer(deployed: &Deployed, organisation: &str, account: &str) -> Signer {
    Signer { tenant: deployed.tenant.clone(), organisation: organisation.to_owned(), account: account.to_owned() }
}

#[derive(Serialize)]
struct Bind<'a> {
    key: PublicKey,
    label: &'a str,
    custody: &'static str,
    administrator: bool,
}

#[derive(Serialize)]
struct Assign<'a> {
    app: &'a str,
    key: PublicKey,
    roles: &'a Roles,
}

#[derive(Serialize)]
struct Admit<'a> {
    app: &'a str,
    organisation: &'a str,
    roles: &'a Roles,
}

fn value(of: &impl Serialize) -> Result<Value> {
    Ok(to_value(of).map_err(|error| anyhow::anyhow!("{error}"))?)
}

pub fn bind(key: PublicKey, label: &str) -> Result<Call<'static>> {
    let args = value(&Bind { key, label, custody: "platform", administrator: false })?;
    Ok(Call::chain("identity", "bind_account", args))
}

pub fn assign(app: &str, key: PublicKey, roles: &Roles) -> Result<Call<'static>> {
    Ok(Call::chain(APPLICATION, "assign", value(&Assign { app, key, roles })?))
}

pub fn admit(app: &str, organisation: &str, roles: &Roles) -> Result<Call<'static>> {
    Ok(Call::chain(APPLICATION, "admit", value(&Admit { app, organisation, roles })?))
}

/// The signer of a step's role, its key made if there is none.
pub async fn role_key(app: &App, signer: &Signer) -> Result<PublicKey> {
    custody::ensure(app, &signer.tenant, &signer.organisation, &signer.account).await
}

/// What a person is in an application.
#[derive(Clone, Debug, Default)]
pub struct Person {
    pub organisation: String,
    /// What the organisation is admitted to: assigned to the person at the next act, if it is not yet.
    pub roles: Roles,
}

impl Person {
    pub fn may(&self, deployed: &Deployed, instance: &str, method: &str) -> bool {
        deployed.allowed(instance, method).iter().any(|role| self.roles.contains(*role))
    }

    /// Whether the person sees what is meant for these roles; everybody does if none is named.
    pub fn sees(&self, roles: &[String]) -> bool {
        roles.is_empty() || roles.iter().any(|role| self.roles.contains(role))
    }
}

fn account_of(principal: &Principal) -> String {
    format!("person/{}", principal.user_id)
}

/// A role that only programs have: it may do nothing that a page offers.
fn for_programs(deployed: &Deployed, role: &str) -> bool {
    let calls = deployed.resolved.chain().allow.get(role);
    calls.is_some_and(|calls| calls.iter().all(|call| call.method == "record_scans"))
}

/// The person's roles. A chain that does not answer leaves a person without roles: pages still show what is indexed.
pub async fn person(app: &App, deployed: &Deployed, principal: &Principal) -> Result<Person> {
    let Some(organisation) = principal.organisation.clone() else { return Ok(Person::default()) };
    if principal.tenant.as_ref() != Some(&deployed.tenant) {
        return Ok(Person::default());
    }
    let admitted = admitted(app, deployed, &organisation).await?;
    let kid = custody::find(app, &deployed.tenant, &organisation, &account_of(principal)).await?;
    let assigned = match kid {
        Some(kid) => {
            let record = deployed.way(app)?.client.state_value(&assignment_key(deployed.name(), &kid)).await;
            record.map_err(|_| unreachable())?.and_then(|value| from_slice::<Roles>(&value.value).ok())
        }
        None => None,
    };
    let mut roles = match assigned {
        // Taken away from this person on chain.
        Some(assigned) if assigned.is_empty() => assigned,
        _ => admitted,
    };
    roles.retain(|role| !for_programs(deployed, role));
    Ok(Person { organisation, roles })
}

/// The person's key on this chain, bound to the organisation and with roles in the application. All of it is made at the first act that needs it.
pub async fn signer_of(app: &App, deployed: &Deployed, principal: &Principal) -> Result<Signer> {
    principal.require(Action::UseApplication, &Resource::Tenant(&deployed.tenant))?;
    let organisation = principal.organisation.clone().filter(|_| principal.tenant.as_ref() == Some(&deployed.tenant));
    let organisation = organisation.ok_or(Error::Forbidden)?;
    let client = &deployed.way(app)?.client;
    let admitted = admitted(app, deployed, &organisation).await?;
    let mut roles: Roles = admitted.clone();
    roles.retain(|role| !for_programs(deployed, role));
    if roles.is_empty() {
        return Err(Error::conflict("not-admitted", Message::new("application-not-admitted")));
    }
    let signer = signer(deployed, &organisation, &account_of(principal));
    let kid = custody::ensure(app, &deployed.tenant, &organisation, &signer.account).await?;
    if account(client, &kid).await?.is_none() {
        // No personal content on chain: the label is the beginning of a random id.
        let label = format!("person-{}", principal.user_id.get(..12).unwrap_or(&principal.user_id));
        as_administrator(app, deployed, &organisation, bind(kid, &label)?).await?;
    }
    let assigned = client.state_value(&assignment_key(deployed.name(), &kid)).await.map_err(|_| unreachable())?;
    let assigned: Option<Roles> = assigned.map(|value| from_slice(&value.value).unwrap_or_default());
    // Roles that the organisation was admitted to since the person's last act, by a newer version say, are added.
    if assigned.is_none_or(|assigned| !assigned.is_empty() && !roles.is_subset(&assigned)) {
        as_administrator(app, deployed, &organisation, assign(deployed.name(), kid, &roles)?).await?;
    }
    Ok(signer)
}

/// A call that an organisation's administrator makes; refused is an error.
pub async fn as_administrator(app: &App, deployed: &Deployed, organisation: &str, call: Call<'_>) -> Result<()> {
    let signer = administrator(deployed, organisation);
    let named = (call.app, call.instance, call.method);
    let standing =
        send_alone(app, &deployed.row.chain, &signer, named, call.args, "application", calls::A_PERSONS_PATIENCE)
            .await?;
    match standing.outcome {
        Outcome::Committed(committed) if committed.applied => Ok(()),
        Outcome::Committed(committed) => match committed.refusal {
            // Two windows at once: the other one was first, which is as good.
            Some(refusal) if refusal.code == "account_exists" => Ok(()),
            refusal => {
                let text = refusal.map(|refusal| chain_types::manifest::sentence(&refusal).zh).unwrap_or_default();
                Err(Error::conflict("refused", Message::Plain(text)))
            }
        },
        _ => Err(unreachable()),
    }
}

/// Waits until a chain can be asked.
pub async fn reachable(app: &App, chain: &str, patience: Duration) -> bool {
    let end = tokio::time::Instant::now() + patience;
    while app.reach.find(chain).is_none() {
        if tokio::time::Instant::now() > end {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    true
}
