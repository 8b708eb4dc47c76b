//! `/toolbar/{client_id}/`: the iframe, its callback page, and whether a site may use it.

pub mod callback;
pub mod frame;
pub mod session;
pub mod setup;
pub mod status;

use crate::{
    http::{assets, error::Error},
    oauth::client::Client,
    state::App,
};

/// The application that a page of the toolbar is for: an active one, and the page's files are there.
async fn client(app: &App, client_id: &str) -> Result<Client, Error> {
    let mut unit = app.store.look().await?;
    let client = Client::find(&mut unit, client_id).await?.ok_or(Error::NotFound)?;
    if assets::is_built() { Ok(client) } else { Err(Error::NotBuilt) }
}
