-- Whatever changes what an access token stands on is told at the commit to everybody who listens, in the order of the
-- commits: who remembers tokens forgets what this says. It is told by the transaction that makes the change, by whatever
-- program, and by the one that applies what was replicated from elsewhere.

-- Tells it to the others, and leaves it in latchkey.changed for the end of the transaction itself, whose own process
-- forgets it before anybody is told that it is done. Of very many changes that is the one word that everything changed.
create function tell_the_gate(change text) returns void language plpgsql as $$
declare
    changed text := coalesce(current_setting('latchkey.changed', true), '');
begin
    perform pg_notify('latchkey_gate', change);
    if changed <> 'anything' then
        perform set_config(
            'latchkey.changed',
            case when length(changed) < 60000 then changed || change || E'\n' else 'anything' end,
            true
        );
    end if;
end
$$ set search_path from current;

create function gate_hears_of_a_token() returns trigger language plpgsql as $$
begin
    perform tell_the_gate('token ' || encode(old.token_hash, 'hex'));
    return null;
end
$$ set search_path from current;

create trigger gate_hears_of_a_token
after update of revoked_at, expires_at, scopes, grant_id or delete on access_tokens
for each row execute function gate_hears_of_a_token();

create function gate_hears_of_a_grant() returns trigger language plpgsql as $$
begin
    perform tell_the_gate('token ' || encode(token_hash, 'hex')) from access_tokens where grant_id = old.id;
    return null;
end
$$ set search_path from current;

create trigger gate_hears_of_a_grant
after update of revoked_at, client_id, organization_id, user_id on grants
for each row execute function gate_hears_of_a_grant();

create function gate_hears_of_an_application() returns trigger language plpgsql as $$
begin
    perform tell_the_gate('application ' || old.client_id);
    return null;
end
$$ set search_path from current;

create trigger gate_hears_of_an_application
after update of disabled_at, organization_id or delete on applications
for each row execute function gate_hears_of_an_application();

create function gate_hears_of_an_origin() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        perform tell_the_gate('application ' || old.client_id);
    end if;
    if tg_op <> 'DELETE' then
        perform tell_the_gate('application ' || new.client_id);
    end if;
    return null;
end
$$ set search_path from current;

create trigger gate_hears_of_an_origin
after insert or update or delete on application_origins
for each row execute function gate_hears_of_an_origin();

create function gate_hears_of_an_organization() returns trigger language plpgsql as $$
begin
    perform tell_the_gate('organization ' || old.id);
    return null;
end
$$ set search_path from current;

create trigger gate_hears_of_an_organization
after update of slug, name, disabled_at or delete on organizations
for each row execute function gate_hears_of_an_organization();

create function gate_hears_of_a_person() returns trigger language plpgsql as $$
begin
    perform tell_the_gate('user ' || old.id);
    return null;
end
$$ set search_path from current;

create trigger gate_hears_of_a_person
after update of name, email, disabled_at or delete on users
for each row execute function gate_hears_of_a_person();

create function gate_hears_of_a_member() returns trigger language plpgsql as $$
begin
    perform tell_the_gate('membership ' || old.organization_id || ' ' || old.user_id);
    return null;
end
$$ set search_path from current;

create trigger gate_hears_of_a_member
after update or delete on memberships
for each row execute function gate_hears_of_a_member();

-- What is replicated from elsewhere is applied without the triggers that are not told to.
alter table access_tokens enable always trigger gate_hears_of_a_token;
alter table grants enable always trigger gate_hears_of_a_grant;
alter table applications enable always trigger gate_hears_of_an_application;
alter table application_origins enable always trigger gate_hears_of_an_origin;
alter table organizations enable always trigger gate_hears_of_an_organization;
alter table users enable always trigger gate_hears_of_a_person;
alter table memberships enable always trigger gate_hears_of_a_member;
