//! The first state of a chain, from its genesis: organisations, their administrators' accounts, and how it is governed.

use chain_types::Genesis;
use chain_types::account::{Account, AccountStatus, Organisation};
use chain_types::state::{CHAIN_APP, account_key, key};

use crate::modules::governance::state::{PARAMETERS, Parameters, STEWARD, VALIDATORS};
use crate::modules::identity::state::ORGANISATION;
use crate::overlay::encode;
use crate::state::{Changes, StateError};

/// The label of the administrator's account that genesis binds for each organisation.
const ADMINISTRATOR_LABEL: &str = "administrator";

/// What height 0 holds.
pub fn genesis_state(genesis: &Genesis) -> Result<Changes, StateError> {
    genesis.check().map_err(|e| StateError(e.to_string()))?;
    let mut changes = Changes::new();
    for o in &genesis.organisations {
        let organisation = Organisation { administrator: o.administrator, title: o.title.clone() };
        let account = Account {
            organisation: o.id.clone(),
            administrator: true,
            custody: o.custody,
            status: AccountStatus::Active,
            label: ADMINISTRATOR_LABEL.to_owned(),
        };
        changes.insert(key(CHAIN_APP, "identity", ORGANISATION, o.id.as_bytes()), Some(encode(&organisation)?));
        let previous = changes.insert(account_key(&o.administrator), Some(encode(&account)?));
        if previous.is_some() {
            return Err(StateError(format!(
                "genesis names key {} as administrator of two organisations",
                o.administrator
            )));
        }
    }
    let parameters = Parameters::of(genesis);
    changes.insert(key(CHAIN_APP, "governance", PARAMETERS, b""), Some(encode(&parameters)?));
    changes.insert(key(CHAIN_APP, "governance", STEWARD, b""), Some(encode(&genesis.steward)?));
    let validators = key(CHAIN_APP, "governance", VALIDATORS, b"");
    changes.insert(validators, Some(encode(&genesis.validator_set().validators())?));
    Ok(changes)
}
