-- Keys that the console holds for organisations, and the tokens with which it reads chains. Secrets are sealed under the master key.

create table custody_key (
    tenant text not null,
    organisation text not null,
    -- "administrator" for the key that a chain's genesis names; else a name of the organisation's own choosing
    account text not null,
    public_key text not null,
    sealed blob not null,
    created_ms bigint not null,
    primary key (tenant, organisation, account)
);
create unique index custody_key_public on custody_key (public_key);

-- One bearer token a chain; its nodes know only the hash.
create table chain_token (
    chain text primary key,
    hash text not null,
    sealed blob not null,
    created_ms bigint not null
);

-- What happened to a chain, newest last; rows beyond the newest thousand of a chain are dropped.
create table chain_event (
    chain text not null,
    seq bigint not null,
    at_ms bigint not null,
    -- ok | info | warn | bad
    level text not null,
    zh text not null,
    en text not null,
    primary key (chain, seq)
);
