//! A sign-in that goes on: after a reload, in another tab, before a token expires; and what ends it.

use anyhow::{Context, Result, ensure};
use latchkey_journeys::data::{ADA, GRACE};
use serde_json::json;

use crate::journey::{Journey, journeys};

/// Keeps what the frame says to the page, as text, in `seen`, and the ports on which it does in `ports`.
const OVERHEAR: &str = "const Channel = MessageChannel;
    window.seen = [];
    window.ports = [];
    window.MessageChannel = class extends Channel {
        constructor() {
            super();
            ports.push(this.port1);
            this.port1.addEventListener('message', ({ data }) => seen.push(JSON.stringify(data)));
        }
    };";

/// Says hello to this window, as a page that wants the token itself, and keeps whatever is answered, as text.
const GREET: &str = "window.answers = [];
    window.greet = (target, platform, client_id) => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = ({ data }) => answers.push(JSON.stringify(data));
        const hello = { type: 'latchkey.hello', version: 1, client_id, scope: '', response_type: 'token', tokens: 'page' };
        target.postMessage(hello, platform, [port2]);
    };";

/// A client of the page's with these options takes the button.
const OTHERWISE: &str = "client.destroy();
    window.other = await sdk.init({ clientId, platform, headless: true, ...options });
    window.outcome = undefined;
    document.getElementById('sign-in').onclick = () => other.login().then(
        (session) => { window.outcome = session.user.name; },
        (error) => { window.outcome = error.code; });";

impl Journey {
    /// The frame has its session: it notes so itself.
    async fn keeps_session(&self) -> Result<()> {
        self.browser.enter_toolbar().await?;
        self.browser.until("Object.keys(localStorage).some((key) => key.startsWith('session '))").await?;
        self.browser.leave_frame().await
    }

    /// So much time passes, in seconds, for the page and for its frame.
    async fn time_passes(&self, secs: u32) -> Result<()> {
        let script =
            format!("const before = Date.now.bind(Date); Date.now = () => before() + {secs} * 1000;");
        self.browser.run(&script).await?;
        self.browser.enter_toolbar().await?;
        self.browser.run(&script).await?;
        self.browser.leave_frame().await
    }

    /// Whether the platform still gives the frame a token for the session that it keeps there.
    async fn is_kept_at_the_platform(&self) -> Result<bool> {
        self.browser.enter_toolbar().await?;
        let body = json!({ "origin": self.stage.site("customer") });
        let status = self.browser.run(&format!(
            "return fetch(`${{location.pathname}}session/token/`, {{ method: 'POST', headers: {{ 'Latchkey-Frame': '1' }},
                 body: new URLSearchParams({body}) }}).then(({{ status }}) => status)"
        )).await?;
        self.browser.leave_frame().await?;
        Ok(status == 200)
    }

    /// The person is signed out, here, at the next page view, and at the platform.
    async fn is_signed_out_for_good(&self) -> Result<()> {
        self.browser.enter_toolbar().await?;
        self.browser.see("#sign-in").await?;
        self.browser.until("!Object.keys(localStorage).some((key) => key.startsWith('session '))").await?;
        self.browser.leave_frame().await?;
        self.browser.reload().await?;
        let state = self.with_client("return client.state").await?;
        ensure!(state == "signed-out", "the next page view is {state}");
        ensure!(!self.is_kept_at_the_platform().await?, "the platform still knows the session");
        Ok(())
    }

    async fn sign_in_with(&self, options: &str) -> Result<()> {
        let page = self.open_site("/popup.html").await?;
        self.browser.run(OVERHEAR).await?;
        self.with_client(&format!("const options = {options}; {OTHERWISE}")).await?;
        self.browser.click("#sign-in").await?;
        self.log_in_and_allow(&page, ADA).await?;
        self.browser.until("window.outcome === 'Ada Lovelace'").await
    }

    async fn is_told(&self, script: &str, expected: &str) -> Result<()> {
        let said = self.browser.run(&format!("return (async () => {{ {script} }})()")).await?;
        ensure!(said == expected, "{said} instead of {expected}");
        Ok(())
    }
}

/// What the README shows, as a page's own script: the names that it takes from its page stand there.
const README: &str = include_str!("../../README.md");

impl Journey {
    /// Opens a page whose one script are the README's lines, to the letter but for where things are.
    async fn open_the_readmes_page(&self) -> Result<()> {
        self.open_site("/clients/arrived.html").await?;
        let (_, lines) = README.split_once("```js\n").context("the README shows no JavaScript")?;
        let (lines, _) = lines.split_once("```").context("the README's lines have no end")?;
        let lines = lines
            .replace("\"@latchkey/sdk\"", "\"/latchkey/index.js\"")
            .replace("clientId: \"…\"", &format!("clientId: \"{}\"", self.stage.clients.acme))
            .replace("https://platform.example", &self.stage.platform());
        ensure!(lines.contains("/latchkey/index.js") && lines.contains(&self.stage.platform()), "{lines}");
        self.browser
            .run(&format!(
                "document.body.innerHTML = '<button id=signIn>Sign in</button><button id=signOut>Sign out</button><p id=shown>';
                 window.show = (text, projects) => {{
                     document.getElementById('shown').textContent = `${{text}} ${{projects?.length ?? ''}}`;
                 }};
                 window.showError = ({{ code }}) => show(code);
                 document.body.append(Object.assign(document.createElement('script'), {{ type: 'module', text: {} }}));",
                json!(lines)
            ))
            .await
            .map(|_| ())
    }
}

journeys! {
    fn the_readmes_lines_show_who_is_signed_in_before_and_after_a_reload(journey) on Loopback {
        journey.open_the_readmes_page().await?;
        let page = journey.browser.window().await?;
        journey.browser.read("#shown", "Signed out").await?;
        journey.browser.click("#signIn").await?;
        journey.log_in_and_allow(&page, ADA).await?;
        journey.browser.read("#shown", "Ada Lovelace of Acme").await?;
        journey.keeps_session().await?;
        journey.open_the_readmes_page().await?;
        journey.browser.read("#shown", "Ada Lovelace of Acme").await?;
    }

    fn a_frame_that_is_denied_its_storage_has_its_session_back_and_says_no_error_where_there_is_none(journey) on Loopback with denies_storage {
        let page = journey.open_site("/").await?;
        let before = journey.with_client("return client.state").await?;
        ensure!(before == "signed-out", "a first page view is {before}");
        journey.browser.enter_toolbar().await?;
        journey.is_told("try { return String(localStorage); } catch ({ name }) { return name; }", "SecurityError").await?;
        journey.browser.leave_frame().await?;
        journey.browser.click("#sign-in").await?;
        journey.log_in_and_allow(&page, ADA).await?;
        journey.browser.read("#status", "Ada Lovelace").await?;
        journey.browser.reload().await?;
        let after = journey.with_client("return client.state").await?;
        ensure!(after == "signed-in", "after a reload it is {after}");
        journey.with_client("await client.logout()").await?;
        journey.browser.reload().await?;
        let ended = journey.with_client("return client.state").await?;
        ensure!(ended == "signed-out", "after signing out it is {ended}");
        let said = journey.browser.console_errors().await?;
        ensure!(said.is_empty(), "the console says {said:?}");
    }

    fn a_reload_keeps_the_session_and_opens_no_window(journey) on Loopback {
        journey.sign_in(ADA).await?;
        let before = journey.token().await?;
        journey.keeps_session().await?;
        journey.browser.reload().await?;
        journey.browser.read("#status", ADA.name).await?;
        journey.browser.read("#projects", "Web shop").await?;
        ensure!(journey.browser.count_windows().await? == 1, "a window opened");
        let after = journey.token().await?;
        ensure!(before != after && journey.ask(&after, "").await? == 200);
        journey.browser.enter_toolbar().await?;
        journey.browser.see("#sign-out").await?;
        journey.browser.click("#sign-out").await?;
        journey.browser.see("#sign-in").await?;
        journey.browser.leave_frame().await?;
        journey.browser.read("#status", "You are signed out.").await?;
        journey.browser.reload().await?;
        journey.browser.read("#status", "You are signed out.").await?;
        for token in [before, after] {
            ensure!(journey.ask(&token, "").await? == 401, "signing out ends the tokens before a reload as well");
        }
    }

    fn another_tab_is_signed_in_and_signing_out_in_one_ends_both(journey) on Loopback {
        let first = journey.sign_in(ADA).await?;
        journey.keeps_session().await?;
        journey.browser.run("window.open(location.href)").await?;
        journey.browser.switch_to_popup(&first).await?;
        journey.browser.read("#status", ADA.name).await?;
        let token = journey.token().await?;
        let second = journey.browser.window().await?;
        journey.browser.switch_to(&first).await?;
        journey.browser.click("#sign-out").await?;
        journey.browser.read("#status", "You are signed out.").await?;
        journey.browser.switch_to(&second).await?;
        journey.browser.read("#status", "You are signed out.").await?;
        journey.until_refused(&token).await?;
    }

    // The frame finds what another tab has kept meanwhile: the page that did not know of it must not end it.
    fn a_frame_that_is_loaded_anew_leaves_the_other_tab_signed_in(journey) on Loopback {
        let first = journey.open_site("/").await?;
        journey.browser.read("#status", "You are signed out.").await?;
        journey.browser.run("window.open(location.href)").await?;
        journey.browser.switch_to_popup(&first).await?;
        let second = journey.browser.window().await?;
        journey.browser.click("#sign-in").await?;
        journey.browser.switch_to_another(&[&first, &second]).await?;
        journey.log_in(ADA).await?;
        journey.browser.click("#allow").await?;
        journey.browser.switch_to(&second).await?;
        journey.browser.read("#status", ADA.name).await?;
        journey.keeps_session().await?;
        journey.browser.switch_to(&first).await?;
        journey.browser.read("#status", "You are signed out.").await?;
        journey.browser.run("const frame = document.querySelector('latchkey-toolbar iframe'); frame.src = frame.src;").await?;
        journey.browser.read("#status", ADA.name).await?;
        let token = journey.token().await?;
        ensure!(journey.ask(&token, "").await? == 200);
        journey.browser.switch_to(&second).await?;
        journey.browser.read("#status", ADA.name).await?;
        let token = journey.token().await?;
        ensure!(journey.ask(&token, "").await? == 200, "the other tab is signed out");
        journey.keeps_session().await?;
    }

    fn a_token_is_replaced_before_it_expires_and_a_member_who_left_gets_no_other(journey) on Loopback {
        journey.stage.restart_server("access_token_secs = 5\n").await?;
        journey.sign_in(GRACE).await?;
        journey.keeps_session().await?;
        journey.with_client("window.codes = [];
            client.addEventListener('error', ({ error }) => codes.push(error.code));
            const first = await client.getToken();
            setInterval(async () => { window.isRenewed ||= ![first, null].includes(await client.getToken()); }, 100);").await?;
        journey.browser.until("window.isRenewed").await?;
        journey.stage.latchkey.run(&["member", "remove", "--org", "acme", "--email", GRACE.email]).await?;
        journey.browser.until("codes.includes('membership_required')").await?;
        journey.browser.read("#status", "You are signed out.").await?;
        ensure!(journey.browser.count_windows().await? == 1, "a window opened");
        journey.browser.reload().await?;
        journey.browser.read("#status", "You are signed out.").await?;
    }

    fn who_signs_out_when_the_token_has_just_run_out_is_signed_out_for_good(journey) on Loopback {
        journey.sign_in(ADA).await?;
        journey.keeps_session().await?;
        ensure!(journey.is_kept_at_the_platform().await?);
        let token = journey.token().await?;
        journey.time_passes(3601).await?;
        journey.with_client("await client.logout()").await?;
        journey.is_signed_out_for_good().await?;
        ensure!(journey.ask(&token, "").await? == 401, "the token lives on");
    }

    fn a_session_that_ran_out_is_back_at_the_next_page_view_unless_somebody_signs_out(journey) on Loopback {
        journey.sign_in(ADA).await?;
        journey.keeps_session().await?;
        for signs_out in [false, true] {
            journey.time_passes(3601).await?;
            // It is waited for another token, for a while, and nothing brings one.
            journey.with_client("window.asked = client.fetch('projects/').catch(({ code }) => code)").await?;
            journey.time_passes(11).await?;
            let codes = journey.with_client("return Promise.all([asked, client.fetch('projects/').catch(({ code }) => code)])").await?;
            ensure!(codes == json!(["login_required", "login_required"]), "{codes}");
            journey.browser.read("#status", "You are signed out.").await?;
            if signs_out {
                journey.with_client("await client.logout()").await?;
                journey.is_signed_out_for_good().await?;
            } else {
                journey.browser.reload().await?;
                journey.browser.read("#status", ADA.name).await?;
            }
        }
    }

    fn a_page_that_leaves_the_token_to_the_frame_never_sees_one(journey) on Loopback {
        journey.sign_in_with("{ tokens: 'frame', headless: false }").await?;
        journey.is_told("return String(await other.getToken())", "null").await?;
        journey.is_told("return (await (await other.fetch('projects/')).text()).includes('web-shop') ? 'yes' : 'no'", "yes").await?;
        journey.is_told("const reader = (await other.fetch('projects/')).body.getReader();
            let bytes = 0;
            for (let part; !(part = await reader.read()).done;) bytes += part.value.length;
            return bytes > 2 ? 'streamed' : 'empty'", "streamed").await?;
        journey.is_told("const abort = new AbortController();
            const asked = other.fetch('projects/', { signal: abort.signal }).catch((error) => error.code);
            abort.abort();
            return asked", "aborted").await?;
        journey.is_told("const response = await other.fetch('issues/none/', { method: 'PUT', body: '{\"status\":\"resolved\"}', headers: { 'Content-Type': 'application/json' } });
            return response.status + ' ' + response.headers.get('content-type')", "404 application/json").await?;
        // More than may be open at once, and nobody reads any of them.
        journey.is_told("const all = Array.from({ length: 70 }, () => other.fetch('projects/').then((r) => r.status));
            return [...new Set(await Promise.all(all.slice(0, 60)))].join()", "200").await?;
        journey.is_told("const refused = (path, init) => other.fetch(path, init).then((r) => r.status, (error) => error.code);
            return [await refused('/api/0/%2e%2e/login/'), await refused('a%2fb/'), await refused('projects/', { headers: { Authorization: 'x' } }),
                await refused('projects/', { headers: { 'X-Forwarded-For': '::1' } })].join()",
            "invalid_options,invalid_options,invalid_options,invalid_options").await?;
        journey.browser.enter_toolbar().await?;
        journey.browser.run("const real = fetch;
            window.fetch = (url, init) => { window.fetch = real; return real('/account/', init); }").await?;
        journey.browser.leave_frame().await?;
        journey.is_told("return other.fetch('projects/').then((r) => `${r.status}`, (error) => `${error.code} ${/redirect/.test(error.message)}`)",
            "network_error true").await?;
        journey.is_told("return seen.some((text) => text.includes('lkat_')) || seen.length < 3 ? 'told' : 'kept'", "kept").await?;
        journey.is_told("const { length } = seen; await other.logout(); return other.state", "signed-out").await?;
    }

    // A script that got into the page can do what the page can, as long as it runs. It cannot take the token along.
    fn no_later_hello_gets_at_the_token_that_a_frame_keeps(journey) on Loopback {
        journey.sign_in_with("{ tokens: 'frame', headless: false }").await?;
        journey.keeps_session().await?;
        journey.browser.reload().await?;
        journey.with_client(&format!("const options = {{ tokens: 'frame', headless: false }}; {OTHERWISE}")).await?;
        journey.is_told("return `${other.state} ${await other.getToken()}`", "signed-in null").await?;
        journey.browser.run(GREET).await?;
        // To the frame that is there.
        journey.with_client("const [frame] = document.querySelectorAll('latchkey-toolbar iframe');
            greet(frame.contentWindow, platform, clientId)").await?;
        journey.is_told("return (await other.fetch('projects/')).status + ' ' + answers.length", "200 0").await?;
        // And to one of its own, which does not get the session, and leaves none behind.
        journey.with_client("const frame = document.createElement('iframe');
            frame.src = `${platform}/toolbar/${clientId}/`;
            frame.onload = () => greet(frame.contentWindow, platform, clientId);
            document.body.append(frame);").await?;
        journey.browser.until("answers.some((text) => text.includes('\"prepared\"'))").await?;
        journey.is_told("return answers.some((text) => /lkat_|renewed|signed_in/.test(text)) ? 'told' : 'kept'", "kept").await?;
        journey.browser.until("await other.fetch('projects/').then(({ status }) => status == 401, () => true)").await?;
        journey.browser.until("other.state === 'signed-out'").await?;
    }

    // What was on its way when the page gave a sign-in up arrives while the next one is under way.
    fn what_is_said_of_a_sign_in_that_was_given_up_settles_no_other(journey) on Loopback {
        let page = journey.open_site("/popup.html").await?;
        journey.browser.run(OVERHEAR).await?;
        journey.with_client(&format!("const options = {{}}; {OTHERWISE}")).await?;
        journey.browser.click("#sign-in").await?;
        journey.browser.switch_to_popup(&page).await?;
        journey.browser.see("#email").await?;
        journey.browser.switch_to(&page).await?;
        journey.browser.run("const late = (data) => ports.at(-1).dispatchEvent(new MessageEvent('message', { data }));
            const session = { organization: { id: 'o', slug: 'o', name: 'O' }, user: { id: 'm', name: 'Mallory' }, scopes: [], expires_at: Date.now() + 60000 };
            late({ type: 'answered', state: 'another' });
            late({ type: 'failed', state: 'another', code: 'server_error', description: null });
            late({ type: 'signed_in', state: 'another', access_token: null, session });
            late({ type: 'failed', state: null, code: 'server_error', description: null });").await?;
        journey.is_told("return `${other.state} ${other.session} ${window.outcome}`", "signing-in null undefined").await?;
        journey.log_in_and_allow(&page, ADA).await?;
        journey.browser.until("window.outcome === 'Ada Lovelace'").await?;
    }

    fn what_the_platform_says_of_a_token_that_it_refuses_is_read_through_the_frame(journey) on Loopback {
        journey.sign_in_with("{ tokens: 'frame' }").await?;
        let client = journey.stage.clients.acme.clone();
        journey.stage.latchkey.run(&["app", "disable", "--client-id", &client]).await?;
        journey.is_told("for (;;) {
                const response = await other.fetch('projects/');
                if (!response.ok) return `${response.status} ${typeof (await response.json()).error} ${other.state}`;
                await response.text();
            }", "401 string signed-out").await?;
    }

    fn a_frame_that_is_taken_off_the_page_fails_what_waits_for_it_and_what_comes_later(journey) on Loopback {
        journey.sign_in_with("{ tokens: 'frame' }").await?;
        journey.is_told("const ask = () => other.fetch('projects/').then((r) => r.status, (error) => error.code);
            const asked = ask();
            document.querySelector('latchkey-toolbar').remove();
            return [await asked, await ask()].join()", "network_error,network_error").await?;
    }

    fn a_page_that_takes_the_response_itself_learns_of_the_window_and_gets_no_handle(journey) on Loopback {
        let page = journey.open_site("/popup.html").await?;
        journey.browser.run("window.seen = [];
            addEventListener('message', ({ data }) => seen.push(JSON.stringify(data)));").await?;
        journey.browser.click("#sign-in").await?;
        journey.log_in_and_allow(&page, ADA).await?;
        journey.browser.until("seen.some((text) => text.includes('latchkey.response'))").await?;
        journey.is_told("const types = [...new Set(seen.map((text) => JSON.parse(text).type))].sort().join();
            return types + (seen.some((text) => text.includes('handle')) ? ' handle' : '')",
            "latchkey.alive,latchkey.response").await?;
    }

    fn the_frame_exchanges_a_code_with_what_never_leaves_it(journey) on Loopback {
        let client = journey.stage.clients.acme.clone();
        let update = ["app", "update", "--client-id", &client, "--response-type", "token", "--response-type", "code"];
        journey.stage.latchkey.run(&update).await?;
        journey.sign_in_with("{ responseType: 'code' }").await?;
        journey.is_told("return (await other.fetch('projects/')).status + ''", "200").await?;
        journey.is_told("return seen.some((text) => /lkac_|lkrt_|verifier/.test(text)) || !seen.some((text) => text.includes('lkat_')) ? 'told' : 'kept'", "kept").await?;
        let token = journey.browser.run("return other.getToken()").await?.as_str().unwrap_or_default().to_owned();
        journey.is_told("await other.logout(); return other.state", "signed-out").await?;
        journey.until_refused(&token).await?;
    }

    // Where it is not waited for, the next page asks before there is anything to find.
    fn who_goes_on_to_another_page_in_the_moment_of_the_sign_in_is_signed_in_there(journey) on Loopback {
        for (tokens, path) in [("page", "/"), ("frame", "/popup.html")] {
            let page = journey.open_site("/popup.html").await?;
            journey.with_client(&format!("client.destroy();
                const other = await sdk.init({{ clientId, platform, tokens: '{tokens}' }});
                document.getElementById('sign-in').onclick = () => other.login().then(() => {{ location.href = '{path}?next'; }});")).await?;
            journey.browser.click("#sign-in").await?;
            if tokens == "page" {
                journey.log_in_and_allow(&page, ADA).await?;
            } else {
                journey.browser.switch_to_popup(&page).await?;
                journey.browser.click("#allow").await?;
                journey.browser.popup_closes(&page).await?;
            }
            journey.browser.until("location.search === '?next'").await?;
            journey.with_client(&format!("client.destroy();
                window.other = await sdk.init({{ clientId, platform, tokens: '{tokens}' }})")).await?;
            journey.is_told("return other.state", "signed-in").await?;
            ensure!(journey.browser.count_windows().await? == 1, "a window opened");
        }
    }

    fn who_signs_out_while_the_platform_is_away_is_signed_out_once_it_is_back(journey) on Loopback {
        journey.sign_in(ADA).await?;
        journey.keeps_session().await?;
        let token = journey.token().await?;
        journey.stage.stop_server().await?;
        let code = journey.with_client("return client.logout().then(() => 'none', ({ code }) => code)").await?;
        ensure!(code == "network_error", "{code}");
        journey.stage.restart_server("").await?;
        ensure!(journey.is_kept_at_the_platform().await?, "it was away");
        journey.browser.reload().await?;
        journey.browser.read("#status", "You are signed out.").await?;
        journey.until_refused(&token).await?;
        journey.is_signed_out_for_good().await?;
    }

    // On https nothing asks again for what was allowed once: a script takes the frame away, and asks for itself.
    fn what_was_allowed_to_the_frame_brings_the_page_no_token(journey) on Tls {
        journey.sign_in_with("{ tokens: 'frame', headless: false }").await?;
        journey.keeps_session().await?;
        let page = journey.browser.window().await?;
        for (callback, prompt) in [("callback/", "none"), ("callback/frame/", "none"), ("callback/", "")] {
            journey.browser.reload().await?;
            journey.with_client(&format!("client.destroy();
                window.heard = [];
                addEventListener('message', ({{ data }}) => heard.push(data.response ?? ''));
                const ask = new URLSearchParams({{ client_id: clientId, response_type: 'token', origin: location.origin, state: 'x',
                    redirect_uri: `${{platform}}/toolbar/${{clientId}}/{callback}`, ...('{prompt}' && {{ prompt: '{prompt}' }}) }});
                document.getElementById('sign-in').onclick = () => open(`${{platform}}/oauth/authorize/?${{ask}}`, '_blank', 'popup,width=400,height=400');")).await?;
            journey.browser.click("#sign-in").await?;
            journey.browser.switch_to_popup(&page).await?;
            if prompt.is_empty() {
                journey.browser.see("#allow").await?;
            } else if callback == "callback/" {
                journey.browser.switch_to(&page).await?;
                journey.browser.until("heard.some((text) => text.includes('error=consent_required'))").await?;
            } else {
                journey.browser.read("#status", "could not be reached").await?;
            }
            journey.browser.switch_to_popup(&page).await?;
            journey.browser.close_window().await?;
            journey.browser.switch_to(&page).await?;
            journey.is_told("return heard.some((text) => text.includes('access_token')) ? 'told' : 'kept'", "kept").await?;
        }
        // Nor does a frame of the script's own that hands tokens out.
        journey.browser.reload().await?;
        journey.browser.run(GREET).await?;
        journey.with_client("client.destroy();
            const frame = document.createElement('iframe');
            frame.src = `${platform}/toolbar/${clientId}/`;
            frame.onload = () => greet(frame.contentWindow, platform, clientId);
            document.body.append(frame);").await?;
        journey.browser.until("answers.some((text) => text.includes('\"prepared\"'))").await?;
        journey.with_client("const { state } = answers.map((text) => JSON.parse(text)).find(({ type }) => type == 'prepared');
            const ask = new URLSearchParams({ client_id: clientId, response_type: 'token', origin: location.origin, state, prompt: 'none',
                redirect_uri: `${platform}/toolbar/${clientId}/callback/frame/` });
            document.getElementById('sign-in').onclick = () => open(`${platform}/oauth/authorize/?${ask}`, '_blank', 'popup,width=400,height=400');").await?;
        journey.browser.click("#sign-in").await?;
        journey.browser.switch_to_popup(&page).await?;
        journey.browser.read("#status", "did not answer").await?;
        journey.browser.switch_to(&page).await?;
        journey.is_told("return answers.some((text) => /lkat_|signed_in|answered/.test(text)) ? 'told' : 'kept'", "kept").await?;
    }

    fn every_copy_of_the_sdk_on_a_page_can_sign_in(journey) on Loopback {
        let page = journey.open_site("/").await?;
        journey.with_client("const copy = await import('/latchkey/index.js?copy');
            window.other = await copy.init({ clientId, platform });
            document.getElementById('sign-in').onclick = () => other.login();").await?;
        journey.browser.click("#sign-in").await?;
        journey.log_in_and_allow(&page, ADA).await?;
        journey.browser.until("other.session?.user.name === 'Ada Lovelace'").await?;
    }
}
