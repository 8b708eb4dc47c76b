//! Signing in: in the three ways, by both buttons, and again after a reload.

use anyhow::ensure;
use latchkey_journeys::data::{ADA, GRACE, HEDY};

use crate::journey::journeys;

journeys! {
    fn a_person_signs_in_and_the_page_shows_the_organizations_projects_and_members(journey) on Loopback {
        let page = journey.open_site("/").await?;
        let browser = &journey.browser;
        browser.click("#sign-in").await?;
        browser.switch_to_popup(&page).await?;
        browser.see("#email").await?;
        ensure!(browser.text().await?.contains("Acme developer toolbar"), "the login names the application");
        journey.log_in(ADA).await?;
        browser.read("#application", "Acme developer toolbar").await?;
        browser.read("#organization", "Acme Corporation").await?;
        browser.read("#site", &journey.stage.site("customer")).await?;
        browser.read("#account", "ada@acme.example").await?;
        browser.read("#scopes", "See the organization's projects").await?;
        browser.click("#allow").await?;
        browser.popup_closes(&page).await?;
        browser.read("#status", "Ada Lovelace, Acme Corporation").await?;
        browser.read("#projects", "Web shop").await?;
        let members = browser.read("#members", "Grace Hopper").await?;
        ensure!(!members.contains("Hedy"), "a member of another organization is listed");
        browser.enter_toolbar().await?;
        browser.read("body", "Ada Lovelace").await?;
    }

    fn the_toolbars_own_button_signs_in(journey) on Loopback {
        let page = journey.open_site("/").await?;
        journey.browser.enter_toolbar().await?;
        journey.browser.click("#sign-in").await?;
        journey.browser.leave_frame().await?;
        journey.log_in_and_allow(&page, ADA).await?;
        journey.browser.read("#status", "Ada Lovelace").await?;
        journey.browser.read("#projects", "Billing").await?;
    }

    fn a_popup_without_the_toolbar_signs_in(journey) on Loopback {
        let page = journey.open_site("/popup.html").await?;
        journey.browser.until("document.body.dataset.ready").await?;
        ensure!(!journey.browser.shows("iframe").await?, "there is a frame");
        journey.browser.click("#sign-in").await?;
        journey.log_in_and_allow(&page, ADA).await?;
        journey.browser.read("#projects", "Web shop").await?;
    }

    fn a_redirect_signs_in_and_leaves_nothing_in_the_address_or_the_history(journey) on Loopback {
        let page = journey.open_site("/redirect.html").await?;
        let browser = &journey.browser;
        browser.until("document.body.dataset.ready").await?;
        browser.click("#sign-in").await?;
        journey.log_in(ADA).await?;
        browser.click("#allow").await?;
        browser.read("#projects", "Web shop").await?;
        ensure!(browser.url().await? == format!("{}/redirect.html", journey.stage.site("customer")));
        ensure!(browser.window().await? == page && browser.count_windows().await? == 1);
        browser.reload().await?;
        browser.until("document.body.dataset.ready").await?;
        browser.read("#projects", "Signed out.").await?;
    }

    fn after_signing_out_one_click_signs_in_again_without_a_password(journey) on Loopback {
        let page = journey.sign_in(ADA).await?;
        journey.browser.click("#sign-out").await?;
        journey.browser.read("#status", "You are signed out.").await?;
        journey.browser.click("#sign-in").await?;
        journey.browser.switch_to_popup(&page).await?;
        // On loopback the person is asked each time; they are not asked who they are.
        journey.browser.click("#allow").await?;
        journey.browser.popup_closes(&page).await?;
        journey.browser.read("#projects", "Web shop").await?;
    }

    fn on_a_real_site_what_was_allowed_once_is_not_asked_again(journey) on Tls {
        let page = journey.sign_in(ADA).await?;
        journey.browser.click("#sign-out").await?;
        journey.browser.read("#status", "You are signed out.").await?;
        journey.browser.click("#sign-in").await?;
        journey.browser.read("#status", "Ada Lovelace").await?;
        journey.browser.popup_closes(&page).await?;
    }

    fn a_person_of_two_organizations_opens_on_each_site_that_sites_alone(journey) on Loopback {
        journey.sign_in(GRACE).await?;
        journey.browser.read("#projects", "Web shop").await?;
        let token = journey.token().await?;
        ensure!(journey.ask(&token, "organizations/acme/projects/").await? == 200);
        ensure!(journey.ask(&token, "organizations/globex/projects/").await? == 403);
        let own = journey.with_client("return (await client.fetch('/api/0/organizations/')).json()").await?;
        let slugs: Vec<_> = own.as_array().into_iter().flatten().map(|one| one["slug"].as_str()).collect();
        ensure!(slugs == [Some("acme")], "{own}");
        // The other organization's own site opens the other organization, for the same person.
        journey.browser.open(&format!("{}/", journey.stage.site("globex"))).await?;
        let page = journey.browser.window().await?;
        journey.browser.click("#sign-in").await?;
        journey.browser.switch_to_popup(&page).await?;
        journey.browser.read("#organization", "Globex").await?;
        journey.browser.click("#allow").await?;
        journey.browser.popup_closes(&page).await?;
        journey.browser.read("#projects", "Reactor control").await?;
        // A token of one site is worth nothing on the other.
        ensure!(journey.ask(&token, "organizations/acme/projects/").await? == 403);
    }

    fn with_a_popup_blocker_a_click_still_signs_in(journey) on Loopback with blocks_popups {
        journey.sign_in(ADA).await?;
        journey.browser.read("#projects", "Web shop").await?;
    }

    fn another_account_is_chosen_from_the_page_that_says_not_a_member(journey) on Loopback {
        let page = journey.open_site("/").await?;
        journey.browser.click("#sign-in").await?;
        journey.browser.switch_to_popup(&page).await?;
        journey.log_in(HEDY).await?;
        journey.browser.read("#reason", "hedy@globex.example").await?;
        journey.browser.click("#switch").await?;
        journey.log_in(ADA).await?;
        journey.browser.click("#allow").await?;
        journey.browser.popup_closes(&page).await?;
        journey.browser.read("#status", "Ada Lovelace").await?;
    }
}
