-- What happened in an organization: who changed what, and what was issued and refused. Rows are only ever added, and go
-- when they are too old. Nothing here refers to what it names, which may be gone.

create table audit_log (
    id              integer not null primary key autoincrement,
    organization_id text    not null references organizations (id) on delete cascade,
    created_at      integer not null,
    action          text    not null,
    -- Who did it: a person in a session of their own, an application with a token or a code, the command line, or the
    -- server by itself.
    actor_kind      text    not null check (actor_kind in ('person', 'application', 'command', 'server')),
    -- The person's id, or the client id.
    actor_id        text,
    -- From where.
    address         text,
    -- What it was about.
    client_id       text,
    user_id         text,
    -- A JSON object with whatever else there is to say.
    detail          text    not null,
    -- How often, where it is written down once for many times.
    occurrences     integer not null
) strict;

create index audit_log_by_organization on audit_log (organization_id, id);
create index audit_log_by_age on audit_log (created_at);

create trigger the_audit_log_is_not_rewritten
before update on audit_log
begin
    select raise(abort, 'the audit log is not rewritten');
end;
