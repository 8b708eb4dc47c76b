//! How fast a site is ready and a person signed in, beside other clients that do the same against the same server, in
//! turn and in the same browser; and what `client.fetch` adds to the browser's own. `cargo xtask bench browser` runs it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to a person")]

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use latchkey_journeys::{
    browser::{Browser, Options},
    data::{ADA, PASSWORD},
    stage::{Scheme, Stage},
};
use serde_json::{Value, json};

/// Measures, and prints the table.
#[derive(Debug, Parser)]
struct Speed {
    /// How many rounds.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
}

/// Who is compared, and the page that does it, below tests/peers.
const CLIENTS: [(&str, &str); 4] = [
    ("latchkey, iframe", "latchkey.html?mode=iframe&"),
    ("latchkey, popup", "latchkey.html?mode=popup&"),
    ("oidc-client-ts", "oidc-client-ts.html?"),
    ("auth0-spa-js", "auth0-spa-js.html?"),
];
/// Whom the others are a multiple of.
const MEASURE: usize = 2;

/// What one client took, in milliseconds, round by round.
#[derive(Debug, Default)]
struct Took {
    /// From the address to a client that can sign in, with nothing in the browser's cache.
    cold: Vec<f64>,
    /// The same with what the visit before left there.
    warm: Vec<f64>,
    /// From the click to a session.
    click: Vec<f64>,
}

fn main() -> ExitCode {
    let options = Speed::parse();
    let done = tokio::runtime::Runtime::new()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run(&options)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("speed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Speed) -> Result<()> {
    // On loopback consent is asked for each time.
    let stage = Stage::start(Scheme::Tls).await?;
    let browser = Browser::start(Options::default()).await?;
    let measured = measure(options, &stage, &browser).await;
    browser.stop().await?;
    stage.stop().await?;
    let (took, calls) = measured?;
    print(options, &took, &calls);
    Ok(())
}

async fn measure(
    options: &Speed,
    stage: &Stage,
    browser: &Browser,
) -> Result<([Took; CLIENTS.len()], Calls)> {
    let client_id = register(stage).await?;
    let address = |page: &str| format!("{}/peers/{page}client_id={client_id}", stage.site("customer"));
    // The first time somebody logs in and allows it; from then on the window closes by itself. What is allowed to the
    // toolbar is allowed to the window alone.
    for (at, logs_in) in [(0, true), (2, false), (3, false)] {
        let (name, page) = CLIENTS[at];
        first(browser, &address(page), logs_in).await.with_context(|| name.to_owned())?;
    }
    let mut took: [Took; CLIENTS.len()] = Default::default();
    for round in 0..options.rounds {
        eprint!("\rround {} of {}", round + 1, options.rounds);
        // Nobody always comes after the same one.
        for turn in 0..CLIENTS.len() {
            let at = (turn + round) % CLIENTS.len();
            let (name, page) = CLIENTS[at];
            visit(browser, &address(page), &mut took[at]).await.with_context(|| name.to_owned())?;
        }
    }
    eprintln!();
    Ok((took, calls(browser, &address(CLIENTS[1].1), options.rounds).await?))
}

/// Registers an application that all of them sign in with.
async fn register(stage: &Stage) -> Result<String> {
    let origin = stage.site("customer");
    let back = ["oidc-client-ts", "auth0-spa-js"].map(|name| format!("{origin}/peers/{name}.html"));
    let mut add = vec!["app", "add", "--org", "acme", "--name", "Speed", "--origin", &origin];
    for redirect_uri in &back {
        add.extend(["--redirect-uri", redirect_uri]);
    }
    add.extend(["--scope", "openid profile email project:read"]);
    add.extend(["--response-type", "token", "--response-type", "code"]);
    let added = stage.latchkey.run(&add).await?;
    added["client_id"].as_str().map(str::to_owned).context("app add printed no client_id")
}

/// Signs in for the first time with one of them, or with any.
async fn first(browser: &Browser, address: &str, logs_in: bool) -> Result<()> {
    browser.open(address).await?;
    browser.until("window.ready").await?;
    let page = browser.window().await?;
    browser.click("#sign-in").await?;
    browser.switch_to_popup(&page).await?;
    if logs_in {
        browser.fill("#email", ADA.email).await?;
        browser.fill("#password", PASSWORD).await?;
        browser.click("#sign-in").await?;
    }
    browser.click("#allow").await?;
    browser.popup_closes(&page).await?;
    signed_in(browser).await?;
    forget(browser).await
}

/// One visit with an empty cache, one with a full one, and a sign-in.
async fn visit(browser: &Browser, address: &str, took: &mut Took) -> Result<()> {
    browser.devtools("Network.clearBrowserCache", json!({})).await?;
    for times in [&mut took.cold, &mut took.warm] {
        browser.open("about:blank").await?;
        browser.open(address).await?;
        browser.until("window.ready").await?;
        times.push(number(&browser.run("return window.ready").await?)?);
    }
    let page = browser.window().await?;
    browser.click("#sign-in").await?;
    took.click.push(signed_in(browser).await?);
    browser.popup_closes(&page).await?;
    forget(browser).await
}

/// How long it took until the person was known.
async fn signed_in(browser: &Browser) -> Result<f64> {
    browser.until("window.signedIn").await?;
    let outcome = browser.run("return window.signedIn").await?;
    ensure!(outcome[1] == ADA.name, "{outcome}");
    number(&outcome[0])
}

async fn forget(browser: &Browser) -> Result<()> {
    browser.run("return Promise.resolve(window.forget()).then(() => true)").await.map(|_| ())
}

fn number(value: &Value) -> Result<f64> {
    value.as_f64().with_context(|| format!("{value} is no number"))
}

/// How long calls took, in milliseconds, each pair in turn: by the browser's own `fetch`, and by `client.fetch`.
#[derive(Debug)]
struct Calls {
    /// To the platform and back.
    whole: Vec<[f64; 2]>,
    /// Without a network: what the page itself does for a call.
    own: Vec<[f64; 2]>,
}

/// How many pairs are measured in a round, and how many calls are timed together: the browser's clock counts in tenths
/// of a millisecond.
const PAIRS: usize = 20;
const TOGETHER: [usize; 2] = [2, 50];

/// Calls the API by `client.fetch` and by the browser's own `fetch`, in turn.
async fn calls(browser: &Browser, address: &str, rounds: usize) -> Result<Calls> {
    browser.open(address).await?;
    browser.until("window.ready").await?;
    let page = browser.window().await?;
    browser.click("#sign-in").await?;
    signed_in(browser).await?;
    browser.popup_closes(&page).await?;
    let [whole, own] = TOGETHER;
    let script = format!(
        "return (async () => {{
            const token = await client.getToken();
            const url = `${{platform}}/api/0/organizations/${{client.session.organization.slug}}/projects/`;
            const headers = {{ Authorization: `Bearer ${{token}}` }};
            const ways = [
                () => fetch(url, {{ headers, credentials: 'omit' }}),
                () => client.fetch('projects/'),
            ];
            const time = async (way, together) => {{
                const began = performance.now();
                for (let call = 0; call < together; call++) await (await way()).arrayBuffer();
                return (performance.now() - began) / together;
            }};
            const measure = async (together) => {{
                for (const way of ways) await time(way, together);
                const took = [];
                for (let turn = 0; turn < {}; turn++) {{
                    const pair = [];
                    for (const at of turn % 2 ? [1, 0] : [0, 1]) pair[at] = await time(ways[at], together);
                    took.push(pair);
                }}
                return took;
            }};
            const whole = await measure({whole});
            window.fetch = async (input, init) => {{
                // As the browser's own does first.
                if (!(input instanceof Request)) new Request(input, init);
                return new Response('[]');
            }};
            return [whole, await measure({own})];
        }})()",
        PAIRS * rounds
    );
    let took = browser.run(&script).await?;
    Ok(Calls { whole: pairs(&took[0])?, own: pairs(&took[1])? })
}

fn pairs(value: &Value) -> Result<Vec<[f64; 2]>> {
    let pairs = value.as_array().context("no times")?;
    pairs.iter().map(|pair| Ok([number(&pair[0])?, number(&pair[1])?])).collect()
}

/// The value below which this share of the values lies, by the nearest rank; 0 where there are none.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// The median, and between what the middle half lies.
fn spread(values: &[f64]) -> String {
    let [low, middle, high] = [0.25, 0.5, 0.75].map(|share| quantile(values, share));
    format!("{middle:>6.0} ({low:.0}–{high:.0})")
}

/// How much of the measure's time it took, round by round: what slowed a round down slowed both.
fn ratio(values: &[f64], of: &[f64]) -> f64 {
    let ratios: Vec<f64> = values.iter().zip(of).map(|(value, of)| value / of).collect();
    quantile(&ratios, 0.5)
}

fn print(options: &Speed, took: &[Took], calls: &Calls) {
    println!(
        "One browser, one server, {} rounds in turn; milliseconds: median (middle half),",
        options.rounds
    );
    println!("and the median of each round's ratio to {}.\n", CLIENTS[MEASURE].0);
    println!(
        "{:<18}{:<26}{:<26}{:<26}",
        "", "address to ready, cold", "the same, warm", "click to signed-in"
    );
    let measure = &took[MEASURE];
    for ((name, _), one) in CLIENTS.iter().zip(took) {
        let cell = |values: &[f64], of: &[f64]| format!("{}  ×{:.2}", spread(values), ratio(values, of));
        println!(
            "{name:<18}{:<26}{:<26}{:<26}",
            cell(&one.cold, &measure.cold),
            cell(&one.warm, &measure.warm),
            cell(&one.click, &measure.click)
        );
    }
    println!(
        "\nReady is when a click can be served: Latchkey has heard by then whether this site may sign in, and its\n\
         frame stands; the others have only been constructed. Cold is with an empty cache, warm with what the visit\n\
         before left there. The person has a session at the platform and allowed it before, so that the window closes\n\
         by itself. auth0-spa-js is led through this platform's paths by the page."
    );
    println!(
        "\nA call by client.fetch beside one by the browser's own, in milliseconds: median (middle half)\n"
    );
    for (what, pairs) in [("to the platform and back", &calls.whole), ("without a network", &calls.own)] {
        let bare: Vec<f64> = pairs.iter().map(|[bare, _]| *bare).collect();
        let more: Vec<f64> = pairs.iter().map(|[bare, client]| client - bare).collect();
        let [low, middle, high] = [0.25, 0.5, 0.75].map(|share| quantile(&more, share));
        println!("{what:<28}{:>8.3} and {middle:+.3} ({low:+.3} to {high:+.3})", quantile(&bare, 0.5));
    }
}
