//! Clients no one here wrote: each signs in, gets tokens, refreshes and revokes them, as its library does everywhere.
//!
//! A deviation that one of them needs is a defect of the server.

use anyhow::{Context, Result, ensure};
use latchkey_journeys::{
    canary::Kind,
    counterpart::{Counterpart, Language},
    data::ADA,
};
use serde_json::{Value, json};

use crate::journey::{Journey, journeys};

/// What the clients ask for.
pub(crate) const SCOPE: &str = "openid profile email project:read";

/// What a client is to do, and what is marked of it.
pub(crate) async fn task(journey: &mut Journey) -> Result<Value> {
    let redirect_uri = format!("{}/clients/arrived.html", journey.stage.site("customer"));
    let client_id = register(journey, &redirect_uri).await?;
    let asked = ["resource-server", "add", "--name", "The API"];
    let resource_server = journey.stage.latchkey.run(&asked).await?;
    let secret = resource_server["secret"].as_str().unwrap_or_default();
    let (state, verifier) = ("canary-state.0123456789", "canary-verifier.0123456789~0123456789_0123456789");
    journey.stage.mark(Kind::State, state);
    journey.stage.mark(Kind::Verifier, verifier);
    journey.stage.mark(Kind::ServerSecret, secret);
    Ok(json!({
        "issuer": journey.stage.platform(),
        "clientId": client_id,
        "redirectUri": redirect_uri,
        "scope": SCOPE,
        "api": format!("{}/api/0/organizations/acme/projects/", journey.stage.platform()),
        "state": state,
        "nonce": "canary-nonce.0123456789",
        "verifier": verifier,
        "resourceServer": { "id": resource_server["id"], "secret": secret },
    }))
}

/// Registers an application of acme's that may ask for codes, and knows who signed in.
async fn register(journey: &Journey, redirect_uri: &str) -> Result<String> {
    let origin = journey.stage.site("customer");
    let mut add = vec!["app", "add", "--org", "acme", "--name", "Counterpart"];
    add.extend([
        "--origin",
        &origin,
        "--redirect-uri",
        redirect_uri,
        "--scope",
        SCOPE,
        "--response-type",
        "code",
    ]);
    let added = journey.stage.latchkey.run(&add).await?;
    added["client_id"].as_str().map(str::to_owned).context("app add printed no client_id")
}

/// The person's part: opens the request, logs in, allows; returns where the browser arrived.
pub(crate) async fn allow(journey: &Journey, authorize: &str) -> Result<String> {
    let browser = &journey.browser;
    browser.open(authorize).await?;
    journey.log_in(ADA).await?;
    browser.read("#application", "Counterpart").await?;
    browser.click("#allow").await?;
    browser.see("#arrived").await?;
    browser.url().await
}

/// Has a client's program do its part.
async fn run(journey: &mut Journey, language: Language, program: &str) -> Result<Value> {
    let task = task(journey).await?;
    let trusted = journey.stage.folder().join("authority.pem");
    std::fs::write(&trusted, journey.stage.authority().pem())?;
    let mut client = Counterpart::start(language, program, &task, &trusted)?;
    let authorize = client.authorize().await?;
    let arrived = allow(journey, &authorize).await?;
    client.finish(&arrived).await
}

/// What has to come of it, whoever the client is.
pub(crate) fn check(journey: &Journey, outcome: &Value) -> Result<()> {
    let issuers = outcome["issuers"].as_array().context("no issuer")?;
    ensure!(issuers.iter().all(|issuer| *issuer == journey.stage.platform()), "{outcome}");
    ensure!(outcome["name"] == ADA.name && outcome["email"] == ADA.email, "{outcome}");
    let mut scopes: Vec<_> = outcome["scope"].as_str().unwrap_or_default().split(' ').collect();
    scopes.sort_unstable();
    ensure!(scopes == ["email", "openid", "profile", "project:read"], "{outcome}");
    let mut projects: Vec<_> = outcome["projects"].as_array().into_iter().flatten().collect();
    projects.sort_by_key(|slug| slug.as_str());
    ensure!(projects == ["billing", "mobile-app", "web-shop"], "{outcome}");
    ensure!(outcome["rotated"] == true && outcome["renewed"] == 200, "{outcome}");
    ensure!(outcome["revoked"] == json!(["invalid_token", "invalid_grant"]), "{outcome}");
    Ok(())
}

journeys! {
    fn oauth4webapi_signs_in_refreshes_and_revokes(journey) on TlsByAddress {
        let outcome = run(journey, Language::JavaScript, "oauth4webapi.mjs").await?;
        check(journey, &outcome)?;
    }

    fn openid_client_signs_in_refreshes_introspects_and_revokes(journey) on TlsByAddress {
        let outcome = run(journey, Language::JavaScript, "openid_client.mjs").await?;
        check(journey, &outcome)?;
        ensure!(outcome["introspected"] == json!([true, true, true, false]), "{outcome}");
    }

    fn authlib_signs_in_refreshes_and_revokes(journey) on TlsByAddress {
        let outcome = run(journey, Language::Python, "authlib_client.py").await?;
        check(journey, &outcome)?;
    }

    fn oidc_client_ts_signs_in_refreshes_and_revokes_on_a_site(journey) on Tls {
        let page = format!("{}/clients/oidc-client-ts.html", journey.stage.site("customer"));
        let client_id = register(journey, &page).await?;
        journey.stage.mark(Kind::State, "canary-state");
        let browser = &journey.browser;
        browser.open(&format!("{page}?site_client_id={client_id}")).await?;
        browser.until("document.body.dataset.ready").await?;
        browser.click("#sign-in").await?;
        journey.log_in(ADA).await?;
        browser.click("#allow").await?;
        browser.read("#status", "Ada Lovelace <ada@acme.example>").await?;
        let outcome = browser.run(&format!(
            "return (async () => {{
                const api = `{}/api/0/organizations/acme/projects/`;
                const call = (user) => fetch(api, {{ headers: {{ Authorization: `Bearer ${{user.access_token}}` }} }});
                const first = await manager.getUser();
                const projects = await (await call(first)).json();
                const next = await manager.signinSilent();
                const renewed = (await call(next)).status;
                await manager.revokeTokens();
                const refused = await (await call(next)).json();
                await manager.storeUser(next);
                const refusal = await manager.signinSilent().then(() => undefined, (error) => error);
                return {{
                    issuers: [await manager.metadataService.getIssuer(), first.profile.iss],
                    name: first.profile.name,
                    email: first.profile.email,
                    scope: first.scope,
                    projects: projects.map((project) => project.slug),
                    rotated: next.refresh_token !== first.refresh_token,
                    renewed,
                    revoked: [refused.error, refusal.error],
                }};
            }})()",
            journey.stage.platform()
        )).await?;
        check(journey, &outcome)?;
    }
}
