//! The samples and acceptance checks of every template of the catalog, carried out call by call. Which templates there
//! are does not matter: any folder may go.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chain_types::account::Custody;
use chain_types::genesis::Governance;
use chain_types::manifest::{
    Actor, Answers, AppTemplate, Place, ResolvedTemplate, Step, arguments_from_json, commitment,
};
use chain_types::{Hash, PublicKey};
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::chain::*;
use crate::step_arguments::{StepContext, step_arguments};

fn folders() -> Vec<PathBuf> {
    let here = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../web/apps");
    let root = std::env::var_os("CITYCHAIN_APPS_DIR").map_or_else(here, PathBuf::from);
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).collect();
    folders.retain(|path| path.join("app.yaml").exists());
    folders.sort();
    folders
}

/// A deployment: `city` is the organisation that deploys, `maker` the other one.
struct Deployment<'a> {
    chain: Chain,
    folder: &'a Path,
    resolved: &'a ResolvedTemplate,
    accounts: BTreeMap<String, u8>,
    saved: BTreeMap<String, Json>,
}

#[derive(Serialize)]
struct AssignAny<'a> {
    app: &'a str,
    key: PublicKey,
    roles: [&'a str; 1],
}

impl Deployment<'_> {
    /// An account with one role, made when it is first needed.
    fn account(&mut self, actor: &Actor) -> u8 {
        let next = 20 + u8::try_from(self.accounts.len()).unwrap();
        if let Some(account) = self.accounts.get(&actor.to_string()) {
            return *account;
        }
        let admin = if actor.organisation.is_some() { MAKER } else { CITY };
        let bind = Bind { key: key(next).public(), label: "step", custody: Custody::Platform, administrator: false };
        self.chain.ok(admin, "chain", "identity", "bind_account", bind);
        let assign = AssignAny { app: APP, key: key(next).public(), roles: [&actor.role] };
        self.chain.ok(admin, "chain", "application", "assign", assign);
        self.accounts.insert(actor.to_string(), next);
        next
    }

    fn step(&mut self, step: &Step, place: &str) {
        let Step::Call { actor, call, with, save, expect } = step else { return };
        let who = self.account(actor);
        let chain = self.resolved.chain();
        let instance = chain.instances.get(&call.instance).unwrap();
        let spec = chain.spec_of(&call.instance).unwrap().call(&call.method).unwrap();
        let context = StepContext {
            now_ms: self.chain.context.time_ms,
            saved: &|name| match name {
                "own.organisation" => Some(json!("city")),
                "other.organisation" => Some(json!("maker")),
                _ => self.saved.get(name).cloned(),
            },
            digest: &|path| std::fs::read(self.folder.join(path)).ok().map(|bytes| Hash::of(&bytes)),
        };
        let mut arguments = step_arguments(spec, instance, with, &context).unwrap_or_else(|e| panic!("{place}: {e}"));
        for (name, content) in &arguments.off_chain {
            if instance.own_field(name).unwrap().place == Place::Commitment {
                arguments.json["fields"][name] = json!(commitment(name, &[7; 32], content));
            }
        }
        let args =
            arguments_from_json(spec, Some(instance), &arguments.json).unwrap_or_else(|e| panic!("{place}: {e}"));
        let verdict = self.chain.call(who, APP, &call.instance, &call.method, &args);
        match (&expect.refused, verdict) {
            (Some(code), verdict) => assert_eq!(&verdict.unwrap_err().code, code, "{place}"),
            (None, verdict) => {
                let events = verdict.unwrap_or_else(|r| panic!("{place}: {r:?}"));
                let fields = chain_types::api::value_to_json(&events[0].fields);
                for (name, value) in fields.as_object().unwrap() {
                    save.iter().for_each(|save| drop(self.saved.insert(format!("{save}.{name}"), value.clone())));
                }
            }
        }
    }
}

#[test]
fn samples_and_checks_of_every_template_do_what_they_expect() {
    for folder in folders() {
        let text = std::fs::read_to_string(folder.join("app.yaml")).unwrap();
        let template: AppTemplate =
            serde_yaml_ng::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let resolved = template.resolve(&Answers::new()).unwrap();
        let mut chain = Chain::bare(Governance::Platform);
        chain.install(APP, resolved.chain());
        let roles: Vec<&str> = resolved.chain().roles.names().collect();
        for organisation in ["city", "maker"] {
            let admit = json!({"app": APP, "organisation": organisation, "roles": roles});
            chain.ok(CITY, "chain", "application", "admit", admit);
        }
        let (accounts, saved) = Default::default();
        let mut deployment = Deployment { chain, folder: &folder, resolved: &resolved, accounts, saved };
        for (list, steps) in [("samples", &template.samples), ("checks", &template.checks)] {
            for (at, step) in steps.iter().enumerate() {
                deployment.step(step, &format!("{}: {list}[{at}]", template.id));
            }
        }
    }
}
