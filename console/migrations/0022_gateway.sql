-- The API gateway: keys, what they anchored, what they asked.

create table api_key (
    id text primary key,
    tenant text not null references tenant (name),
    organisation text not null,
    name text not null,
    -- the beginning of the secret, to recognise it by
    shown text not null,
    -- SHA-256 of the secret, which is stored nowhere
    hash text not null unique,
    -- space-separated
    scopes text not null,
    rate_per_s bigint not null,
    created_by text not null,
    created_ms bigint not null,
    expires_ms bigint,
    revoked_ms bigint,
    last_used_ms bigint
);
create index api_key_tenant on api_key (tenant, created_ms);

create table anchor (
    id text primary key,
    tenant text not null,
    chain text not null,
    key_id text not null,
    -- the outbox's root; several requests share one transaction
    root text not null,
    -- the place of the first digest among the transaction's
    position bigint not null,
    count bigint not null,
    -- 32 bytes each
    digests blob not null,
    created_ms bigint not null
);
create index anchor_root on anchor (root);

-- One answer a key and Idempotency-Key, for a day.
create table api_idempotency (
    key_id text not null,
    idempotency_key text not null,
    body_hash text not null,
    status bigint not null,
    answer text not null,
    created_ms bigint not null,
    primary key (key_id, idempotency_key)
);
create index api_idempotency_age on api_idempotency (created_ms);

create table api_request (
    id text primary key,
    at_ms bigint not null,
    tenant text not null,
    key_id text not null,
    method text not null,
    path text not null,
    status bigint not null,
    elapsed_us bigint not null,
    code text not null
);
create index api_request_tenant on api_request (tenant, at_ms);

-- The audit log's heads that were anchored on the city chain.
create table audit_anchor (
    seq bigint not null,
    hash text not null,
    chain text not null,
    root text not null,
    created_ms bigint not null,
    primary key (chain, root)
);
