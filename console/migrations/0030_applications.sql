-- Applications as the console carries them out, what it keeps of their records off chain, and scans on their way to the chain.
-- The chain is the truth about what is installed; the objects of the home (or the cluster) are the truth about what is wanted.

create table application (
    -- unique in the city: the name of the object and of the application on its chain
    name text primary key,
    tenant text not null,
    chain text not null,
    template text not null,
    version text not null,
    owner text not null,
    answers_json text not null,
    sample_data bigint not null,
    -- the template's file as it was when it was deployed
    manifest text not null,
    -- deploying | ready | failed | removing | removed
    state text not null,
    steps_json text not null,
    created_by text not null,
    created_ms bigint not null,
    changed_ms bigint not null
);
create index application_tenant on application (tenant, created_ms);
create index application_chain on application (chain, state);

-- Calls of a deployment, each made once: a console that starts again waits for the outcome instead of calling anew.
create table application_call (
    application text not null,
    step text not null,
    -- the outbox's root
    root text not null,
    primary key (application, step)
);

-- Values that stay off chain, by the write that came with them. Sealed: {salt, value}; the chain holds at most a salted digest.
create table private_value (
    root text not null,
    field text not null,
    sealed blob not null,
    created_ms bigint not null,
    primary key (root, field)
);

-- Scans of public pages, counted here and added to the chain once a minute. In batch '' are those not sent yet.
create table scan_count (
    application text not null,
    instance text not null,
    code text not null,
    batch text not null,
    count bigint not null,
    last_ms bigint not null,
    primary key (application, instance, code, batch)
);
