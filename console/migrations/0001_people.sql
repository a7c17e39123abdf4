-- People, what they belong to, and their sessions.
-- One text for SQLite and PostgreSQL: `blob` becomes `bytea` when the database is PostgreSQL, truth values are 0 or 1, times are milliseconds since 1970 (UTC).

create table tenant (
    name text primary key,
    title_zh text not null,
    title_en text not null,
    -- active | suspended: a suspended tenant keeps its data, its people cannot sign in
    state text not null,
    created_ms bigint not null
);

create table organisation (
    tenant text not null references tenant (name),
    name text not null,
    title_zh text not null,
    title_en text not null,
    created_ms bigint not null,
    primary key (tenant, name)
);

-- "users" because "user" is a reserved word in PostgreSQL
create table users (
    id text primary key,
    -- always lower case, so that one spelling is one account
    login text not null unique,
    display_name text not null,
    -- null: the person works for the city itself
    tenant text references tenant (name),
    organisation text,
    role text not null,
    password_hash text not null,
    -- 1: the password was handed over by somebody else and serves once
    must_change bigint not null,
    -- active | disabled
    state text not null,
    language text,
    theme text,
    last_sign_in_ms bigint,
    last_sign_in_ip text,
    created_ms bigint not null
);
create index users_tenant on users (tenant, login);

-- The browser holds the token; a copy of this table opens no session.
create table session (
    token_hash text primary key,
    user_id text not null references users (id),
    created_ms bigint not null,
    last_seen_ms bigint not null,
    ip text not null,
    agent text not null,
    previous_sign_in_ms bigint,
    previous_sign_in_ip text
);
create index session_by_user on session (user_id);

-- Keyed by a hash of whatever was typed as a name, whether such an account exists or not: both answer alike, and a password typed into the wrong field is not kept.
create table sign_in_failure (
    login_hash text primary key,
    failures bigint not null,
    last_ms bigint not null,
    locked_until_ms bigint not null
);
