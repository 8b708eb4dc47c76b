-- Authorization grants (RFC 6749 §1.3), and what is issued on them: codes, access tokens, refresh tokens. Who revokes
-- anything but one access token revokes the grant, and with it all that was ever issued on it.

create table grants (
    id                text collate "C"    not null primary key,
    client_id         text collate "C"    not null,
    -- The scoping organization.
    organization_id   text collate "C"    not null,
    user_id           text collate "C"    not null references users (id) on delete cascade,
    -- The platform session it came from: signing out there ends it.
    session_id        text collate "C"    not null references sessions (id) on delete cascade,
    redirect_uri      text collate "C"    not null,
    -- Set where the redirect URI is the platform's own callback page.
    callback_at       bigint,
    requesting_origin text collate "C"    not null,
    scopes            text collate "C"    not null,
    created_at        bigint not null,
    -- When nothing that was issued on it can be of use any more.
    expires_at        bigint not null,
    revoked_at        bigint,
    foreign key (client_id, organization_id) references applications (client_id, organization_id) on delete cascade
);

create index grants_by_application on grants (client_id);
create index grants_by_member on grants (user_id, organization_id);
create index grants_by_session on grants (session_id);
create index grants_by_expiry on grants (expires_at);

-- The tokens there are were each issued in a fragment, on a grant of its own that nothing can be issued on again.
insert into grants (id, client_id, organization_id, user_id, session_id, redirect_uri, callback_at, requesting_origin,
                    scopes, created_at, expires_at, revoked_at)
select id, client_id, organization_id, user_id, session_id, '', null, requesting_origin,
       scopes, created_at, expires_at, revoked_at
from access_tokens;

create table access_tokens_of_grants (
    id         text collate "C"    not null primary key,
    token_hash bytea    not null unique,
    last_four  text collate "C"    not null,
    grant_id   text collate "C"    not null references grants (id) on delete cascade,
    scopes     text collate "C"    not null,
    created_at bigint not null,
    expires_at bigint not null,
    revoked_at bigint
);

insert into access_tokens_of_grants (id, token_hash, last_four, grant_id, scopes, created_at, expires_at, revoked_at)
select id, token_hash, last_four, id, scopes, created_at, expires_at, revoked_at from access_tokens;

drop table access_tokens;
alter table access_tokens_of_grants rename to access_tokens;

create index access_tokens_by_grant on access_tokens (grant_id);
create index access_tokens_by_expiry on access_tokens (expires_at);

create table authorization_codes (
    code_hash        bytea    not null primary key,
    grant_id         text collate "C"    not null references grants (id) on delete cascade,
    -- As the request gave it; null where it left it out (RFC 6749 §4.1.3).
    redirect_uri     text collate "C",
    code_challenge   text collate "C"    not null,
    nonce            text collate "C",
    authenticated_at bigint not null,
    created_at       bigint not null,
    expires_at       bigint not null,
    used_at          bigint
);

create index authorization_codes_by_grant on authorization_codes (grant_id);
create index authorization_codes_by_expiry on authorization_codes (expires_at);

create table refresh_tokens (
    id         text collate "C"    not null primary key,
    token_hash bytea    not null unique,
    last_four  text collate "C"    not null,
    grant_id   text collate "C"    not null references grants (id) on delete cascade,
    created_at bigint not null,
    -- Unused until then it is dead; never later than the end of its grant.
    expires_at bigint not null,
    -- Since when it is replaced.
    used_at    bigint,
    -- What replaced it, encrypted under a key that only this token gives; gone once that one was used.
    successor  bytea
);

create index refresh_tokens_by_grant on refresh_tokens (grant_id);
create index refresh_tokens_by_expiry on refresh_tokens (expires_at);

alter table transactions add column code_challenge text collate "C";
alter table transactions add column nonce text collate "C";
alter table transactions add column max_age bigint;
-- Set where the request named its redirect URI itself.
alter table transactions add column redirect_given_at bigint;

-- Whose id_token the client sent along, where it did.
alter table transactions add column hinted_user_id text collate "C";

-- Set where the consent page said that it is for as long as refresh tokens last.
alter table consents add column refresh_allowed_at bigint;

-- The keys that sign id_tokens. The private half lies encrypted under a secret that is not in the database.
create table signing_keys (
    id         text collate "C"    not null primary key,
    -- RFC 7518 §6.3.1: base64url.
    modulus    text collate "C"    not null,
    exponent   text collate "C"    not null,
    sealed_key bytea    not null,
    created_at bigint not null,
    retired_at bigint
);

-- Who may ask what a token is (RFC 7662). One of an organization is told of that organization's tokens alone.
create table resource_servers (
    id              text collate "C"    not null primary key,
    name            text collate "C"    not null,
    secret_hash     bytea    not null,
    organization_id text collate "C"    references organizations (id) on delete cascade,
    created_at      bigint not null,
    disabled_at     bigint
);
