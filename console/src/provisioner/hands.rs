//! What one chain's loop holds between two looks: its files' contents, the processes that it started, what nodes said. Everything in it
//! can be lost: the next console starts from the files.

use super::addresses::Numbers;
use super::home::{self, Home};
use super::process::Ended;
use crate::app::App;
use crate::chains::Entry;
use crate::time::now_ms;
use chain_client::SetChanges;
use chain_plan::{Addresses, Keys, SelfCheck, Voting};
use chain_types::Genesis;
use operator_api::{Name, Text, ValidatorName};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;
use std::sync::Arc;

pub struct Hands {
    pub app: App,
    pub home: Home,
    pub chain: Name,
    pub entry: Arc<Entry>,
    pub numbers: Arc<Numbers>,
    /// The chain's number among the city's addresses.
    pub number: u8,
    /// Started by this console; to be waited for, or they stay as zombies.
    pub children: BTreeMap<ValidatorName, Child>,
    /// Ended before they could write down who they are.
    pub unrecorded: BTreeMap<ValidatorName, Ended>,
    /// Processes that have answered at least once.
    pub answered: BTreeSet<u32>,
    /// The voting set and the height at which it was asked for.
    pub voting: Option<(u64, Voting)>,
    /// Changes of the set that may still be on their way: at first, what the console before may have sent.
    pub set_changes: SetChanges,
    /// Some node holds a transaction that waits for a block.
    pub pending: bool,
    pub keys: Keys,
    pub self_check: Option<SelfCheck>,
    genesis: Option<Genesis>,
    /// What the last pass could not do.
    pub trouble: Option<Text>,
}

impl Hands {
    pub fn new(app: App, home: Home, entry: Arc<Entry>, numbers: Arc<Numbers>) -> anyhow::Result<Self> {
        let chain = entry.name.clone();
        let number = numbers.of_chain(&chain)?;
        Ok(Self {
            app,
            home,
            chain,
            entry,
            numbers,
            number,
            children: BTreeMap::new(),
            unrecorded: BTreeMap::new(),
            answered: BTreeSet::new(),
            voting: None,
            set_changes: SetChanges::since(now_ms().unsigned_abs()),
            pending: false,
            keys: Keys::default(),
            self_check: None,
            genesis: None,
            trouble: None,
        })
    }

    pub fn addresses(&self) -> Addresses {
        Addresses::Loopback { home: self.numbers.home(), chain: self.number }
    }

    /// The genesis that the chain was founded with. Read until it is there; a file never changes afterwards.
    pub fn founded(&mut self) -> Option<&Genesis> {
        if self.genesis.is_none() {
            match home::read_json(&self.home.genesis(&self.chain)) {
                Ok(found) => self.genesis = found,
                Err(error) => self.trouble = Some(home::in_words(&error)),
            }
        }
        self.genesis.as_ref()
    }
}
