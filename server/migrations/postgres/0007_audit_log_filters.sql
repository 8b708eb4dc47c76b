-- An audit log is read by what happened, by application and by person, about them and by them, as well: a page of each is found without looking at
-- whatever else there is.

create index audit_log_by_action on audit_log (organization_id, action, id);
create index audit_log_by_application on audit_log (organization_id, client_id, id);
create index audit_log_by_person on audit_log (organization_id, user_id, id);
create index audit_log_by_actor on audit_log (organization_id, actor_id, id);
