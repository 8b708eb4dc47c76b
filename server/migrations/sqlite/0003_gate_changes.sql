-- Whatever changes what an access token stands on, in the order in which it happened: who remembers tokens forgets what
-- this says. A row is written by the transaction that makes the change, by whatever program.

create table gate_changes (
    -- Never used twice: who has seen one knows by its number what it has not seen.
    id      integer not null primary key autoincrement,
    subject text    not null check (subject in ('token', 'application', 'organization', 'user', 'membership')),
    -- A token's digest in hexadecimal digits, or the id of what changed; of a membership the organization's.
    key     text    not null,
    -- Of a membership alone.
    user_id text
) strict;

create trigger gate_hears_of_a_token
after update of revoked_at, expires_at, scopes, grant_id on access_tokens
begin
    insert into gate_changes (subject, key) values ('token', lower(hex(old.token_hash)));
end;

create trigger gate_hears_of_a_token_that_is_gone
after delete on access_tokens
begin
    insert into gate_changes (subject, key) values ('token', lower(hex(old.token_hash)));
end;

create trigger gate_hears_of_a_grant
after update of revoked_at, client_id, organization_id, user_id on grants
begin
    insert into gate_changes (subject, key)
    select 'token', lower(hex(token_hash)) from access_tokens where grant_id = old.id;
end;

create trigger gate_hears_of_an_application
after update of disabled_at, organization_id on applications
begin
    insert into gate_changes (subject, key) values ('application', old.client_id);
end;

create trigger gate_hears_of_an_application_that_is_gone
after delete on applications
begin
    insert into gate_changes (subject, key) values ('application', old.client_id);
end;

create trigger gate_hears_of_a_new_origin
after insert on application_origins
begin
    insert into gate_changes (subject, key) values ('application', new.client_id);
end;

create trigger gate_hears_of_an_origin
after update on application_origins
begin
    insert into gate_changes (subject, key) values ('application', old.client_id), ('application', new.client_id);
end;

create trigger gate_hears_of_an_origin_that_is_gone
after delete on application_origins
begin
    insert into gate_changes (subject, key) values ('application', old.client_id);
end;

create trigger gate_hears_of_an_organization
after update of slug, name, disabled_at on organizations
begin
    insert into gate_changes (subject, key) values ('organization', old.id);
end;

create trigger gate_hears_of_an_organization_that_is_gone
after delete on organizations
begin
    insert into gate_changes (subject, key) values ('organization', old.id);
end;

create trigger gate_hears_of_a_person
after update of name, email, disabled_at on users
begin
    insert into gate_changes (subject, key) values ('user', old.id);
end;

create trigger gate_hears_of_a_person_who_is_gone
after delete on users
begin
    insert into gate_changes (subject, key) values ('user', old.id);
end;

create trigger gate_hears_of_a_member
after update on memberships
begin
    insert into gate_changes (subject, key, user_id) values ('membership', old.organization_id, old.user_id);
end;

create trigger gate_hears_of_a_member_who_left
after delete on memberships
begin
    insert into gate_changes (subject, key, user_id) values ('membership', old.organization_id, old.user_id);
end;
