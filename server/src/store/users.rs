//! People.

use crate::{
    audit::Action,
    clock::UnixSeconds,
    store::{StoreError, Unit, audit_log, statement},
};

/// A person.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct User {
    /// Their id, for ever.
    pub id: String,
    /// Their e-mail address, as it was typed.
    pub email: String,
    /// Their name for people.
    pub name: String,
    /// The PHC string of their password.
    pub password_hash: String,
    /// Since when they may not do anything.
    pub disabled_at: Option<UnixSeconds>,
}

/// One account per address, however it is written.
pub fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Adds a person; [`StoreError::Conflict`] when the address has an account.
pub async fn insert(unit: &mut Unit, user: &User, now: UnixSeconds) -> Result<(), StoreError> {
    const INSERT: &str = "insert into users (id, email, email_key, name, password_hash, created_at)
                          values ($1, $2, $3, $4, $5, $6)";
    let key = email_key(&user.email);
    statement!(unit, execute, INSERT, &user.id, &user.email, key, &user.name, &user.password_hash, now)?;
    Ok(())
}

/// The person with this id.
pub async fn find(unit: &mut Unit, id: &str) -> Result<Option<User>, StoreError> {
    const FIND: &str = "select id, email, name, password_hash, disabled_at from users where id = $1";
    statement!(unit, fetch_optional User, FIND, id)
}

/// The person with this address.
pub async fn find_by_email(unit: &mut Unit, email: &str) -> Result<Option<User>, StoreError> {
    const FIND_BY_EMAIL: &str =
        "select id, email, name, password_hash, disabled_at from users where email_key = $1";
    statement!(unit, fetch_optional User, FIND_BY_EMAIL, email_key(email))
}

/// Gives a person another password, if theirs is still the one that was looked at; says whether it was.
pub async fn touch_password(unit: &mut Unit, id: &str, from: &str, to: &str) -> Result<bool, StoreError> {
    const TOUCH_PASSWORD: &str = "update users set password_hash = $3 where id = $1 and password_hash = $2";
    Ok(statement!(unit, execute, TOUCH_PASSWORD, id, from, to)? == 1)
}

/// Disables a person, from now on.
pub async fn revoke(unit: &mut Unit, id: &str, now: UnixSeconds) -> Result<(), StoreError> {
    const REVOKE: &str = "update users set disabled_at = coalesce(disabled_at, $2) where id = $1";
    statement!(unit, execute, REVOKE, id, now)?;
    audit_log::insert_of_member(unit, Action::MemberDisabled, id).await
}
