-- What a region is given of the organizations that are assigned to it, and nothing else: hashes, ids and what an
-- organization, an application and a person are called. Each region subscribes to its own rows of these tables
-- (PostgreSQL 15, §31.3: row filters), which are kept by triggers on the others. A name of a table here is the name of
-- the one that it is kept after, so that the gate asks the same in a region.
--
-- Until there is a region the triggers are off. Who makes one turns them on (regional.publish).

create schema regional;

create table regional.regions (
    name       text collate "C" not null primary key,
    created_at bigint not null
);

-- A row filter may look at what is in the replica identity alone, so that the region is part of every key.
create table regional.organizations (
    id          text collate "C" not null,
    region      text collate "C" not null references regional.regions (name),
    slug        text collate "C" not null,
    name        text collate "C" not null,
    disabled_at bigint,
    primary key (id, region),
    -- It is in one region, or in none.
    unique (id)
);

create table regional.memberships (
    organization_id text collate "C" not null,
    user_id         text collate "C" not null,
    region          text collate "C" not null,
    role            text collate "C" not null,
    primary key (organization_id, user_id, region)
);

create index memberships_by_user on regional.memberships (user_id, region);

-- A person is in every region in which they are a member of something, or hold something.
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

create table regional.grants (
    id              text collate "C" not null,
    region          text collate "C" not null,
    client_id       text collate "C" not null,
    organization_id text collate "C" not null,
    user_id         text collate "C" not null,
    revoked_at      bigint,
    primary key (id, region)
);

create index grants_by_user on regional.grants (user_id, region);
-- An organization that moves is followed to all that it has, however much of that there is.
create index grants_by_organization on regional.grants (organization_id);

create table regional.access_tokens (
    id         text collate "C" not null,
    region     text collate "C" not null,
    token_hash bytea  not null,
    grant_id   text collate "C" not null,
    scopes     text collate "C" not null,
    created_at bigint not null,
    expires_at bigint not null,
    revoked_at bigint,
    primary key (id, region)
);

create index access_tokens_by_grant on regional.access_tokens (grant_id);

-- Those of an organization are in its region, the platform's own in every one.
create table regional.resource_servers (
    id              text collate "C" not null,
    region          text collate "C" not null,
    name            text collate "C" not null,
    secret_hash     bytea  not null,
    organization_id text collate "C",
    disabled_at     bigint,
    primary key (id, region)
);

-- What a region tells the age of the rest by, without a clock that both would have to agree on. The servers of the centre
-- count it up once a second. Whatever was committed before a beat is in the region when the beat is.
create table regional.heartbeat (
    region    text collate "C" not null primary key references regional.regions (name) on delete cascade,
    number    bigint not null,
    -- The last beat of which the region had said, before this one was made, that it has it.
    echoed    bigint not null,
    -- By chance, of this beat and of the one before: a region to which the one before did not come has a gap.
    mark      uuid not null,
    previous  uuid not null,
    -- The beat whose echo is waited for, and a place in the log that lies behind it. The region is not told these.
    asked     bigint not null,
    asked_lsn pg_lsn not null,
    beaten_at timestamptz not null
) with (fillfactor = 20);

-- People: in a region as long as anything there refers to them.

create function regional.put_user(person text, into_region text) returns void language plpgsql as $$
begin
    insert into regional.users (id, region, name, disabled_at)
    select u.id, into_region, u.name, u.disabled_at from users u where u.id = person
    on conflict do nothing;
end
$$ set search_path from current;

create function regional.tidy_user(person text) returns void language plpgsql as $$
begin
    delete from regional.users u
    where u.id = person
      and not exists (select from regional.memberships m where m.user_id = u.id and m.region = u.region)
      and not exists (select from regional.grants g where g.user_id = u.id and g.region = u.region);
end
$$ set search_path from current;

-- The triggers. A row that is of no region finds none to be put into.

create function regional.keep_organization() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        perform regional.let_go(old.id);
    else
        update regional.organizations set slug = new.slug, name = new.name, disabled_at = new.disabled_at
        where id = new.id;
    end if;
    return null;
end
$$;

create function regional.keep_membership() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        delete from regional.memberships
        where organization_id = old.organization_id and user_id = old.user_id;
    end if;
    if tg_op <> 'DELETE' then
        insert into regional.memberships (organization_id, user_id, region, role)
        select new.organization_id, new.user_id, o.region, new.role
        from regional.organizations o where o.id = new.organization_id;
        perform regional.put_user(new.user_id, o.region)
        from regional.organizations o where o.id = new.organization_id;
    end if;
    if tg_op <> 'INSERT' then
        perform regional.tidy_user(old.user_id);
    end if;
    return null;
end
$$;

create function regional.keep_user() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        delete from regional.users where id = old.id;
    else
        update regional.users set name = new.name, disabled_at = new.disabled_at where id = new.id;
    end if;
    return null;
end
$$;

create function regional.keep_application() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        insert into regional.applications (client_id, region, organization_id, disabled_at)
        select new.client_id, o.region, new.organization_id, new.disabled_at
        from regional.organizations o where o.id = new.organization_id;
    elsif tg_op = 'UPDATE' then
        update regional.applications set disabled_at = new.disabled_at where client_id = new.client_id;
    else
        delete from regional.applications where client_id = old.client_id;
    end if;
    return null;
end
$$;

create function regional.keep_origin() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        delete from regional.application_origins where client_id = old.client_id and origin = old.origin;
    end if;
    if tg_op <> 'DELETE' then
        insert into regional.application_origins (client_id, origin, region)
        select new.client_id, new.origin, a.region
        from regional.applications a where a.client_id = new.client_id;
    end if;
    return null;
end
$$;

create function regional.keep_grant() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        delete from regional.grants where id = old.id;
    end if;
    if tg_op <> 'DELETE' then
        insert into regional.grants (id, region, client_id, organization_id, user_id, revoked_at)
        select new.id, o.region, new.client_id, new.organization_id, new.user_id, new.revoked_at
        from regional.organizations o where o.id = new.organization_id;
    end if;
    if tg_op = 'DELETE' then
        perform regional.tidy_user(old.user_id);
    end if;
    return null;
end
$$;

create function regional.keep_token() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        delete from regional.access_tokens where id = old.id;
    end if;
    if tg_op <> 'DELETE' then
        insert into regional.access_tokens (id, region, token_hash, grant_id, scopes, created_at, expires_at, revoked_at)
        select new.id, g.region, new.token_hash, new.grant_id, new.scopes, new.created_at, new.expires_at,
               new.revoked_at
        from regional.grants g where g.id = new.grant_id;
    end if;
    return null;
end
$$;

create function regional.keep_resource_server() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        delete from regional.resource_servers where id = old.id;
    end if;
    if tg_op <> 'DELETE' then
        insert into regional.resource_servers (id, region, name, secret_hash, organization_id, disabled_at)
        select new.id, r.region, new.name, new.secret_hash, new.organization_id, new.disabled_at
        from (select name as region from regional.regions where new.organization_id is null
              union all
              select region from regional.organizations where id = new.organization_id) r;
    end if;
    return null;
end
$$;

create trigger regions_keep_organization
after update of slug, name, disabled_at or delete on organizations
for each row execute function regional.keep_organization();

create trigger regions_keep_membership
after insert or update of organization_id, user_id, role or delete on memberships
for each row execute function regional.keep_membership();

create trigger regions_keep_user
after update of name, disabled_at or delete on users
for each row execute function regional.keep_user();

create trigger regions_keep_application
after insert or update of disabled_at or delete on applications
for each row execute function regional.keep_application();

create trigger regions_keep_origin
after insert or update or delete on application_origins
for each row execute function regional.keep_origin();

create trigger regions_keep_grant
after insert or update of revoked_at, client_id, organization_id, user_id or delete on grants
for each row execute function regional.keep_grant();

create trigger regions_keep_token
after insert or update of token_hash, revoked_at, expires_at, scopes, grant_id or delete on access_tokens
for each row execute function regional.keep_token();

create trigger regions_keep_resource_server
after insert or update or delete on resource_servers
for each row execute function regional.keep_resource_server();

-- Turns them on, for what is replicated from elsewhere as well, or off. Nobody writes to these tables meanwhile.
create function regional.keep(wanted boolean) returns void language plpgsql as $$
declare
    kept record;
begin
    for kept in select tgname, tgrelid::regclass as relation from pg_trigger where tgname like 'regions\_keep\_%' loop
        execute format('alter table %s %s trigger %I', kept.relation,
                       case when wanted then 'enable always' else 'disable' end, kept.tgname);
    end loop;
end
$$ set search_path from current;

select regional.keep(false);

-- The name of a region's publication, of its subscription, and of the slot that keeps the log for it.
create function regional.outlet(region text) returns text language sql immutable as $$
    select 'latchkey_' || replace(region, '-', '_')
$$;

create function regional.publish(region_name text, now bigint) returns void language plpgsql as $$
declare
    filtered text;
begin
    insert into regional.regions (name, created_at) values (region_name, now);
    insert into regional.heartbeat (region, number, echoed, mark, previous, asked, asked_lsn, beaten_at)
    values (region_name, 0, 0, gen_random_uuid(), gen_random_uuid(), 0, pg_current_wal_insert_lsn(),
            clock_timestamp());
    insert into regional.resource_servers (id, region, name, secret_hash, organization_id, disabled_at)
    select s.id, region_name, s.name, s.secret_hash, null, s.disabled_at
    from resource_servers s where s.organization_id is null;
    select string_agg(format('regional.%I where (region = %L)', one, region_name), ', ')
    into filtered
    from unnest(array['organizations', 'memberships', 'users', 'applications', 'application_origins', 'grants',
                      'access_tokens', 'resource_servers']) one;
    execute format(
        'create publication %I for table %s, regional.heartbeat (region, number, echoed, mark, previous) where (region = %L)
         with (publish = ''insert, update, delete'')',
        regional.outlet(region_name), filtered, region_name
    );
    perform regional.keep(true);
end
$$ set search_path from current;

-- Takes away a region in which there is no organization any more.
create function regional.remove(region_name text) returns void language plpgsql as $$
begin
    execute format('drop publication if exists %I', regional.outlet(region_name));
    delete from regional.resource_servers where region = region_name;
    delete from regional.users where region = region_name;
    delete from regional.regions where name = region_name;
    if not exists (select from regional.regions) then
        perform regional.keep(false);
    end if;
end
$$ set search_path from current;

-- Gives a region all that there is of an organization.
create function regional.take(organization text, into_region text) returns void language plpgsql as $$
begin
    insert into regional.organizations (id, region, slug, name, disabled_at)
    select o.id, into_region, o.slug, o.name, o.disabled_at from organizations o where o.id = organization;
    insert into regional.memberships (organization_id, user_id, region, role)
    select m.organization_id, m.user_id, into_region, m.role
    from memberships m where m.organization_id = organization;
    insert into regional.applications (client_id, region, organization_id, disabled_at)
    select a.client_id, into_region, a.organization_id, a.disabled_at
    from applications a where a.organization_id = organization;
    insert into regional.application_origins (client_id, origin, region)
    select ao.client_id, ao.origin, into_region
    from application_origins ao join applications a on a.client_id = ao.client_id
    where a.organization_id = organization;
    insert into regional.grants (id, region, client_id, organization_id, user_id, revoked_at)
    select g.id, into_region, g.client_id, g.organization_id, g.user_id, g.revoked_at
    from grants g where g.organization_id = organization;
    insert into regional.users (id, region, name, disabled_at)
    select u.id, into_region, u.name, u.disabled_at from users u
    where u.id in (select m.user_id from memberships m where m.organization_id = organization
                   union select g.user_id from grants g where g.organization_id = organization)
    on conflict do nothing;
    insert into regional.access_tokens (id, region, token_hash, grant_id, scopes, created_at, expires_at, revoked_at)
    select t.id, into_region, t.token_hash, t.grant_id, t.scopes, t.created_at, t.expires_at, t.revoked_at
    from access_tokens t join grants g on g.id = t.grant_id
    where g.organization_id = organization;
    insert into regional.resource_servers (id, region, name, secret_hash, organization_id, disabled_at)
    select s.id, into_region, s.name, s.secret_hash, s.organization_id, s.disabled_at
    from resource_servers s where s.organization_id = organization;
end
$$ set search_path from current;

-- Takes all of it away again.
create function regional.let_go(organization text) returns void language plpgsql as $$
declare
    from_region text := (select o.region from regional.organizations o where o.id = organization);
begin
    delete from regional.access_tokens t using regional.grants g
    where t.grant_id = g.id and g.organization_id = organization;
    delete from regional.grants where organization_id = organization;
    delete from regional.application_origins ao using regional.applications a
    where a.client_id = ao.client_id and a.organization_id = organization;
    delete from regional.applications where organization_id = organization;
    delete from regional.resource_servers where organization_id = organization;
    delete from regional.memberships where organization_id = organization;
    delete from regional.users u
    where u.region = from_region
      and not exists (select from regional.memberships m where m.user_id = u.id and m.region = u.region)
      and not exists (select from regional.grants g where g.user_id = u.id and g.region = u.region);
    delete from regional.organizations where id = organization;
end
$$ set search_path from current;
