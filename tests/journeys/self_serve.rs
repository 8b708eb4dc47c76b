//! An organization runs its own applications, by the pages.

use anyhow::{Context, Result, ensure};
use latchkey_journeys::{
    browser::{ENTER, TAB},
    data::{ADA, GRACE, PASSWORD},
};

use crate::journey::{Journey, journeys};

impl Journey {
    /// Opens a page of the platform's, signed in as this person.
    async fn open_platform(&self, person: latchkey_journeys::data::Person, path: &str) -> Result<()> {
        self.browser.open(&format!("{}/login/", self.stage.platform())).await?;
        self.log_in(person).await?;
        self.browser.see("#sign-out").await?;
        self.browser.open(&format!("{}{path}", self.stage.platform())).await
    }

    /// Types where the focus is led to by the Tab key.
    async fn tab_and_type(&self, css: &str, text: &str) -> Result<()> {
        self.browser.tab_to(css).await?;
        self.browser.press(text).await
    }
}

journeys! {
    // From the login to a sign-in that works, with no mouse.
    fn an_admin_registers_an_application_and_tries_it_by_keyboard_alone(journey) on Loopback {
        let browser = &journey.browser;
        browser.open(&format!("{}/organizations/acme/applications/", journey.stage.platform())).await?;
        browser.see("#email").await?;
        browser.press(ADA.email).await?;
        browser.press(TAB).await?;
        browser.press(PASSWORD).await?;
        browser.press(ENTER).await?;
        browser.tab_to("#new").await?;
        browser.press(ENTER).await?;
        journey.tab_and_type("#name", "Web shop").await?;
        journey.tab_and_type("#allowed_origins", "https://shop.acme.example/cart").await?;
        browser.tab_to("#save").await?;
        browser.press(ENTER).await?;
        // Told what is wrong, where it is, with what would be right.
        browser.read("#allowed_origins-wrong", "it is a URL; the origin is https://shop.acme.example").await?;
        browser.until("document.activeElement.id === 'allowed_origins'").await?;
        browser.tab_to("button[name=accept]").await?;
        browser.press(ENTER).await?;
        browser.see("#accepted").await?;
        browser.tab_to("#save").await?;
        browser.press(ENTER).await?;
        browser.see("#registered").await?;
        browser.tab_to("#try").await?;
        browser.press(ENTER).await?;
        browser.see("#step-frame[data-state=done]").await?;
        let page = browser.window().await?;
        browser.until("!document.querySelector('#sign-in').disabled").await?;
        browser.tab_to("#sign-in").await?;
        browser.press(ENTER).await?;
        browser.switch_to_popup(&page).await?;
        browser.tab_to("#allow").await?;
        browser.press(ENTER).await?;
        browser.popup_closes(&page).await?;
        browser.see("#step-api[data-state=done]").await?;
        browser.read("#result", "Acme Corporation").await?;
        ensure!(!browser.shows(".steps .wrong").await?, "a step failed: {}", browser.text().await?);
    }

    fn what_fails_on_the_way_is_told_at_its_step(journey) on Loopback {
        let path = format!("/organizations/acme/applications/{}/try/", journey.stage.clients.acme);
        journey.open_platform(ADA, &path).await?;
        let browser = &journey.browser;
        browser.until("!document.querySelector('#sign-in').disabled").await?;
        let page = browser.window().await?;
        browser.click("#sign-in").await?;
        browser.switch_to_popup(&page).await?;
        browser.click("#deny").await?;
        browser.popup_closes(&page).await?;
        browser.read("#step-sign-in .wrong", "access_denied").await?;
        // And tried again it works.
        browser.click("#sign-in").await?;
        browser.switch_to_popup(&page).await?;
        browser.click("#allow").await?;
        browser.popup_closes(&page).await?;
        browser.see("#step-api[data-state=done]").await?;
        browser.click("#sign-out-site").await?;
        browser.until("!document.querySelector('#step-api').dataset.state").await?;
    }

    // From a site that is not registered to one that is, by the link that the site shows.
    fn an_admin_lets_a_site_use_the_application_by_the_link_that_the_site_shows(journey) on Loopback {
        let browser = &journey.browser;
        let site = journey.stage.site("stranger");
        browser.open(&format!("{site}/")).await?;
        browser.see(".latchkey-notice").await?;
        let link = "document.querySelector('.latchkey-notice').shadowRoot.querySelector('a').href";
        let link = browser.run(&format!("return {link}")).await?;
        let link = link.as_str().context("the notice has no link")?;
        ensure!(link.starts_with(&journey.stage.platform()), "{link}");
        browser.open(link).await?;
        journey.log_in(ADA).await?;
        browser.read("#asked", &site).await?;
        browser.click("#save").await?;
        browser.see("#saved").await?;
        let page = { browser.open(&format!("{site}/")).await?; browser.window().await? };
        browser.click("#sign-in").await?;
        browser.switch_to_popup(&page).await?;
        browser.click("#allow").await?;
        browser.popup_closes(&page).await?;
        browser.read("#status", ADA.name).await?;
    }

    fn a_member_who_is_no_admin_is_told_who_can_help(journey) on Loopback {
        journey.open_platform(GRACE, "/organizations/acme/applications/").await?;
        journey.browser.read("#error", "This is for admins and owners of the organization").await?;
    }
}
