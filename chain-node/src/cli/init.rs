//! `chain-node init`: a chain by hand. One folder with genesis, the administrator's and the steward's key, a member's and an
//! administration token, and a folder for each validator, ready for `chain-node run`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use chain_types::account::Custody;
use chain_types::genesis::{Genesis, GenesisOrganisation, GenesisValidator, Governance, Membership, Text, is_name};
use chain_types::{Hash, PublicKey};
use clap::Args;

use crate::config::{Access, Config, Limits, Listen, Peer, Retention, Sync, Timeouts};
use crate::consensus::now_ms;
use crate::keys::{NodeKeys, new_key, save_key};

#[derive(Debug, Args)]
pub struct Init {
    /// A new folder for the chain
    #[arg(long)]
    home: PathBuf,
    /// A label for people, `<city>.<tenant>.<chain>`
    #[arg(long, default_value = "city.tenant.main")]
    chain_id: String,
    /// Number of validators; with fewer than four, none may fail
    #[arg(long, default_value_t = 4)]
    validators: u8,
    /// The organisation that owns all of them
    #[arg(long, default_value = "bureau")]
    organisation: String,
    /// The validators listen on 127.NET.1.1, 127.NET.1.2 …
    #[arg(long, default_value_t = 80)]
    net: u8,
    /// An idle chain makes an empty block this often, in milliseconds
    #[arg(long, default_value_t = 600_000)]
    heartbeat_ms: u64,
}

impl Init {
    /// A chain that is measured and thrown away.
    pub fn for_measuring(home: PathBuf, validators: u8, net: u8) -> Self {
        let (chain_id, organisation) = ("bench.bench.main".to_owned(), "bureau".to_owned());
        Self { home, chain_id, validators, organisation, net, heartbeat_ms: 600_000 }
    }

    pub fn run(self) -> anyhow::Result<()> {
        let genesis = self.make()?;
        self.say(&genesis);
        Ok(())
    }

    /// Without the instructions.
    pub fn run_quietly(self) -> anyhow::Result<()> {
        self.make().map(|_| ())
    }

    fn make(&self) -> anyhow::Result<Genesis> {
        ensure!((1..=32).contains(&self.validators), "a chain has 1 to 32 validators");
        ensure!(is_name(&self.organisation), "an organisation is named like `notary-office`");
        if self.home.exists() && fs::read_dir(&self.home)?.next().is_some() {
            bail!("{} is not empty; choose a new folder", self.home.display());
        }
        fs::create_dir_all(&self.home).with_context(|| format!("failed to make {}", self.home.display()))?;
        let keys: Vec<NodeKeys> =
            (0..self.validators).map(|_| NodeKeys::generate()).collect::<Result<_, _>>().context("no randomness")?;
        let administrator = new_key().context("no randomness")?;
        save_key(&self.home.join("administrator.key"), &administrator)?;
        let steward = new_key().context("no randomness")?;
        save_key(&self.home.join("steward.key"), &steward)?;
        let token = new_token(&self.home.join("token"))?;
        let admin_token = new_token(&self.home.join("admin-token"))?;
        let genesis = self.genesis(&keys, administrator.public(), steward.public())?;
        genesis.check()?;
        let text = serde_json::to_string_pretty(&genesis)?;
        fs::write(self.home.join("genesis.json"), text)?;
        let access = Access { token_hashes: vec![token], admin_token_hash: Some(admin_token), public_reads: false };
        for n in 0..self.validators {
            self.write_validator(n, &keys, access.clone())?;
        }
        Ok(genesis)
    }

    fn genesis(&self, keys: &[NodeKeys], administrator: PublicKey, steward: PublicKey) -> anyhow::Result<Genesis> {
        let validator = |(n, keys): (u8, &NodeKeys)| GenesisValidator {
            name: name(n),
            validator: keys.validator(&self.organisation),
        };
        let title = Text { zh: self.organisation.clone(), en: self.organisation.clone() };
        Ok(Genesis {
            chain_id: self.chain_id.clone(),
            profile: "intl".into(),
            rules: chain_runtime::RULES_VERSION,
            time_ms: now_ms(),
            governance: Governance::Platform,
            membership: Membership::Delegated,
            heartbeat_ms: self.heartbeat_ms,
            trusting_period_ms: 14 * 86_400_000,
            steward,
            validators: (0..self.validators).zip(keys).map(validator).collect(),
            organisations: vec![GenesisOrganisation {
                id: self.organisation.clone(),
                title,
                administrator,
                custody: Custody::Own,
            }],
            operator: self.organisation.clone(),
        })
    }

    fn write_validator(&self, n: u8, keys: &[NodeKeys], access: Access) -> anyhow::Result<()> {
        let dir = self.home.join("validators").join(name(n));
        fs::create_dir_all(&dir)?;
        let own = keys.get(usize::from(n)).context("no keys")?;
        own.save(&dir.join("keys"))?;
        let address = |n: u8, port: u16| format!("127.{}.1.{}:{port}", self.net, n + 1);
        let peer = |(m, keys): (u8, &NodeKeys)| Peer {
            name: name(m),
            organisation: self.organisation.clone(),
            peer_key: keys.peer.public(),
            consensus: address(m, 26656),
            gossip: address(m, 26657),
        };
        let config = Config {
            name: name(n),
            organisation: self.organisation.clone(),
            home: ".".into(),
            genesis: "../../genesis.json".into(),
            listen: Listen {
                consensus: address(n, 26656).parse()?,
                gossip: address(n, 26657).parse()?,
                api: address(n, 8080).parse()?,
                metrics: Some(address(n, 9090).parse()?),
                admin: Some(address(n, 8081).parse()?),
            },
            peers: (0..self.validators).zip(keys).filter(|(m, _)| *m != n).map(peer).collect(),
            access,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            retention: Retention::default(),
            sync: Sync::default(),
            text_hash: None,
        };
        fs::write(dir.join("node.toml"), toml::to_string_pretty(&config)?)?;
        Ok(())
    }

    fn say(&self, genesis: &Genesis) {
        let home = self.home.display();
        println!("chain {} with {} validators in {home}", genesis.chain_id, self.validators);
        println!("fingerprint {}", genesis.fingerprint());
        println!("start each validator:  chain-node run --config {home}/validators/validator-1/node.toml");
        println!("anchor a file:         chain-node anchor --chain {home} FILE");
    }
}

fn name(n: u8) -> String {
    format!("validator-{}", n + 1)
}

/// Makes a bearer token and keeps it in a file; gives its hash.
fn new_token(path: &Path) -> anyhow::Result<Hash> {
    let token = hex::encode(new_key().context("no randomness")?.seed());
    write_secret(path, &token)?;
    Ok(Hash::of(token.as_bytes()))
}

fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(())
}
