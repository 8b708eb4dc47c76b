//! Signing out, and what else ends a session.

use anyhow::ensure;
use latchkey_journeys::data::{ADA, GRACE};

use crate::journey::journeys;

/// What the API says as soon as it says anything but 200, or a second later: so long may the server take to hear of what
/// another process did.
const WITHIN_A_SECOND: &str = "for (const end = performance.now() + 1000; ;) {
    const said = await client.fetch('projects/').then((r) => r.status, (e) => e.code);
    if (said !== 200 || performance.now() > end) return said;
}";

journeys! {
    fn signing_out_on_the_page_revokes_the_token(journey) on Loopback {
        journey.sign_in(ADA).await?;
        let token = journey.token().await?;
        ensure!(journey.ask(&token, "").await? == 200);
        journey.browser.click("#sign-out").await?;
        journey.browser.read("#status", "You are signed out.").await?;
        ensure!(!journey.browser.shows("#projects").await?, "the data is still shown");
        journey.with_client("await client.logout()").await?;
        ensure!(journey.ask(&token, "").await? == 401);
        journey.browser.enter_toolbar().await?;
        journey.browser.see("#sign-in").await?;
    }

    fn signing_out_in_the_toolbar_revokes_the_token(journey) on Loopback {
        journey.sign_in(ADA).await?;
        let token = journey.token().await?;
        journey.browser.enter_toolbar().await?;
        journey.browser.click("#sign-out").await?;
        journey.browser.see("#sign-in").await?;
        journey.browser.leave_frame().await?;
        journey.browser.read("#status", "You are signed out.").await?;
        journey.until_refused(&token).await?;
    }

    fn signing_out_of_the_platform_ends_what_came_from_it(journey) on Loopback {
        journey.sign_in(ADA).await?;
        let token = journey.token().await?;
        journey.browser.open(&format!("{}/", journey.stage.platform())).await?;
        journey.browser.click("#sign-out").await?;
        journey.browser.see("#sign-in").await?;
        journey.open_site("/").await?;
        ensure!(journey.ask(&token, "").await? == 401);
    }

    fn a_member_who_is_removed_is_refused_within_a_second(journey) on Loopback {
        journey.sign_in(GRACE).await?;
        let token = journey.token().await?;
        journey.stage.latchkey.run(&["member", "remove", "--org", "acme", "--email", GRACE.email]).await?;
        let status = journey.with_client(WITHIN_A_SECOND).await?;
        ensure!(status == 401, "{status}");
        journey.browser.read("#status", "You are signed out.").await?;
        ensure!(journey.ask(&token, "").await? == 401);
    }

    fn an_application_that_is_disabled_is_refused_within_a_second(journey) on Loopback {
        journey.sign_in(ADA).await?;
        let client_id = journey.stage.clients.acme.clone();
        journey.stage.latchkey.run(&["app", "disable", "--client-id", &client_id]).await?;
        // Its site loses CORS at the same moment, so the page can't even read the refusal.
        let code = journey.with_client(WITHIN_A_SECOND).await?;
        ensure!(code == "network_error", "{code}");
        journey.browser.reload().await?;
        journey.browser.read("#error", "unknown_client").await?;
    }
}
