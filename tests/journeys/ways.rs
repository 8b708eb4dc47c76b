//! The ways of signing in that a site chooses by its options, and what a client leaves behind.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use fantoccini::wd::WindowHandle;
use latchkey_journeys::data::{ADA, GRACE};
use serde_json::json;

use crate::journey::{Journey, journeys};

/// Puts a client with these options in the place of the page's own, and has the button sign in with it.
const OTHERWISE: &str = "client.destroy();
    window.other = await sdk.init({ clientId, platform, ...options });
    window.outcome = undefined;
    other.addEventListener('error', ({ error }) => { window.failed = error.code; });
    document.getElementById('sign-in').onclick = () => other.login().then(
        (session) => { window.outcome = session.user.name; },
        (error) => { window.outcome = error.code; });
    return `${other.state} ${other.delivery}`";

/// What the page asks of its API, and how that was answered.
const PROJECTS: &str =
    "return other.fetch('projects/').then(async (answer) => answer.status + ' ' + await answer.text())";

/// Keeps what the window is opened with, and can say all that its response will; says how many messages came, and
/// whether one of them was believed.
const FORGE: &str = "window.real = window.open;
    window.platformOrigin = '{platform}';
    window.clientId = '{client_id}';
    window.open = (url, ...rest) => {
        window.state = new URL(url).searchParams.get('state');
        return real.call(window, url, ...rest);
    };
    window.forge = () => ({ type: 'latchkey.response', version: 1, response: String(new URLSearchParams({
        access_token: 'lkat_forged', token_type: 'Bearer', expires_in: 3600, state, iss: platformOrigin,
        client_id: clientId, origin: location.origin })) });
    window.heard = 0;
    addEventListener('message', ({ data }) => { if (data?.type === 'latchkey.response') window.heard += 1; });
    const ask = fetch;
    window.fetch = (url, init) => {
        if (String(url).endsWith('/api/0/')) window.asked = 'asked';
        return ask(url, init);
    };";

impl Journey {
    /// Lets acme's application answer with codes, too.
    async fn allow_codes(&self) -> Result<()> {
        let client = &self.stage.clients.acme;
        let update =
            ["app", "update", "--client-id", client, "--response-type", "token", "--response-type", "code"];
        self.stage.latchkey.run(&update).await.map(|_| ())
    }

    /// A client with these options, on the page without a toolbar.
    async fn init_with(&self, options: &str) -> Result<String> {
        let script = format!("const options = {options}; {OTHERWISE}");
        Ok(self.with_client(&script).await?.as_str().unwrap_or_default().to_owned())
    }

    /// A click on the page's own button, and all that it comes to.
    async fn signs_in_from(&self, page: &WindowHandle) -> Result<()> {
        self.browser.click("#sign-in").await?;
        self.log_in_and_allow(page, ADA).await?;
        self.browser.until("window.outcome === 'Ada Lovelace'").await
    }

    async fn says(&self, script: &str, expected: &str) -> Result<()> {
        let said = self.browser.run(script).await?;
        ensure!(said.as_str().is_some_and(|said| said.contains(expected)), "{said} instead of {expected}");
        Ok(())
    }
}

/// What `index.d.ts` says of `fetch` wherever the token is kept, and of all of it once the client is destroyed.
async fn calls_alike(journey: &Journey, options: &str) -> Result<()> {
    let page = journey.open_site("/popup.html").await?;
    journey.init_with(options).await?;
    journey.signs_in_from(&page).await?;
    let told = journey
        .browser
        .run(
            "return (async () => {
                const { platform } = await import('/config.js');
                const says = (asked) => asked.then((answer) => answer?.status ?? 'done', ({ code }) => code);
                const ask = (path, init) => says(other.fetch(path, init));
                const told = {
                    own: await ask('projects/#there'), whole: await ask('/api/0/'), address: await ask(`${platform}/api/0/#there`),
                    elsewhere: [], after: [],
                };
                for (const path of ['/api/', '/api/1/', '/api/00/', '/login/', '../../../login/', 'https://evil.example/api/0/']) {
                    told.elsewhere.push(await ask(path));
                }
                const asked = ask('projects/');
                other.destroy();
                told.waiting = await asked;
                for (const call of [other.fetch('projects/'), other.login(), other.logout(), other.handleRedirect()]) {
                    told.after.push(await says(call));
                }
                return told;
            })()",
        )
        .await?;
    let refused = vec!["invalid_options"; 6];
    let expected = json!({
        "own": 200, "whole": 200, "address": 200, "elsewhere": refused, "waiting": "aborted",
        "after": ["aborted", "aborted", "done", "done"],
    });
    ensure!(told == expected, "{told}");
    Ok(())
}

journeys! {
    fn a_code_is_exchanged_in_the_page_that_opened_the_window(journey) on Loopback {
        journey.allow_codes().await?;
        let page = journey.open_site("/popup.html").await?;
        ensure!(journey.init_with("{ mode: 'popup', responseType: 'code' }").await? == "signed-out opener");
        journey.signs_in_from(&page).await?;
        journey.says(PROJECTS, "200 ").await?;
    }

    fn a_code_that_comes_back_with_the_page_is_exchanged_there(journey) on Loopback {
        journey.allow_codes().await?;
        journey.open_site("/redirect.html?flow=code").await?;
        journey.browser.until("document.body.dataset.ready").await?;
        journey.browser.click("#sign-in").await?;
        journey.log_in(ADA).await?;
        journey.browser.click("#allow").await?;
        journey.browser.read("#projects", "web-shop").await?;
        let address = journey.browser.url().await?;
        ensure!(!address.contains("lkac_") && !address.contains("state="), "{address}");
        // And the response, too.
        let again = journey.with_client("return String(await client.handleRedirect().catch((error) => error.code))").await?;
        ensure!(again == "null", "{again}");
        // The verifier served once: nothing of the request is kept.
        ensure!(journey.browser.run("return sessionStorage.length").await? == 0);
    }

    fn a_session_of_the_code_flow_goes_on_with_its_refresh_token(journey) on Loopback {
        journey.stage.restart_server("access_token_secs = 5\n").await?;
        journey.allow_codes().await?;
        let page = journey.open_site("/popup.html").await?;
        journey.init_with("{ mode: 'popup', responseType: 'code' }").await?;
        journey.browser.click("#sign-in").await?;
        journey.log_in_and_allow(&page, GRACE).await?;
        journey.browser.until("window.outcome === 'Grace Hopper'").await?;
        journey.browser.run("return other.getToken().then((token) => { window.first = token; })").await?;
        journey.browser.run("setInterval(async () => { window.now = await other.getToken(); }, 100)").await?;
        journey.browser.until("window.now && window.now !== window.first").await?;
        journey.says(PROJECTS, "200 ").await?;
        // Who leaves is out at the next renewal, or call.
        journey.stage.latchkey.run(&["member", "remove", "--org", "acme", "--email", GRACE.email]).await?;
        journey.browser.until("other.state === 'signed-out' && window.failed === 'session_expired'").await?;
    }

    fn where_no_window_opens_a_page_that_may_leaves_and_comes_back(journey) on Loopback with blocks_popups {
        journey.open_site("/redirect.html").await?;
        let outcome = journey.with_client(
            "client.destroy();
             const redirectUri = `${location.origin}/redirect.html`;
             const other = await sdk.init({ clientId, platform, redirectUri, headless: true });
             // A click that is over: what a page does that awaits something first.
             other.login();
             return other.delivery"
        ).await?;
        ensure!(outcome == "redirect", "{outcome}");
        journey.log_in(ADA).await?;
        journey.browser.click("#allow").await?;
        journey.browser.read("#projects", "web-shop").await?;
    }

    fn a_page_that_was_left_and_is_gone_back_to_signs_in_as_before(journey) on Loopback {
        for kept in ["no", "yes"] {
            journey.open_site("/redirect.html").await?;
            journey.browser.until("document.body.dataset.ready").await?;
            // What a browser may not keep, such as a page that listens to this, is loaded anew.
            let spoil = if kept == "yes" { "" } else { "addEventListener('unload', () => {});" };
            journey.browser.run(&format!("window.isKept = 'yes'; {spoil}")).await?;
            journey.browser.click("#sign-in").await?;
            journey.browser.see("#email").await?;
            journey.browser.back().await?;
            journey.browser.until("document.body.dataset.ready").await?;
            ensure!(journey.browser.run("return window.isKept ?? 'no'").await? == kept, "{kept}");
            if kept == "yes" {
                journey.browser.read("#projects", "aborted").await?;
            }
        }
        journey.browser.click("#sign-in").await?;
        journey.log_in(ADA).await?;
        journey.browser.click("#allow").await?;
        journey.browser.read("#projects", "web-shop").await?;
    }

    fn a_page_that_was_left_since_no_window_opened_may_open_one_when_it_is_gone_back_to(journey) on Loopback with blocks_popups {
        let address = format!("{}/clients/back.html", journey.stage.site("customer"));
        let client = journey.stage.clients.acme.clone();
        journey.stage.latchkey.run(&["app", "update", "--client-id", &client, "--redirect-uri", &address]).await?;
        journey.open_site("/clients/back.html").await?;
        let page = journey.browser.window().await?;
        journey.browser.read("#status", "signed-out").await?;
        // A browser may not keep a page with a frame for the Back button: here it is stopped before it is left.
        for back in ["dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))", "controller.abort()"] {
            journey.browser.run(
                "window.controller = new AbortController();
                 window.outcome = undefined;
                 client.login({ signal: controller.signal }).catch(({ code }) => { window.outcome = code; });
                 window.stop();"
            ).await?;
            journey.says("return client.delivery", "redirect").await?;
            journey.browser.run(back).await?;
            journey.browser.until("window.outcome === 'aborted'").await?;
            journey.says("return client.delivery", "opener").await?;
        }
        journey.browser.run("document.getElementById('status').onclick = () => client.login()").await?;
        journey.browser.click("#status").await?;
        journey.log_in_and_allow(&page, ADA).await?;
        journey.browser.read("#status", ADA.name).await?;
    }

    fn after_a_redirect_the_toolbar_shows_who_is_signed_in(journey) on Loopback with blocks_popups {
        let address = format!("{}/clients/back.html", journey.stage.site("customer"));
        let client = journey.stage.clients.acme.clone();
        journey.stage.latchkey.run(&["app", "update", "--client-id", &client, "--redirect-uri", &address]).await?;
        journey.open_site("/clients/back.html").await?;
        journey.browser.read("#status", "signed-out").await?;
        // Outside of a click no window opens, so the page is left.
        journey.browser.run("client.login()").await?;
        journey.log_in(ADA).await?;
        journey.browser.click("#allow").await?;
        journey.browser.read("#status", ADA.name).await?;
        journey.browser.enter_toolbar().await?;
        journey.browser.read("#name", ADA.name).await?;
        // Signing out there signs the page out, and its token ends.
        journey.browser.leave_frame().await?;
        let token = journey.browser.run("return client.getToken()").await?;
        journey.browser.enter_toolbar().await?;
        journey.browser.click("#sign-out").await?;
        journey.browser.see("#sign-in").await?;
        journey.browser.leave_frame().await?;
        journey.browser.read("#status", "signed-out").await?;
        journey.until_refused(token.as_str().unwrap_or_default()).await?;
    }

    fn who_signs_in_by_redirect_takes_the_place_of_whom_the_toolbar_kept_signed_in(journey) on Loopback with blocks_popups {
        let address = format!("{}/clients/back.html", journey.stage.site("customer"));
        let client = journey.stage.clients.acme.clone();
        journey.stage.latchkey.run(&["app", "update", "--client-id", &client, "--redirect-uri", &address]).await?;
        let page = journey.open_site("/clients/back.html").await?;
        journey.browser.read("#status", "signed-out").await?;
        journey.browser.enter_toolbar().await?;
        journey.browser.click("#sign-in").await?;
        journey.log_in_and_allow(&page, ADA).await?;
        journey.browser.read("#status", ADA.name).await?;
        let before = journey.browser.run("return client.getToken()").await?;
        journey.browser.enter_toolbar().await?;
        journey.browser.until("Object.keys(localStorage).some((key) => key.startsWith('session '))").await?;
        journey.browser.leave_frame().await?;
        // As somebody else, in the page. The first one has not signed out of the platform, which would end it all.
        let session = json!({ "name": "__Host-latchkey_session", "url": journey.stage.platform() });
        journey.browser.devtools("Network.deleteCookies", session).await?;
        journey.browser.run("client.login()").await?;
        journey.log_in(GRACE).await?;
        journey.browser.click("#allow").await?;
        journey.browser.read("#status", GRACE.name).await?;
        journey.browser.enter_toolbar().await?;
        journey.browser.read("#name", GRACE.name).await?;
        let noted = journey.browser.run("return Object.keys(localStorage).some((key) => key.startsWith('session '))").await?;
        ensure!(noted == false, "the toolbar's own session is noted still");
        journey.browser.leave_frame().await?;
        journey.until_refused(before.as_str().unwrap_or_default()).await?;
        let name = journey.browser.run("return client.session.user.name").await?;
        ensure!(name == GRACE.name, "{name} is signed in");
        // And whom the toolbar kept does not come back.
        journey.browser.reload().await?;
        journey.browser.read("#status", "signed-out").await?;
    }

    fn a_frame_that_is_loaded_anew_and_kept_nothing_learns_of_the_session_from_the_page(journey) on Loopback {
        journey.sign_in(ADA).await?;
        let before = journey.token().await?;
        journey.browser.enter_toolbar().await?;
        journey.browser.until("Object.keys(localStorage).some((key) => key.startsWith('session '))").await?;
        journey.browser.run("localStorage.clear()").await?;
        journey.browser.leave_frame().await?;
        journey.browser.run("const frame = document.querySelector('latchkey-toolbar iframe');
            window.isLoaded = false;
            frame.addEventListener('load', () => { window.isLoaded = true; });
            frame.src = frame.src;").await?;
        journey.browser.until("window.isLoaded").await?;
        journey.browser.enter_toolbar().await?;
        journey.browser.read("#name", ADA.name).await?;
        journey.browser.see("#sign-out").await?;
        journey.browser.leave_frame().await?;
        ensure!(journey.token().await? == before, "the page's session is the page's");
        journey.browser.read("#status", ADA.name).await?;
    }

    fn another_applications_token_is_not_shown_as_this_ones_session(journey) on Loopback {
        // A member of both organizations, signed in with globex's application on its site.
        journey.browser.open(&format!("{}/", journey.stage.site("globex"))).await?;
        let page = journey.browser.window().await?;
        journey.browser.click("#sign-in").await?;
        journey.log_in_and_allow(&page, GRACE).await?;
        journey.browser.read("#status", GRACE.name).await?;
        let token = journey.token().await?;
        journey.open_site("/popup.html").await?;
        let script = format!(
            "const {{ clientId: client_id, platform }} = await import('/config.js');
             window.answers = [];
             const frame = document.createElement('iframe');
             frame.src = `${{platform}}/toolbar/${{client_id}}/`;
             frame.id = 'raw';
             frame.onload = () => {{
                 const {{ port1, port2 }} = new MessageChannel();
                 port1.onmessage = ({{ data }}) => answers.push(data.type);
                 const hello = {{ type: 'latchkey.hello', version: 1, client_id, scope: '', response_type: 'token', tokens: 'page' }};
                 frame.contentWindow.postMessage(hello, platform, [port2]);
                 port1.postMessage({{ type: 'adopt', access_token: '{token}', expires_in: 3600, replaces: false }});
             }};
             document.body.prepend(frame);"
        );
        journey.browser.run(&format!("return (async () => {{ {script} }})()")).await?;
        journey.browser.until("answers.includes('prepared')").await?;
        journey.browser.see("#raw").await?.enter_frame().await?;
        let asked = "performance.getEntriesByType('resource').some(({ name, responseEnd }) => name.endsWith('/api/0/') && responseEnd > 0)";
        journey.browser.until(asked).await?;
        journey.browser.see("#sign-in").await?;
        ensure!(!journey.browser.shows("#sign-out").await?, "another application's session is shown");
    }

    fn two_clients_on_one_page_keep_apart(journey) on Loopback {
        let site = journey.stage.site("customer");
        let added = journey.stage.latchkey.run(
            &["app", "add", "--org", "globex", "--name", "Globex on Acme", "--origin", &site],
        ).await?;
        let second = added["client_id"].as_str().unwrap_or_default().to_owned();
        let page = journey.open_site("/popup.html").await?;
        let script = format!(
            "window.two = await sdk.init({{ clientId: '{second}', platform, headless: true }});
             window.outcome = undefined;
             document.getElementById('sign-in').onclick = () => two.login().then((session) => {{ window.outcome = session.organization.slug; }});
             window.one = client;
             return [one === two, one.state, two.state].join(' ')"
        );
        ensure!(journey.with_client(&script).await? == "false signed-out signed-out");
        journey.browser.click("#sign-in").await?;
        journey.log_in_and_allow(&page, GRACE).await?;
        journey.browser.until("window.outcome === 'globex'").await?;
        ensure!(journey.browser.run("return [one.state, two.state].join(' ')").await? == "signed-out signed-in");
        journey.browser.run("one.destroy()").await?;
        journey.says("return two.fetch('').then((answer) => answer.text())", "globex").await?;
    }

    // The page may sign out as soon as it is told of the session: who asked for the sign-in still gets what it was.
    fn who_signs_out_of_the_code_flow_leaves_no_refresh_token_behind(journey) on Loopback {
        journey.allow_codes().await?;
        let page = journey.open_site("/popup.html").await?;
        journey.init_with("{ mode: 'popup', responseType: 'code' }").await?;
        journey.browser.run(
            "const real = fetch;
             window.revoked = [];
             window.fetch = (url, init) => {
                 if (String(url).endsWith('/oauth/revoke/')) revoked.push(init.body.get('token').slice(0, 5));
                 return real(url, init);
             };
             other.addEventListener('statechange', async () => {
                 if (!other.session) return;
                 const told = other.getToken();
                 await other.logout();
                 window.dead = await told;
             });",
        ).await?;
        journey.browser.click("#sign-in").await?;
        journey.log_in_and_allow(&page, ADA).await?;
        journey.browser.until("window.outcome === 'Ada Lovelace' && window.dead").await?;
        journey.says("return revoked.join() + ' ' + other.state", "lkrt_ signed-out").await?;
        let token = journey.browser.run("return dead").await?;
        ensure!(journey.ask(token.as_str().unwrap_or_default(), "").await? == 401, "its access token goes with it");
    }

    // Whoever knows the state and all else that a response says is still not the window that was opened.
    fn a_response_counts_from_the_window_that_was_opened_and_from_the_platform_alone(journey) on Loopback {
        let page = journey.open_site("/popup.html").await?;
        journey.init_with("{ mode: 'popup', redirectUri: `${location.origin}/redirect.html` }").await?;
        let setup = FORGE.replace("{platform}", &journey.stage.platform()).replace("{client_id}", &journey.stage.clients.acme);
        journey.browser.run(&setup).await?;
        journey.browser.click("#sign-in").await?;
        journey.browser.switch_to_popup(&page).await?;
        journey.browser.see("#email").await?;
        let popup = journey.browser.window().await?;
        let forged = journey.stage.site("customer");
        let post = |from: &str| format!("{from}.postMessage(JSON.parse('MESSAGE'), '{forged}')");
        let is_ignored = async |nth: u32| {
            journey.browser.switch_to(&page).await?;
            journey.browser.until(&format!("window.heard === {nth}")).await?;
            let said = journey.browser.run("return `${other.state} ${window.asked}`").await?;
            ensure!(said == "signing-in undefined", "{nth}: {said}");
            anyhow::Ok(())
        };
        // The page itself.
        journey.browser.switch_to(&page).await?;
        let message = journey.browser.run("return JSON.stringify(forge())").await?;
        let message = message.as_str().unwrap_or_default().to_owned();
        let posted = |from: &str| post(from).replace("MESSAGE", &message);
        journey.browser.run(&posted("window")).await?;
        is_ignored(1).await?;
        // Another page of the platform's.
        journey.browser.run(
            "const frame = document.createElement('iframe');
             frame.src = `${platformOrigin}/toolbar/${clientId}/`; frame.id = 'framed';
             document.body.append(frame);",
        ).await?;
        journey.browser.see("#framed").await?.enter_frame().await?;
        journey.browser.see("#sign-in").await?;
        journey.browser.run(&posted("parent")).await?;
        journey.browser.leave_frame().await?;
        is_ignored(2).await?;
        journey.browser.run("document.querySelector('#framed').remove()").await?;
        // The window itself, which is elsewhere by now.
        journey.browser.switch_to(&popup).await?;
        journey.browser.run(&format!("location.href = '{forged}/redirect.html'")).await?;
        journey.browser.until("location.pathname === '/redirect.html' && document.readyState === 'complete'").await?;
        journey.browser.run(&posted("opener")).await?;
        is_ignored(3).await?;
        // Another page of the site, that waits for another response, or speaks another version.
        journey.browser.run(
            "const channel = new BroadcastChannel(`latchkey.${clientId}`);
             const { response } = forge();
             channel.onmessage = () => { window.asked = 'received'; };
             channel.postMessage({ type: 'latchkey.response', version: 1, state: 'another', response });
             channel.postMessage({ type: 'latchkey.response', version: 2, state, response });
             channel.postMessage({ type: 'latchkey.alive', version: 1, state, response });
             channel.postMessage(null);
             const echo = new BroadcastChannel(`latchkey.${clientId}`);
             echo.onmessage = ({ data }) => { if (data === 'last') window.heard += 1; };
             channel.postMessage('last');",
        ).await?;
        is_ignored(4).await?;
        journey.browser.run("other.destroy()").await?;
        journey.browser.until("window.outcome === 'aborted'").await?;
    }

    fn a_page_that_holds_the_token_calls_where_one_that_does_not_calls(journey) on Loopback {
        calls_alike(journey, "{ mode: 'popup' }").await?;
    }

    fn a_page_that_leaves_the_token_to_the_frame_calls_where_one_that_holds_it_calls(journey) on Loopback {
        calls_alike(journey, "{ tokens: 'frame', headless: true }").await?;
    }

    // A body that is replaced, as frameworks do, takes the toolbar along.
    fn a_toolbar_that_the_site_took_off_the_page_is_back_with_init_and_with_login(journey) on Loopback {
        const SWAP: &str = "const body = document.createElement('body');
            body.append(...document.body.querySelectorAll('#sign-in, #projects'));
            document.body.replaceWith(body);";
        let page = journey.open_site("/popup.html").await?;
        journey.init_with("{}").await?;
        journey.browser.run(SWAP).await?;
        // The click itself puts it back, and opens the window.
        journey.signs_in_from(&page).await?;
        journey.browser.run(SWAP).await?;
        let again = journey.browser.run(
            "return (async () => {
                const { clientId, platform } = await import('/config.js');
                const sdk = await import('/latchkey/index.js');
                const client = await sdk.init({ clientId, platform });
                const toolbar = document.querySelector('latchkey-toolbar');
                return [client === other, toolbar.matches(':popover-open'), (await client.fetch('projects/')).status].join();
            })()"
        ).await?;
        ensure!(again == "true,true,200", "{again}");
        journey.browser.enter_toolbar().await?;
        journey.browser.see("#sign-out").await?;
        journey.browser.leave_frame().await?;
        // Put back elsewhere, it stands above the page as before.
        journey.browser.run("const toolbar = document.querySelector('latchkey-toolbar');
            toolbar.remove();
            document.body.append(toolbar);").await?;
        journey.browser.until("document.querySelector('latchkey-toolbar').matches(':popover-open')").await?;
    }

    fn a_toolbar_whose_container_is_gone_as_well_says_what_to_do(journey) on Loopback {
        let page = journey.open_site("/popup.html").await?;
        let told = journey.with_client(
            "const place = () => document.body.appendChild(document.createElement('div'));
             client.destroy();
             const options = { clientId, platform, mode: 'iframe' };
             const first = place();
             window.other = await sdk.init({ ...options, container: first });
             first.remove();
             const began = performance.now();
             const login = await other.login().catch(({ code, message }) => `${code} ${message}`);
             const isFast = performance.now() - began < 1000;
             const init = await sdk.init({ ...options, container: first }).catch(({ code }) => code);
             const second = place();
             const client2 = await sdk.init({ ...options, container: second });
             document.getElementById('sign-in').onclick = () => other.login().then(({ user }) => { window.outcome = user.name; });
             return [login, isFast, init, client2 === other, second.contains(document.querySelector('latchkey-toolbar'))].join();"
        ).await?;
        let told = told.as_str().unwrap_or_default();
        ensure!(told.starts_with("frame_blocked The toolbar was taken off the page"), "{told}");
        ensure!(told.ends_with(",true,invalid_options,true,true"), "{told}");
        journey.signs_in_from(&page).await?;
    }

    fn a_frame_that_something_in_the_browser_keeps_out_is_gone_without(journey) on Loopback {
        let page = journey.open_site("/popup.html").await?;
        // As with an extension: what stands in the frame is another page than ours.
        journey.browser.run("Object.defineProperty(HTMLIFrameElement.prototype, 'src', { set() {} })").await?;
        let told = journey.with_client(
            "const { findings: [found, ...others] } = await sdk.diagnose({ clientId, platform });
             return [found.level, found.check, others.length].join();"
        ).await?;
        ensure!(told == "warning,frame,0", "{told}");
        let began = Instant::now();
        ensure!(journey.init_with("{}").await? == "signed-out opener");
        ensure!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        journey.signs_in_from(&page).await?;
        let told = journey.browser.run(
            "return (async () => {
                other.destroy();
                const sdk = await import('/latchkey/index.js');
                const { clientId, platform } = await import('/config.js');
                const options = { clientId, platform, mode: 'iframe', timeoutMs: 4000 };
                const error = await sdk.init(options).catch((error) => error);
                return [error.code, error.hint].join();
            })()"
        ).await?;
        let told = told.as_str().unwrap_or_default();
        ensure!(told.starts_with("frame_blocked,") && told.contains("diagnose()") && !told.contains("frame-src"), "{told}");
    }

    fn a_session_is_what_the_platform_said_whatever_the_page_does_to_it(journey) on Loopback {
        let page = journey.open_site("/popup.html").await?;
        journey.init_with("{ mode: 'popup' }").await?;
        journey.signs_in_from(&page).await?;
        let told = journey.browser.run(
            "return (async () => {
                'use strict';
                const { session } = other;
                session.expiresAt.setTime(0);
                const tries = [
                    () => { session.user.name = 'Eve'; }, () => { session.organization.slug = 'globex'; },
                    () => session.scopes.push('org:admin'), () => { session.expiresAt = new Date(0); },
                ];
                const refused = tries.filter((attempt) => { try { attempt(); } catch { return true; } }).length;
                const { status } = await other.fetch('projects/');
                return [refused, status, session.user.name, structuredClone(session).expiresAt > new Date()].join();
            })()"
        ).await?;
        ensure!(told == "4,200,Ada Lovelace,true", "{told}");
        // Who gives up while the next token is waited for is told so at once.
        let told = journey.browser.run(
            "return (async () => {
                const now = Date.now();
                Date.now = () => now + 4_000_000;
                const controller = new AbortController();
                setTimeout(() => controller.abort(), 100);
                const began = performance.now();
                const code = await other.fetch('projects/', { signal: controller.signal }).catch(({ code }) => code);
                const already = await other.fetch('projects/', { signal: AbortSignal.abort() }).catch(({ code }) => code);
                return [code, already, performance.now() - began < 2000].join();
            })()"
        ).await?;
        ensure!(told == "aborted,aborted,true", "{told}");
    }

    fn a_sign_in_that_is_joined_leaves_nothing_behind_and_waits_as_long_as_it_was_told_to(journey) on Loopback {
        let page = journey.open_site("/popup.html").await?;
        journey.init_with("{}").await?;
        journey.browser.run(
            "window.told = [];
             window.listeners = 0;
             const { signal } = new AbortController();
             for (const [name, more] of [['addEventListener', 1], ['removeEventListener', -1]]) {
                 signal[name] = function (...given) {
                     listeners += more;
                     return EventTarget.prototype[name].apply(this, given);
                 };
             }
             const tell = (name, login) => login.then(({ user }) => told.push(name + user.name), ({ code }) => told.push(name + code));
             document.getElementById('sign-in').onclick = () => {
                 tell('first ', other.login({ signal }));
                 tell('second ', other.login({ signal, timeoutMs: 300 }));
             };"
        ).await?;
        journey.browser.click("#sign-in").await?;
        journey.browser.until("told.join() === 'second timeout'").await?;
        ensure!(journey.browser.count_windows().await? == 2, "the window is gone");
        journey.log_in_and_allow(&page, ADA).await?;
        journey.browser.until("told.join() === 'second timeout,first Ada Lovelace' && listeners === 0").await?;
        // And so it is where the person began in the toolbar.
        journey.browser.enter_toolbar().await?;
        journey.browser.click("#sign-out").await?;
        journey.browser.click("#sign-in").await?;
        journey.browser.leave_frame().await?;
        journey.browser.until("other.state === 'signing-in'").await?;
        let told = journey.browser.run("return other.login({ timeoutMs: 300 }).catch(({ code }) => code)").await?;
        ensure!(told == "timeout", "{told}");
    }

    fn a_page_that_cannot_be_come_back_to_is_told_before_anybody_leaves_it(journey) on Loopback {
        journey.open_site("/popup.html").await?;
        let told = journey.with_client(
            "client.destroy();
             const options = { clientId, platform, mode: 'redirect' };
             return sdk.init(options).catch(({ code, message }) => `${code} ${message}`);"
        ).await?;
        let expected = format!("invalid_options redirectUri: register {}/popup.html ", journey.stage.site("customer"));
        ensure!(told.as_str().is_some_and(|told| told.starts_with(&expected)), "{told}");
    }

    fn wrong_options_and_an_old_browser_reject_by_name_and_stand_in_nobodys_way(journey) on Loopback {
        journey.open_site("/clients/arrived.html").await?;
        let told = journey.browser.run(
            "return (async () => {
                const sdk = await import('/latchkey/index.js');
                const { clientId, platform } = await import('/config.js');
                const given = { clientId, platform, mode: 'popup' };
                const code = (started) => started.then((client) => client.state, ({ code, message }) => `${code} ${message.split(':')[0]}`);
                const bytes = await code(sdk.init({ ...given, wasm: new Uint8Array(3) }));
                const both = await Promise.all([code(sdk.init({ ...given, mode: 'x' })), code(sdk.init(given))]);
                (await sdk.init(given)).destroy();
                const getter = await code(sdk.init({ get clientId() { throw new TypeError('boom'); } }));
                delete window.BroadcastChannel;
                const old = await code(sdk.init({ ...given, redirectUri: `${location.origin}/redirect.html` }));
                (await sdk.init(given)).destroy();
                window.CSSStyleSheet = function () { throw new TypeError('Illegal constructor'); };
                const older = await code(sdk.init({ clientId, platform, mode: 'iframe' }));
                return [bytes, ...both, getter, old, older].join();
            })()"
        ).await?;
        let expected = "invalid_options wasm,invalid_options mode,signed-out,undefined boom,signed-out,signed-out";
        ensure!(told == expected, "{told}");
        journey.browser.until("document.querySelector('latchkey-toolbar').offsetHeight > 30").await?;
    }

    fn a_script_in_the_head_may_be_faster_than_the_body(journey) on Loopback {
        journey.open_site("/popup.html").await?;
        let state = journey.browser.run(
            "document.open();
             document.write('<!doctype html><title>Slow</title>');
             return (async () => {
                 const sdk = await import('/latchkey/index.js');
                 const { clientId, platform } = await import('/config.js');
                 const client = sdk.init({ clientId, platform });
                 const asked = () => performance.getEntriesByType('resource').some(({ name }) => name.includes('/status/'));
                 while (!asked()) await new Promise((done) => setTimeout(done, 20));
                 if (document.body) return 'there is a body';
                 document.write('<body><p>Here it is.');
                 document.close();
                 return client.then(({ state }) => state, ({ code, message }) => `${code}: ${message}`);
             })()",
        ).await?;
        ensure!(state == "signed-out", "{state}");
    }

    fn a_destroyed_client_leaves_nothing_behind(journey) on Loopback {
        let page = journey.open_site("/popup.html").await?;
        journey.with_client("client.destroy()").await?;
        // Whatever a client begins to listen to, to wait for or to show is counted from here on.
        journey.browser.run(COUNT).await?;
        for options in ["{}", "{ mode: 'popup' }", "{ headless: true }", "{ redirectUri: `${location.origin}/redirect.html` }"] {
            journey.init_with(options).await?;
            journey.browser.click("#sign-in").await?;
            journey.browser.switch_to_popup(&page).await?;
            journey.browser.see("body").await?;
            journey.browser.switch_to(&page).await?;
            ensure!(journey.browser.run("return left().length").await? != 0, "nothing is counted with {options}");
            journey.browser.run("other.destroy()").await?;
            journey.browser.until("window.outcome === 'aborted'").await?;
            journey.browser.popup_closes(&page).await?;
            journey.browser.until("left().length === 0").await.map_err(|error| error.context(options))?;
        }
    }

    fn a_click_in_the_toolbar_counts_before_the_platform_has_answered(journey) on Loopback {
        let page = journey.open_site("/popup.html").await?;
        journey.with_client(
            "client.destroy();
             const real = fetch;
             const answered = new Promise((done) => { window.answer = done; });
             window.fetch = async (url, init) => {
                 if (String(url).includes('/status/')) await answered;
                 return real(url, init);
             };
             sdk.init({ clientId, platform, timeoutMs: 60_000 }).then((client) => { window.other = client; })"
        ).await?;
        journey.browser.enter_toolbar().await?;
        journey.browser.click("#sign-in:enabled").await?;
        journey.log_in_and_allow(&page, ADA).await?;
        journey.browser.enter_toolbar().await?;
        journey.browser.read("#name", ADA.name).await?;
        journey.browser.leave_frame().await?;
        journey.browser.run("answer()").await?;
        journey.browser.until("window.other?.session?.user.name === 'Ada Lovelace'").await?;
        journey.says(PROJECTS, "200 ").await?;
        journey.browser.enter_toolbar().await?;
        journey.browser.see("#sign-out").await?;
    }

    fn who_has_given_up_before_opens_no_window(journey) on Loopback {
        journey.open_site("/popup.html").await?;
        let told = journey.with_client(
            "const told = await client.login({ signal: AbortSignal.abort() }).catch((error) => error.code);
             return `${told} ${client.state}`"
        ).await?;
        ensure!(told == "aborted signed-out", "{told}");
        ensure!(journey.browser.count_windows().await? == 1, "a window opened");
    }

    // The port that comes with it is the client's whole trust in the frame.
    fn a_frame_that_has_gone_elsewhere_is_not_greeted(journey) on Loopback {
        journey.open_site("/popup.html").await?;
        journey.init_with("{ mode: 'iframe' }").await?;
        journey.browser.run(
            "const frame = document.querySelector('latchkey-toolbar iframe');
             window.greetings = [];
             frame.addEventListener('load', () => {
                 frame.contentWindow.addEventListener('message', ({ data }) => greetings.push(data.type ?? data));
                 frame.contentWindow.postMessage('last', location.origin);
             });
             frame.src = '/site.css';",
        ).await?;
        journey.browser.until("greetings.includes('last')").await?;
        journey.says("return `only ${greetings.join()} ${other.state}`", "only last signed-out").await?;
    }

    // It is a link for people to follow.
    fn a_link_to_the_setup_leads_to_the_platform_or_is_none(journey) on Loopback {
        journey.browser.open(&format!("{}/popup.html", journey.stage.site("evil"))).await?;
        let links = journey.browser.run(
            "return (async () => {
                const sdk = await import('/latchkey/index.js');
                const { clientId, platform } = await import('/config.js');
                const real = fetch;
                const link = (change) => {
                    window.fetch = async (...given) => {
                        const answer = await (await real(...given)).json();
                        return Response.json({ ...answer, setup_url: change(answer.setup_url) });
                    };
                    return sdk.init({ clientId, platform, mode: 'popup' }).catch(({ setupUrl }) => setupUrl?.startsWith(platform));
                };
                const other = () => 'https://evil.example/setup/';
                return [await link((url) => url), await link(other), await link(() => 'javascript:alert(1)'), await link(() => 7)].join();
            })()"
        ).await?;
        ensure!(links == "true,,,", "{links}");
    }

    fn whoever_gives_up_waiting_leaves_the_others_their_window(journey) on Loopback {
        let page = journey.open_site("/popup.html").await?;
        journey.with_client("window.controller = new AbortController();
            window.told = [];
            const tell = (name, login) => login.then((session) => told.push(name + session.user.name), (error) => told.push(name + error.code));
            document.getElementById('sign-in').onclick = () => {
                tell('first ', client.login({ signal: controller.signal }));
                tell('second ', client.login());
            };").await?;
        journey.browser.click("#sign-in").await?;
        journey.browser.switch_to_popup(&page).await?;
        journey.browser.see("#email").await?;
        journey.browser.switch_to(&page).await?;
        journey.browser.run("controller.abort()").await?;
        journey.browser.until("told.join() === 'first aborted'").await?;
        ensure!(journey.browser.count_windows().await? == 2, "the window is gone");
        journey.log_in_and_allow(&page, ADA).await?;
        journey.browser.until("told.join() === 'first aborted,second Ada Lovelace'").await?;
    }

    fn fetch_is_the_browsers_own_with_its_streams_and_signals(journey) on Loopback {
        let page = journey.open_site("/popup.html").await?;
        journey.init_with("{ mode: 'popup' }").await?;
        journey.signs_in_from(&page).await?;
        let outcome = journey.browser.run(
            "return (async () => {
                const read = [];
                const reader = (await other.fetch('projects/')).body.getReader();
                for (let part; !(part = await reader.read()).done;) read.push(part.value instanceof Uint8Array);
                const gone = await other.fetch('projects/', { signal: AbortSignal.abort() }).catch((error) => error.code);
                const upload = await other.fetch('issues/none/', { method: 'PUT', body: new Blob(['{\"status\":\"resolved\"}']), headers: { 'Content-Type': 'application/json' } });
                const given = await other.fetch(new URL('/api/0/', (await import('/config.js')).platform));
                const wrong = await other.fetch('projects/', { method: 'GET', body: 'x' }).catch((error) => error.code);
                const whole = await other.fetch(new Request('projects/')).catch(({ message }) => /as a string or a URL/.test(message));
                return [read.length > 0 && read.every(Boolean), gone, upload.status, given.status, wrong, whole].join(' ');
            })()"
        ).await?;
        ensure!(outcome == "true aborted 404 200 invalid_options true", "{outcome}");
        // A stream goes out and one comes back, each part as soon as it is there: here past the wire, where no browser sends
        // one over HTTP/1.1, and then on it, where the reason is told.
        let streamed = journey.browser.run(
            "return (async () => {
                const real = fetch;
                let incoming, outgoing;
                const upload = () => ({ method: 'PUT', duplex: 'half', body: new ReadableStream({ start: (it) => (outgoing = it) }) });
                const bytes = (text) => new TextEncoder().encode(text);
                const text = async (reader) => new TextDecoder().decode((await reader.read()).value);
                let sent;
                window.fetch = async (request) => {
                    sent = request.body.getReader();
                    return new Response(new ReadableStream({ start: (it) => (incoming = it) }));
                };
                const answer = await other.fetch('issues/none/', upload());
                window.fetch = real;
                outgoing.enqueue(bytes('up'));
                const up = await text(sent);
                incoming.enqueue(bytes('down'));
                const reader = answer.body.getReader();
                const down = await text(reader);
                incoming.close();
                const { done } = await reader.read();
                const refused = other.fetch('issues/none/', upload()).catch(({ code, hint }) => `${code} ${hint.includes('HTTP/2')}`);
                outgoing.close();
                return [up, down, done, await refused].join(' ');
            })()"
        ).await?;
        ensure!(streamed == "up down true network_error true", "{streamed}");
        // Whatever it is given, it brings the session's token, and no cookie.
        let sent = journey.browser.run(
            "return (async () => {
                const real = fetch;
                const seen = [];
                window.fetch = (request) => { seen.push(request); return real(request); };
                const { status } = await other.fetch('projects/', { credentials: 'include', headers: { Authorization: 'Basic x' } });
                return [status, seen.length, seen[0].credentials, seen[0].headers.get('authorization').slice(0, 12)].join(' ');
            })()"
        ).await?;
        ensure!(sent == "200 1 omit Bearer lkat_", "{sent}");
        // A folder of the site's sends on to its own address with a slash.
        let sent_on = journey.browser.run(
            "return (async () => {
                const real = fetch;
                window.fetch = ({ redirect }) => { window.fetch = real; return real(new Request('/hostile', { redirect })); };
                return other.fetch('projects/').then((r) => r.status, ({ code, message }) => `${code} ${/redirect/.test(message)}`);
            })()"
        ).await?;
        ensure!(sent_on == "network_error true", "{sent_on}");
    }
}

/// Counts what is begun and not ended: `left()` names it.
const COUNT: &str = r#"
    const begun = new Map();
    const { addEventListener, removeEventListener } = EventTarget.prototype;
    EventTarget.prototype.addEventListener = function (type, listener, options) {
        const key = {};
        begun.set(key, () => (options?.signal?.aborted || (this instanceof Node && !this.isConnected) ? "" : `listener of ${type}`));
        if (options?.once) addEventListener.call(this, type, () => begun.delete(key));
        return addEventListener.call(this, type, listener, options);
    };
    EventTarget.prototype.removeEventListener = function (type, listener, options) {
        for (const [key, says] of begun) if (says() === `listener of ${type}`) begun.delete(key);
        return removeEventListener.call(this, type, listener, options);
    };
    const { setTimeout, clearTimeout, setInterval } = window;
    window.setTimeout = (call, ms, ...more) => {
        const id = setTimeout(() => { begun.delete(id); call(...more); }, ms);
        begun.set(id, () => `timer of ${ms}`);
        return id;
    };
    window.clearTimeout = (id) => { begun.delete(id); clearTimeout(id); };
    window.setInterval = () => { throw new Error("an interval"); };
    for (const kind of ["BroadcastChannel", "MessageChannel"]) {
        const Channel = window[kind];
        window[kind] = class extends Channel {
            constructor(...name) {
                super(...name);
                const port = this.port1 ?? this;
                const key = {};
                begun.set(key, () => kind);
                const close = port.close;
                port.close = () => { begun.delete(key); close.call(port); };
            }
        };
    }
    const before = document.querySelectorAll("*").length;
    window.left = () => {
        const found = [...begun.values()].map((says) => says()).filter((said) => said && said !== "listener of error");
        if (document.querySelectorAll("*").length !== before) found.push("elements");
        return found;
    };
"#;
