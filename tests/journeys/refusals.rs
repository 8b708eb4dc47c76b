//! What is refused, and how the person and the page are told.

use anyhow::ensure;
use latchkey_journeys::data::{ADA, EVE};

use crate::journey::journeys;

/// Keeps a login's outcome, as `login` was called in a click.
const KEEP: &str = "window.outcome = undefined;
    document.getElementById('sign-in').onclick = () => client.login().then(
        () => { window.outcome = 'signed in'; },
        (error) => { window.outcome = `${error.code} ${error instanceof sdk.LatchkeyError} ${error.hint}`; });";

journeys! {
    fn a_person_who_denies_leaves_the_page_signed_out(journey) on Loopback {
        let page = journey.open_site("/").await?;
        journey.browser.click("#sign-in").await?;
        journey.browser.switch_to_popup(&page).await?;
        journey.log_in(ADA).await?;
        journey.browser.click("#deny").await?;
        journey.browser.popup_closes(&page).await?;
        journey.browser.read("#error", "access_denied").await?;
        journey.browser.see("#sign-in").await?;
        // Nothing was left half-way: the next attempt works.
        journey.browser.click("#sign-in").await?;
        journey.browser.switch_to_popup(&page).await?;
        journey.browser.click("#allow").await?;
        journey.browser.popup_closes(&page).await?;
        journey.browser.read("#status", "Ada Lovelace").await?;
    }

    fn a_stranger_is_told_so_and_gets_nothing(journey) on Loopback {
        let page = journey.open_site("/").await?;
        let browser = &journey.browser;
        browser.click("#sign-in").await?;
        browser.switch_to_popup(&page).await?;
        journey.log_in(EVE).await?;
        browser.read("#reason", "not a member").await?;
        ensure!(!browser.shows("#allow").await?, "there is something to allow");
        ensure!(!browser.text().await?.contains("Acme Corporation"), "the page names the organization");
        browser.click("#back").await?;
        browser.popup_closes(&page).await?;
        browser.read("#error", "access_denied").await?;
        browser.see("#sign-in").await?;
    }

    fn a_site_that_is_not_registered_is_told_why(journey) on Loopback {
        journey.browser.open(&format!("{}/", journey.stage.site("stranger"))).await?;
        journey.browser.read("#error", "origin_not_allowed").await?;
        let notice = journey.browser.see(".latchkey-notice").await?;
        ensure!(!journey.browser.shows("iframe").await?, "the refused frame is still there");
        drop(notice);
    }

    fn a_wrong_client_id_is_told_as_such(journey) on Loopback {
        journey.open_site("/popup.html").await?;
        let outcome = journey.with_client(
            "return sdk.init({ clientId: 'nobody', platform }).catch((error) => `${error.code} ${error.hint}`)",
        ).await?;
        ensure!(outcome.as_str().is_some_and(|text| text.starts_with("unknown_client ")), "{outcome}");
    }

    fn a_platform_that_cannot_be_reached_is_told_as_such_in_time(journey) on Loopback {
        journey.open_site("/popup.html").await?;
        let outcome = journey.with_client(
            "return sdk.init({ clientId, platform: 'http://127.0.0.1:9', timeoutMs: 3000 }).catch((error) => error.code)",
        ).await?;
        ensure!(outcome == "network_error", "{outcome}");
    }

    fn a_server_that_went_away_is_told_as_such(journey) on Loopback {
        journey.sign_in(ADA).await?;
        journey.stage.stop_server().await?;
        let outcome = journey.with_client("return client.fetch('projects/').catch((error) => error.code)").await?;
        ensure!(outcome == "network_error", "{outcome}");
    }

    fn a_window_the_person_closes_is_told_as_such(journey) on Loopback {
        let page = journey.open_site("/").await?;
        journey.with_client(KEEP).await?;
        journey.browser.click("#sign-in").await?;
        journey.browser.switch_to_popup(&page).await?;
        journey.browser.see("#email").await?;
        journey.browser.close_window().await?;
        journey.browser.switch_to(&page).await?;
        journey.browser.until("window.outcome?.startsWith('popup_closed true ')").await?;
        journey.browser.read("#status", "You are signed out.").await?;
    }

    fn a_window_the_browser_blocks_is_told_as_such(journey) on Loopback with blocks_popups {
        journey.open_site("/").await?;
        journey.browser.read("#status", "You are signed out.").await?;
        // A click that is over: what a page does that awaits something first.
        let outcome = journey.with_client("return client.login().catch((error) => error.code)").await?;
        ensure!(outcome == "popup_blocked", "{outcome}");
        journey.browser.enter_toolbar().await?;
        journey.browser.read("#status", "blocked").await?;
        journey.browser.leave_frame().await?;
        journey.browser.read("#status", "You are signed out.").await?;
    }

    fn a_second_login_joins_the_first(journey) on Loopback {
        let page = journey.open_site("/").await?;
        journey.with_client("window.both = [];
            document.getElementById('sign-in').onclick = () => {
                for (const one of [client.login(), client.login()]) one.then((session) => both.push(session.user.name));
            };").await?;
        journey.browser.click("#sign-in").await?;
        journey.browser.switch_to_popup(&page).await?;
        ensure!(journey.browser.count_windows().await? == 2);
        journey.log_in_and_allow(&page, ADA).await?;
        journey.browser.until("window.both.length === 2").await?;
    }

    fn an_abort_closes_the_window_and_rejects(journey) on Loopback {
        let page = journey.open_site("/").await?;
        journey.with_client("window.controller = new AbortController();
            document.getElementById('sign-in').onclick = () => client.login({ signal: controller.signal })
                .catch((error) => { window.outcome = error.code; });").await?;
        journey.browser.click("#sign-in").await?;
        journey.browser.switch_to_popup(&page).await?;
        journey.browser.see("#email").await?;
        journey.browser.switch_to(&page).await?;
        journey.browser.run("controller.abort()").await?;
        journey.browser.until("window.outcome === 'aborted'").await?;
        journey.browser.popup_closes(&page).await?;
    }

    fn a_path_beyond_the_platform_or_the_scope_is_refused(journey) on Loopback {
        journey.sign_in(ADA).await?;
        for (path, expected) in [
            ("https://evil.example/api/0/", "invalid_options"),
            ("//evil.example/api/0/", "invalid_options"),
            ("/organizations/", "invalid_options"),
            ("../../../../login/", "invalid_options"),
            ("/api/0/organizations/globex/projects/", "403"),
            ("../globex/projects/", "403"),
        ] {
            let outcome = journey.with_client(&format!(
                "return client.fetch('{path}').then((r) => String(r.status), (error) => error.code)"
            )).await?;
            ensure!(outcome == expected, "{path}: {outcome}");
        }
    }

    fn a_destroyed_client_settles_and_leaves_its_successor_alone(journey) on Loopback {
        journey.open_site("/").await?;
        journey.browser.read("#status", "You are signed out.").await?;
        let outcome = journey.with_client(
            "client.destroy();
             const login = await client.login().catch((error) => error.code);
             const next = await sdk.init({ clientId, platform });
             client.destroy();
             const same = next === await sdk.init({ clientId, platform });
             return [login, same, document.querySelectorAll('iframe').length].join(' ')",
        ).await?;
        ensure!(outcome == "aborted true 1", "{outcome}");
    }

    fn a_response_that_nobody_waits_for_any_more_is_refused(journey) on Loopback {
        journey.open_site("/popup.html").await?;
        let outcome = journey.with_client(
            "client.destroy();
             history.replaceState(null, '', `#error=access_denied&state=s&iss=${platform}&client_id=${clientId}`);
             const redirectUri = `${location.origin}/redirect.html`;
             const back = await sdk.init({ clientId, platform, mode: 'redirect', redirectUri });
             back.destroy();
             return [location.hash, await back.handleRedirect().catch((error) => error.code)].join(' ')",
        ).await?;
        ensure!(outcome == " aborted", "{outcome}");
    }

    fn a_container_where_the_window_cannot_find_the_frame_is_refused(journey) on Loopback {
        journey.open_site("/popup.html").await?;
        for container in ["document.createElement('div')", "shadow"] {
            let outcome = journey.with_client(&format!(
                "client.destroy();
                 const host = document.body.appendChild(document.createElement('div'));
                 const shadow = host.attachShadow({{ mode: 'open' }}).appendChild(document.createElement('div'));
                 return sdk.init({{ clientId, platform, container: {container} }})
                     .catch((error) => `${{error.code}} ${{error.message}}`)"
            )).await?;
            ensure!(outcome.as_str().is_some_and(|text| text.starts_with("invalid_options container")), "{outcome}");
        }
    }
}
