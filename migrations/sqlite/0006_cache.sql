-- What a paid server answered before: of use for a time only, and what people said.
create table cache (
    bot        bigint not null,
    asked      text   not null,  -- the kind, and the SHA-256 of what was asked
    answer     text   not null,
    kept_until bigint not null,
    primary key (bot, asked)
);

create index cache_over on cache (bot, kept_until);

-- How many paid calls each day had, for the budget.
create table paid_calls (
    bot   bigint not null,
    kind  text   not null,
    day   bigint not null,  -- days since 1970, UTC
    calls bigint not null,
    primary key (bot, kind, day)
);
