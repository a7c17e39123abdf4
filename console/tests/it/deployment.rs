//! A console that is killed with -9 at every step of a deployment or an upgrade finishes it by itself, exactly once.

use super::apps::{LETTERS, letters};
use super::client::Person;
use super::site::{CHAIN, Site, until};

/// Calls that the deployment of `LETTERS` makes: by method, how often each is applied.
const CALLS: [(&str, i64); 4] = [("install", 1), ("admit", 1), ("assign", 1), ("bind_account", 1)];

/// Which step is under way, if one is.
async fn running(site: &Site, name: &str) -> Option<usize> {
    let steps = site.ask("select steps_json from application where name = $1", name).await;
    let steps: Vec<serde_json::Value> = serde_json::from_str(&steps).unwrap_or_default();
    steps.iter().position(|step| step["state"] == "running")
}

async fn done(site: &Site, name: &str) -> usize {
    let steps = site.ask("select steps_json from application where name = $1", name).await;
    let steps: Vec<serde_json::Value> = serde_json::from_str(&steps).unwrap_or_default();
    steps.iter().filter(|step| step["state"] == "done").count()
}

/// Makes the end of a step take seconds, in the database itself: whoever looks meanwhile finds the step under way, its work done or not, and
/// nothing of its end written down.
async fn slow_end(site: &Site, name: &str, step: usize) {
    let trigger = format!(
        "create trigger slow_end before update of steps_json on application
         when new.name = '{name}' and json_extract(old.steps_json, '$[{step}].state') = 'running'
              and json_extract(new.steps_json, '$[{step}].state') = 'done'
         begin
           select count(*) from (with recursive n(i) as (select 1 union all select i + 1 from n limit 40000000) select i from n);
         end"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(trigger)).execute(site.db.pool()).await.unwrap();
}

/// Asks, and kills the console while `step` is under way; then starts it again. The answer may still be outstanding: what the request
/// writes last waits for the slow end like every other writer.
async fn killed_at(site: &mut Site, name: &str, step: usize, ask: impl Future<Output = ()>) {
    {
        let under_way = until("the step is under way", async || {
            let at = running(site, name).await;
            assert!(at.is_none_or(|at| at <= step), "step {step} went by unseen");
            (at == Some(step)).then_some(())
        });
        tokio::pin!(under_way);
        tokio::select! {
            () = &mut under_way => {}
            () = ask => under_way.await,
        }
    }
    site.kill();
    assert_eq!(running(site, name).await, Some(step), "its end was not written down");
    sqlx::raw_sql("drop trigger slow_end").execute(site.db.pool()).await.unwrap();
    site.launch().await;
}

async fn nothing_is_doubled(site: &Site, name: &str) {
    for (method, times) in CALLS {
        // Accounts are bound under the chain's own name; all else carries the application's name in its arguments.
        let query = "select count(*) from chain_tx where chain = 'notary' and applied = 1 and app = 'chain' and args_json like $1 and method = '";
        let text = format!("{query}{method}'");
        let like = format!("%{name}%");
        let (n,): (i64,) =
            sqlx::query_as(sqlx::AssertSqlSafe(text)).bind(like).fetch_one(site.db.pool()).await.unwrap();
        assert_eq!(n, times, "{method} of {name}");
    }
    let records =
        "select count(*) from chain_tx where chain = 'notary' and applied = 1 and method = 'anchor' and app = $1";
    assert_eq!(site.count(records, name).await, 2, "one sample, one check");
    let keys = "select count(*) from api_key where name = $1";
    assert_eq!(site.count(keys, name).await, 1);
}

#[tokio::test]
async fn a_console_killed_at_every_step_of_a_deployment_finishes_it_once() {
    let mut site = Site::start(None).await;
    site.offer("letters", LETTERS);
    for step in 0..8 {
        let name = format!("letters-{step}");
        slow_end(&site, &name, step).await;
        let mut admin = site.person("notary-admin").await;
        let ask = async {
            let asked = until("the chain can be chosen", async || {
                admin.get("/catalog/letters/deploy").await;
                let form = [("chain", CHAIN), ("name", name.as_str()), ("sample_data", "1"), ("q_prefix", "L")];
                let asked = admin.post("/catalog/letters/deploy", &form).await;
                (asked.status == 303).then_some(asked)
            });
            assert_eq!(asked.await.location, format!("/applications/{name}"));
        };
        killed_at(&mut site, &name, step, ask).await;
        site.settled(&name, "ready").await;
        until("the index has caught up", async || (site.applied(&name, "anchor").await == 2).then_some(())).await;
        nothing_is_doubled(&site, &name).await;
        assert_eq!(done(&site, &name).await, 8);
    }
}

#[tokio::test]
async fn a_console_killed_at_every_step_of_an_upgrade_finishes_it_once() {
    let (mut site, mut admin) = super::upgrade::deployed(None).await;
    for step in 0..6 {
        let version = format!("1.{}.0", step + 1);
        let field =
            format!("          extra{step}: {{type: text, max: 9, place: chain}}\n          pages: {{type: digests");
        let fields: String =
            (0..step).map(|at| format!("          extra{at}: {{type: text, max: 9, place: chain}}\n")).collect();
        let yaml = letters(&[
            ("version: 1.0.0", &format!("version: {version}")),
            ("          pages: {type: digests", &format!("{fields}{field}")),
        ]);
        site.offer("letters", &yaml);
        slow_end(&site, "letters", step).await;
        let ask = until("it can be asked for", async || {
            admin.get("/applications/letters/upgrade").await;
            let confirmed = admin.post("/applications/letters/upgrade", &[("version", version.as_str())]).await;
            (confirmed.status == 303).then_some(())
        });
        killed_at(&mut site, "letters", step, ask).await;
        site.settled("letters", "ready").await;
        assert_eq!(site.application("letters").await.1, version);
        let expected = step as i64 + 1;
        until("the index has caught up", async || (site.applied("chain", "upgrade").await >= expected).then_some(()))
            .await;
        assert_eq!(site.applied("chain", "upgrade").await, expected);
        admin = site.person("notary-admin").await;
    }
    assert_eq!(site.applied("letters", "anchor").await, 2, "no check or sample was carried out again");
    assert_eq!(Person::visitor(&site.url).get("/l/L000001").await.status, 200);
}
