//! What a visitor downloads. The figures are committed in .config/size.toml, so that a change shows in the diff.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::{
    build::{self, Built},
    command::root,
    compress, javascript, modules, wasm,
};

/// What others who sign people in weigh, from what a site imports of them: see tests/peers.
const PEERS: [&str; 4] = [LIGHTEST, "okta-auth-js", "auth0-spa-js", "msal-browser"];
/// What the SDK has to be lighter than, JavaScript and wasm together.
const LIGHTEST: &str = "oidc-client-ts";
/// The most that the iframe's own page may weigh, in bytes as the server sends them to a browser that takes brotli.
const FRAME_BUDGET: u64 = 40_960;
/// What the iframe's page loads of the server's own files.
const FRAME_LOADS: [&str; 2] = ["tokens.css", "mark.svg"];
/// What the iframe's page does not load at the start: another page's, and what only a page needs that never sees a token.
const FRAME_LATER: [&str; 2] = ["callback.js", "calls.js"];
/// How much more than the committed figure is let pass, in percent: compilers differ a little from build to build.
const TOLERANCE: u64 = 2;
/// Where a site begins to load the SDK. What it imports at once counts, what it imports when asked for is shown apart.
const ENTRY: &str = "index.js";

const COMMITTED: &str = ".config/size.toml";
const HEADER: &str = "# What a visitor downloads, in bytes. Written by `cargo xtask size --accept`.\n\n";

/// One file's weight, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Weight {
    raw: u64,
    gzip: u64,
    brotli: u64,
}

/// A folder's files by name.
type Weights = BTreeMap<String, Weight>;

/// What was measured, and with which tools.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Figures {
    rustc: String,
    wasm_opt: String,
    /// Which of the SDK's files every page loads.
    #[serde(default)]
    at_start: BTreeSet<String>,
    sdk: Weights,
    assets: Weights,
    #[serde(default)]
    peers: Weights,
}

/// `cargo xtask size [--accept]`.
pub(crate) fn run(accept: bool) -> Result<()> {
    let built = build::wasm()?;
    let today = measure(&built)?;
    let committed = committed()?;
    show(&today, committed.as_ref());
    if accept {
        ensure!(built.is_canonical(), "not accepted: {NOT_CANONICAL}");
        fs::write(root().join(COMMITTED), format!("{HEADER}{}", toml::to_string(&today)?))?;
        println!("written to {COMMITTED}");
        return Ok(());
    }
    if built.is_canonical() {
        judge(&today, committed.as_ref())
    } else {
        println!("NOT COMPARED: {NOT_CANONICAL}");
        Ok(())
    }
}

const NOT_CANONICAL: &str =
    "the committed figures are those of the prebuilt wasm32 target with wasm-opt, and this build is another";

/// Fails if the SDK is no lighter than its lightest peer, or has grown. Growth is judged only between builds of one
/// compiler version.
fn judge(today: &Figures, committed: Option<&Figures>) -> Result<()> {
    let total = today.start().brotli;
    let lightest = today.peers.get(LIGHTEST).with_context(|| format!("{LIGHTEST} was not weighed"))?.brotli;
    ensure!(
        total < lightest,
        "the SDK weighs {total} bytes in brotli, and {LIGHTEST} {lightest}: it has to be the lighter one"
    );
    let frame = today.frame().brotli;
    ensure!(
        frame <= FRAME_BUDGET,
        "the iframe's page weighs {frame} bytes in brotli, over its budget of {FRAME_BUDGET}"
    );
    let Some(committed) = committed else {
        anyhow::bail!("{COMMITTED} is missing; write it with `cargo xtask size --accept`");
    };
    if (&today.rustc, &today.wasm_opt) != (&committed.rustc, &committed.wasm_opt) {
        println!(
            "GROWTH NOT COMPARED: the committed figures are of rustc {} and {}, these of rustc {} and {}",
            committed.rustc, committed.wasm_opt, today.rustc, today.wasm_opt
        );
        return Ok(());
    }
    let before = committed.start().brotli;
    ensure!(
        total * 100 <= before * (100 + TOLERANCE),
        "the SDK has grown from {before} to {total} bytes in brotli, more than {TOLERANCE} %; \
         if it is worth that: cargo xtask size --accept"
    );
    Ok(())
}

fn committed() -> Result<Option<Figures>> {
    let path = root().join(COMMITTED);
    if !path.exists() {
        return Ok(None);
    }
    Ok(Some(toml::from_str(&fs::read_to_string(path)?).context(COMMITTED)?))
}

fn measure(built: &Built) -> Result<Figures> {
    Ok(Figures {
        rustc: built.toolchain.version(),
        wasm_opt: wasm::wasm_opt_version(built.wasm_opt.as_deref())
            .unwrap_or_else(|| "no wasm-opt".to_owned()),
        at_start: at_start(&built.sdk)?,
        sdk: weigh(&built.sdk)?,
        assets: weigh_frame(&built.assets)?,
        peers: weigh_peers()?,
    })
}

/// The files that a page loads with the SDK: the entry, what it imports at once and so on, and the core.
fn at_start(sdk: &Path) -> Result<BTreeSet<String>> {
    let mut waiting = vec![ENTRY.to_owned()];
    let mut found = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        let source = fs::read_to_string(sdk.join(&name)).with_context(|| name.clone())?;
        let imported = javascript::imports(&name, &source)?;
        found.insert(name);
        let files = imported.iter().filter_map(|import| import.strip_prefix("./")).map(str::to_owned);
        waiting.extend(files.filter(|name| !found.contains(name)));
    }
    let names = fs::read_dir(sdk)?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    found.extend(names.filter(|name| name.ends_with(".wasm")));
    Ok(found)
}

/// The peers as a site delivers them: what it imports of one, bundled and minified.
fn weigh_peers() -> Result<Weights> {
    let folder = modules::install("peers")?;
    let weigh = |name: &str| Ok((name.to_owned(), Weight::of(&modules::bundle(&folder, name)?)?));
    PEERS.into_iter().map(weigh).collect()
}

/// The iframe's files, with what it loads of the server's. The page itself is made for each application, and sent as it
/// is.
fn weigh_frame(assets: &Path) -> Result<Weights> {
    let mut weights = weigh(assets)?;
    for name in FRAME_LOADS {
        let content = fs::read(root().join("server/assets").join(name))?;
        weights.insert(name.to_owned(), Weight::of(&content)?);
    }
    let raw = fs::metadata(root().join("iframe/index.html"))?.len();
    weights.insert("index.html".to_owned(), Weight { raw, gzip: raw, brotli: raw });
    Ok(weights)
}

fn weigh(folder: &Path) -> Result<Weights> {
    let mut weights = Weights::new();
    for entry in fs::read_dir(folder)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if [".js", ".wasm", ".css"].iter().any(|end| name.ends_with(end)) {
            weights.insert(name, Weight::of(&fs::read(entry.path())?)?);
        }
    }
    Ok(weights)
}

impl Weight {
    fn of(content: &[u8]) -> Result<Self> {
        let length = |bytes: &[u8]| bytes.len() as u64;
        Ok(Self {
            raw: length(content),
            gzip: length(&compress::gzip(content)?),
            brotli: length(&compress::brotli(content)?),
        })
    }
}

impl Figures {
    /// What a browser loads for the iframe.
    fn frame(&self) -> Weight {
        sum(self.assets.iter().filter(|(name, _)| !FRAME_LATER.contains(&name.as_str())))
    }

    /// What a page loads of the SDK before anybody asks for more.
    fn start(&self) -> Weight {
        // Figures of before this was noted are of files that were all loaded.
        let counts = |name: &String| self.at_start.is_empty() || self.at_start.contains(name);
        sum(self.sdk.iter().filter(|(name, _)| counts(name)))
    }
}

fn sum<'a>(weights: impl IntoIterator<Item = (&'a String, &'a Weight)>) -> Weight {
    weights.into_iter().fold(Weight::default(), |sum, (_, it)| Weight {
        raw: sum.raw + it.raw,
        gzip: sum.gzip + it.gzip,
        brotli: sum.brotli + it.brotli,
    })
}

fn show(today: &Figures, committed: Option<&Figures>) {
    println!("rustc {}, {}", today.rustc, today.wasm_opt);
    println!("{:<34}{:>9}{:>9}{:>9}   committed brotli", "bytes", "raw", "gzip -9", "brotli");
    let each = |today: &Weights, before: Option<&Weights>, title: &dyn Fn(&str) -> String| {
        for (name, weight) in today {
            row(&title(name), *weight, before.and_then(|before| before.get(name)).copied());
        }
    };
    let is_later = |name: &str| !today.at_start.contains(name);
    each(&today.sdk, committed.map(|it| &it.sdk), &|name| {
        format!("{name}{}", if is_later(name) { " (on demand)" } else { "" })
    });
    row("SDK, total", today.start(), committed.map(Figures::start));
    each(&today.assets, committed.map(|it| &it.assets), &|name| {
        format!("{name}{}", if FRAME_LATER.contains(&name) { " (not at the start)" } else { "" })
    });
    row("iframe, total at the start", today.frame(), committed.map(Figures::frame));
    println!("the iframe's budget is {FRAME_BUDGET} bytes of brotli");
    println!("\nthe same for who signs people in besides, bundled and minified from what a site imports:");
    row("@latchkey/sdk", today.start(), committed.map(Figures::start));
    for name in PEERS {
        let Some(weight) = today.peers.get(name) else { continue };
        row(name, *weight, committed.and_then(|it| it.peers.get(name)).copied());
    }
}

fn row(name: &str, weight: Weight, before: Option<Weight>) {
    let compared = before.map_or_else(
        || "-".to_owned(),
        |before| {
            format!("{} ({:+})", before.brotli, weight.brotli.cast_signed() - before.brotli.cast_signed())
        },
    );
    println!("{name:<34}{:>9}{:>9}{:>9}   {compared}", weight.raw, weight.gzip, weight.brotli);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(brotli: u64) -> Figures {
        let weight = |brotli| Weight { raw: 3 * brotli, gzip: 2 * brotli, brotli };
        let sdk = [("index.js".to_owned(), weight(brotli)), ("diagnose.js".to_owned(), weight(90_000))];
        let at_start = BTreeSet::from(["index.js".to_owned()]);
        let peers = [(LIGHTEST.to_owned(), weight(15_000))];
        Figures {
            rustc: "1.95.0".into(),
            wasm_opt: "132".into(),
            at_start,
            sdk: sdk.into(),
            assets: Weights::new(),
            peers: peers.into(),
        }
    }

    #[test]
    fn growth_within_the_tolerance_passes_and_beyond_it_fails() {
        assert!(judge(&figures(10_200), Some(&figures(10_000))).is_ok());
        assert!(judge(&figures(10_201), Some(&figures(10_000))).is_err());
        assert!(judge(&figures(9_000), Some(&figures(10_000))).is_ok());
    }

    #[test]
    fn the_lightest_peer_is_heavier_whatever_is_committed() {
        assert!(judge(&figures(14_999), Some(&figures(14_999))).is_ok());
        assert!(judge(&figures(15_000), Some(&figures(15_000))).is_err());
        let alone = Figures { peers: Weights::new(), ..figures(10) };
        assert!(judge(&alone, Some(&alone)).is_err(), "nothing to compare with is no comparison");
    }

    #[test]
    fn another_compiler_is_held_to_the_peer_alone() {
        let other = Figures { rustc: "1.99.0".into(), ..figures(14_000) };
        assert!(judge(&other, Some(&figures(10_000))).is_ok());
        assert!(
            judge(&Figures { rustc: "1.99.0".into(), ..figures(16_000) }, Some(&figures(10_000))).is_err()
        );
    }

    #[test]
    fn the_iframes_page_has_a_budget_of_its_own_and_what_it_does_not_load_is_no_part_of_it() {
        let weigh = |page, later| {
            let weight = |brotli| Weight { raw: brotli, gzip: brotli, brotli };
            let assets = [("main.js", page)].into_iter().chain(FRAME_LATER.map(|name| (name, later)));
            let assets = assets.map(|(name, brotli)| (name.to_owned(), weight(brotli))).collect();
            let figures = Figures { assets, ..figures(10_000) };
            judge(&figures, Some(&figures))
        };
        assert!(weigh(FRAME_BUDGET, 500).is_ok());
        assert!(weigh(FRAME_BUDGET + 1, 0).is_err());
    }

    #[test]
    fn figures_that_were_never_committed_are_an_error() {
        assert!(judge(&figures(1), None).is_err());
    }

    #[test]
    fn what_is_imported_at_once_counts_and_what_is_asked_for_later_does_not() {
        let here = root().join("target/tmp/at-start");
        fs::create_dir_all(&here).unwrap();
        for (name, text) in [
            ("index.js", "import './a.js'; export const more = () => import('./later.js');"),
            ("a.js", "export * from './b.js'; import './index.js';"),
            ("b.js", ""),
            ("later.js", "import './b.js';"),
            ("core.wasm", ""),
        ] {
            fs::write(here.join(name), text).unwrap();
        }
        let expected = ["index.js", "a.js", "b.js", "core.wasm"].map(str::to_owned);
        assert_eq!(at_start(&here).unwrap(), BTreeSet::from(expected));
        fs::remove_dir_all(here).unwrap();
    }
}
