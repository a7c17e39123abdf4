-- Every write to a chain is a row here before it leaves, in the SQL transaction of its audit row. The same bytes are sent until a verified
-- block holds them, or one later than valid_until does not.

create table outbox (
    tx_id text primary key,
    chain text not null,
    -- the first attempt's tx_id: what whoever asked knows the write by
    root text not null,
    envelope blob not null,
    valid_until_ms bigint not null,
    -- what it is for, e.g. anchors, audit, application/notary
    origin text not null,
    -- whose key signs anew after expiry; null: signed elsewhere
    signer_tenant text,
    signer_organisation text,
    signer_account text,
    -- waiting | committed | rejected | expired | replaced
    state text not null,
    attempts bigint not null,
    next_ms bigint not null,
    last_error text,
    -- the verified result, as the node API words it
    result_json text,
    replaced_by text,
    created_ms bigint not null,
    answered_ms bigint
);
create index outbox_due on outbox (state, next_ms);
create index outbox_chain on outbox (chain, state);
create index outbox_root on outbox (root);
