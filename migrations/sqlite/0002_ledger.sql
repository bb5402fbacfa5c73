-- The ledger: what happened to deposits, who may do what, and what is to be told to other people's chats.

-- One row per revision of a deposit. A change (undone, taken up again, corrected later) is a new revision.
create table deposits (
    id            text   not null,  -- UUID of version 7: sorts by when the deposit was opened
    revision      bigint not null,
    bot           bigint not null,
    chat          bigint not null,
    owner         bigint not null,
    reference     text   not null,  -- its name on buttons, 16 hexadecimal digits
    number        bigint,           -- the short human number, kept over the revisions; only validated deposits have one
    status        text   not null,
    was           text,             -- the status of the revision before
    opened_at     bigint not null,  -- milliseconds since 1970, as all instants
    decided_at    bigint not null,
    decided_by    bigint,           -- null: the clock, or nobody could make anything of it
    recorded_at   bigint not null,
    weight_grams  bigint,           -- one weight for the whole deposit, where it was said so
    weight_source text,
    taxonomy      text   not null,
    draft         text   not null,  -- json: what was said and sent, and what else resuming needs; may be erased
    primary key (id, revision)
);

create unique index deposits_number on deposits (bot, number, revision) where number is not null;
create index deposits_reference on deposits (bot, reference, revision);
create index deposits_owner on deposits (bot, owner, id, revision, status, was);

create table lines (
    deposit_id    text   not null,
    revision      bigint not null,
    position      bigint not null,  -- from 0
    object        text   not null,
    quantity      bigint,
    weight_grams  bigint,
    weight_source text,
    destination   text   not null,
    proposed      text   not null,  -- the model's category
    confidence    double precision not null,
    alternatives  text   not null,  -- json
    model         text   not null,
    chosen        text,             -- the human's category, if a human chose
    category      text   not null generated always as (coalesce(chosen, proposed)) virtual,
    primary key (deposit_id, revision, position),
    foreign key (deposit_id, revision) references deposits (id, revision)
) without rowid;

-- Who made what of a deposit, and when.
create view history as
select id as deposit_id, revision, bot, number, decided_at as at, decided_by as who, was, status as what from deposits;

-- What is recorded stays as it is; only what was said may be erased.
create trigger deposits_stay before update of id, revision, bot, chat, owner, reference, number, status, was, opened_at,
    decided_at, decided_by, recorded_at, weight_grams, weight_source, taxonomy on deposits
begin
    select raise(abort, 'the ledger is append-only');
end;
create trigger deposits_remain before delete on deposits
begin
    select raise(abort, 'the ledger is append-only');
end;
create trigger lines_stay before update on lines
begin
    select raise(abort, 'the ledger is append-only');
end;
create trigger lines_remain before delete on lines
begin
    select raise(abort, 'the ledger is append-only');
end;

create table members (
    bot      bigint not null,
    person   bigint not null,
    role     text   not null,  -- pending, refused, volunteer, manager, admin; nobody else has a row
    granted  text   not null,  -- request, invite, configuration: how the role came about
    name     text   not null,
    language text   not null,
    since    bigint not null,
    primary key (bot, person)
) without rowid;

create table access_requests (
    bot        bigint not null,
    reference  text   not null,  -- its name on buttons, 16 hexadecimal digits
    person     bigint not null,
    name       text   not null,
    language   text   not null,
    asked_at   bigint not null,
    decided_at bigint,
    decided_by bigint,           -- null once decided: an invitation or the configuration
    accepted   bigint,           -- 0 or 1
    primary key (bot, reference)
) without rowid;

create unique index access_requests_open on access_requests (bot, person) where decided_at is null;

create table invites (
    bot          bigint not null,
    token_sha256 text   not null,
    role         text   not null,
    created_at   bigint not null,
    expires_at   bigint not null,
    used_at      bigint,
    used_by      bigint,
    primary key (bot, token_sha256)
) without rowid;

-- What is told to other people's chats: one row per message, which is sent, and edited when its picture changes.
create table deliveries (
    id          integer primary key,
    bot         bigint not null,
    subject     text   not null,  -- what it is about, so that a later fact finds it
    destination bigint not null,
    language    text   not null,
    payload     text   not null,  -- json: what the message is to say
    picture     bigint not null,  -- grows with the payload
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

-- Updates that could not be understood: kept for an operator, acknowledged to Telegram.
create table parked_updates (
    bot       bigint not null,
    update_id bigint not null,
    sha256    text   not null,  -- of the raw text: update ids restart
    reason    text   not null,
    raw       text   not null,
    parked_at bigint not null,
    primary key (bot, update_id, sha256)
);

-- Which webhook Telegram was told, and by which instance.
create table webhook (
    bot             bigint not null primary key,
    url             text   not null,
    secret_sha256   text   not null,
    allowed_updates text   not null,
    set_at          bigint,           -- null while an instance is about to tell Telegram
    set_by          bigint not null,
    claimed_until   bigint not null
);

-- When updates were last taken in and committed.
create table intake (
    bot     bigint not null primary key,
    seen_at bigint not null
);
