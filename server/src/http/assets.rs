//! The files that pages load: served under a path that holds a digest of all of them, so that a browser may keep
//! them for ever and a file never meets another version of its neighbour.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write, sync::LazyLock};

use axum::{
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use rust_embed::Embed;
use sha2::{Digest, Sha256};

use crate::http::error::{Error, PageError};

/// What the pages load besides themselves, always there.
#[derive(Embed)]
#[folder = "assets"]
struct Own;

/// What `cargo xtask build` makes of the iframe. A release build holds the files; a debug build reads them from the
/// built folder when it starts.
#[derive(Embed)]
#[folder = "../target/latchkey/assets"]
#[allow_missing = true]
struct Iframe;

/// The SDK, for the pages on which a person tries it.
#[derive(Embed)]
#[folder = "../target/latchkey/sdk"]
#[allow_missing = true]
struct Sdk;

struct Assets {
    digest: String,
    files: BTreeMap<String, (Cow<'static, [u8]>, String)>,
}

static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let mut files = BTreeMap::new();
    let mut add = |name: Cow<'static, str>, file: Option<rust_embed::EmbeddedFile>| {
        if let Some(file) = file {
            let kind = file.metadata.mimetype().to_owned();
            files.insert(name.into_owned(), (file.data, kind));
        }
    };
    Own::iter().for_each(|name| add(name.clone(), Own::get(&name)));
    for name in Sdk::iter().filter(|name| name.ends_with(".js") || name.ends_with(".wasm")) {
        let served = if name == "index.js" { "sdk.js".into() } else { name.clone() };
        add(served, Sdk::get(&name));
    }
    Iframe::iter().for_each(|name| add(name.clone(), Iframe::get(&name)));
    let mut hash = Sha256::new();
    for (name, (bytes, _)) in &files {
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name.as_bytes());
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    }
    let digest = hash.finalize()[..8].iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    Assets { digest, files }
});

/// The path under which the files lie, without a slash at its end.
pub fn base() -> String {
    format!("/assets/{}", ASSETS.digest)
}

/// Whether the iframe's files are there.
pub fn is_built() -> bool {
    ASSETS.files.contains_key("latchkey_iframe_bg.wasm")
}

/// `GET /assets/{digest}/{name}`.
pub async fn get(Path((digest, name)): Path<(String, String)>) -> Result<Response, PageError> {
    if digest != ASSETS.digest {
        return Err(Error::NotFound.into());
    }
    let (bytes, kind) = ASSETS.files.get(&name).ok_or(Error::NotFound)?;
    let mut response = bytes.clone().into_response();
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(kind) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    Ok(response)
}
