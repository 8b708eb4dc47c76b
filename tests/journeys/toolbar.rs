//! The toolbar on the page: under any site's style, moved and collapsed, by mouse, finger and keyboard.

use std::fs;

use anyhow::{Context, Result, ensure};
use latchkey_journeys::{browser::ENTER, data::ADA, stage::built};
use serde_json::{Value, json};

use crate::journey::{Journey, journeys};

/// The page of a site in any style.
const DRESSED: &str = "/clients/dressed.html";
/// Style sheets that many sites begin with, and one that no site should.
const STYLES: [&str; 4] = [
    "/modules/bootstrap/dist/css/bootstrap.css",
    "/modules/tailwindcss/preflight.css",
    "/modules/@picocss/pico/css/pico.css",
    "/clients/hostile.css",
];
/// The size of the pill.
const PILL: u64 = 52;
/// The most that the frame may load, as `cargo xtask size` has it.
const MOST_BYTES: u64 = 40_960;
/// How far the mouse goes at a time.
const STEP: f64 = 12.0;
/// How far from the page's edges a docked toolbar stays.
const GAP: f64 = 16.0;

/// Where the toolbar and its frame are, how they look as far as the page decides that, and whether a click on the
/// middle of the frame is one on the frame. A container is the site's own: it may stand anywhere, scaled and hidden, so
/// that only what is inside counts.
const LOOK: &str = "
    const toolbar = document.querySelector('latchkey-toolbar');
    const frame = toolbar.querySelector('iframe');
    const isContained = !!toolbar.closest('#container');
    const box = (element) => {
        const { x, y, width, height } = element.getBoundingClientRect();
        return isContained ? [element.offsetWidth, element.offsetHeight] : [x, y, width, height];
    };
    const style = (element) => {
        const computed = getComputedStyle(element);
        return ['display', 'visibility', 'opacity', 'transform', 'translate', 'filter', 'clipPath', 'boxShadow',
            'borderRadius', 'overflow', 'animationName', 'pointerEvents', 'position', 'zIndex', 'float', 'padding',
            'margin', 'borderWidth', 'backgroundColor'].map((name) => `${name}: ${computed[name]}`);
    };
    const { x, y, width, height } = frame.getBoundingClientRect();
    return {
        boxes: [box(toolbar), box(frame)],
        styles: [style(toolbar), style(frame)],
        around: ['::before', '::after'].map((pseudo) => getComputedStyle(toolbar, pseudo).display),
        isHit: isContained || document.elementFromPoint(x + width / 2, y + height / 2) === frame,
    };";

impl Journey {
    /// Opens the site with these parameters, and waits for the toolbar.
    async fn open_dressed(&self, parameters: &str) -> Result<()> {
        self.open_site(&format!("{DRESSED}?{parameters}")).await?;
        self.browser.until("document.body.dataset.ready").await
    }

    /// The toolbar's place on the page: left, top, width, height.
    async fn place(&self) -> Result<[f64; 4]> {
        let script = "const { x, y, width, height } =
            document.querySelector('latchkey-toolbar').getBoundingClientRect();
            return [x, y, width, height]";
        Ok(serde_json::from_value(self.browser.run(script).await?)?)
    }

    /// Waits until the toolbar stands still in this corner.
    async fn stands(&self, corner: &str) -> Result<()> {
        let (vertical, horizontal) = corner.split_once('-').context("no corner")?;
        let far = |word: &str, size: &str, room: &str| match word {
            "bottom" | "right" => format!("{room} - box.{size} - {GAP}"),
            _ => GAP.to_string(),
        };
        self.browser
            .until(&format!(
                "(() => {{
                    const box = document.querySelector('latchkey-toolbar').getBoundingClientRect();
                    const {{ clientWidth: wide, clientHeight: high }} = document.documentElement;
                    const isThere = (is, should) => Math.abs(is - should) < 0.5;
                    return isThere(box.x, {}) && isThere(box.y, {});
                }})()",
                far(horizontal, "width", "wide"),
                far(vertical, "height", "high"),
            ))
            .await
            .with_context(|| format!("it does not stand at the {corner}"))
    }

    /// Where on the page the middle of something in the toolbar is.
    async fn middle_of(&self, css: &str) -> Result<(f64, f64)> {
        let [left, top, ..] = self.place().await?;
        self.browser.enter_toolbar().await?;
        let script = format!(
            "const {{ x, y, width, height }} = document.querySelector({}).getBoundingClientRect();
            return [x + width / 2, y + height / 2]",
            json!(css)
        );
        let [x, y]: [f64; 2] = serde_json::from_value(self.browser.run(&script).await?)?;
        self.browser.leave_frame().await?;
        Ok((left + x, top + y))
    }

    async fn mouse(&self, kind: &str, (x, y): (f64, f64)) -> Result<()> {
        let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1 });
        self.browser.devtools("Input.dispatchMouseEvent", event).await?;
        Ok(())
    }

    async fn finger(&self, kind: &str, points: &[(f64, f64)]) -> Result<()> {
        let points: Vec<Value> = points.iter().map(|(x, y)| json!({ "x": x, "y": y })).collect();
        let event = json!({ "type": kind, "touchPoints": points });
        self.browser.devtools("Input.dispatchTouchEvent", event).await?;
        Ok(())
    }

    /// Drags what this is in the toolbar so far, with a mouse; it is let go at the end if told so. In steps so short that
    /// the toolbar is always below the pointer: what a browser does for a mouse that is faster, it does not for a test.
    async fn drag(&self, css: &str, (dx, dy): (f64, f64), is_dropped: bool) -> Result<()> {
        let (x, y) = self.middle_of(css).await?;
        self.mouse("mousePressed", (x, y)).await?;
        let steps = (dx.abs().max(dy.abs()) / STEP).ceil();
        let mut step = 0.0;
        while step < steps {
            step += 1.0;
            self.mouse("mouseMoved", (x + dx * step / steps, y + dy * step / steps)).await?;
            self.browser.settle().await?;
        }
        if is_dropped {
            self.mouse("mouseReleased", (x + dx, y + dy)).await?;
        }
        Ok(())
    }

    /// Looks at the toolbar in each of these styles, and compares with what it is in none.
    async fn compare(&self, parameters: &str) -> Result<()> {
        for width in [1200, 320] {
            self.browser.resize(width, 800).await?;
            self.open_dressed(parameters).await?;
            let plain = self.settled_look().await?;
            ensure!(plain["isHit"] == true, "{width}: something covers the toolbar: {plain:#}");
            for style in STYLES {
                self.open_dressed(&format!("{parameters}&style={style}")).await?;
                let dressed = self.settled_look().await?;
                ensure!(dressed == plain, "{style} at {width}: {dressed:#}\nwithout: {plain:#}");
            }
        }
        Ok(())
    }

    /// How the toolbar looks once its buttons are all there.
    async fn settled_look(&self) -> Result<Value> {
        self.browser.enter_toolbar().await?;
        self.browser.until("document.querySelector('#sign-in')?.disabled === false").await?;
        self.browser.leave_frame().await?;
        self.browser.settle().await?;
        self.browser.run(LOOK).await
    }

    /// Holds the toolbar to axe-core as it is now.
    async fn audit_toolbar(&self, what: &str) -> Result<()> {
        let axe = fs::read_to_string(built("XTASK_CLIENTS")?.join("node_modules/axe-core/axe.min.js"))?;
        let found = self.browser.audit(&axe).await?;
        ensure!(found.is_empty(), "the toolbar when {what}: {found:#?}");
        Ok(())
    }

    async fn audit_every_state(&self) -> Result<()> {
        let browser = &self.browser;
        let page = self.open_site("/").await?;
        browser.enter_toolbar().await?;
        browser.click("#toggle").await?;
        self.audit_toolbar("collapsed").await?;
        browser.click("#toggle").await?;
        browser.click("#sign-in").await?;
        browser.switch_to_popup(&page).await?;
        browser.close_window().await?;
        browser.switch_to(&page).await?;
        browser.enter_toolbar().await?;
        browser.see("#toolbar.failure").await?;
        browser.until("document.getAnimations().length === 0").await?;
        self.audit_toolbar("failed").await?;
        browser.click("#toggle").await?;
        self.audit_toolbar("failed and collapsed").await?;
        browser.click("#toggle").await?;
        self.sign_in(ADA).await?;
        browser.enter_toolbar().await?;
        browser.see("#issues button").await?;
        browser.until("document.getAnimations().length === 0").await?;
        self.audit_toolbar("signed in").await?;
        browser.click("#toggle").await?;
        self.audit_toolbar("signed in and collapsed").await
    }
}

journeys! {
    fn who_is_signed_in_still_is_when_another_sign_in_fails(journey) on Loopback {
        let page = journey.sign_in(ADA).await?;
        for (is_closed, status) in [(true, "closed before the end"), (false, "You are signed in.")] {
            journey.with_client("window.controller = new AbortController();
                const { signal } = controller;
                window.outcome = undefined;
                client.login({ prompt: 'login', signal }).catch(({ code }) => { window.outcome = code; });
                return null").await?;
            journey.browser.enter_toolbar().await?;
            journey.browser.read("#status", "Continue in the window").await?;
            journey.browser.read("#name", ADA.name).await?;
            journey.browser.switch_to_popup(&page).await?;
            journey.browser.see("#password").await?;
            if is_closed {
                journey.browser.close_window().await?;
            }
            journey.browser.switch_to(&page).await?;
            if !is_closed {
                journey.browser.run("controller.abort()").await?;
            }
            journey.browser.until("window.outcome").await?;
            journey.browser.enter_toolbar().await?;
            journey.browser.read("#status", status).await?;
            journey.browser.read("#name", ADA.name).await?;
            journey.browser.see("#sign-out").await?;
            ensure!(!journey.browser.shows("#sign-in").await?, "it offers to sign in");
            journey.browser.switch_to(&page).await?;
        }
    }

    fn no_style_of_a_site_reaches_a_docked_toolbar(journey) on Loopback {
        journey.compare("").await?;
    }

    fn no_style_of_a_site_reaches_a_toolbar_in_its_container(journey) on Loopback {
        journey.compare("container").await?;
        let wide = "return document.querySelector('latchkey-toolbar').offsetWidth";
        ensure!(journey.browser.run(wide).await? == 300, "it is not as wide as its container");
        journey.browser.enter_toolbar().await?;
        ensure!(!journey.browser.shows("#move").await? && !journey.browser.shows("#toggle").await?, "it moves");
    }

    fn a_drag_ends_in_the_nearest_corner_and_the_toolbar_comes_back_there(journey) on Loopback {
        journey.open_site("/").await?;
        journey.browser.enter_toolbar().await?;
        journey.browser.see("#move").await?;
        journey.browser.leave_frame().await?;
        journey.stands("bottom-right").await?;
        let [left, top, ..] = journey.place().await?;
        journey.drag("#move", (-300.0, -500.0), false).await?;
        // It follows the pointer, and not by more or less.
        let there = format!(
            "(() => {{ const {{ x, y }} = document.querySelector('latchkey-toolbar').getBoundingClientRect();
                return Math.abs(x - {}) < 2 && Math.abs(y - {}) < 2 }})()",
            left - 300.0, top - 500.0
        );
        journey.browser.until(&there).await?;
        journey.mouse("mouseReleased", (left - 280.0, top - 470.0)).await?;
        journey.stands("top-right").await?;
        journey.drag("#idle strong", (-700.0, 100.0), true).await?;
        journey.stands("top-left").await?;
        journey.browser.reload().await?;
        journey.stands("top-left").await?;
        // A small step aside is a click that missed.
        journey.drag("#move", (2.0, 1.0), false).await?;
        journey.stands("top-left").await?;
    }

    fn escape_puts_a_dragged_toolbar_back(journey) on Loopback {
        journey.open_site("/").await?;
        journey.browser.enter_toolbar().await?;
        // Who presses a button has the focus there; the mouse of the driver does not always take it along.
        journey.browser.tab_to("#move").await?;
        journey.browser.leave_frame().await?;
        journey.drag("#move", (-600.0, -500.0), false).await?;
        journey.browser.until("document.querySelector('latchkey-toolbar').getBoundingClientRect().y < 400").await?;
        let key = json!({ "type": "keyDown", "key": "Escape", "code": "Escape", "windowsVirtualKeyCode": 27 });
        journey.browser.devtools("Input.dispatchKeyEvent", key).await?;
        journey.stands("bottom-right").await?;
    }

    fn a_finger_drags_the_pill_and_does_not_open_it(journey) on Loopback {
        journey.open_site("/").await?;
        let browser = &journey.browser;
        browser.enter_toolbar().await?;
        browser.click("#toggle").await?;
        browser.leave_frame().await?;
        browser.until(&format!("document.querySelector('latchkey-toolbar').getBoundingClientRect().width === {PILL}"))
            .await?;
        let (x, y) = journey.middle_of("#toggle").await?;
        journey.finger("touchStart", &[(x, y)]).await?;
        for step in 1..=5 {
            let way = f64::from(step) * 100.0;
            journey.finger("touchMove", &[(x - way, y - way)]).await?;
        }
        journey.finger("touchEnd", &[]).await?;
        journey.stands("top-right").await?;
        // The drag was no tap.
        let [_, _, width, _] = journey.place().await?;
        ensure!(width == 52.0, "it opened: {width}");
        browser.enter_toolbar().await?;
        browser.click("#toggle").await?;
        browser.see("#sign-in").await?;
    }

    fn arrow_keys_move_the_toolbar_and_say_where_it_is(journey) on Loopback {
        journey.open_site("/").await?;
        let browser = &journey.browser;
        browser.enter_toolbar().await?;
        browser.tab_to("#move").await?;
        for (key, corner, words) in [
            ("\u{e013}", "top-right", "at the top right."),
            ("\u{e012}", "top-left", "at the top left."),
            ("\u{e012}", "top-left", "at the top left."),
            ("\u{e015}", "bottom-left", "at the bottom left."),
            ("\u{e014}", "bottom-right", "at the bottom right."),
            // Without an arrow key: on to the next one, clockwise.
            (ENTER, "bottom-left", "at the bottom left."),
        ] {
            browser.press(key).await?;
            browser.until(&format!("document.querySelector('#spot').textContent.endsWith({words:?})")).await?;
            ensure!(browser.run("return document.activeElement.id").await? == "move", "the focus left");
            browser.leave_frame().await?;
            journey.stands(corner).await?;
            browser.enter_toolbar().await?;
        }
        browser.reload().await?;
        journey.stands("bottom-left").await?;
    }

    fn a_collapsed_toolbar_is_a_pill_and_stays_one_until_it_is_opened(journey) on Loopback {
        journey.open_site("/").await?;
        let browser = &journey.browser;
        let is_pill = format!("document.querySelector('latchkey-toolbar').getBoundingClientRect().width === {PILL}");
        browser.enter_toolbar().await?;
        browser.enter("#toggle").await?;
        ensure!(browser.shows("#toggle[aria-expanded=false]").await? && !browser.shows("#sign-in").await?);
        browser.leave_frame().await?;
        browser.until(&is_pill).await?;
        journey.stands("bottom-right").await?;
        browser.reload().await?;
        browser.until(&is_pill).await?;
        // What the page starts is seen on it, and the person who signed in.
        journey.sign_in(ADA).await?;
        browser.until(&is_pill).await?;
        browser.enter_toolbar().await?;
        browser.read("#face", "AL").await?;
        browser.enter("#toggle").await?;
        browser.see("#toggle[aria-expanded=true]").await?;
        browser.see("#sign-out").await?;
        ensure!(browser.run("return document.activeElement.id").await? == "toggle", "the focus left");
        browser.leave_frame().await?;
        browser.until("document.querySelector('latchkey-toolbar').getBoundingClientRect().width > 300").await?;
        browser.reload().await?;
        browser.until("document.querySelector('latchkey-toolbar').getBoundingClientRect().width > 300").await?;
    }

    fn who_wants_less_motion_sees_none(journey) on Loopback with still {
        let browser = &journey.browser;
        journey.open_site("/").await?;
        browser.enter_toolbar().await?;
        browser.click("#move").await?;
        let slowly = "return getComputedStyle(document.querySelector('button')).transitionProperty";
        ensure!(browser.run(slowly).await? == "none", "it moves");
        browser.leave_frame().await?;
        journey.stands("bottom-left").await?;
        let slowly = "return getComputedStyle(document.querySelector('latchkey-toolbar')).transitionProperty";
        ensure!(browser.run(slowly).await? == "none", "it moves");
        // And who does not mind sees it go.
        let media = json!({ "features": [{ "name": "prefers-reduced-motion", "value": "no-preference" }] });
        browser.devtools("Emulation.setEmulatedMedia", media).await?;
        ensure!(browser.run(slowly).await? == "left, top");
    }

    fn twice_as_large_a_text_fits_a_small_phone(journey) on Loopback {
        journey.browser.resize(320, 640).await?;
        journey.open_site("/").await?;
        let browser = &journey.browser;
        browser.enter_toolbar().await?;
        browser.see("#move").await?;
        browser.run("document.documentElement.style.fontSize = '200%'").await?;
        browser.settle().await?;
        browser.until("innerHeight >= document.querySelector('#toolbar').getBoundingClientRect().height - 1").await?;
        let out = "return [...document.querySelectorAll('#toolbar > :not(.visually-hidden)')].filter((element) => {
            const { left, right, bottom, width } = element.getBoundingClientRect();
            return width && (left < 0 || right > innerWidth || bottom > innerHeight);
        }).map(({ id }) => id).join()";
        let out = browser.run(out).await?;
        ensure!(out == "", "out of sight: {out}");
    }

    fn a_headless_frame_is_neither_seen_nor_reached_and_signs_in(journey) on Loopback {
        journey.open_dressed("headless").await?;
        let browser = &journey.browser;
        ensure!(!browser.shows("iframe").await?, "it is seen");
        for _ in 0..6 {
            browser.tab().await?;
            let focused = browser.run("return document.activeElement?.localName").await?;
            ensure!(focused != "iframe" && focused != "latchkey-toolbar", "it is reached");
        }
        browser.run("document.querySelector('#before').onclick = () => client.login()").await?;
        let page = browser.window().await?;
        browser.click("#before").await?;
        journey.log_in_and_allow(&page, ADA).await?;
        browser.until("client.session?.user.name === 'Ada Lovelace'").await?;
    }

    fn a_client_that_is_destroyed_leaves_nothing_of_the_toolbar(journey) on Loopback {
        for parameters in ["", "container", "headless"] {
            journey.open_dressed(parameters).await?;
            let left = journey.browser.run(
                "const before = document.querySelectorAll('latchkey-toolbar, iframe').length;
                client.destroy();
                return [before, document.querySelectorAll('latchkey-toolbar, iframe').length, listeners.size,
                    document.adoptedStyleSheets.length, frames.length]",
            ).await?;
            ensure!(left == json!([2, 0, 0, 0, 0]), "{parameters}: {left}");
        }
    }

    fn the_frame_comes_compressed_and_within_its_budget(journey) on Loopback {
        journey.open_site("/").await?;
        let browser = &journey.browser;
        browser.enter_toolbar().await?;
        browser.see("#move").await?;
        let loaded = browser.run(
            "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
                .filter(({ name }) => !name.includes('/api/'))
                .map(({ name, encodedBodySize, decodedBodySize }) => [name, encodedBodySize, decodedBodySize])",
        ).await?;
        let loaded: Vec<(String, u64, u64)> = serde_json::from_value(loaded)?;
        let total: u64 = loaded.iter().map(|(_, encoded, _)| encoded).sum();
        ensure!(total <= MOST_BYTES, "{total} bytes: {loaded:#?}");
        for (name, encoded, decoded) in loaded.iter().filter(|(name, ..)| name.contains("/assets/")) {
            ensure!(encoded < decoded, "{name} comes as it is");
        }
    }

    fn axe_finds_nothing_in_any_state_of_the_toolbar_in_light(journey) on Loopback {
        journey.audit_every_state().await?;
    }

    fn axe_finds_nothing_in_any_state_of_the_toolbar_in_dark(journey) on Loopback with dark {
        journey.audit_every_state().await?;
    }

    // Two applications, and a copy of one of them.
    fn no_toolbar_covers_another_one(journey) on Loopback {
        let globex = journey.stage.clients.globex.clone();
        let origin = journey.stage.site("customer");
        journey.stage.latchkey.run(&["app", "update", "--client-id", &globex, "--origin", &origin]).await?;
        let start = format!("const copy = await import('/latchkey/index.js?copy');
            await Promise.all([sdk.init({{ clientId: '{globex}', platform }}), copy.init({{ clientId, platform }})]);");
        let boxes = "[...document.querySelectorAll('latchkey-toolbar')].map((one) => one.getBoundingClientRect())";
        let apart = format!("(() => {{
                const boxes = {boxes};
                const covers = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
                return boxes.length === 3 && boxes.every((box) => box.width > 100 && box.top >= 0)
                    && !boxes.some((a, i) => boxes.slice(i + 1).some((b) => covers(a, b)));
            }})()");
        journey.open_site("/").await?;
        for _ in 0..2 {
            journey.with_client(&start).await?;
            journey.browser.until(&apart).await?;
            journey.browser.reload().await?;
        }
        // Each stays where it was put, and those behind it close up.
        journey.with_client(&start).await?;
        journey.browser.until(&apart).await?;
        journey.drag("#move", (-600.0, -500.0), true).await?;
        journey.stands("top-left").await?;
        let corners = format!("({boxes}).map(({{ x, y }}) => (y < 200 ? 'top ' : 'bottom ') + (x < 200 ? 'left' : 'right')).join()");
        journey.browser.until(&format!("Math.abs(({boxes})[1].bottom + {GAP} - innerHeight) < 1")).await?;
        journey.browser.until(&format!("{corners} === 'top left,bottom right,bottom right'")).await?;
        journey.browser.until(&apart).await?;
        journey.browser.reload().await?;
        journey.with_client(&start).await?;
        // The copy is of the application that was moved.
        journey.browser.until(&format!("[{boxes}[0], {boxes}[2]].every(({{ x }}) => x < 200)")).await?;
        journey.browser.until(&format!("Math.abs(({boxes})[1].bottom + {GAP} - innerHeight) < 1")).await?;
        journey.browser.until(&apart).await?;
    }
}
