//! What a page is told that keeps people from signing in, and that the value it is told mends it.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result, ensure};
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use latchkey_journeys::{data::ADA, site::listen, stage::built};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tower_http::services::ServeDir;

use crate::journey::{Journey, journeys};

const CSP: &str = "content-security-policy";
const COOP: &str = "cross-origin-opener-policy";
const COEP: &str = "cross-origin-embedder-policy";

/// A site whose one page comes with whatever headers a journey gives it.
struct Shop {
    origin: String,
    page: Arc<Mutex<Page>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Clone, Default)]
struct Page {
    headers: Vec<(&'static str, String)>,
    /// A policy in the page itself.
    meta: Option<String>,
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shop {
    /// Starts it; nobody knows it yet.
    async fn start() -> Result<Self> {
        let listener = listen(0).await?;
        let origin = format!("http://shop.localhost:{}", listener.local_addr()?.port());
        let page = Arc::new(Mutex::new(Page::default()));
        let sdk: PathBuf = built("XTASK_SDK")?;
        let router = Router::new()
            .route("/", get(show))
            .route("/back", get(show))
            .nest_service("/latchkey", ServeDir::new(sdk))
            .with_state(page.clone());
        let task = tokio::spawn(async move {
            // It ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { origin, page, task })
    }

    /// Starts it as one of acme's sites.
    async fn of(journey: &Journey) -> Result<Self> {
        let shop = Self::start().await?;
        update(journey, "--origin", &shop.origin).await?;
        Ok(shop)
    }

    /// Opens its page, with these headers.
    async fn open(&self, journey: &Journey, headers: &[(&'static str, &str)]) -> Result<()> {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.open_page(journey, Page { headers, meta: None }).await
    }

    async fn open_page(&self, journey: &Journey, page: Page) -> Result<()> {
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = page;
        journey.browser.open(&format!("{}/", self.origin)).await
    }
}

async fn show(State(page): State<Arc<Mutex<Page>>>) -> Response {
    let Page { headers, meta } = page.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let meta =
        meta.map(|policy| format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">"));
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            map.append(HeaderName::from_static(name), value);
        }
    }
    let text = format!(
        "<!doctype html><html lang=en><head><title>Shop</title><link rel=icon href=data:,>{}</head>\
         <body><button id=sign-in>Sign in</button></body></html>",
        meta.unwrap_or_default()
    );
    (map, Html(text)).into_response()
}

/// Changes acme's application as one of its admins does who read a finding.
async fn update(journey: &Journey, option: &str, value: &str) -> Result<()> {
    let client = &journey.stage.clients.acme;
    journey.stage.latchkey.run(&["app", "update", "--client-id", client, option, value]).await.map(|_| ())
}

/// All that the SDK needs in mode iframe, and nothing else.
fn strict(platform: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; frame-src {platform}; \
         connect-src 'self' {platform}; img-src data:"
    )
}

/// The policy with this directive, in the place of its own or besides.
fn mended(policy: &str, directive: &str) -> String {
    let name = directive.split(' ').next();
    let others =
        policy.split(';').map(str::trim).filter(|one| !one.is_empty() && one.split(' ').next() != name);
    others.chain([directive]).collect::<Vec<_>>().join("; ")
}

impl Journey {
    /// The page's options, beside the platform and acme's client id.
    fn options(&self, options: &str) -> String {
        format!(
            "{{ platform: '{}', clientId: '{}', ...{options} }}",
            self.stage.platform(),
            self.stage.clients.acme
        )
    }

    async fn diagnose(&self, options: &str) -> Result<Value> {
        let options = self.options(options);
        let script =
            format!("return (async () => (await import('/latchkey/index.js')).diagnose({options}))()");
        self.browser.run(&script).await
    }

    /// What a client with these options says of itself, or why there is none.
    async fn start(&self, options: &str) -> Result<String> {
        let options = self.options(options);
        let script = format!(
            "return (async () => {{
                const sdk = await import('/latchkey/index.js');
                window.outcome = undefined;
                return sdk.init({options}).then((client) => {{
                    document.getElementById('sign-in').onclick = () => client.login().then(
                        (session) => {{ window.outcome = session.user.name; }},
                        (error) => {{ window.outcome = error.code; }});
                    return `${{client.state}} ${{client.delivery}}`;
                }}, (error) => error.code);
            }})()"
        );
        Ok(self.browser.run(&script).await?.as_str().unwrap_or_default().to_owned())
    }

    /// Signs in with the client that was started.
    async fn sign_in_from_here(&self) -> Result<()> {
        let page = self.browser.window().await?;
        self.browser.click("#sign-in").await?;
        self.log_in_and_allow(&page, ADA).await?;
        self.browser.until("window.outcome === 'Ada Lovelace'").await
    }
}

/// The value that the one finding of this level about this names; the header or setting is this one.
fn value<'a>(diagnosis: &'a Value, level: &str, check: &str, place: &str) -> Result<&'a str> {
    let found = diagnosis["findings"].as_array().context("no findings")?;
    let about: Vec<_> = found.iter().filter(|one| one["check"] == check).collect();
    ensure!(about.len() == 1, "{check}: {diagnosis:#}");
    let finding = about[0];
    let named = if finding["header"].is_string() { &finding["header"] } else { &finding["setting"] };
    ensure!(finding["level"] == level, "{diagnosis:#}");
    ensure!(named.as_str().is_some_and(|named| named.eq_ignore_ascii_case(place)), "{diagnosis:#}");
    ensure!(diagnosis["ok"] == (level != "error"), "{diagnosis:#}");
    finding["value"].as_str().with_context(|| format!("no value: {diagnosis:#}"))
}

/// That the one finding is an error about this, and names this.
fn value_of(diagnosis: &Value, check: &str, place: &str) -> Result<()> {
    let one = json!({ "level": "error", "check": check, "setting": place, "value": null });
    let found = diagnosis["findings"].as_array().context("no findings")?;
    let is_it = |finding: &Value| {
        one.as_object().is_some_and(|one| one.iter().all(|(name, value)| finding[name] == *value))
    };
    ensure!(diagnosis["ok"] == false && found.len() == 1 && is_it(&found[0]), "{diagnosis:#}");
    Ok(())
}

fn all_is_well(diagnosis: &Value) -> Result<()> {
    ensure!(*diagnosis == json!({ "ok": true, "findings": [] }), "{diagnosis:#}");
    Ok(())
}

const IFRAME: &str = "{ mode: 'iframe' }";
const POPUP: &str = "{ mode: 'popup' }";

journeys! {
    fn a_page_without_a_fault_is_told_of_none(journey) on Loopback {
        let shop = Shop::of(journey).await?;
        let strict = strict(&journey.stage.platform());
        for headers in [&[][..], &[(CSP, strict.as_str())], &[(COOP, "same-origin-allow-popups")]] {
            shop.open(journey, headers).await?;
            for mode in ["{}", IFRAME, POPUP] {
                all_is_well(&journey.diagnose(mode).await?)?;
            }
            ensure!(journey.start(IFRAME).await? == "signed-out opener");
        }
    }

    fn each_line_that_a_policy_lacks_is_told_and_mends_it(journey) on Loopback {
        let shop = Shop::of(journey).await?;
        let strict = strict(&journey.stage.platform());
        let without = |name: &str| {
            let rest = strict.split(';').filter(|one| !one.trim_start().starts_with(name));
            rest.collect::<Vec<_>>().join(";")
        };
        for (policy, check, code) in [
            (without("frame-src"), "frame-src", "frame_blocked"),
            (without("connect-src"), "connect-src", "network_error"),
            (strict.replace(" 'wasm-unsafe-eval'", ""), "script-src", "wasm_blocked"),
        ] {
            shop.open(journey, &[(CSP, &policy)]).await?;
            let said = journey.start(IFRAME).await?;
            ensure!(said == code, "{check}: {said}");
            let diagnosis = journey.diagnose(IFRAME).await?;
            let policy = mended(&policy, value(&diagnosis, "error", check, CSP)?);
            shop.open(journey, &[(CSP, &policy)]).await?;
            all_is_well(&journey.diagnose(IFRAME).await?)?;
            let said = journey.start(IFRAME).await?;
            ensure!(said == "signed-out opener", "{policy}: {said}");
        }
        journey.sign_in_from_here().await?;
    }

    fn of_several_policies_each_is_told_what_it_lacks(journey) on Loopback {
        let shop = Shop::of(journey).await?;
        let strict = strict(&journey.stage.platform());
        let meta = "frame-src 'self'".to_owned();
        let page = |second: &str, meta: &str| Page {
            headers: vec![(CSP, strict.clone()), (CSP, second.to_owned())],
            meta: Some(meta.to_owned()),
        };
        let second = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src data:".to_owned();
        shop.open_page(journey, page(&second, &meta)).await?;
        ensure!(journey.start(IFRAME).await? == "network_error");
        let diagnosis = journey.diagnose(IFRAME).await?;
        let found = diagnosis["findings"].as_array().context("no findings")?;
        let of = |place: &str| {
            let named = |one: &&Value| one["header"] == place || one["setting"] == place;
            found.iter().filter(named).filter_map(|one| one["value"].as_str()).collect::<Vec<_>>()
        };
        let mend = |policy: &str, values: &[&str]| {
            values.iter().fold(policy.to_owned(), |policy, value| mended(&policy, value))
        };
        let (in_header, in_page) =
            (of("Content-Security-Policy"), of("<meta http-equiv=\"Content-Security-Policy\">"));
        ensure!((in_header.len(), in_page.len(), found.len()) == (2, 1, 3), "{diagnosis:#}");
        shop.open_page(journey, page(&mend(&second, &in_header), &mend(&meta, &in_page))).await?;
        all_is_well(&journey.diagnose(IFRAME).await?)?;
        ensure!(journey.start(IFRAME).await? == "signed-out opener");
    }

    fn a_page_whose_policy_lets_nothing_be_asked_is_told_by_what_was_stopped(journey) on Loopback {
        let shop = Shop::of(journey).await?;
        // Not even the page's own headers can be read again.
        let policy = "script-src 'self' 'wasm-unsafe-eval'; connect-src 'none'; frame-src 'none'";
        shop.open(journey, &[(CSP, policy)]).await?;
        let diagnosis = journey.diagnose(IFRAME).await?;
        let platform = journey.stage.platform();
        let policy = mended(policy, value(&diagnosis, "error", "frame-src", CSP)?);
        let policy = mended(&policy, value(&diagnosis, "error", "connect-src", CSP)?);
        ensure!(policy.ends_with(&format!("frame-src {platform}; connect-src {platform} 'self'")), "{policy}");
        shop.open(journey, &[(CSP, &policy)]).await?;
        all_is_well(&journey.diagnose(IFRAME).await?)?;
        ensure!(journey.start(IFRAME).await? == "signed-out opener");
    }

    fn in_auto_mode_a_frame_that_is_kept_out_is_gone_without(journey) on Loopback {
        let shop = Shop::of(journey).await?;
        let policy = mended(&strict(&journey.stage.platform()), "frame-src 'none'");
        shop.open(journey, &[(CSP, &policy)]).await?;
        let diagnosis = journey.diagnose("{}").await?;
        let platform = journey.stage.platform();
        ensure!(value(&diagnosis, "warning", "frame-src", CSP)? == format!("frame-src {platform}"));
        ensure!(journey.start("{}").await? == "signed-out opener");
        journey.sign_in_from_here().await?;
    }

    fn a_page_that_cuts_its_windows_off_is_told_the_policy_that_does_not(journey) on Loopback {
        let shop = Shop::of(journey).await?;
        shop.open(journey, &[(COOP, "same-origin")]).await?;
        let diagnosis = journey.diagnose(POPUP).await?;
        let better = value(&diagnosis, "error", "opener", COOP)?.to_owned();
        shop.open(journey, &[(COOP, &better)]).await?;
        all_is_well(&journey.diagnose(POPUP).await?)?;
        ensure!(journey.start(POPUP).await? == "signed-out opener");
        journey.sign_in_from_here().await?;
    }

    fn a_page_that_answers_no_head_request_is_known_to_cut_its_windows_off(journey) on Loopback {
        let shop = Shop::of(journey).await?;
        update(journey, "--redirect-uri", &format!("{}/back", shop.origin)).await?;
        for answer in ["Promise.resolve(new Response(null, { status: 405 }))",
            "new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))"] {
            shop.open(journey, &[(COOP, "same-origin")]).await?;
            journey.browser.run(&format!(
                "const real = fetch;
                 window.fetch = (url, init) => {{
                     const signal = init?.signal;
                     return init?.method == 'HEAD' ? {answer} : real(url, init);
                 }};"
            )).await?;
            let options = format!("{{ mode: 'popup', redirectUri: '{}/back' }}", shop.origin);
            ensure!(journey.start(&options).await? == "signed-out channel", "{answer}");
        }
    }

    fn what_a_page_does_not_let_the_sdk_load_is_an_error_like_any_other(journey) on Loopback {
        let shop = Shop::of(journey).await?;
        let platform = journey.stage.platform();
        let alone = format!("script-src {}/latchkey/index.js 'wasm-unsafe-eval'", shop.origin);
        shop.open(journey, &[(CSP, &mended(&strict(&platform), &alone))]).await?;
        journey
            .browser
            .run("window.unhandled = []; addEventListener('unhandledrejection', ({ reason }) => unhandled.push(`${reason}`))")
            .await?;
        // What calls the platform through the frame, and the strip that would say so.
        let said = journey.start("{ mode: 'iframe', tokens: 'frame' }").await?;
        ensure!(said == "network_error", "{said}");
        let diagnosis = journey.diagnose(IFRAME).await?;
        value_of(&diagnosis, "sdk", "diagnose.js")?;
        let unhandled = "return new Promise((done) => setTimeout(() => done(unhandled), 200))";
        ensure!(journey.browser.run(unhandled).await? == json!([]));
        ensure!(journey.browser.run("return document.querySelectorAll('iframe').length").await? == 0);
        ensure!(journey.start(IFRAME).await? == "signed-out opener");
    }

    // The frame's page says the same of what it takes, and that it may be taken by other origins.
    fn a_page_that_takes_only_frames_of_its_kind_takes_ours(journey) on Loopback {
        let shop = Shop::of(journey).await?;
        for policy in ["require-corp", "credentialless"] {
            shop.open(journey, &[(COEP, policy)]).await?;
            all_is_well(&journey.diagnose(IFRAME).await?)?;
            ensure!(journey.start(IFRAME).await? == "signed-out opener", "{policy}");
        }
        journey.sign_in_from_here().await?;
    }

    fn a_platform_whose_login_cuts_windows_off_is_told_and_how_to_be_answered(journey) on Loopback {
        journey.stage.restart_server("opener = \"cut\"\n").await?;
        let shop = Shop::of(journey).await?;
        shop.open(journey, &[]).await?;
        let diagnosis = journey.diagnose(POPUP).await?;
        let redirect_uri = value(&diagnosis, "error", "opener", "redirectUri")?;
        let options = format!("{{ mode: 'popup', redirectUri: '{redirect_uri}' }}");
        update(journey, "--redirect-uri", redirect_uri).await?;
        all_is_well(&journey.diagnose(&options).await?)?;
        ensure!(journey.start(&options).await? == "signed-out channel");
    }

    fn what_is_not_registered_is_told_as_it_has_to_be(journey) on Loopback {
        let shop = Shop::start().await?;
        shop.open(journey, &[]).await?;
        ensure!(journey.start(IFRAME).await? == "origin_not_allowed");
        let diagnosis = journey.diagnose(IFRAME).await?;
        update(journey, "--origin", value(&diagnosis, "error", "origin", "allowed origins")?).await?;
        let link = diagnosis["findings"][0]["setupUrl"].as_str().context("no link for an admin")?;
        ensure!(link.starts_with(&journey.stage.platform()), "{link}");
        shop.open(journey, &[]).await?;
        all_is_well(&journey.diagnose(IFRAME).await?)?;
        ensure!(journey.start(IFRAME).await? == "signed-out opener");

        let redirect = "{ mode: 'redirect' }";
        let diagnosis = journey.diagnose(redirect).await?;
        update(journey, "--redirect-uri", value(&diagnosis, "error", "redirect-uri", "redirect URIs")?).await?;
        all_is_well(&journey.diagnose(redirect).await?)?;

        let diagnosis = journey.diagnose("{ clientId: 'nobody' }").await?;
        ensure!(diagnosis["findings"][0]["check"] == "client" && diagnosis["ok"] == false, "{diagnosis:#}");
        let diagnosis = journey.diagnose("{ platform: 'http://127.0.0.1:9' }").await?;
        ensure!(diagnosis["findings"][0]["check"] == "network" && diagnosis["ok"] == false, "{diagnosis:#}");
    }

    fn a_clock_that_is_wrong_is_told_by_how_much(journey) on Loopback {
        let shop = Shop::of(journey).await?;
        shop.open(journey, &[]).await?;
        journey.browser.run("const now = Date.now; Date.now = () => now() + 3_600_000").await?;
        let diagnosis = journey.diagnose("{}").await?;
        value(&diagnosis, "warning", "clock", "clock of this device")?;
        let message = diagnosis["findings"][0]["message"].as_str().unwrap_or_default();
        let seconds = message.split(' ').find_map(|word| word.parse::<u32>().ok());
        ensure!(seconds.is_some_and(|seconds| (3597..=3603).contains(&seconds)), "{message}");
    }

    fn a_client_diagnoses_its_own_page(journey) on Loopback {
        journey.open_site("/").await?;
        let diagnosis = journey.with_client("return client.diagnose()").await?;
        all_is_well(&diagnosis)?;
    }
}
