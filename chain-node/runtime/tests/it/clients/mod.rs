//! The city chain as a witness: what it stores of a tenant's chain, what freezes that, and what never gets in. The numbers
//! are those of the threat list.

mod tenant;

use chain_runtime::queries;
use chain_types::encoding::Encode;
use chain_types::genesis::Governance;
use chain_types::light::Update;
use chain_types::manifest::{CHAIN_MODULES, Code, arguments_from_json};
use chain_types::{Fingerprint, Hash};
use serde::Serialize;
use serde_json::json;

use crate::chain::*;
use tenant::{DAY_MS, Tenant, first, set};

#[derive(Serialize)]
struct Create {
    #[serde(with = "serde_bytes")]
    genesis: Vec<u8>,
    #[serde(with = "serde_bytes", skip_serializing_if = "Option::is_none")]
    update: Option<Vec<u8>>,
}

#[derive(Serialize)]
struct Feed {
    chain: Fingerprint,
    #[serde(with = "serde_bytes")]
    update: Vec<u8>,
}

#[derive(Serialize)]
struct Fork {
    chain: Fingerprint,
    #[serde(with = "serde_bytes")]
    one: Vec<u8>,
    #[serde(with = "serde_bytes")]
    other: Vec<u8>,
}

/// The city's chain under rules 3, and a tenant's.
struct Witness {
    city: Chain,
    tenant: Tenant,
    chain: Fingerprint,
}

impl Witness {
    fn bare() -> Self {
        let (mut city, tenant) = (Chain::bare(Governance::Platform), Tenant::new());
        city.context.version = 3;
        let chain = tenant.genesis.fingerprint();
        Self { city, tenant, chain }
    }

    /// With a client that has stored the header of height 10.
    fn new() -> Self {
        let mut it = Self::bare();
        let create = it.create(Some(it.tenant.plain(0, 10)));
        it.city.ok(CITY, "chain", "clients", "create", create);
        it
    }

    fn create(&self, update: Option<Update>) -> Create {
        Create { genesis: self.tenant.genesis.to_bytes(), update: update.map(|update| update.to_bytes()) }
    }

    fn feed(&self, update: &Update) -> Feed {
        Feed { chain: self.chain, update: update.to_bytes() }
    }

    fn ok(&mut self, update: &Update) -> Vec<chain_types::Event> {
        let feed = self.feed(update);
        self.city.ok(MAKER, "chain", "clients", "update", feed)
    }

    fn refused(&mut self, update: &Update, code: Code) -> chain_types::outcome::Refusal {
        let feed = self.feed(update);
        self.city.refused(MAKER, "chain", "clients", "update", feed, code)
    }

    fn invalid(&mut self, update: &Update, reason: &str) {
        assert_eq!(self.refused(update, Code::UpdateInvalid).params["reason"], reason);
    }

    fn client(&self) -> chain_runtime::modules::clients::state::Client {
        queries::client(&self.city.state, &self.chain).unwrap().unwrap()
    }

    fn report(&self, one: &Update, other: &Update) -> Fork {
        Fork { chain: self.chain, one: one.to_bytes(), other: other.to_bytes() }
    }
}

#[test]
fn before_rules_3_there_is_no_such_instance() {
    let mut it = Witness::bare();
    for version in [1, 2] {
        it.city.context.version = version;
        let create = it.create(None);
        it.city.refused(CITY, "chain", "clients", "create", create, Code::InstanceUnknown);
    }
}

#[test]
fn headers_are_stored_one_after_the_other_and_stay() {
    let mut it = Witness::new();
    let step = it.tenant.plain(10, 30);
    let events = it.ok(&step);
    assert_eq!(field(&events, "header_stored", "height"), "30");
    let stored = queries::stored_headers(&it.city.state, &it.chain, None, 9).unwrap();
    assert_eq!(stored.iter().map(|h| h.height).collect::<Vec<_>>(), [0, 10, 30]);
    let header = it.tenant.header(30);
    assert_eq!((stored[2].id, stored[2].log_size), (header.id(), 29));
    assert_eq!(stored[2].log_root, header.log_root);
    assert_eq!(it.client().height, 30);
}

#[test]
fn set_changes_are_followed_however_many_headers_were_left_out() {
    let mut it = Witness::new();
    let (two, three) = (set(160), set(170));
    let changes = vec![it.tenant.change(12, &first(), &two), it.tenant.change(15, &two, &three)];
    let step = it.tenant.step(10, changes, it.tenant.header_of(20, &three), &three);
    it.ok(&step);
    // A stored header may itself be the one that names the next set.
    let last = it.tenant.change(25, &three, &two);
    let step = it.tenant.step(20, Vec::new(), last.header.clone(), &three);
    it.ok(&step);
    let step = it.tenant.step(25, vec![last], it.tenant.header_of(26, &two), &two);
    it.ok(&step);
    assert_eq!((it.client().height, it.client().frozen), (26, None));
}

#[test]
fn t3_t5_a_header_that_its_validators_did_not_sign_is_refused() {
    let mut it = Witness::new();
    let good = it.tenant.plain(10, 11);
    let mut few = good.clone();
    few.certificate.signatures.pop();
    it.invalid(&few, "certificate");
    let mut other_block = good.clone();
    other_block.header.state_root = Hash::of(b"another");
    it.invalid(&other_block, "certificate");
    let strangers = set(180);
    let step = it.tenant.step(10, Vec::new(), it.tenant.header_of(11, &strangers), &strangers);
    it.invalid(&step, "sets");
    let mut change = it.tenant.change(11, &first(), &strangers);
    change.certificate.signatures.pop();
    let step = it.tenant.step(10, vec![change], it.tenant.header_of(12, &strangers), &strangers);
    it.invalid(&step, "sets");
    it.ok(&good);
}

/// Three of four sign a log that forgets what they had logged: the path cannot be made, and nothing is stored.
#[test]
fn t10_a_log_that_was_rewritten_is_not_stored() {
    let mut it = Witness::new();
    let mut header = it.tenant.header(20);
    header.log_root = Hash::of(b"another log");
    let step = it.tenant.step(10, Vec::new(), header, &first());
    it.invalid(&step, "log");
    let mut step = it.tenant.plain(10, 20);
    step.consistency.pop();
    it.invalid(&step, "log");
}

#[test]
fn t7_retired_keys_add_nothing_once_trust_has_expired() {
    let mut it = Witness::new();
    // Inside the period two certified headers of one height are a fork; after it they are nobody's word.
    it.city.context.time_ms += 14 * DAY_MS;
    let mut fork = it.tenant.header(10);
    fork.state_root = Hash::of(b"rewritten");
    let fork = it.tenant.step(10, Vec::new(), fork, &first());
    it.refused(&fork, Code::ClientExpired);
    let mut late = it.tenant.header(50);
    late.time_ms = it.city.context.time_ms;
    let late = it.tenant.step(10, Vec::new(), late, &first());
    it.refused(&late, Code::ClientExpired);
    // Only an administrator of the operator takes trust up again, and only along the same sets and log.
    let feed = it.feed(&late);
    it.city.refused(MAKER, "chain", "clients", "renew", feed, Code::NotOperator);
    let feed = it.feed(&late);
    it.city.ok(CITY, "chain", "clients", "renew", feed);
    assert_eq!(it.client().height, 50);
    assert!(it.client().renewed_ms.is_some());
}

#[test]
fn t8_a_header_from_the_future_is_refused_and_one_from_before_its_base_freezes() {
    let mut it = Witness::new();
    let mut header = it.tenant.header(11);
    header.time_ms = it.city.context.time_ms + 10_001;
    let step = it.tenant.step(10, Vec::new(), header, &first());
    it.refused(&step, Code::TimeInFuture);
    let mut header = it.tenant.header(11);
    header.time_ms = it.tenant.header(10).time_ms;
    let step = it.tenant.step(10, Vec::new(), header, &first());
    it.ok(&step);
    assert_eq!(it.client().frozen.unwrap().height, 11);
}

#[test]
fn t9_two_certified_headers_at_one_height_freeze_the_client_for_ever() {
    let mut it = Witness::new();
    let step = it.tenant.plain(10, 20);
    it.ok(&step);
    let mut fork = it.tenant.header(20);
    fork.state_root = Hash::of(b"another state");
    let fork = it.tenant.step(10, Vec::new(), fork, &first());
    let events = it.ok(&fork);
    assert_eq!(field(&events, "client_frozen", "height"), "20");
    let frozen = it.client().frozen.unwrap();
    assert_eq!((frozen.one, frozen.other), (step.header.id(), fork.header.id()));
    // What was stored first stays; nothing is added.
    let stored = queries::stored_header(&it.city.state, &it.chain, 20).unwrap().unwrap();
    assert_eq!(stored.id, step.header.id());
    let next = it.tenant.plain(20, 21);
    it.refused(&next, Code::ClientFrozen);
    let feed = it.feed(&next);
    it.city.refused(CITY, "chain", "clients", "renew", feed, Code::ClientFrozen);
}

#[test]
fn t9_a_fork_between_stored_headers_is_reported_by_both_headers() {
    let mut it = Witness::new();
    let step = it.tenant.plain(10, 20);
    it.ok(&step);
    let one = it.tenant.plain(10, 15);
    let mut fork = it.tenant.header(15);
    fork.log_root = Hash::of(b"another log");
    let fork = it.tenant.step(10, Vec::new(), fork, &first());
    let report = it.report(&one, &fork);
    it.city.ok(SHOP, "chain", "clients", "misbehaviour", report);
    assert_eq!(it.client().frozen.unwrap().height, 15);
}

/// The set that the stored header retires signs on instead of its successor.
#[test]
fn t9_a_retired_set_that_goes_on_freezes_the_client() {
    let mut it = Witness::new();
    let change = it.tenant.change(20, &first(), &set(160));
    let step = it.tenant.step(10, Vec::new(), change.header, &first());
    it.ok(&step);
    let step = it.tenant.plain(20, 21);
    it.ok(&step);
    assert_eq!(it.client().frozen.unwrap().height, 21);
    // The same with another header in the stored one's place.
    let mut it = Witness::new();
    let change = it.tenant.change(10, &first(), &set(160));
    let step = it.tenant.step(10, vec![change], it.tenant.header_of(11, &set(160)), &set(160));
    it.ok(&step);
    assert!(it.client().frozen.is_some());
}

#[test]
fn a_client_without_a_header_trusts_genesis_since_its_creation() {
    let mut it = Witness::bare();
    let create = it.create(None);
    it.city.ok(CITY, "chain", "clients", "create", create);
    it.city.context.time_ms += 13 * DAY_MS;
    let step = it.tenant.plain(0, 1);
    it.ok(&step);
}

#[test]
fn json_of_a_form_becomes_the_call() {
    let mut it = Witness::new();
    let step = it.tenant.plain(10, 20);
    let form = json!({"chain": it.chain.to_string(), "update": hex(&step.to_bytes())});
    let spec = CHAIN_MODULES.iter().find(|m| m.name == "clients").unwrap();
    let args = arguments_from_json(spec.call("update").unwrap(), None, &form).unwrap();
    it.city.ok(MAKER, "chain", "clients", "update", &args);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Every refusal of the module, and T1: only the operator's administrators say which chains are witnessed.
pub fn refusals() {
    let mut it = Witness::bare();
    it.city.bind(CITY, IDLE);
    let refused = |it: &mut Witness, who, args: Create, code| {
        it.city.refused(who, "chain", "clients", "create", args, code);
    };
    for (who, code) in [(MAKER, Code::NotOperator), (IDLE, Code::NotAdministrator)] {
        let create = it.create(None);
        refused(&mut it, who, create, code);
    }
    let mut short = Tenant::new().genesis;
    short.trusting_period_ms = 1;
    let mut odd = Tenant::new().genesis;
    odd.operator = "nobody".to_owned();
    let own = genesis(Governance::Platform);
    for genesis in [b"?".to_vec(), vec![0; 70_000], short.to_bytes(), odd.to_bytes(), own.to_bytes()] {
        refused(&mut it, CITY, Create { genesis, update: None }, Code::GenesisInvalid);
    }
    let step = it.tenant.plain(0, 10);
    it.refused(&step, Code::ClientUnknown);
    let mut bad = step.clone();
    bad.certificate.signatures.pop();
    let create = it.create(Some(bad));
    refused(&mut it, CITY, create, Code::UpdateInvalid);
    let create = it.create(Some(step.clone()));
    it.city.ok(CITY, "chain", "clients", "create", create);
    let create = it.create(None);
    refused(&mut it, CITY, create, Code::ClientExists);
    it.refused(&step, Code::HeaderNotNewer);
    let older = it.tenant.plain(0, 9);
    it.refused(&older, Code::HeaderNotNewer);
    for base in [0, 3] {
        let step = it.tenant.plain(base, 11);
        it.invalid(&step, "base");
    }
    let long = Feed { chain: it.chain, update: vec![0; 200_000] };
    it.city.refused(MAKER, "chain", "clients", "update", long, Code::UpdateInvalid);
    let report = it.report(&step, &step);
    it.city.refused(MAKER, "chain", "clients", "misbehaviour", report, Code::NoFork);
    let report = it.report(&step, &older);
    it.city.refused(MAKER, "chain", "clients", "misbehaviour", report, Code::NoFork);
    before_and_after(&mut it);
}

fn before_and_after(it: &mut Witness) {
    let mut header = it.tenant.header(11);
    header.time_ms = it.city.context.time_ms + 60_000;
    let step = it.tenant.step(10, Vec::new(), header, &first());
    it.refused(&step, Code::TimeInFuture);
    let now = it.city.context.time_ms;
    it.city.context.time_ms += 15 * DAY_MS;
    let step = it.tenant.plain(10, 11);
    it.refused(&step, Code::ClientExpired);
    it.city.context.time_ms = now;
    let mut fork = it.tenant.header(10);
    fork.state_root = Hash::of(b"another state");
    let fork = it.tenant.step(10, Vec::new(), fork, &first());
    it.ok(&fork);
    it.refused(&step, Code::ClientFrozen);
}
