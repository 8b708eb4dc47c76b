//! The toolbar at work: the issues of the page it stands on, from the platform's own backend behind the gateway.

use anyhow::{Result, ensure};
use latchkey_journeys::{
    browser::Browser,
    data::{ADA, GRACE},
};
use serde_json::Value;

use crate::journey::journeys;

/// The titles of the issues that the toolbar shows.
async fn titles(browser: &Browser) -> Result<Vec<String>> {
    let script =
        "return [...document.querySelectorAll('#issues-list strong')].map((title) => title.textContent)";
    let titles = browser.run(script).await?;
    let titles = titles.as_array().into_iter().flatten().filter_map(Value::as_str);
    Ok(titles.map(str::to_owned).collect())
}

journeys! {
    fn the_toolbar_shows_the_open_issues_of_the_page_it_stands_on_and_resolves_one(journey) on Loopback {
        journey.sign_in(ADA).await?;
        let browser = &journey.browser;
        browser.enter_toolbar().await?;
        let before = browser.read("#issues-list", "Web shop").await?;
        let titles_before = titles(browser).await?;
        ensure!(titles_before.len() >= 3, "too few issues: {before}");
        let resolved = titles_before.first().cloned().unwrap_or_default();
        browser.click("#issues-list li:first-child button").await?;
        let gone = format!("!document.getElementById('issues-list').textContent.includes({resolved:?})");
        browser.until(&gone).await?;
        let titles_after = titles(browser).await?;
        let others_stay = titles_before.iter().skip(1).all(|title| titles_after.contains(title));
        ensure!(others_stay, "another issue went, too: {titles_after:?}");
        // Who works by keyboard goes on with the next one.
        browser.until("document.activeElement.matches('#issues-list li:first-child button')").await?;
        browser.leave_frame().await?;
        let kept = journey
            .with_client(
                "const { session } = client;
                 const answer = await client.fetch('issues/?page=%2F&status=resolved&limit=100');
                 const { issues } = await answer.json();
                 return issues.map((issue) => `${issue.title} by ${issue.resolved_by === session.user.id}`)",
            )
            .await?;
        ensure!(kept.to_string().contains(&format!("{resolved} by true")), "it is not resolved: {kept}");
    }

    fn a_page_that_moves_on_without_loading_gets_its_own_issues(journey) on Loopback {
        journey.sign_in(ADA).await?;
        let browser = &journey.browser;
        browser.enter_toolbar().await?;
        browser.read("#issues-list", "Web shop").await?;
        let before = titles(browser).await?;
        browser.leave_frame().await?;
        // The query may hold a person's secrets: it is not the frame's to know.
        browser.run("history.pushState(null, '', '/popup.html?secret=1#secret')").await?;
        browser.enter_toolbar().await?;
        let first = before.first().cloned().unwrap_or_default();
        browser.until(&format!("!document.getElementById('issues-list').textContent.includes({first:?})")).await?;
        browser.until("document.querySelectorAll('#issues-list li').length === 1").await?;
        browser.leave_frame().await?;
        browser.run("history.pushState(null, '', '/nothing-here/')").await?;
        browser.enter_toolbar().await?;
        browser.read("#issues-note", "No open issues on this page.").await?;
    }

    fn another_organizations_site_shows_its_own_issues_and_no_button_where_it_may_only_read(journey) on Loopback {
        let browser = &journey.browser;
        browser.open(&format!("{}/", journey.stage.site("globex"))).await?;
        let page = browser.window().await?;
        browser.click("#sign-in").await?;
        journey.log_in_and_allow(&page, GRACE).await?;
        browser.enter_toolbar().await?;
        let list = browser.read("#issues-list", "Reactor control").await?;
        ensure!(!list.contains("Web shop"), "an issue of another organization: {list}");
        ensure!(!browser.shows("#issues-list button").await?, "a button for who may only read");
        browser.leave_frame().await?;
        let refused = journey
            .with_client(
                "const { issues } = await (await client.fetch('issues/')).json();
                 const init = { method: 'PUT', body: '{\"status\":\"resolved\"}', headers: { 'content-type': 'application/json' } };
                 const own = await client.fetch(`issues/${issues[0].id}/`, init);
                 const foreign = await client.fetch('/api/0/organizations/acme/issues/');
                 return [own.status, (await own.json()).error, foreign.status].join(' ')",
            )
            .await?;
        ensure!(refused == "403 insufficient_scope 404" || refused == "403 insufficient_scope 403", "{refused}");
    }

    fn signing_out_takes_the_issues_away(journey) on Loopback {
        journey.sign_in(ADA).await?;
        let browser = &journey.browser;
        browser.enter_toolbar().await?;
        browser.read("#issues-list", "Web shop").await?;
        browser.click("#sign-out").await?;
        browser.until("document.getElementById('issues').hidden && !document.querySelector('#issues-list li')").await?;
    }

    fn a_backend_that_is_away_is_told_and_asked_again(journey) on Loopback {
        journey.sign_in(ADA).await?;
        journey.browser.enter_toolbar().await?;
        journey.browser.read("#issues-list", "Web shop").await?;
        journey.stage.stop_tracker();
        let browser = &journey.browser;
        browser.click("#issues-list li:first-child button").await?;
        browser.read("#issues-note", "It could not be resolved. Try again.").await?;
        browser.leave_frame().await?;
        browser.run("history.pushState(null, '', '/elsewhere/')").await?;
        browser.enter_toolbar().await?;
        browser.read("#issues-note", "The issues of this page could not be read.").await?;
        journey.stage.start_tracker().await?;
        let browser = &journey.browser;
        browser.click("#issues-again").await?;
        browser.read("#issues-note", "No open issues on this page.").await?;
    }
}
