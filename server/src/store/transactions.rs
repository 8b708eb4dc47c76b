//! Authorization requests being decided.

use crate::{
    clock::UnixSeconds,
    secret::Digest256,
    store::{StoreError, Unit, statement},
};

/// The columns of a transaction, as they are stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    /// SHA-256 of the cookie of the browser that began it.
    pub browser_hash: Vec<u8>,
    /// The application.
    pub client_id: String,
    /// `token` or `code`.
    pub response_type: String,
    /// Where the response goes.
    pub redirect_uri: String,
    /// Set where the request named that itself.
    pub redirect_given_at: Option<UnixSeconds>,
    /// Set where that is the platform's callback page.
    pub callback_at: Option<UnixSeconds>,
    /// The site the request came from.
    pub requesting_origin: String,
    /// What was asked for, as a list.
    pub scopes: String,
    /// The client's `state`, byte for byte.
    pub state: Option<String>,
    /// The client's `prompt`.
    pub prompt: Option<String>,
    /// The client's `login_hint`.
    pub login_hint: Option<String>,
    /// The client's `max_age`, in seconds.
    pub max_age: Option<UnixSeconds>,
    /// The client's `code_challenge`, by S256.
    pub code_challenge: Option<String>,
    /// The client's `nonce`.
    pub nonce: Option<String>,
    /// Whose id_token the client sent along.
    pub hinted_user_id: Option<String>,
    /// Who saw the consent page.
    pub user_id: Option<String>,
    /// The scopes that the page named, as a list.
    pub shown_scopes: Option<String>,
    /// When it began.
    pub created_at: UnixSeconds,
    /// When it is too late.
    pub expires_at: UnixSeconds,
}

/// Adds a transaction.
pub async fn insert(unit: &mut Unit, id: &Digest256, row: &Row) -> Result<(), StoreError> {
    const INSERT: &str = "insert into transactions
                              (id_hash, browser_hash, client_id, response_type, redirect_uri, redirect_given_at,
                               callback_at, requesting_origin, scopes, state, prompt, login_hint, max_age,
                               code_challenge, nonce, hinted_user_id, user_id, shown_scopes, created_at,
                               expires_at)
                          values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                                  $19, $20)";
    statement!(
        unit,
        later,
        INSERT,
        id.as_bytes(),
        &row.browser_hash,
        &row.client_id,
        &row.response_type,
        &row.redirect_uri,
        row.redirect_given_at,
        row.callback_at,
        &row.requesting_origin,
        &row.scopes,
        &row.state,
        &row.prompt,
        &row.login_hint,
        row.max_age,
        &row.code_challenge,
        &row.nonce,
        &row.hinted_user_id,
        &row.user_id,
        &row.shown_scopes,
        row.created_at,
        row.expires_at
    )?;
    Ok(())
}

/// The transaction, if it is not too late.
pub async fn find(unit: &mut Unit, id: &Digest256, now: UnixSeconds) -> Result<Option<Row>, StoreError> {
    const FIND: &str = "select browser_hash, client_id, response_type, redirect_uri, redirect_given_at, callback_at,
                               requesting_origin, scopes, state, prompt, login_hint, max_age, code_challenge, nonce,
                               hinted_user_id, user_id, shown_scopes, created_at, expires_at
                        from transactions where id_hash = $1 and expires_at > $2";
    statement!(unit, fetch_optional Row, FIND, id.as_bytes(), now)
}

/// Binds the transaction to the person who sees its consent page, and to what the page names.
pub async fn touch(
    unit: &mut Unit,
    id: &Digest256,
    user_id: &str,
    shown_scopes: &str,
) -> Result<(), StoreError> {
    const TOUCH: &str = "update transactions set user_id = $2, shown_scopes = $3 where id_hash = $1";
    statement!(unit, later, TOUCH, id.as_bytes(), user_id, shown_scopes)?;
    Ok(())
}

/// Takes the transaction: true for exactly one of any number of callers.
pub async fn consume(unit: &mut Unit, id: &Digest256, now: UnixSeconds) -> Result<bool, StoreError> {
    const CONSUME: &str = "delete from transactions where id_hash = $1 and expires_at > $2";
    Ok(statement!(unit, execute, CONSUME, id.as_bytes(), now)? == 1)
}

/// Deletes transactions that are too late, at most this many.
pub async fn sweep(unit: &mut Unit, now: UnixSeconds, most: i64) -> Result<u64, StoreError> {
    const SWEEP: &str = "delete from transactions where id_hash in
                             (select id_hash from transactions where expires_at <= $1 limit $2)";
    statement!(unit, execute, SWEEP, now, most)
}
