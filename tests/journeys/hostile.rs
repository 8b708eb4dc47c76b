//! Pages that mean harm, in a real browser.

use anyhow::{Result, ensure};
use latchkey_journeys::data::{ADA, GRACE, Person};

use crate::journey::{Journey, journeys};

/// A page of globex's site, registered for globex's application, that starts acme's sign-in.
async fn attack(journey: &Journey, person: Person, claimed: &str, remembered: bool) -> Result<()> {
    let browser = &journey.browser;
    let clients = &journey.stage.clients;
    let address = format!(
        "{}/hostile/confused.html?platform={}&client_id={}&victim={}&origin={claimed}",
        journey.stage.site("globex"),
        journey.stage.platform(),
        clients.globex,
        clients.acme
    );
    browser.open(&address).await?;
    let page = browser.window().await?;
    browser.until("window.prepared?.length > 0").await?;
    browser.click("#attack").await?;
    browser.switch_to_popup(&page).await?;
    if claimed == journey.stage.site("globex") {
        browser.read("#error", "origin is not among the allowed origins").await?;
    } else {
        if !remembered {
            journey.log_in(person).await?;
            browser.click("#allow").await?;
        }
        // The token is in the window, which finds nobody to give it to, and says so.
        browser.read("body", "close this window").await?;
        ensure!(browser.url().await?.ends_with("/callback/"), "the fragment is still in the address");
    }
    browser.switch_to(&page).await?;
    let received = browser.run("return window.received").await?;
    let received = received.as_array().cloned().unwrap_or_default();
    let harmless = |message: &serde_json::Value| {
        let text = message.as_str().unwrap_or_default();
        ["\"welcome\"", "\"place\"", "\"resize\"", "\"signing_in\""].iter().any(|kind| text.contains(kind))
            && !text.contains("lkat_")
    };
    ensure!(received.iter().all(harmless), "the page received {received:?}");
    Ok(())
}

journeys! {
    fn a_site_that_is_not_registered_cannot_frame_the_toolbar(journey) on Loopback {
        let address = format!(
            "{}/hostile/frame.html?platform={}&client_id={}",
            journey.stage.site("evil"),
            journey.stage.platform(),
            journey.stage.clients.acme
        );
        journey.browser.open(&address).await?;
        journey.browser.until("window.loaded").await?;
        // Its message has an address that the refused frame does not have; nothing comes back.
        let quiet = journey.browser.run(
            "return new Promise((done) => setTimeout(() => done(window.received.length), 500))",
        ).await?;
        ensure!(quiet == 0, "{quiet}");
        let frame = journey.browser.see("iframe").await?;
        frame.enter_frame().await?;
        ensure!(!journey.browser.shows("#sign-in").await?, "the toolbar is shown");
    }

    fn nobody_frames_the_login_or_the_consent_page(journey) on Loopback {
        journey.open_site("/popup.html").await?;
        journey.browser.run(&format!(
            "const frame = document.createElement('iframe');
             frame.src = '{}/login/'; frame.id = 'framed'; frame.onload = () => {{ window.loaded = true; }};
             document.body.append(frame);",
            journey.stage.platform()
        )).await?;
        journey.browser.until("window.loaded").await?;
        journey.browser.see("#framed").await?.enter_frame().await?;
        ensure!(!journey.browser.shows("#email").await?, "the login page is framed");
    }

    fn messages_of_thirty_wrong_shapes_do_nothing(journey) on Loopback {
        let address = format!(
            "{}/hostile/messages.html?platform={}&client_id={}",
            journey.stage.site("customer"),
            journey.stage.platform(),
            journey.stage.clients.acme
        );
        journey.browser.open(&address).await?;
        journey.browser.until("window.sent >= 30 && window.answers.some((answer) => answer.type === 'prepared')").await?;
        let received = journey.browser.run("return window.received").await?;
        let received = received.as_array().cloned().unwrap_or_default();
        // Another version is told which one is spoken, so that its page can say so; nothing else is answered.
        let harmless = |one: &serde_json::Value| one.as_str().is_some_and(|text| text.contains("\"welcome\""));
        ensure!(received.iter().all(harmless), "{received:?}");
        let types = journey.browser.run("return [...new Set(window.answers.map((answer) => answer.type))].sort()").await?;
        let types: Vec<_> = types.as_array().into_iter().flatten().filter_map(|one| one.as_str()).collect();
        ensure!(types.iter().all(|one| ["place", "prepared", "resize", "welcome"].contains(one)), "{types:?}");
        journey.browser.enter_toolbar().await?;
        journey.browser.see("#sign-in").await?;
    }

    fn another_applications_sign_in_that_names_the_attackers_site_is_refused(journey) on Loopback {
        let claimed = journey.stage.site("globex");
        attack(journey, GRACE, &claimed, false).await?;
    }

    fn another_applications_token_reaches_no_frame_and_no_page_of_the_attacker(journey) on Loopback {
        let claimed = journey.stage.site("customer");
        attack(journey, GRACE, &claimed, false).await?;
    }

    fn another_applications_token_reaches_nobody_even_where_consent_is_remembered(journey) on Tls {
        journey.sign_in(ADA).await?;
        let claimed = journey.stage.site("customer");
        attack(journey, ADA, &claimed, true).await?;
        let claimed = journey.stage.site("globex");
        attack(journey, ADA, &claimed, true).await?;
    }

    fn a_frame_that_bears_a_name_gets_no_window_in_its_place(journey) on Loopback {
        let page = journey.open_site("/").await?;
        // Whatever name an earlier version gave its windows: a frame of the page may bear it.
        journey.browser.run(
            "const frame = document.createElement('iframe'); frame.name = 'latchkey'; document.body.prepend(frame);",
        ).await?;
        journey.browser.click("#sign-in").await?;
        journey.log_in_and_allow(&page, ADA).await?;
        journey.browser.read("#status", "Ada Lovelace").await?;
    }
}
