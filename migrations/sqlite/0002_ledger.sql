-- The ledger: deposits, and the members who make them.

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
    decided_by    bigint,           -- null: the clock, or the deposit could not be classified
    recorded_at   bigint not null,
    weight_grams  bigint,           -- one weight for the whole deposit, where it was given so
    weight_source text,
    taxonomy      text   not null,
    draft         text   not null,  -- json: the user's words and files, and what else resuming needs; may be erased
    primary key (id, revision)
);

create unique index deposits_number on deposits (bot, number, revision) where number is not null;
create index deposits_reference on deposits (bot, reference, revision);
create index deposits_owner on deposits (bot, owner, id, revision, status, was);
-- For the quality of proposals since an instant.
create index deposits_validated on deposits (bot, decided_at) where status = 'completed';
-- For retention.
create index deposits_age on deposits (bot, decided_at) where draft <> '{}';

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

-- Lines with a category that a human chose: few of all lines.
create index lines_chosen on lines (deposit_id, revision) where chosen is not null;

-- The changes of each deposit, with the member who made them and when.
create view history as
select id as deposit_id, revision, bot, number, decided_at as at, decided_by as who, was, status as what from deposits;

-- A recorded deposit stays as it is; only the column draft may be erased.
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
    user_id  bigint not null,
    role     text   not null,  -- pending, refused, volunteer, manager, admin; other users have no row
    granted  text   not null,  -- request, invite, configuration: how the role came about
    name     text   not null,
    language text   not null,
    since    bigint not null,
    primary key (bot, user_id)
) without rowid;

create table access_requests (
    bot        bigint not null,
    reference  text   not null,  -- its name on buttons, 16 hexadecimal digits
    user_id    bigint not null,
    name       text   not null,
    language   text   not null,
    asked_at   bigint not null,
    decided_at bigint,
    decided_by bigint,           -- null once decided: an invitation or the configuration
    accepted   bigint,           -- 0 or 1
    primary key (bot, reference)
) without rowid;

create unique index access_requests_open on access_requests (bot, user_id) where decided_at is null;

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

-- Names whose choices so far teach the model nothing any more.
create table retracted_names (
    bot          bigint not null,
    name         text   not null,
    retracted_at bigint not null,
    retracted_by bigint,           -- null: the operator
    primary key (bot, name)
);
