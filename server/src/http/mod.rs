//! What every endpoint shares: errors and their renderers, pages, forms, cookies, addresses, headers, CORS, files.

pub mod address;
pub mod assets;
pub mod browser;
pub mod cors;
pub mod error;
pub mod headers;
pub mod origin_check;
pub mod page;
pub mod parameters;
