-- Which store is in charge of conversations; each change of it begins a new epoch.
create table authority (
    bot        bigint not null primary key,
    epoch      bigint not null,
    store      text   not null,  -- sql, redis
    run_id     text,             -- of the Redis server that is in charge: another one after each of its starts
    opened     bigint not null,  -- 0 while conversations are being copied to the store that is to take charge
    changed_at bigint not null
);

-- Which instances run: an instance that is alone may act where several would first have to wait for each other.
create table instances (
    bot        bigint not null,
    instance   bigint not null,
    started_at bigint not null,
    seen_at    bigint not null,
    primary key (bot, instance)
);

-- The last version that the mirror wrote: what Redis had beyond it was lost when SQL took charge.
alter table sessions add column mirrored_epoch bigint not null default 0;
alter table sessions add column mirrored_version bigint not null default 0;

-- Documents that lost against another branch of the same conversation: kept for an operator.
create table conflicts (
    bot         bigint not null,
    chat        bigint not null,
    owner       bigint not null,
    epoch       bigint not null,
    version     bigint not null,
    commit_mark bigint not null,
    document    text   not null,
    reason      text   not null,
    found_at    bigint not null,
    primary key (bot, chat, owner, epoch, version, commit_mark)
);

-- Documents that could not be read: put aside so that their conversations can begin anew.
create table quarantine (
    bot      bigint not null,
    chat     bigint not null,
    owner    bigint not null,
    sha256   text   not null,
    document text   not null,  -- as text; bytes that are no UTF-8 are replaced
    reason   text   not null,
    found_at bigint not null,
    primary key (bot, chat, owner, sha256)
);
