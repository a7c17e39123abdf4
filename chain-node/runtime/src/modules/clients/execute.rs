//! The calls.

use chain_types::encoding::Decode;
use chain_types::light::{StoredHeader, client_key, header_key};
use chain_types::manifest::Code;
use chain_types::{BlockId, Fingerprint, Genesis, Hash, Validator, ValidatorSet};
use serde::Serialize;

use super::calls::{Create, Misbehaviour, Update};
use super::state::{Client, Frozen, VALIDATORS, validators_id};
use super::step::{self, Step};
use crate::call::{CallContext, CallResult, ensure, refuse};
use crate::modules::governance;

/// A genesis of the largest sets is smaller.
const MAX_GENESIS_BYTES: usize = 64 * 1024;
const DAY_MS: u64 = 86_400_000;
/// A shorter period could expire between two steps, a longer one would outlive keys.
const TRUSTING_PERIOD_MS: std::ops::RangeInclusive<u64> = 3_600_000..=366 * DAY_MS;

#[derive(Serialize)]
struct ClientCreated<'a> {
    chain: Fingerprint,
    chain_id: &'a str,
}

#[derive(Serialize)]
struct HeaderStored {
    chain: Fingerprint,
    height: u64,
    id: BlockId,
}

#[derive(Serialize)]
struct ClientFrozen {
    chain: Fingerprint,
    height: u64,
}

pub fn create(call: &mut CallContext<'_, '_>, args: Create) -> CallResult {
    ensure_operator(call)?;
    let genesis = genesis(call, &args.genesis)?;
    let chain = genesis.fingerprint();
    ensure(!call.state.contains(&client_key(&chain))?, Code::ClientExists, || [("chain", chain.to_string())])?;
    let (set, now) = (genesis.validator_set(), call.block.time_ms);
    let start = StoredHeader::of_genesis(&genesis, now);
    let client = Client {
        chain_id: genesis.chain_id,
        trusting_period_ms: genesis.trusting_period_ms,
        height: 0,
        created_ms: now,
        renewed_ms: None,
        frozen: None,
    };
    call.emit("client_created", &ClientCreated { chain, chain_id: &client.chain_id })?;
    put_set(call, &chain, &set)?;
    call.state.put(header_key(&chain, 0), &start)?;
    call.state.put(client_key(&chain), &client)?;
    match args.update {
        Some(update) => advance(call, &chain, client, &update, false),
        None => Ok(()),
    }
}

pub fn update(call: &mut CallContext<'_, '_>, args: Update) -> CallResult {
    let client = client(call, &args.chain)?;
    advance(call, &args.chain, client, &args.update, false)
}

/// As `update`, but trust may have expired: an administrator has compared the header with the chain's own people.
pub fn renew(call: &mut CallContext<'_, '_>, args: Update) -> CallResult {
    ensure_operator(call)?;
    let client = client(call, &args.chain)?;
    advance(call, &args.chain, client, &args.update, true)
}

/// Freezes the client by two certified headers of one height, whether one of them is stored or not.
pub fn misbehaviour(call: &mut CallContext<'_, '_>, args: Misbehaviour) -> CallResult {
    let chain = args.chain;
    let client = client(call, &chain)?;
    let (one, other) = (step::decode(&args.one)?, step::decode(&args.other)?);
    let (height, ids) = (one.header.height, [one.header.id(), other.header.id()]);
    ensure(height == other.header.height && ids[0] != ids[1], Code::NoFork, || [])?;
    for update in [one, other] {
        let base = step::base(call, &chain, update.base)?;
        step::ensure_fresh(call, &chain, &client, &base)?;
        step::verify(call, &chain, update, base)?;
    }
    freeze(call, &chain, client, height, ids)
}

fn advance(
    call: &mut CallContext<'_, '_>,
    chain: &Fingerprint,
    mut client: Client,
    bytes: &[u8],
    vouched: bool,
) -> CallResult {
    let update = step::decode(bytes)?;
    let (height, newest) = (update.header.height, client.height);
    let there: Option<StoredHeader> = match height > newest {
        true => None,
        false => call.state.get(&header_key(chain, height))?,
    };
    let forked = there.as_ref().is_some_and(|there| there.id != update.header.id());
    ensure(height > newest || forked, Code::HeaderNotNewer, || [("height", newest.to_string())])?;
    let base = step::base(call, chain, update.base)?;
    if !vouched {
        step::ensure_fresh(call, chain, &client, &base)?;
    }
    // Newer headers follow from the newest, so that the stored logs are one log.
    if !forked && base.height != newest {
        return step::invalid("base");
    }
    let step = step::verify(call, chain, update, base)?;
    let id = step.update.header.id();
    if let Some(there) = there {
        return freeze(call, chain, client, height, [there.id, id]);
    }
    if step.contradicts_base() {
        let one = step.base.id;
        return freeze(call, chain, client, height, [one, id]);
    }
    if let Err(e) = step.update.continues_log(step.base.log_size, &step.base.log_root) {
        return step::refuse_error(&e);
    }
    client.height = height;
    if vouched {
        client.renewed_ms = Some(call.block.time_ms);
    }
    store(call, chain, &client, &step)
}

fn store(call: &mut CallContext<'_, '_>, chain: &Fingerprint, client: &Client, step: &Step) -> CallResult {
    let header = StoredHeader::of(&step.update.header, call.block.time_ms);
    let StoredHeader { height, id, .. } = header;
    put_set(call, chain, &step.set)?;
    call.state.put(header_key(chain, height), &header)?;
    call.state.put(client_key(chain), client)?;
    call.emit("header_stored", &HeaderStored { chain: *chain, height, id })
}

fn freeze(
    call: &mut CallContext<'_, '_>,
    chain: &Fingerprint,
    mut client: Client,
    height: u64,
    [one, other]: [BlockId; 2],
) -> CallResult {
    client.frozen = Some(Frozen { height, one, other, at_ms: call.block.time_ms });
    call.state.put(client_key(chain), &client)?;
    call.emit("client_frozen", &ClientFrozen { chain: *chain, height })
}

/// A client that can still change.
fn client(call: &mut CallContext<'_, '_>, chain: &Fingerprint) -> CallResult<Client> {
    let found: Option<Client> = call.state.get(&client_key(chain))?;
    match found {
        None => refuse(Code::ClientUnknown, [("chain", chain.to_string())]),
        Some(client) if client.frozen.is_some() => refuse(Code::ClientFrozen, [("chain", chain.to_string())]),
        Some(client) => Ok(client),
    }
}

fn ensure_operator(call: &mut CallContext<'_, '_>) -> CallResult {
    call.ensure_administrator()?;
    let operator = governance::parameters(call)?.operator;
    ensure(call.account.organisation == operator, Code::NotOperator, || [("organisation", operator)])
}

fn genesis(call: &CallContext<'_, '_>, bytes: &[u8]) -> CallResult<Genesis> {
    let wrong = |reason: &str| refuse(Code::GenesisInvalid, [("reason", reason.to_owned())]);
    if bytes.len() > MAX_GENESIS_BYTES {
        return wrong("size");
    }
    let Ok(genesis) = Genesis::from_bytes(bytes) else { return wrong("form") };
    if genesis.check().is_err() {
        return wrong("rules");
    }
    if genesis.fingerprint() == call.block.fingerprint {
        return wrong("own_chain");
    }
    match TRUSTING_PERIOD_MS.contains(&genesis.trusting_period_ms) {
        true => Ok(genesis),
        false => wrong("trusting_period"),
    }
}

fn put_set(call: &mut CallContext<'_, '_>, chain: &Fingerprint, set: &ValidatorSet) -> CallResult {
    let hash: Hash = set.hash();
    let id = validators_id(chain, &hash);
    let members: &[Validator] = set.validators();
    if call.contains(VALIDATORS, &id)? { Ok(()) } else { call.put(VALIDATORS, &id, &members) }
}
