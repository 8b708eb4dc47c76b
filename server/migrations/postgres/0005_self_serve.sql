-- What organizations and people do for themselves: edit their applications, invite members, look at their sessions.

alter table applications add column homepage_url text collate "C";
alter table applications add column privacy_url text collate "C";
alter table applications add column terms_url text collate "C";
-- Counts the changes: who changes an application says which state of it they looked at.
alter table applications add column revision bigint not null default 1;

-- Sites that asked for an application they are not registered for, the latest ones. Anybody can put one here.
create table refused_origins (
    client_id   text collate "C"    not null references applications (client_id) on delete cascade,
    origin      text collate "C"    not null,
    first_at    bigint not null,
    last_at     bigint not null,
    occurrences bigint not null,
    primary key (client_id, origin)
);

-- Single-use links by which a person becomes a member.
create table invitations (
    id              text collate "C"    not null primary key,
    token_hash      bytea    not null unique,
    organization_id text collate "C"    not null references organizations (id) on delete cascade,
    email           text collate "C"    not null,
    -- The address in lower case. There is one open invitation of an organization for it.
    email_key       text collate "C"    not null,
    role            text collate "C"    not null check (role in ('member', 'admin', 'owner')),
    -- Who made it: it ends when they could no longer make it. Null where that was the command line.
    invited_by      text collate "C"    references users (id) on delete cascade,
    created_at      bigint not null,
    expires_at      bigint not null,
    unique (organization_id, email_key)
);

create index invitations_by_expiry on invitations (expires_at);

-- What somebody typed whose session ended meanwhile, until they have signed in again.
create table kept_forms (
    id_hash      bytea    not null primary key,
    -- SHA-256 of the browser cookie: only the browser that sent a form is shown it again.
    browser_hash bytea    not null,
    path         text collate "C"    not null,
    fields       text collate "C"    not null,
    expires_at   bigint not null
);

create index kept_forms_by_expiry on kept_forms (expires_at);
create index kept_forms_by_browser on kept_forms (browser_hash, expires_at);

-- What tells a person one session of theirs from another.
alter table sessions add column address text collate "C";
alter table sessions add column user_agent text collate "C";

-- When a token was last issued on it.
alter table consents add column last_used_at bigint;
