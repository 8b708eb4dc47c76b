//! What every endpoint shares: connections and load, errors and their renderers, pages, forms, cookies, addresses,
//! headers, CORS, files.

pub mod address;
pub mod assets;
pub mod browser;
pub mod connections;
pub mod cors;
pub mod error;
pub mod exchange;
pub mod form;
pub mod headers;
pub mod json;
pub mod kept_form;
pub mod load;
pub mod moment;
pub mod origin_check;
pub mod page;
pub mod paging;
pub mod parameters;
pub mod readable;
pub mod script;
pub mod visit;
pub mod workspace;
