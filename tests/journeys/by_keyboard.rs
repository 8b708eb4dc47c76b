//! Everything that self-serve is, done by keyboard alone: Tab and Enter, arrow keys, and typing.

use anyhow::{Context, Result, ensure};
use latchkey_journeys::{
    browser::{DOWN, ENTER, SELECT_ALL, SPACE, TAB},
    canary::Kind,
    data::{ADA, EVE, GRACE, PASSWORD, Person},
};
use serde_json::json;

use crate::journey::{Journey, journeys};

/// What Ada changes her password to. A text that stands nowhere else.
const NEW_PASSWORD: &str = "latchkey-later-canary";
/// The most choices that any list of the pages has.
const MOST_CHOICES: usize = 60;

impl Journey {
    /// Fills in the login form, in which the first field has the focus.
    async fn log_in_by_keyboard(&self, person: Person) -> Result<()> {
        let browser = &self.browser;
        browser.until("document.activeElement.id === 'email'").await?;
        browser.press(person.email).await?;
        browser.press(TAB).await?;
        browser.press(PASSWORD).await?;
        browser.press(ENTER).await
    }

    /// Types into a field in the place of what stands there.
    async fn retype(&self, css: &str, text: &str) -> Result<()> {
        self.browser.tab_to(css).await?;
        self.browser.press(SELECT_ALL).await?;
        self.browser.press(text).await
    }

    /// Goes down a list of choices to this one.
    async fn choose(&self, css: &str, value: &str) -> Result<()> {
        self.browser.tab_to(css).await?;
        let script = format!("return document.activeElement.value === {}", json!(value));
        for _ in 0..MOST_CHOICES {
            if self.browser.run(&script).await? == true {
                return Ok(());
            }
            self.browser.press(DOWN).await?;
        }
        anyhow::bail!("{css} has no choice {value}")
    }

    /// Another session of hers, as on another device: this browser forgets it.
    async fn sign_in_elsewhere(&self) -> Result<()> {
        self.browser.open(&format!("{}/login/", self.stage.platform())).await?;
        self.log_in_by_keyboard(ADA).await?;
        self.browser.see("#sign-out").await?;
        self.browser.devtools("Network.clearBrowserCookies", json!({})).await?;
        Ok(())
    }

    /// Signs in on the way to the applications, and registers one: its client id.
    async fn register(&self) -> Result<String> {
        let browser = &self.browser;
        browser.open(&format!("{}/organizations/acme/applications/", self.stage.platform())).await?;
        self.log_in_by_keyboard(ADA).await?;
        browser.enter("#new").await?;
        self.retype("#name", "Web shop").await?;
        self.retype("#allowed_origins", "https://shop.acme.example/cart").await?;
        browser.tab_to("input[name='scope.event:write']").await?;
        browser.press(SPACE).await?;
        browser.enter("#save").await?;
        // Told what is wrong, where it is, with what would be right.
        browser
            .read("#allowed_origins-wrong", "it is a URL; the origin is https://shop.acme.example")
            .await?;
        browser.until("document.activeElement.id === 'allowed_origins'").await?;
        browser.enter("button[name=accept]").await?;
        browser.see("#accepted").await?;
        browser.enter("#save").await?;
        browser.see("#registered").await?;
        ensure!(browser.text().await?.contains("Resolve and change events"), "the box was not checked");
        let client_id = browser.run("return document.querySelector('#client-id').textContent").await?;
        client_id.as_str().map(str::to_owned).context("no client id")
    }

    /// Tries the application: signs in with it in a window, and allows it.
    async fn try_it(&self) -> Result<()> {
        let browser = &self.browser;
        browser.enter("#try").await?;
        browser.see("#step-frame[data-state=done]").await?;
        let page = browser.window().await?;
        browser.until("!document.querySelector('#sign-in').disabled").await?;
        browser.enter("#sign-in").await?;
        browser.switch_to_popup(&page).await?;
        browser.enter("#allow").await?;
        browser.popup_closes(&page).await?;
        browser.see("#step-api[data-state=done]").await?;
        browser.read("#result", "Acme Corporation").await?;
        ensure!(!browser.shows(".steps .wrong").await?, "a step failed: {}", browser.text().await?);
        browser.enter(".crumb a").await?;
        browser.see("#edit").await?;
        Ok(())
    }

    /// Changes its name.
    async fn edit(&self) -> Result<()> {
        self.browser.enter("#edit").await?;
        self.retype("#name", "Shop of Acme").await?;
        self.browser.enter("#save").await?;
        self.browser.see("#saved").await?;
        self.browser.read("h1", "Shop of Acme").await?;
        Ok(())
    }

    async fn disable_and_enable(&self) -> Result<()> {
        self.browser.enter("#disable").await?;
        self.browser.enter("#confirm").await?;
        self.browser.see("#disabled").await?;
        self.browser.enter("#enable").await?;
        self.browser.see("#disable").await?;
        Ok(())
    }

    /// Revokes what was allowed to the application.
    async fn revoke(&self) -> Result<()> {
        self.browser.enter("#account").await?;
        self.browser.enter("#applications").await?;
        self.browser.read(".allowed", "Shop of Acme").await?;
        self.browser.enter(".allowed button").await?;
        self.browser.see("#none").await?;
        Ok(())
    }

    /// Ends the session on the other device.
    async fn end_the_other_session(&self) -> Result<()> {
        self.browser.enter("#account").await?;
        self.browser.until("document.querySelectorAll('button[name=id]').length === 2").await?;
        self.browser.enter("li:not(:has(.badge.on)) > form > button[name=id]").await?;
        self.browser.until("document.querySelectorAll('button[name=id]').length === 1").await
    }

    async fn change_the_password(&self) -> Result<()> {
        let browser = &self.browser;
        browser.enter("#change-password").await?;
        browser.until("document.activeElement.id === 'current-password'").await?;
        browser.press(PASSWORD).await?;
        browser.press(TAB).await?;
        browser.press(NEW_PASSWORD).await?;
        browser.press(ENTER).await?;
        browser.see("#done").await?;
        Ok(())
    }

    async fn delete(&self, client_id: &str) -> Result<()> {
        let browser = &self.browser;
        browser.enter("#account").await?;
        browser.enter("#manage-acme").await?;
        let link = format!("a[href$='/{client_id}/']");
        browser.enter(&link).await?;
        browser.enter("#delete").await?;
        browser.enter("#confirm").await?;
        browser.see("#new").await?;
        ensure!(!browser.shows(&link).await?, "it is still there");
        Ok(())
    }

    /// Invites Eve as an admin: the link for her.
    async fn invite(&self) -> Result<String> {
        let browser = &self.browser;
        browser.enter(".menu a[href$='/members/']").await?;
        self.retype("#email", EVE.email).await?;
        self.choose("#role", "admin").await?;
        browser.enter("#send-invitation").await?;
        browser.read("#invited", "Role: Admin").await?;
        Ok(browser.see("#invitation-link").await?.text().await?)
    }

    /// Makes Grace an admin, and then no member at all.
    async fn change_a_role_and_remove(&self) -> Result<()> {
        let browser = &self.browser;
        self.choose(&format!("select[aria-label^='Role of {}']", GRACE.name), "admin").await?;
        browser.enter(&format!("button[aria-label^='Save the role of {}']", GRACE.name)).await?;
        browser.read("#done", "The role is changed").await?;
        browser.enter(&format!("a[aria-label^='Remove… {}']", GRACE.name)).await?;
        browser.enter("#confirm").await?;
        browser.read("#done", "They are no member any more").await?;
        Ok(())
    }

    /// Looks in the audit log for the one entry of this kind.
    async fn look_up(&self, action: &str) -> Result<()> {
        let browser = &self.browser;
        browser.enter(".menu a[href$='/audit/']").await?;
        browser.until("document.querySelectorAll('tbody tr').length > 1").await?;
        self.choose("#action", action).await?;
        browser.enter("#filter").await?;
        browser.see("#clear").await?;
        browser.until("document.querySelectorAll('tbody tr').length === 1").await?;
        browser.read("tbody", ADA.name).await?;
        Ok(())
    }

    async fn sign_out_by_keyboard(&self) -> Result<()> {
        self.browser.enter("#sign-out").await?;
        self.browser.see("a#sign-in").await?;
        Ok(())
    }

    /// Follows the link of the invitation, and becomes an admin by it.
    async fn accept(&self, link: &str) -> Result<()> {
        self.browser.open(link).await?;
        self.log_in_by_keyboard(EVE).await?;
        self.browser.enter("#accept").await?;
        self.browser.see("#new").await?;
        Ok(())
    }
}

journeys! {
    fn an_organization_is_run_by_keyboard_alone(journey) on Loopback {
        journey.stage.mark(Kind::Password, NEW_PASSWORD);
        journey.sign_in_elsewhere().await?;
        let client_id = journey.register().await?;
        journey.try_it().await?;
        journey.edit().await?;
        journey.disable_and_enable().await?;
        journey.revoke().await?;
        journey.end_the_other_session().await?;
        journey.change_the_password().await?;
        journey.delete(&client_id).await?;
        let link = journey.invite().await?;
        journey.change_a_role_and_remove().await?;
        journey.look_up("application.removed").await?;
        journey.sign_out_by_keyboard().await?;
        journey.accept(&link).await?;
        journey.sign_out_by_keyboard().await?;
    }
}
