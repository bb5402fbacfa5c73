-- The leadership row: which store is the primary for sessions; each change begins a new epoch.
create table leadership (
    bot           bigint not null primary key,
    epoch         bigint not null,
    primary_store text   not null,  -- sql, redis
    redis_run_id  text,             -- the run of the Redis server that is the primary: another one after each start
    opened        bigint not null,  -- 0 while the sessions are being copied to Redis: it takes no commits yet
    changed_at    bigint not null
);

-- The members: the instances that run. A sole member may act where several would first have to wait for each other.
create table instances (
    bot          bigint not null,
    instance     bigint not null,
    started_at   bigint not null,
    heartbeat_at bigint not null,
    primary key (bot, instance)
);

-- The last version that the mirror replicated: what Redis had beyond it was lost when SQL became the primary.
alter table sessions add column replicated_epoch bigint not null default 0;
alter table sessions add column replicated_version bigint not null default 0;

-- Documents that lost against another branch of the same session: stored for an operator.
create table conflicts (
    bot         bigint not null,
    chat        bigint not null,
    owner       bigint not null,
    epoch       bigint not null,
    version     bigint not null,
    commit_id   bigint not null,
    document    text   not null,
    reason      text   not null,
    found_at    bigint not null,
    primary key (bot, chat, owner, epoch, version, commit_id)
);

-- Documents that could not be read: set aside so that their sessions can begin anew.
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
