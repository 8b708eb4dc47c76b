-- What several processes count together, each by a key: until when what was done under it is not used up again, in
-- milliseconds. Nothing of it is worth keeping through a crash.
create unlogged table counters (
    key_hash   bytea  not null primary key,
    free_at_ms bigint not null
);

create index counters_by_end on counters (free_at_ms);
