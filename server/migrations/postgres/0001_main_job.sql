-- People, the organizations they belong to, and what the organizations own.
-- Texts are compared byte by byte, as the embedded engine does: no index depends on the locales of a machine.
-- Times are unix seconds. A nullable "..._at" stands where other schemas have a boolean: it says since when.

create table users (
    id            text collate "C"    not null primary key,
    email         text collate "C"    not null,
    -- The address in lower case: one account per address.
    email_key     text collate "C"    not null unique,
    name          text collate "C"    not null,
    password_hash text collate "C"    not null,
    created_at    bigint not null,
    disabled_at   bigint
);

create table organizations (
    id          text collate "C"    not null primary key,
    slug        text collate "C"    not null unique,
    name        text collate "C"    not null,
    created_at  bigint not null,
    disabled_at bigint
);

create table memberships (
    organization_id text collate "C"    not null references organizations (id) on delete cascade,
    user_id         text collate "C"    not null references users (id) on delete cascade,
    role            text collate "C"    not null check (role in ('member', 'admin', 'owner')),
    created_at      bigint not null,
    primary key (organization_id, user_id)
);

create index memberships_by_user on memberships (user_id);

create table projects (
    id              text collate "C"    not null primary key,
    organization_id text collate "C"    not null references organizations (id) on delete cascade,
    slug            text collate "C"    not null,
    name            text collate "C"    not null,
    created_at      bigint not null,
    unique (organization_id, slug)
);

-- OAuth public clients (RFC 6749 §2.1). Scopes and response types are space-delimited lists.
create table applications (
    client_id         text collate "C"    not null primary key,
    organization_id   text collate "C"    not null references organizations (id) on delete cascade,
    name              text collate "C"    not null,
    scopes            text collate "C"    not null,
    response_types    text collate "C"    not null,
    -- Set where every sign-in shows the consent page.
    asks_always_at    bigint,
    created_at        bigint not null,
    disabled_at       bigint,
    -- For the foreign key of a token: its organization is its application's, by the database's own word.
    unique (client_id, organization_id)
);

create index applications_by_organization on applications (organization_id);

create function an_application_keeps_its_organization() returns trigger language plpgsql as $$
begin
    raise exception 'an application cannot change its organization';
end
$$;

create trigger an_application_keeps_its_organization
before update of organization_id on applications
for each row when (new.organization_id <> old.organization_id)
execute function an_application_keeps_its_organization();

create table application_origins (
    client_id text collate "C" not null references applications (client_id) on delete cascade,
    origin    text collate "C" not null,
    primary key (client_id, origin)
);

create index application_origins_by_origin on application_origins (origin);

create table application_redirect_uris (
    client_id    text collate "C" not null references applications (client_id) on delete cascade,
    redirect_uri text collate "C" not null,
    primary key (client_id, redirect_uri)
);

-- Sessions of people at the platform. The cookie holds the secret, the row its SHA-256.
create table sessions (
    id               text collate "C"    not null primary key,
    secret_hash      bytea    not null unique,
    user_id          text collate "C"    not null references users (id) on delete cascade,
    authenticated_at bigint not null,
    created_at       bigint not null,
    expires_at       bigint not null,
    ended_at         bigint
);

create index sessions_by_user on sessions (user_id);
create index sessions_by_expiry on sessions (expires_at);

-- Authorization requests being decided.
create table transactions (
    id_hash           bytea    not null primary key,
    -- SHA-256 of the browser cookie: only the browser that began a transaction can go on with it.
    browser_hash      bytea    not null,
    client_id         text collate "C"    not null references applications (client_id) on delete cascade,
    response_type     text collate "C"    not null,
    redirect_uri      text collate "C"    not null,
    -- Set where the redirect URI is the platform's own callback page.
    callback_at       bigint,
    requesting_origin text collate "C"    not null,
    scopes            text collate "C"    not null,
    state             text collate "C",
    prompt            text collate "C",
    login_hint        text collate "C",
    -- Who saw the consent page, and the scopes it named, once it was shown.
    user_id           text collate "C"    references users (id) on delete cascade,
    shown_scopes      text collate "C",
    created_at        bigint not null,
    expires_at        bigint not null
);

create index transactions_by_expiry on transactions (expires_at);

-- What a person allowed: an origin or a redirect URI added later inherits nothing.
create table consents (
    user_id           text collate "C"    not null references users (id) on delete cascade,
    client_id         text collate "C"    not null references applications (client_id) on delete cascade,
    requesting_origin text collate "C"    not null,
    redirect_uri      text collate "C"    not null,
    scopes            text collate "C"    not null,
    created_at        bigint not null,
    updated_at        bigint not null,
    primary key (user_id, client_id, requesting_origin, redirect_uri)
);

create table access_tokens (
    id                text collate "C"    not null primary key,
    token_hash        bytea    not null unique,
    last_four         text collate "C"    not null,
    client_id         text collate "C"    not null,
    -- The scoping organization.
    organization_id   text collate "C"    not null,
    user_id           text collate "C"    not null references users (id) on delete cascade,
    -- The platform session it came from: signing out there ends it.
    session_id        text collate "C"    not null references sessions (id) on delete cascade,
    requesting_origin text collate "C"    not null,
    scopes            text collate "C"    not null,
    created_at        bigint not null,
    expires_at        bigint not null,
    revoked_at        bigint,
    foreign key (client_id, organization_id) references applications (client_id, organization_id) on delete cascade
);

create index access_tokens_by_application on access_tokens (client_id);
create index access_tokens_by_member on access_tokens (user_id, organization_id);
create index access_tokens_by_session on access_tokens (session_id);
create index access_tokens_by_expiry on access_tokens (expires_at);

-- By this name the embedded engine reads a list out of a JSON text: one statement serves both.
create function json_each(list text) returns table (value json) language sql immutable as $$
    select json_array_elements(list::json)
$$;
