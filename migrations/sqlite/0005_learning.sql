-- Names whose choices so far teach nothing any more: somebody took back what was learned.
create table forgotten (
    bot          bigint not null,
    name         text   not null,
    forgotten_at bigint not null,
    forgotten_by bigint,           -- null: the operator
    primary key (bot, name)
);

-- What a human chose: few of all lines.
create index lines_chosen on lines (deposit_id, revision) where chosen is not null;
-- What was validated, by when: quality is looked at for a time.
create index deposits_validated on deposits (bot, decided_at) where status = 'completed';
