//! What a visitor downloads. The figures are committed in .config/size.toml, so that a change shows in the diff.

use std::{collections::BTreeMap, fs, io::Write, path::Path};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::{
    build::{self, Built},
    command::root,
    wasm,
};

/// The most that the SDK's JavaScript and wasm may weigh together, in bytes of brotli.
const BUDGET: u64 = 20_480;
/// How much more than the committed figure is let pass, in percent: compilers differ a little from build to build.
const TOLERANCE: u64 = 2;
/// Loaded only when asked for, so shown apart and not counted.
const ON_DEMAND: [&str; 3] = ["diagnose.js", "notice.js", "relay.js"];

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
    sdk: Weights,
    assets: Weights,
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

/// Fails if the SDK is over its budget or has grown. Growth is judged only between builds of one compiler version.
fn judge(today: &Figures, committed: Option<&Figures>) -> Result<()> {
    let total = counted(&today.sdk).brotli;
    ensure!(total <= BUDGET, "the SDK weighs {total} bytes in brotli, over its budget of {BUDGET}");
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
    let before = counted(&committed.sdk).brotli;
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
        sdk: weigh(&built.sdk)?,
        assets: weigh(&built.assets)?,
    })
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
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(content)?;
        let mut brotli = Vec::new();
        let mut encoder = brotli::CompressorWriter::new(&mut brotli, 1 << 16, 11, 22);
        encoder.write_all(content)?;
        drop(encoder);
        let length = |bytes: &[u8]| bytes.len() as u64;
        Ok(Self { raw: length(content), gzip: length(&gzip.finish()?), brotli: length(&brotli) })
    }
}

/// The sum of what is loaded at the start.
fn counted(weights: &Weights) -> Weight {
    let counted = weights.iter().filter(|(name, _)| !ON_DEMAND.contains(&name.as_str()));
    counted.fold(Weight::default(), |sum, (_, it)| Weight {
        raw: sum.raw + it.raw,
        gzip: sum.gzip + it.gzip,
        brotli: sum.brotli + it.brotli,
    })
}

fn show(today: &Figures, committed: Option<&Figures>) {
    println!("rustc {}, {}", today.rustc, today.wasm_opt);
    println!("{:<30}{:>9}{:>9}{:>9}   committed brotli", "bytes", "raw", "gzip -9", "brotli");
    for (title, weights, before) in [
        ("SDK", &today.sdk, committed.map(|it| &it.sdk)),
        ("iframe", &today.assets, committed.map(|it| &it.assets)),
    ] {
        for (name, weight) in weights {
            let apart = if ON_DEMAND.contains(&name.as_str()) { " (on demand)" } else { "" };
            row(&format!("{name}{apart}"), *weight, before.and_then(|before| before.get(name)).copied());
        }
        row(&format!("{title}, total"), counted(weights), before.map(counted));
    }
    println!("the SDK's budget is {BUDGET} bytes of brotli");
}

fn row(name: &str, weight: Weight, before: Option<Weight>) {
    let compared = before.map_or_else(
        || "-".to_owned(),
        |before| {
            format!("{} ({:+})", before.brotli, weight.brotli.cast_signed() - before.brotli.cast_signed())
        },
    );
    println!("{name:<30}{:>9}{:>9}{:>9}   {compared}", weight.raw, weight.gzip, weight.brotli);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(brotli: u64) -> Figures {
        let weight = |brotli| Weight { raw: 3 * brotli, gzip: 2 * brotli, brotli };
        let sdk = [("index.js".to_owned(), weight(brotli)), ("diagnose.js".to_owned(), weight(90_000))];
        Figures { rustc: "1.95.0".into(), wasm_opt: "132".into(), sdk: sdk.into(), assets: Weights::new() }
    }

    #[test]
    fn growth_within_the_tolerance_passes_and_beyond_it_fails() {
        assert!(judge(&figures(10_200), Some(&figures(10_000))).is_ok());
        assert!(judge(&figures(10_201), Some(&figures(10_000))).is_err());
        assert!(judge(&figures(9_000), Some(&figures(10_000))).is_ok());
    }

    #[test]
    fn the_budget_holds_whatever_is_committed() {
        assert!(judge(&figures(BUDGET), Some(&figures(BUDGET))).is_ok());
        assert!(judge(&figures(BUDGET + 1), Some(&figures(BUDGET + 1))).is_err());
    }

    #[test]
    fn another_compiler_is_held_to_the_budget_alone() {
        let other = Figures { rustc: "1.99.0".into(), ..figures(20_000) };
        assert!(judge(&other, Some(&figures(10_000))).is_ok());
        assert!(
            judge(&Figures { rustc: "1.99.0".into(), ..figures(30_000) }, Some(&figures(10_000))).is_err()
        );
    }

    #[test]
    fn figures_that_were_never_committed_are_an_error() {
        assert!(judge(&figures(1), None).is_err());
    }
}
