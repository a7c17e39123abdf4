-- What was done, by whom, with which result. Rows are only ever added; each carries the hash of the row before it, so one hash stands for all rows up to it.

create table audit (
    seq bigint primary key,
    at_ms bigint not null,
    -- user id, or "system"; the name is copied because people leave
    actor text not null,
    actor_name text not null,
    tenant text,
    action text not null,
    object_kind text not null,
    object_id text not null,
    -- done | refused | failed
    result text not null,
    request_id text not null,
    before_json text,
    after_json text,
    previous_hash text not null,
    hash text not null
);
create index audit_tenant on audit (tenant, seq);
create index audit_time on audit (at_ms);

-- The end of the hash chain. Its single row is updated first in every recording transaction, so two of them never build on the same predecessor.
create table audit_head (
    id bigint primary key,
    seq bigint not null,
    hash text not null
);
insert into audit_head (id, seq, hash) values (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');
