//! The SDK for a script tag: one script at an address whose content never changes, and its hash. A site that gives
//! both runs just this script, whatever becomes of the platform (Subresource Integrity).

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{
    Json,
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use rust_embed::Embed;
use serde::Serialize;
use sha2::{Digest, Sha384};

use crate::{
    config::Config,
    http::{
        assets::{File, hex},
        error::{ApiError, Error, PageError},
    },
    state::App,
};

/// What `cargo xtask build` makes of the SDK. As with the iframe, a debug build reads it when it starts.
#[derive(Embed)]
#[folder = "../target/latchkey/script"]
#[allow_missing = true]
struct Script;

/// The one that a page names. What else is there it loads itself, by a hash of its own: its hash stands for all.
const NAME: &str = "latchkey.js";

struct Built {
    version: String,
    integrity: String,
    files: BTreeMap<String, File>,
}

static BUILT: LazyLock<Option<Built>> = LazyLock::new(|| {
    let files: BTreeMap<_, _> = Script::iter()
        .filter(|name| name.ends_with(".js"))
        .filter_map(|name| Some((name.to_string(), File::new(Script::get(&name)?))))
        .collect();
    let digest = Sha384::digest(files.get(NAME)?.plain());
    let integrity = format!("sha384-{}", BASE64.encode(digest));
    Some(Built { version: hex(&digest[..8]), integrity, files })
});

/// What a page gives in its script tag.
#[derive(Debug, Clone, Serialize)]
pub struct Tag {
    /// `src`.
    pub url: String,
    /// `integrity`, which needs `crossorigin` beside it.
    pub integrity: &'static str,
}

/// The tag for this platform's script; `None` where that was not built.
pub fn tag(config: &Config) -> Option<Tag> {
    let built = BUILT.as_ref()?;
    Some(Tag { url: config.url(&format!("/sdk/{}/{NAME}", built.version)), integrity: &built.integrity })
}

/// `GET /sdk/`: the tag, for who builds pages by a program.
pub async fn describe(State(app): State<App>) -> Result<Json<Tag>, ApiError> {
    Ok(Json(tag(&app.config).ok_or(Error::NotBuilt)?))
}

/// `GET /sdk/{version}/{name}`.
pub async fn get(
    Path((version, name)): Path<(String, String)>,
    asked: HeaderMap,
) -> Result<Response, PageError> {
    let built = BUILT.as_ref().filter(|built| built.version == version).ok_or(Error::NotFound)?;
    Ok(built.files.get(&name).ok_or(Error::NotFound)?.answer(&asked))
}
