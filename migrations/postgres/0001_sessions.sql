-- One row per conversation: the document as it was committed, and the columns that the store itself looks at.
create table sessions (
    bot         bigint not null,
    chat        bigint not null,
    owner       bigint not null,
    epoch       bigint not null,
    version     bigint not null,
    commit_id   bigint not null,
    schema      bigint not null,
    document    text   not null,
    due_at      bigint,
    kept_until  bigint,
    updated_at  bigint not null,
    primary key (bot, chat, owner)
);

create index sessions_due on sessions (bot, due_at) where due_at is not null;
create index sessions_kept_until on sessions (bot, kept_until) where kept_until is not null;
