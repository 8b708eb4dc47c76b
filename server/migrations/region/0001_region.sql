-- What a region holds: its own rows of the tables of the same name at the centre, which PostgreSQL replicates here, and by
-- which the gate knows whom to let through. Nothing else is written here, by anybody.

create schema regional;

create table regional.organizations (
    id          text collate "C" not null,
    region      text collate "C" not null,
    slug        text collate "C" not null,
    name        text collate "C" not null,
    disabled_at bigint,
    primary key (id, region)
);

create table regional.memberships (
    organization_id text collate "C" not null,
    user_id         text collate "C" not null,
    region          text collate "C" not null,
    role            text collate "C" not null,
    primary key (organization_id, user_id, region)
);

create table regional.users (
    id          text collate "C" not null,
    region      text collate "C" not null,
    name        text collate "C" not null,
    disabled_at bigint,
    primary key (id, region)
);

create table regional.applications (
    client_id       text collate "C" not null,
    region          text collate "C" not null,
    organization_id text collate "C" not null,
    disabled_at     bigint,
    primary key (client_id, region)
);

create table regional.application_origins (
    client_id text collate "C" not null,
    origin    text collate "C" not null,
    region    text collate "C" not null,
    primary key (client_id, origin, region)
);

create index application_origins_by_origin on regional.application_origins (origin);

create table regional.grants (
    id              text collate "C" not null,
    region          text collate "C" not null,
    client_id       text collate "C" not null,
    organization_id text collate "C" not null,
    user_id         text collate "C" not null,
    revoked_at      bigint,
    primary key (id, region)
);

create table regional.access_tokens (
    id         text collate "C" not null,
    region     text collate "C" not null,
    token_hash bytea  not null unique,
    grant_id   text collate "C" not null,
    scopes     text collate "C" not null,
    created_at bigint not null,
    expires_at bigint not null,
    revoked_at bigint,
    primary key (id, region)
);

create index access_tokens_by_grant on regional.access_tokens (grant_id);

create table regional.resource_servers (
    id              text collate "C" not null,
    region          text collate "C" not null,
    name            text collate "C" not null,
    secret_hash     bytea  not null,
    organization_id text collate "C",
    disabled_at     bigint,
    primary key (id, region)
);

create table regional.heartbeat (
    region   text collate "C" not null primary key,
    number   bigint not null,
    echoed   bigint not null,
    mark     uuid not null,
    previous uuid not null
) with (fillfactor = 20);

-- Not of the centre's: a beat came that does not follow the one that was here. Either database was put back to what it had
-- been, and PostgreSQL goes on at a place that lies after what is missing now. That is seen by nothing else, and only
-- a new copy mends it.
create table regional.gaps (
    found_at timestamptz not null default clock_timestamp()
);

create function regional.beat_follows() returns trigger language plpgsql as $$
begin
    if new.previous <> old.mark then
        insert into regional.gaps default values;
    end if;
    return null;
end
$$;

create trigger beat_follows after update on regional.heartbeat
for each row when (new.mark <> old.mark) execute function regional.beat_follows();
alter table regional.heartbeat enable always trigger beat_follows;

-- Who remembers tokens is told what changed by the transaction that applies it here: what is told at the centre does not
-- travel (PostgreSQL 15, §31.6).

create function regional.tell_the_gate(change text) returns void language sql as $$
    select pg_notify('latchkey_gate', change)
$$;

create function regional.gate_hears_of_a_token() returns trigger language plpgsql as $$
begin
    perform regional.tell_the_gate('token ' || encode(old.token_hash, 'hex'));
    return null;
end
$$;

create function regional.gate_hears_of_a_grant() returns trigger language plpgsql as $$
begin
    perform regional.tell_the_gate('token ' || encode(t.token_hash, 'hex'))
    from regional.access_tokens t where t.grant_id = old.id;
    return null;
end
$$;

create function regional.gate_hears_of_an_application() returns trigger language plpgsql as $$
begin
    perform regional.tell_the_gate('application ' || old.client_id);
    return null;
end
$$;

create function regional.gate_hears_of_an_origin() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        perform regional.tell_the_gate('application ' || old.client_id);
    end if;
    if tg_op <> 'DELETE' then
        perform regional.tell_the_gate('application ' || new.client_id);
    end if;
    return null;
end
$$;

create function regional.gate_hears_of_an_organization() returns trigger language plpgsql as $$
begin
    perform regional.tell_the_gate('organization ' || old.id);
    return null;
end
$$;

create function regional.gate_hears_of_a_person() returns trigger language plpgsql as $$
begin
    perform regional.tell_the_gate('user ' || old.id);
    return null;
end
$$;

create function regional.gate_hears_of_a_member() returns trigger language plpgsql as $$
begin
    perform regional.tell_the_gate('membership ' || old.organization_id || ' ' || old.user_id);
    return null;
end
$$;

create trigger gate_hears_of_a_token after update or delete on regional.access_tokens
for each row execute function regional.gate_hears_of_a_token();
create trigger gate_hears_of_a_grant after update or delete on regional.grants
for each row execute function regional.gate_hears_of_a_grant();
create trigger gate_hears_of_an_application after update or delete on regional.applications
for each row execute function regional.gate_hears_of_an_application();
create trigger gate_hears_of_an_origin after insert or update or delete on regional.application_origins
for each row execute function regional.gate_hears_of_an_origin();
create trigger gate_hears_of_an_organization after update or delete on regional.organizations
for each row execute function regional.gate_hears_of_an_organization();
create trigger gate_hears_of_a_person after update or delete on regional.users
for each row execute function regional.gate_hears_of_a_person();
create trigger gate_hears_of_a_member after update or delete on regional.memberships
for each row execute function regional.gate_hears_of_a_member();

-- Whatever is applied here is applied without the triggers that are not told to (PostgreSQL 15, "ALTER TABLE").
alter table regional.access_tokens enable always trigger gate_hears_of_a_token;
alter table regional.grants enable always trigger gate_hears_of_a_grant;
alter table regional.applications enable always trigger gate_hears_of_an_application;
alter table regional.application_origins enable always trigger gate_hears_of_an_origin;
alter table regional.organizations enable always trigger gate_hears_of_an_organization;
alter table regional.users enable always trigger gate_hears_of_a_person;
alter table regional.memberships enable always trigger gate_hears_of_a_member;
