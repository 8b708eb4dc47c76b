//! Compressing what the server hands out, once and as well as it goes: nobody waits for it, and the server needs no
//! code for it.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::command::root;

/// Makes target/latchkey/compressed: each file of these folders in brotli and in gzip, named by the digest of what it
/// was. The server looks there for exactly the bytes it has, so what is left of other builds is never served.
pub(crate) fn folders(folders: &[PathBuf]) -> Result<()> {
    let into = root().join("target/latchkey/compressed");
    fs::create_dir_all(&into)?;
    let mut wanted = BTreeSet::new();
    for folder in folders {
        for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())?.flatten() {
            if is_served(&entry.path()) {
                wanted.extend(file(&fs::read(entry.path())?, &into)?);
            }
        }
    }
    for entry in fs::read_dir(&into)?.flatten() {
        if !wanted.contains(&entry.path()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn is_served(path: &Path) -> bool {
    path.extension().is_some_and(|extension| ["css", "js", "svg", "wasm"].iter().any(|it| extension == *it))
}

/// Compresses one file, unless it is there already; returns where.
fn file(content: &[u8], into: &Path) -> Result<[PathBuf; 2]> {
    let digest = Sha256::digest(content);
    let name: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let paths = ["br", "gz"].map(|extension| into.join(format!("{name}.{extension}")));
    let [br, gz] = &paths;
    if !br.exists() || !gz.exists() {
        fs::write(br, brotli(content)?)?;
        fs::write(gz, gzip(content)?)?;
    }
    Ok(paths)
}

pub(crate) fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}

pub(crate) fn brotli(content: &[u8]) -> Result<Vec<u8>> {
    let mut compressed = Vec::new();
    let mut encoder = brotli::CompressorWriter::new(&mut compressed, 1 << 16, 11, 22);
    encoder.write_all(content)?;
    drop(encoder);
    Ok(compressed)
}
