-- What the indexer projects from chains: everything here can be thrown away and is rebuilt from the blocks (`console reindex CHAIN`).

-- How far each chain is projected. Only verified blocks are; results only once a later header commits to them.
create table index_chain (
    chain text primary key,
    fingerprint text not null,
    height bigint not null,
    block_id text not null,
    time_ms bigint not null
);

create table block (
    chain text not null,
    height bigint not null,
    id text not null,
    parent text not null,
    time_ms bigint not null,
    round bigint not null,
    proposer text not null,
    txs bigint not null,
    size_bytes bigint not null,
    signers bigint not null,
    log_size bigint not null,
    primary key (chain, height)
);

create table chain_tx (
    chain text not null,
    id text not null,
    height bigint not null,
    position bigint not null,
    time_ms bigint not null,
    -- the signing key; who stands behind it is the record of kind "account"
    kid text not null,
    app text not null,
    instance text not null,
    method text not null,
    -- long lists are cut to their number and beginning
    args_json text not null,
    applied bigint not null,
    refusal text,
    refusal_json text,
    first_entry bigint not null,
    entries bigint not null,
    size_bytes bigint not null,
    primary key (chain, id)
);
create index chain_tx_place on chain_tx (chain, height, position);
create index chain_tx_app on chain_tx (chain, app, height, position);
create index chain_tx_kid on chain_tx (chain, kid, height, position);

create table record_event (
    chain text not null,
    height bigint not null,
    position bigint not null,
    seq bigint not null,
    tx text not null,
    time_ms bigint not null,
    app text not null,
    instance text not null,
    name text not null,
    fields_json text not null,
    primary key (chain, height, position, seq)
);
create index record_event_app on record_event (chain, app, instance, height, position, seq);

-- Records of the state as a node reports them; pages list from here and prove from the node.
create table record (
    chain text not null,
    state_key text not null,
    app text not null,
    instance text not null,
    kind text not null,
    -- for people: a number, a code, "product/lot"
    id text not null,
    json text not null,
    status text not null,
    organisation text not null,
    height bigint not null,
    changed_ms bigint not null,
    primary key (chain, state_key)
);
create index record_list on record (chain, app, instance, kind, changed_ms, id);
create index record_id on record (chain, app, kind, id);
