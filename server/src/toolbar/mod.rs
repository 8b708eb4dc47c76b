//! `/toolbar/{client_id}/`: the iframe, its callback page, and whether a site may use it.

pub mod callback;
pub mod frame;
pub mod status;
