//! The npm package and the script tag, as others use them: a site built by each tool, on which a person signs in.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "these are tests, with a real browser"
)]

#[allow(dead_code, reason = "the other journeys need more of it")]
mod journey;

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, ensure};
use latchkey_journeys::{
    data::ADA,
    site::listen,
    stage::{PACKAGES, built},
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};

use crate::journey::{Journey, journeys};

fn folder() -> Result<PathBuf> {
    built(PACKAGES)
}

/// Runs one of the programs that check the package; what it complains of is the failure.
fn check(program: &str) -> Result<Output> {
    let output = Command::new("node").arg(format!("check/{program}.js")).current_dir(folder()?).output()?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(output.status.success(), "{program}: {}{}", said(&output.stdout), said(&output.stderr));
    Ok(output)
}

fn passes(program: &str) -> Result<(), String> {
    check(program).map(drop).map_err(|error| format!("{error:#}"))
}

#[test]
fn importing_the_package_on_a_server_does_nothing() -> Result<(), String> {
    passes("inert")
}

#[test]
fn what_npm_packs_is_what_is_needed() -> Result<(), String> {
    passes("files")
}

#[test]
fn publint_has_nothing_to_say() -> Result<(), String> {
    passes("publint")
}

#[test]
fn the_types_are_found_by_every_resolver() -> Result<(), String> {
    passes("attw")
}

#[test]
fn right_uses_compile_and_wrong_ones_do_not() -> Result<(), String> {
    passes("types")
}

/// On a page that says who is signed in: signs in with its button, and reads what the token opens.
async fn sign_in(journey: &Journey, page: &str) -> Result<()> {
    let browser = &journey.browser;
    browser.open(page).await?;
    let window = browser.window().await?;
    browser.read("#status", "Signed out.").await?;
    browser.until("document.querySelector('#sign-in:enabled')").await?;
    browser.click("#sign-in").await?;
    journey.log_in_and_allow(&window, ADA).await?;
    browser.read("#status", "Ada Lovelace, Acme Corporation").await?;
    browser.read("#projects", "Web shop").await?;
    Ok(())
}

/// The address of a built site on the customer's origin.
fn site(journey: &Journey, path: &str) -> String {
    format!("{}/packages/{path}", journey.stage.site("customer"))
}

/// The names that are declared as `what`.
fn declared(all: &Value, what: &str) -> Vec<String> {
    names(&all[what])
}

fn names(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Next.js's own server, with the settings of this stage.
struct NextServer(Child);

impl NextServer {
    async fn start(port: u16, client_id: &str, platform: &str) -> Result<Self> {
        let mut command = tokio::process::Command::new("node");
        command.args(["node_modules/next/dist/bin/next", "start", "next", "--hostname", "127.0.0.1"]);
        command.args(["--port", &port.to_string()]).current_dir(folder()?);
        command.env("NEXT_TELEMETRY_DISABLED", "1").env("NODE_ENV", "production");
        command.env("LATCHKEY_CLIENT_ID", client_id).env("LATCHKEY_PLATFORM", platform);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("cannot start Next.js")?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        while let Some(line) = lines.next_line().await? {
            if line.contains("Ready") {
                // What it says from here on nobody reads, and it may say it all the same.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(Self(child));
            }
        }
        anyhow::bail!("Next.js ended with {}", child.wait().await?)
    }

    async fn stop(mut self) -> Result<()> {
        Ok(self.0.kill().await?)
    }
}

journeys! {
    fn a_react_site_built_with_vite_signs_in(journey) on Loopback {
        sign_in(journey, &site(journey, "vite/dist/")).await?;
        // The hook follows the client: out, and in again.
        journey.browser.click("#sign-out").await?;
        journey.browser.read("#status", "Signed out.").await?;
        journey.browser.until("!document.querySelector('#projects li')").await?;
    }

    fn a_site_built_with_webpack_signs_in(journey) on Loopback {
        sign_in(journey, &site(journey, "webpack/dist/")).await?;
    }

    fn a_site_built_with_esbuild_signs_in(journey) on Loopback {
        sign_in(journey, &site(journey, "esbuild/dist/")).await?;
    }

    fn a_site_of_next_js_is_rendered_on_its_server_and_signs_in(journey) on Loopback {
        // It has a server of its own, so a port of its own, on the customer's host.
        let listener = listen(0).await?;
        let port = listener.local_addr()?.port();
        let origin = format!("http://customer.localhost:{port}");
        let add = ["app", "add", "--org", "acme", "--name", "Next", "--origin", &origin, "--scope", "project:read"];
        let added = journey.stage.latchkey.run(&add).await?;
        let client_id = added["client_id"].as_str().context("app add printed no client_id")?;
        drop(listener);
        let server = NextServer::start(port, client_id, &journey.stage.platform()).await?;
        let page = format!("{origin}/");
        journey.browser.open(&page).await?;
        let rendered = journey
            .browser
            .run("return fetch('/').then((response) => response.text())")
            .await?;
        let rendered = rendered.as_str().unwrap_or_default();
        ensure!(rendered.contains("Signed out.</p>") && rendered.contains(">Sign in</button>"), "{rendered}");
        let signed_in = sign_in(journey, &page).await;
        let errors = journey.browser.run("return window.errors").await;
        server.stop().await?;
        signed_in?;
        ensure!(errors? == serde_json::json!([]), "the page was not what the server had rendered");
    }

    fn a_plain_script_tag_with_its_hash_signs_in(journey) on Loopback {
        journey.browser.open(&format!("{}/sdk/", journey.stage.platform())).await?;
        let script: Value = serde_json::from_str(&journey.browser.text().await?)?;
        let text = |name: &str| script[name].as_str().map(str::to_owned).with_context(|| format!("no {name}: {script}"));
        let page = fs::read_to_string(folder()?.join("script/index.html"))?;
        let page = page.replace("{url}", &text("url")?).replace("{integrity}", &text("integrity")?);
        // Each platform of these journeys has an address of its own.
        let name = format!("{}.html", journey.stage.platform().rsplit(':').next().unwrap_or_default());
        let file = folder()?.join("script").join(&name);
        fs::write(&file, page)?;
        let signed_in = sign_in(journey, &site(journey, &format!("script/{name}"))).await;
        fs::remove_file(file)?;
        signed_in?;
        // The script apart is pinned by the first one, and answers.
        let diagnosis = journey
            .browser
            .run("return fetch('/config.json').then((it) => it.json()).then((it) => latchkey.diagnose(it))")
            .await?;
        ensure!(diagnosis["ok"] == true, "{diagnosis}");
        // From the customer's site: the browser keeps it for ever, and another version is not there.
        let url = text("url")?;
        let kept = format!("return fetch('{url}').then((it) => it.headers.get('cache-control'))");
        ensure!(journey.browser.run(&kept).await? == "public, max-age=31536000, immutable");
        let other = url.replace("/sdk/", "/sdk/0");
        let status = journey.browser.run(&format!("return fetch('{other}').then((it) => it.status)")).await?;
        ensure!(status == 404, "{status}");
        let face = journey.browser.run("return Object.keys(latchkey).sort()").await?;
        ensure!(names(&face) == ["LatchkeyError", "diagnose", "init"], "{face}");
    }

    fn the_types_declare_what_there_is_and_nothing_else(journey) on Loopback {
        let all: Value = serde_json::from_slice(&check("declared")?.stdout)?;
        journey.sign_in(ADA).await?;
        let really = journey
            .with_client(
                "const members = (object, until) => {
                    const found = new Set();
                    for (let it = object; it && it !== until; it = Object.getPrototypeOf(it)) {
                        Object.getOwnPropertyNames(it).forEach((name) => found.add(name));
                    }
                    found.delete('constructor');
                    return [...found].sort();
                };
                const asked = async (given, ask) => {
                    const seen = new Set();
                    const get = (target, name) => (typeof name == 'string' && seen.add(name), target[name]);
                    await ask(new Proxy(given, { get, ownKeys: () => [] })).catch(() => {});
                    return [...seen].sort();
                };
                const error = new sdk.LatchkeyError('aborted');
                return {
                    module: Object.keys(sdk).sort(),
                    client: members(client, EventTarget.prototype),
                    session: Object.keys(client.session).sort(),
                    error: members(error, Error.prototype),
                    options: await asked({ client_id: 'nobody', platform, mode: 'popup' }, async (given) => {
                        (await sdk.init(given)).destroy();
                    }),
                    login: await asked({ signal: AbortSignal.abort() }, (given) => client.login(given)),
                };",
            )
            .await?;
        for what in ["module", "client", "session", "options", "login"] {
            let (declared, real) = (declared(&all, what), names(&really[what]));
            ensure!(declared == real, "{what}: declared are {declared:?}, and there are {real:?}");
        }
        // An error has its own stack and message besides, and the one name that only some have.
        let mut error = names(&really["error"]);
        error.retain(|name| name != "stack" && name != "message");
        error.push("setupUrl".into());
        ensure!(declared(&all, "error") == error, "{error:?}");
    }
}

#[test]
fn the_declared_codes_are_those_of_the_protocol() {
    let all: Value = serde_json::from_slice(&check("declared").unwrap().stdout).unwrap();
    let mut codes: Vec<_> =
        latchkey_protocol::error::ErrorCode::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    codes.sort();
    assert_eq!(declared(&all, "codes"), codes);
}
