-- When a parked update is to be handled again; null: it waits for an operator. While it is handled, the end of the lease.
alter table parked_updates add column replay_at bigint;

create index parked_updates_replay on parked_updates (bot, replay_at) where replay_at is not null;

-- What each kind is found by when its time is over.
create index parked_updates_age on parked_updates (bot, parked_at);
create index conflicts_age on conflicts (bot, found_at);
create index quarantine_age on quarantine (bot, found_at);
create index deliveries_age on deliveries (bot, created_at) where status <> 'pending';
create index deposits_age on deposits (bot, decided_at) where draft <> '{}';
