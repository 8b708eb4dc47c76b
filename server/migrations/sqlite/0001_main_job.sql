-- People, the organizations they belong to, and what the organizations own.
-- Times are unix seconds. A nullable "..._at" stands where other schemas have a boolean: it says since when.

create table users (
    id            text    not null primary key,
    email         text    not null,
    -- The address in lower case: one account per address.
    email_key     text    not null unique,
    name          text    not null,
    password_hash text    not null,
    created_at    integer not null,
    disabled_at   integer
) strict;

create table organizations (
    id          text    not null primary key,
    slug        text    not null unique,
    name        text    not null,
    created_at  integer not null,
    disabled_at integer
) strict;

create table memberships (
    organization_id text    not null references organizations (id) on delete cascade,
    user_id         text    not null references users (id) on delete cascade,
    role            text    not null check (role in ('member', 'admin', 'owner')),
    created_at      integer not null,
    primary key (organization_id, user_id)
) strict;

create index memberships_by_user on memberships (user_id);

create table projects (
    id              text    not null primary key,
    organization_id text    not null references organizations (id) on delete cascade,
    slug            text    not null,
    name            text    not null,
    created_at      integer not null,
    unique (organization_id, slug)
) strict;

-- OAuth public clients (RFC 6749 §2.1). Scopes and response types are space-delimited lists.
create table applications (
    client_id         text    not null primary key,
    organization_id   text    not null references organizations (id) on delete cascade,
    name              text    not null,
    scopes            text    not null,
    response_types    text    not null,
    -- Set where every sign-in shows the consent page.
    asks_always_at    integer,
    created_at        integer not null,
    disabled_at       integer,
    -- For the foreign key of a token: its organization is its application's, by the database's own word.
    unique (client_id, organization_id)
) strict;

create index applications_by_organization on applications (organization_id);

create trigger an_application_keeps_its_organization
before update of organization_id on applications
when new.organization_id <> old.organization_id
begin
    select raise(abort, 'an application cannot change its organization');
end;

create table application_origins (
    client_id text not null references applications (client_id) on delete cascade,
    origin    text not null,
    primary key (client_id, origin)
) strict;

create index application_origins_by_origin on application_origins (origin);

create table application_redirect_uris (
    client_id    text not null references applications (client_id) on delete cascade,
    redirect_uri text not null,
    primary key (client_id, redirect_uri)
) strict;

-- Sessions of people at the platform. The cookie holds the secret, the row its SHA-256.
create table sessions (
    id               text    not null primary key,
    secret_hash      blob    not null unique,
    user_id          text    not null references users (id) on delete cascade,
    authenticated_at integer not null,
    created_at       integer not null,
    expires_at       integer not null,
    ended_at         integer
) strict;

create index sessions_by_user on sessions (user_id);
create index sessions_by_expiry on sessions (expires_at);

-- Authorization requests being decided.
create table transactions (
    id_hash           blob    not null primary key,
    -- SHA-256 of the browser cookie: only the browser that began a transaction can go on with it.
    browser_hash      blob    not null,
    client_id         text    not null references applications (client_id) on delete cascade,
    response_type     text    not null,
    redirect_uri      text    not null,
    -- Set where the redirect URI is the platform's own callback page.
    callback_at       integer,
    requesting_origin text    not null,
    scopes            text    not null,
    state             text,
    prompt            text,
    login_hint        text,
    -- Who saw the consent page, and the scopes it named, once it was shown.
    user_id           text    references users (id) on delete cascade,
    shown_scopes      text,
    created_at        integer not null,
    expires_at        integer not null
) strict;

create index transactions_by_expiry on transactions (expires_at);

-- What a person allowed: an origin or a redirect URI added later inherits nothing.
create table consents (
    user_id           text    not null references users (id) on delete cascade,
    client_id         text    not null references applications (client_id) on delete cascade,
    requesting_origin text    not null,
    redirect_uri      text    not null,
    scopes            text    not null,
    created_at        integer not null,
    updated_at        integer not null,
    primary key (user_id, client_id, requesting_origin, redirect_uri)
) strict;

create table access_tokens (
    id                text    not null primary key,
    token_hash        blob    not null unique,
    last_four         text    not null,
    client_id         text    not null,
    -- The scoping organization.
    organization_id   text    not null,
    user_id           text    not null references users (id) on delete cascade,
    -- The platform session it came from: signing out there ends it.
    session_id        text    not null references sessions (id) on delete cascade,
    requesting_origin text    not null,
    scopes            text    not null,
    created_at        integer not null,
    expires_at        integer not null,
    revoked_at        integer,
    foreign key (client_id, organization_id) references applications (client_id, organization_id) on delete cascade
) strict;

create index access_tokens_by_application on access_tokens (client_id);
create index access_tokens_by_member on access_tokens (user_id, organization_id);
create index access_tokens_by_session on access_tokens (session_id);
create index access_tokens_by_expiry on access_tokens (expires_at);
