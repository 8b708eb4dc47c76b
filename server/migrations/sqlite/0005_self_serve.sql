-- What organizations and people do for themselves: edit their applications, invite members, look at their sessions.

alter table applications add column homepage_url text;
alter table applications add column privacy_url text;
alter table applications add column terms_url text;
-- Counts the changes: who changes an application says which state of it they looked at.
alter table applications add column revision integer not null default 1;

-- Sites that asked for an application they are not registered for, the latest ones. Anybody can put one here.
create table refused_origins (
    client_id   text    not null references applications (client_id) on delete cascade,
    origin      text    not null,
    first_at    integer not null,
    last_at     integer not null,
    occurrences integer not null,
    primary key (client_id, origin)
) strict;

-- Single-use links by which a person becomes a member.
create table invitations (
    id              text    not null primary key,
    token_hash      blob    not null unique,
    organization_id text    not null references organizations (id) on delete cascade,
    email           text    not null,
    -- The address in lower case. There is one open invitation of an organization for it.
    email_key       text    not null,
    role            text    not null check (role in ('member', 'admin', 'owner')),
    -- Who made it: it ends when they could no longer make it. Null where that was the command line.
    invited_by      text    references users (id) on delete cascade,
    created_at      integer not null,
    expires_at      integer not null,
    unique (organization_id, email_key)
) strict;

create index invitations_by_expiry on invitations (expires_at);

-- What somebody typed whose session ended meanwhile, until they have signed in again.
create table kept_forms (
    id_hash      blob    not null primary key,
    -- SHA-256 of the browser cookie: only the browser that sent a form is shown it again.
    browser_hash blob    not null,
    path         text    not null,
    fields       text    not null,
    expires_at   integer not null
) strict;

create index kept_forms_by_expiry on kept_forms (expires_at);
create index kept_forms_by_browser on kept_forms (browser_hash, expires_at);

-- What tells a person one session of theirs from another.
alter table sessions add column address text;
alter table sessions add column user_agent text;

-- When a token was last issued on it.
alter table consents add column last_used_at integer;
