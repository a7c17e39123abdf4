-- What a person is: one row a role. Before this a person had one role, in the person's own row.

create table user_role (
    user_id text not null references users (id),
    role text not null,
    granted_ms bigint not null,
    -- the name of whoever gave it; empty: it came with the account
    granted_by text not null,
    primary key (user_id, role)
);
insert into user_role (user_id, role, granted_ms, granted_by) select id, role, created_ms, '' from users;
alter table users drop column role;
