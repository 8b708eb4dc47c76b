//! The files that pages load: served under a path that holds a digest of all of them, so that a browser may keep
//! them for ever and a file never meets another version of its neighbour; and compressed, where the build did that.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt::Write,
    fs, io,
    path::{Path as FilePath, PathBuf},
    sync::LazyLock,
};

use axum::{
    extract::Path,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use rust_embed::{Embed, EmbeddedFile};
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

/// What `cargo xtask build` made of any of these files, by the digest of its bytes: `{digest}.br` and `{digest}.gz`.
#[derive(Embed)]
#[folder = "../target/latchkey/compressed"]
#[allow_missing = true]
struct Compressed;

struct Assets {
    digest: String,
    files: BTreeMap<String, File>,
}

/// A file, and what it is when compressed.
pub(crate) struct File {
    kind: String,
    plain: Cow<'static, [u8]>,
    /// In the order of [`CODINGS`].
    coded: [Option<Cow<'static, [u8]>>; 2],
}

/// The content codings there are, each with the ending of its files: the smallest first.
const CODINGS: [(&str, &str); 2] = [("br", "br"), ("gzip", "gz")];

static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let mut files = BTreeMap::new();
    let mut add = |name: Cow<'static, str>, file: Option<EmbeddedFile>| {
        if let Some(file) = file {
            files.insert(name.into_owned(), File::new(file));
        }
    };
    Own::iter().for_each(|name| add(name.clone(), Own::get(&name)));
    for name in Sdk::iter().filter(|name| name.ends_with(".js") || name.ends_with(".wasm")) {
        let served = if name == "index.js" { "sdk.js".into() } else { name.clone() };
        add(served, Sdk::get(&name));
    }
    Iframe::iter().for_each(|name| add(name.clone(), Iframe::get(&name)));
    let mut hash = Sha256::new();
    for (name, file) in &files {
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name.as_bytes());
        hash.update((file.plain.len() as u64).to_be_bytes());
        hash.update(&file.plain);
    }
    Assets { digest: hex(&hash.finalize()[..8]), files }
});

impl File {
    pub(crate) fn new(file: EmbeddedFile) -> Self {
        let digest = hex(&Sha256::digest(&file.data)[..16]);
        let coded = CODINGS.map(|(_, ending)| {
            let coded = Compressed::get(&format!("{digest}.{ending}"))?.data;
            (coded.len() < file.data.len()).then_some(coded)
        });
        Self { kind: file.metadata.mimetype().to_owned(), plain: file.data, coded }
    }

    /// A script that [`File::write`] left there.
    pub(crate) fn read(path: &FilePath) -> io::Result<Self> {
        let plain = fs::read(path)?.into();
        let coded = CODINGS.map(|(_, ending)| fs::read(beside(path, ending)).ok().map(Cow::Owned));
        Ok(Self { kind: "text/javascript".to_owned(), plain, coded })
    }

    /// Writes it down, and what it is when compressed beside it.
    pub(crate) fn write(&self, path: &FilePath) -> io::Result<()> {
        fs::write(path, &self.plain)?;
        CODINGS.iter().zip(&self.coded).try_for_each(|((_, ending), bytes)| match bytes {
            Some(bytes) => fs::write(beside(path, ending), bytes),
            None => Ok(()),
        })
    }

    /// The bytes for who accepts these codings, and the coding that they are in.
    fn bytes(&self, accepted: &str) -> (Cow<'static, [u8]>, Option<&'static str>) {
        let coded = CODINGS.iter().zip(&self.coded).find_map(|((coding, _), bytes)| {
            let bytes = bytes.clone().filter(|_| accepts(accepted, coding))?;
            Some((bytes, Some(*coding)))
        });
        coded.unwrap_or_else(|| (self.plain.clone(), None))
    }

    /// The bytes as they are.
    pub(crate) fn plain(&self) -> &[u8] {
        &self.plain
    }

    /// The file for whoever asked, to be kept for ever.
    pub(crate) fn answer(&self, asked: &HeaderMap) -> Response {
        let accepted = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let (bytes, coding) = self.bytes(&accepted.collect::<Vec<_>>().join(","));
        let mut response = bytes.into_response();
        let headers = response.headers_mut();
        if let Ok(kind) = HeaderValue::from_str(&self.kind) {
            headers.insert(header::CONTENT_TYPE, kind);
        }
        if let Some(coding) = coding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
        headers
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
        response
    }
}

/// The name of a file that is compressed: it ends in how.
fn beside(path: &FilePath, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{ending}"));
    name.into()
}

/// Whether an `Accept-Encoding` names a coding, or all, and not with the weight 0 (RFC 9110 §12.5.3).
fn accepts(accepted: &str, coding: &str) -> bool {
    let weight = |wanted: &str| {
        accepted.split(',').find_map(|part| {
            let (name, weight) = part.split_once(';').unwrap_or((part, "q=1"));
            let weight = weight.trim().strip_prefix(['q', 'Q'])?.trim_start().strip_prefix('=')?.trim();
            name.trim().eq_ignore_ascii_case(wanted).then(|| weight.parse().unwrap_or(0.0))
        })
    };
    weight(coding).or_else(|| weight("*")).is_some_and(|weight: f32| weight > 0.0)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The path under which the files lie, without a slash at its end.
pub fn base() -> String {
    format!("/assets/{}", ASSETS.digest)
}

/// Whether the iframe's files are there.
pub fn is_built() -> bool {
    ASSETS.files.contains_key("latchkey_iframe_bg.wasm")
}

/// `GET /assets/{digest}/{name}`.
pub async fn get(
    Path((digest, name)): Path<(String, String)>,
    asked: HeaderMap,
) -> Result<Response, PageError> {
    if digest != ASSETS.digest {
        return Err(Error::NotFound.into());
    }
    Ok(ASSETS.files.get(&name).ok_or(Error::NotFound)?.answer(&asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coding_is_accepted_by_its_name_or_by_the_star_and_refused_by_the_weight_0() {
        for yes in ["br", "gzip, deflate, br, zstd", "gzip;q=0.5 , BR ; q=0.001", "*", "gzip;q=0, *;q=0.1"] {
            assert!(accepts(yes, "br"), "{yes}");
        }
        for no in ["", "gzip", "br;q=0", "br; Q = 0.000, *", "*;q=0", "brotli", "br;level=11", "identity"] {
            assert!(!accepts(no, "br"), "{no}");
        }
    }

    #[test]
    fn the_smallest_that_is_accepted_is_taken_and_none_where_there_is_none() {
        let coded = |text: &'static str| Some(Cow::Borrowed(text.as_bytes()));
        let file =
            File { kind: String::new(), plain: Cow::Borrowed(b"plain"), coded: [coded("b"), coded("gz")] };
        for (accepted, bytes, coding) in [
            ("gzip, deflate, br", "b", Some("br")),
            ("gzip", "gz", Some("gzip")),
            ("br;q=0, *", "gz", Some("gzip")),
            ("", "plain", None),
            ("deflate", "plain", None),
        ] {
            assert_eq!(file.bytes(accepted), (Cow::Borrowed(bytes.as_bytes()), coding), "{accepted}");
        }
        let file = File { coded: [None, None], ..file };
        assert_eq!(file.bytes("br, gzip"), (Cow::Borrowed(&b"plain"[..]), None));
    }
}
