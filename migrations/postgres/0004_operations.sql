-- Tables that running the bot needs beside the ledger and the sessions.

-- Messages to other users' chats: one row per message, which is sent, and edited when its view changes.
create table deliveries (
    id          bigint generated always as identity primary key,
    bot         bigint not null,
    subject     text   not null,  -- the fact it is about, by which a later fact finds it
    destination bigint not null,
    language    text   not null,
    payload     text   not null,  -- json: the content of the message
    view_number bigint not null,  -- grows with each change of the payload
    message_id  bigint,           -- the message that carries it, once it was sent
    status      text   not null,  -- pending, sent, failed, closed
    attempts    bigint not null,
    due_at      bigint not null,  -- not to be tried before; while it is leased, the end of the lease
    token       bigint,           -- of the lease
    reason      text,             -- why it failed
    created_at  bigint not null,
    sent_at     bigint,
    unique (bot, subject, destination)
);

create index deliveries_due on deliveries (bot, due_at, id) where status = 'pending';
create index deliveries_age on deliveries (bot, created_at) where status <> 'pending';

-- Updates that could not be handled: stored for an operator, acknowledged to Telegram.
create table dead_letters (
    bot        bigint not null,
    update_id  bigint not null,
    sha256     text   not null,  -- of the raw text: update ids restart
    reason     text   not null,
    raw        text   not null,
    created_at bigint not null,
    replay_at  bigint,           -- null: it waits for an operator; during a replay, the end of the lease
    primary key (bot, update_id, sha256)
);

create index dead_letters_replay on dead_letters (bot, replay_at) where replay_at is not null;
create index dead_letters_age on dead_letters (bot, created_at);

-- Documents that lost against another branch, or could not be read: found by their age for retention.
create index conflicts_age on conflicts (bot, found_at);
create index quarantine_age on quarantine (bot, found_at);

-- The webhook that Telegram was told, and the instance that told it.
create table webhook (
    bot             bigint not null primary key,
    url             text   not null,
    secret_sha256   text   not null,
    allowed_updates text   not null,
    set_at          bigint,           -- null while an instance is about to tell Telegram
    set_by          bigint not null,
    leased_until    bigint not null
);

-- When updates were last fetched and committed.
create table intake (
    bot     bigint not null primary key,
    seen_at bigint not null
);

-- Answers of paid servers: of use for a time only, and they hold users' words.
create table cache (
    bot        bigint not null,
    key        text   not null,  -- the kind, and the SHA-256 of the question
    answer     text   not null,
    expires_at bigint not null,
    primary key (bot, key)
);

create index cache_age on cache (bot, expires_at);

-- How many paid calls each day had, for the budget.
create table paid_calls (
    bot   bigint not null,
    kind  text   not null,
    day   bigint not null,  -- days since 1970, UTC
    calls bigint not null,
    primary key (bot, kind, day)
);
