-- YugabyteDB passes notifications on in its own time, or refuses them. A revocation that is refused there would be worse than
-- one of which nobody is told: no process remembers anything by such notifications, and all ask the database.
create or replace function tell_the_gate(change text) returns void language plpgsql as $$
declare
    changed text := coalesce(current_setting('latchkey.changed', true), '');
begin
    if version() not like '%-YB-%' then
        perform pg_notify('latchkey_gate', change);
    end if;
    if changed <> 'anything' then
        perform set_config(
            'latchkey.changed',
            case when length(changed) < 60000 then changed || change || E'\n' else 'anything' end,
            true
        );
    end if;
end
$$ set search_path from current;
