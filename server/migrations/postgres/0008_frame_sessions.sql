-- What keeps a person signed in on one site: the session that the application's frame there holds in a cookie of its own.
-- It stands on the grant of the sign-in that it came with, and ends with that, whatever ends it.
create table frame_sessions (
    id          text collate "C"    not null primary key,
    grant_id    text collate "C"    not null references grants (id) on delete cascade,
    -- What came with the authorization response, to be used once.
    handle_hash bytea    not null unique,
    -- What the cookie holds, from then on.
    secret_hash bytea    unique,
    created_at  bigint not null,
    opened_at   bigint,
    -- Until then: the handle that nobody used, or the session.
    expires_at  bigint not null,
    check ((opened_at is null) = (secret_hash is null))
);

create index frame_sessions_by_grant on frame_sessions (grant_id);
create index frame_sessions_by_expiry on frame_sessions (expires_at);
