-- A line of refresh tokens is as long as its grant is old: nothing that is done at every refresh, or in every round of the
-- sweep, walks along it.

-- What can still be asked for again: of each line the last one that was replaced.
create index refresh_tokens_with_successor on refresh_tokens (grant_id) where successor is not null;

-- Those that were replaced go with their grant, however long ago they were too late.
drop index refresh_tokens_by_expiry;
create index refresh_tokens_unused_by_expiry on refresh_tokens (expires_at) where used_at is null;
