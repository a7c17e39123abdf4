//! Which loopback addresses this city uses: `127.<home>.<chain>.<n>`. The home's number is chosen free at the first start and kept; a
//! chain keeps its number for good. No port is ever searched for.

use super::home::{self, Home};
use anyhow::{Context, bail};
use operator_api::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;

/// The first number that is tried.
pub const FIRST_HOME: u8 = 77;
const LAST_HOME: u8 = 126;

/// `addresses.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Book {
    home: u8,
    chains: BTreeMap<Name, u8>,
}

/// The numbers, and the claim on them for as long as this lives.
pub struct Numbers {
    home: Home,
    book: Mutex<Book>,
    /// Nobody listens here; being bound says to other consoles on this machine that the number is taken.
    _claim: TcpListener,
}

impl Numbers {
    /// Reads the numbers, or chooses the home's: `wanted` if given, else the first that nobody on this machine uses.
    pub fn claim(home: &Home, wanted: Option<u8>) -> anyhow::Result<Self> {
        let path = home.addresses();
        if let Some(book) = home::read_json::<Book>(&path)? {
            let claim = bind(Ipv4Addr::new(127, book.home, 0, 1)).with_context(|| {
                format!(
                    "the addresses 127.{0}.*.* belong to another city that runs on this machine; stop it first",
                    book.home
                )
            })?;
            return Ok(Self { home: home.clone(), book: Mutex::new(book), _claim: claim });
        }
        let candidates = match wanted {
            Some(number) => number..=number,
            None => FIRST_HOME..=LAST_HOME,
        };
        for number in candidates {
            // Nodes outlive their console, so the first chain's addresses are asked too.
            let free = bind(Ipv4Addr::new(127, number, 1, 1)).is_ok() && bind(Ipv4Addr::new(127, number, 1, 2)).is_ok();
            if let (true, Ok(claim)) = (free, bind(Ipv4Addr::new(127, number, 0, 1))) {
                let book = Book { home: number, chains: BTreeMap::new() };
                home::write_json(&path, &book)?;
                return Ok(Self { home: home.clone(), book: Mutex::new(book), _claim: claim });
            }
        }
        match wanted {
            Some(number) => bail!(
                "127.{number}.*.* is in use by another city on this machine; choose another home_number in console.toml"
            ),
            None => bail!(
                "no free addresses between 127.{FIRST_HOME}.*.* and 127.{LAST_HOME}.*.*; stop other cities on this machine"
            ),
        }
    }

    pub fn home(&self) -> u8 {
        self.book.lock().unwrap_or_else(std::sync::PoisonError::into_inner).home
    }

    /// The chain's number; a new chain gets the lowest that no chain has.
    pub fn of_chain(&self, chain: &Name) -> anyhow::Result<u8> {
        let mut book = self.book.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(number) = book.chains.get(chain) {
            return Ok(*number);
        }
        let used: Vec<u8> = book.chains.values().copied().collect();
        let Some(number) = (1..=254).find(|number| !used.contains(number)) else {
            bail!("this city has had 254 chains and no address is left for another");
        };
        let mut next = book.clone();
        next.chains.insert(chain.clone(), number);
        // Durable before anything listens there.
        home::write_json(&self.home.addresses(), &next)?;
        *book = next;
        Ok(number)
    }

    /// A deleted chain's number may be given to another.
    pub fn release(&self, chain: &Name) -> anyhow::Result<()> {
        let mut book = self.book.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut next = book.clone();
        next.chains.remove(chain);
        home::write_json(&self.home.addresses(), &next)?;
        *book = next;
        Ok(())
    }
}

fn bind(ip: Ipv4Addr) -> std::io::Result<TcpListener> {
    match TcpListener::bind((ip, chain_plan::node_config::CONSENSUS_PORT)) {
        // Only Linux answers on all of 127/8 by itself.
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
            Err(std::io::Error::other(format!("{ip} is no address of this machine; the local provisioner needs Linux")))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_cities_on_a_machine_have_different_numbers_and_each_keeps_its_own() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = Numbers::claim(&Home::new(one.path()), None).unwrap();
        let second = Numbers::claim(&Home::new(two.path()), None).unwrap();
        assert_ne!(first.home(), second.home());
        assert!(Numbers::claim(&Home::new(one.path()), None).is_err(), "it is in use");
        let (number, main): (u8, Name) = (first.home(), "main".parse().unwrap());
        assert_eq!(first.of_chain(&main).unwrap(), 1);
        assert_eq!(first.of_chain(&"other".parse().unwrap()).unwrap(), 2);
        drop(first);
        let again = Numbers::claim(&Home::new(one.path()), None).unwrap();
        assert_eq!((again.home(), again.of_chain(&main).unwrap()), (number, 1));
    }
}
