//! The SDK for a script tag: one script at an address whose content never changes, and its hash. A site that gives
//! both runs just this script, whatever becomes of the platform (Subresource Integrity).
//!
//! So an address that a site has pinned must go on answering when the platform is updated. The address is a digest of
//! the script, and a server that starts puts its own beside those of the versions before it, in a folder that stays:
//! [`keep`]. Each node reads there when it is asked, since the page may have been made by one that is newer.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use axum::{
    Json,
    extract::{Path as Segments, State},
    http::HeaderMap,
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use rust_embed::Embed;
use serde::Serialize;
use sha2::{Digest, Sha384};
use tokio::task::spawn_blocking;

use crate::{
    config::Config,
    http::{
        assets::{File, hex},
        error::{ApiError, Error, PageError},
    },
    secret::Entropy,
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
        .filter(|name| is_script(name))
        .filter_map(|name| Some((name.to_string(), File::new(Script::get(&name)?))))
        .collect();
    let script = files.get(NAME)?.plain();
    let integrity = format!("sha384-{}", BASE64.encode(Sha384::digest(script)));
    Some(Built { version: version_of(script), integrity, files })
});

/// The version of a script is the script: what stands at its address can be no other.
fn version_of(script: &[u8]) -> String {
    hex(&Sha384::digest(script)[..8])
}

/// Whether it is the name of a script, and no way out of its folder.
fn is_script(name: &str) -> bool {
    name.strip_suffix(".js").is_some_and(|stem| stem.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'))
}

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

/// Puts this version's files into the folder, as `{version}/{name}`, where the next version's server finds them. They
/// are there at once or not at all, whoever else starts at the same time.
pub fn keep(folder: &Path, entropy: &Entropy) -> io::Result<()> {
    let Some(built) = BUILT.as_ref() else { return Ok(()) };
    let place = folder.join(&built.version);
    if place.exists() {
        return Ok(());
    }
    let draft = folder.join(format!(".{}", entropy.id().map_err(io::Error::other)?));
    fs::create_dir_all(&draft)?;
    for (name, file) in &built.files {
        file.write(&draft.join(name))?;
    }
    let moved = fs::rename(&draft, &place);
    if moved.is_err() {
        fs::remove_dir_all(&draft)?;
    }
    // Another process was faster: what it put there is the same.
    if place.exists() { Ok(()) } else { moved }
}

/// `GET /sdk/`: the tag, for who builds pages by a program.
pub async fn describe(State(app): State<App>) -> Result<Json<Tag>, ApiError> {
    Ok(Json(tag(&app.config).ok_or(Error::NotBuilt)?))
}

/// `GET /sdk/{version}/{name}`.
pub async fn get(
    State(app): State<App>,
    Segments((version, name)): Segments<(String, String)>,
    asked: HeaderMap,
) -> Result<Response, PageError> {
    if let Some(built) = BUILT.as_ref().filter(|built| built.version == version) {
        return Ok(built.files.get(&name).ok_or(Error::NotFound)?.answer(&asked));
    }
    let folder = app.config.scripts.clone().ok_or(Error::NotFound)?;
    let found = spawn_blocking(move || find(&folder, &version, &name)).await.ok().flatten();
    Ok(found.ok_or(Error::NotFound)?.answer(&asked))
}

/// A file that a server of another version kept. What the address does not stand for is not served under it, whoever
/// put it there.
fn find(folder: &Path, version: &str, name: &str) -> Option<File> {
    let is_version = version.len() == 16 && version.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !is_version || !is_script(name) {
        return None;
    }
    let place: PathBuf = folder.join(version);
    let script = fs::read(place.join(NAME)).ok()?;
    (version_of(&script) == version).then(|| File::read(&place.join(name)).ok())?
}
