//! The core, with a browser of cardboard: a `Host` that writes down what it is asked for.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test in a browser is no #[test] that clippy knows")]

use js_sys::{Array, JSON, Reflect};
use latchkey_sdk::Core;
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen(inline_js = r#"
export function cardboard(answers) {
  const calls = [];
  const note = (name) => (...args) => {
    calls.push([name, ...args].join(" ").trim());
    return answers[name];
  };
  const host = { calls };
  for (const name of ["act", "post", "hello", "resize", "received", "open", "keep", "wake"]) host[name] = note(name);
  host.send = (kind, url, token, expiresAt, form) => note("send")(kind, url, token, form);
  host.recall = (key) => (calls.push("recall " + key), answers.recall ?? "");
  host.error = (code, message, hint) => ({ code, message: message || hint });
  host.session = (id, slug, name, userId, userName, scopes) => ({ slug, userName, scopes });
  host.changed = (state, session, token) => calls.push("changed " + state + " " + (session?.slug ?? "-") + " " + (token ?? "-"));
  host.report = ({ code }) => calls.push("report " + code);
  host.settle = (kind, error) => (calls.push("settle " + kind + " " + (error ? error.code : "ok")), answers.waits ?? true);
  let count = 0;
  host.random = () => "random" + ++count;
  return host;
}
"#)]
extern "C" {
    fn cardboard(answers: JsValue) -> latchkey_sdk::host::Host;
}

fn json(text: &str) -> JsValue {
    JSON::parse(text).unwrap()
}

/// Whose a token is, as the API writes it.
const ADA: &str =
    r#"{"organization":{"id":"o","slug":"acme","name":"Acme"},"user":{"id":"u","name":"Ada"},"scopes":[]}"#;

/// A core and the list of what it asked its host for.
struct Run {
    core: Core,
    calls: Array,
}

impl Run {
    fn new(mode: &str, answers: &str) -> Self {
        let host = cardboard(json(answers));
        let calls: Array = Reflect::get(host.as_ref(), &"calls".into()).unwrap().unchecked_into();
        let options = json(&format!(
            r#"{{"clientId":"c1","platform":"https://p.example","mode":"{mode}","scopes":["org:read"]}}"#
        ));
        let core =
            Core::new(host, &options, "https://shop.example", "https://shop.example/", "https://p.example");
        let run = Self { core: core.ok().unwrap(), calls };
        run.core.start(10_000.0);
        run
    }

    fn ready(mode: &str, answers: &str) -> Self {
        let run = Self::new(mode, answers);
        run.core.answered("status", 200, json(r#"{"allowed":true}"#), "", 0.0);
        run.forget();
        run
    }

    /// A popup that answered, and the session that belongs to its token.
    fn signed_in() -> Self {
        let run = Self::ready("popup", r#"{"open":true}"#);
        run.core.login(&JsValue::UNDEFINED).unwrap();
        run.respond("https://p.example", true, "random1");
        run.core.answered("session", 200, json(ADA), "lkat_1", 4e12);
        run
    }

    fn respond(&self, origin: &str, is_popup: bool, state: &str) {
        let response = format!(
            "access_token=lkat_1&token_type=Bearer&expires_in=3600&scope=&state={state}\
             &iss=https%3A%2F%2Fp.example&client_id=c1&origin=https%3A%2F%2Fshop.example"
        );
        let message = format!(r#"{{"type":"latchkey.response","version":1,"response":"{response}"}}"#);
        self.core.received(origin, is_popup, &json(&message));
    }

    fn forget(&self) {
        self.calls.set_length(0);
    }

    /// What was asked for since, but for the timer.
    fn calls(&self) -> Vec<String> {
        let calls = self.calls.iter().filter_map(|call| call.as_string());
        calls.filter(|call| !call.starts_with("wake")).collect()
    }
}

fn code(error: &JsValue) -> String {
    Reflect::get(error, &"code".into()).unwrap().as_string().unwrap()
}

#[wasm_bindgen_test]
fn a_client_asks_for_its_status_and_mounts_its_frame_at_once() {
    let run = Run::new("iframe", "{}");
    assert_eq!(
        run.calls(),
        ["send status https://p.example/toolbar/c1/status/", "act mount https://p.example/toolbar/c1/"]
    );
}

#[wasm_bindgen_test]
fn a_client_that_nothing_answers_wakes_when_its_time_is_over() {
    let run = Run::new("iframe", "{}");
    assert!(run.calls.includes(&"wake 10000".into(), 0));
}

#[wasm_bindgen_test]
fn a_frame_is_greeted_each_time_it_loads_with_the_platforms_origin_as_the_target() {
    let run = Run::new("iframe", "{}");
    run.forget();
    run.core.hear("loaded", "/a/");
    run.core.hear("loaded", "/b/");
    let greeting = "hello https://p.example 1 c1 org:read";
    assert_eq!(run.calls(), [greeting, "post page path /a/", greeting, "post page path /b/"]);
}

#[wasm_bindgen_test]
fn a_frame_is_told_where_a_page_that_moves_on_by_itself_stands() {
    let run = Run::new("iframe", "{}");
    run.core.hear("loaded", "/a/");
    run.forget();
    run.core.hear("moved", "/b/");
    assert_eq!(run.calls(), ["post page path /b/"]);
}

#[wasm_bindgen_test]
fn wrong_options_throw_by_name() {
    for (options, name) in [
        ("null", "clientId"),
        ("1", "clientId"),
        (r#"{"clientId":1,"platform":"https://p.example"}"#, "clientId"),
        (r#"{"client_id":"c1","platform":{}}"#, "platform"),
        (r#"{"client_id":"c1","platform":"https://p.example/x"}"#, "platform"),
        (r#"{"client_id":"c1","platform":"https://p.example","scopes":"org:read"}"#, "scopes"),
        (r#"{"client_id":"c1","platform":"https://p.example","scopes":[1]}"#, "scopes"),
        (r#"{"client_id":"c1","platform":"https://p.example","scopes":{"length":1}}"#, "scopes"),
        (r#"{"client_id":"c1","platform":"https://p.example","mode":0}"#, "mode"),
        (r#"{"client_id":"c1","platform":"https://p.example","responseType":"code"}"#, "responseType"),
        (r#"{"client_id":"c1","platform":"https://p.example","timeoutMs":"5"}"#, "timeoutMs"),
        (r#"{"client_id":"c1","platform":"https://p.example","redirectUri":7}"#, "redirectUri"),
    ] {
        let host = cardboard(json("{}"));
        let core = Core::new(
            host,
            &json(options),
            "https://shop.example",
            "https://shop.example/",
            "https://p.example",
        );
        let error = core.err().unwrap();
        let message = Reflect::get(&error, &"message".into()).unwrap().as_string().unwrap();
        assert_eq!(code(&error), "invalid_options");
        assert!(message.starts_with(name), "{message} for {options}");
    }
}

#[wasm_bindgen_test]
fn a_login_with_wrong_options_throws_and_opens_nothing() {
    let run = Run::ready("popup", r#"{"open":true}"#);
    for options in [r#"{"scopes":"x"}"#, r#"{"prompt":1}"#, r#"{"prompt":""}"#, r#"{"timeoutMs":-1}"#] {
        assert_eq!(code(&run.core.login(&json(options)).unwrap_err()), "invalid_options", "{options}");
    }
    assert!(run.calls().is_empty());
}

#[wasm_bindgen_test]
fn a_popup_signs_in_with_the_response_to_its_own_request() {
    let run = Run::ready("popup", r#"{"open":true}"#);
    run.core.login(&json(r#"{"scopes":["project:read"],"prompt":"login"}"#)).unwrap();
    let calls = run.calls();
    assert!(calls[0].starts_with("open https://p.example/oauth/authorize/?client_id=c1&response_type=token"));
    assert!(
        calls[0].ends_with("&state=random1&nonce=random2&scope=project%3Aread&prompt=login"),
        "{}",
        calls[0]
    );
    run.forget();
    run.respond("https://p.example", true, "random1");
    assert_eq!(run.calls(), ["received https://p.example 1", "send session https://p.example/api/0/ lkat_1"]);
}

#[wasm_bindgen_test]
fn a_response_that_is_anothers_passes_in_silence() {
    let run = Run::ready("popup", r#"{"open":true}"#);
    run.respond("https://p.example", true, "random1");
    run.core.login(&JsValue::UNDEFINED).unwrap();
    run.forget();
    run.respond("https://evil.example", true, "random1");
    run.respond("https://p.example", false, "random1");
    run.respond("https://p.example", true, "random2");
    for hostile in ["null", "[]", "{}", r#"{"type":"latchkey.response"}"#, r#"{"__proto__":{"version":1}}"#] {
        run.core.received("https://p.example", true, &json(hostile));
    }
    assert!(run.calls().is_empty(), "{:?}", run.calls());
    // And the request is still good for its own.
    run.respond("https://p.example", true, "random1");
    run.forget();
    run.respond("https://p.example", true, "random1");
    assert!(run.calls().is_empty(), "a state is used once");
}

#[wasm_bindgen_test]
fn a_session_is_told_and_its_token_goes_to_the_api_alone() {
    let run = Run::signed_in();
    assert!(run.calls().contains(&"changed signed-in acme lkat_1".into()), "{:?}", run.calls());
    assert!(run.core.allow("https://p.example/api/0/organizations/acme/projects/").is_ok());
    assert_eq!(code(&run.core.allow("https://evil.example/api/").unwrap_err()), "invalid_options");
    assert_eq!(code(&run.core.allow("").unwrap_err()), "invalid_options");
    let nobody = Run::ready("popup", "{}");
    assert_eq!(code(&nobody.core.allow("https://p.example/api/0/").unwrap_err()), "login_required");
}

#[wasm_bindgen_test]
fn each_answer_is_for_its_own_token_and_one_that_nobody_waits_for_is_revoked() {
    let run = Run::ready("popup", r#"{"open":true}"#);
    run.core.login(&JsValue::UNDEFINED).unwrap();
    run.respond("https://p.example", true, "random1");
    run.core.hear("abort", "");
    run.core.login(&JsValue::UNDEFINED).unwrap();
    run.respond("https://p.example", true, "random3");
    run.core.answered("session", 200, json(ADA), "lkat_2", 4e12);
    assert!(run.calls().contains(&"changed signed-in acme lkat_2".into()), "{:?}", run.calls());
    run.forget();
    run.core.answered("session", 200, json(ADA), "lkat_1", 4e12);
    let revoked = "send revoke https://p.example/oauth/revoke/  token=lkat_1&client_id=c1";
    assert!(run.calls().contains(&revoked.into()), "{:?}", run.calls());
    assert!(!run.calls().iter().any(|call| call.starts_with("changed")), "{:?}", run.calls());
}

#[wasm_bindgen_test]
fn signing_out_revokes_and_settles_with_what_the_platform_says() {
    let run = Run::signed_in();
    run.forget();
    run.core.hear("logout", "");
    assert_eq!(
        run.calls(),
        [
            "post signed_out",
            "changed signed-out - -",
            "send revoke https://p.example/oauth/revoke/  token=lkat_1&client_id=c1"
        ]
    );
    run.forget();
    run.core.answered("revoke", 0, JsValue::UNDEFINED, "", 0.0);
    run.core.answered("revoke", 200, JsValue::UNDEFINED, "", 0.0);
    assert_eq!(run.calls(), ["settle logout network_error", "settle logout ok"]);
}

#[wasm_bindgen_test]
fn a_refused_token_ends_the_session_and_says_so() {
    let run = Run::signed_in();
    run.forget();
    run.core.hear("rejected", "lkat_0");
    assert!(run.calls().is_empty());
    run.core.hear("rejected", "lkat_1");
    assert_eq!(run.calls(), ["post signed_out", "changed signed-out - -", "report session_expired"]);
}

#[wasm_bindgen_test]
fn a_blocked_window_and_a_refused_storage_have_their_codes() {
    let run = Run::ready("popup", r#"{"open":false}"#);
    run.core.login(&JsValue::UNDEFINED).unwrap();
    assert!(run.calls().contains(&"settle login popup_blocked".into()), "{:?}", run.calls());
    let run = Run::ready("redirect", r#"{"keep":false}"#);
    run.core.login(&JsValue::UNDEFINED).unwrap();
    assert!(run.calls().contains(&"settle login storage_unavailable".into()), "{:?}", run.calls());
    assert!(!run.calls().iter().any(|call| call.starts_with("act leave")));
}

#[wasm_bindgen_test]
fn a_redirect_keeps_its_state_before_it_leaves() {
    let run = Run::ready("redirect", r#"{"keep":true}"#);
    run.core.login(&JsValue::UNDEFINED).unwrap();
    let calls = run.calls();
    assert_eq!(calls[0], "keep latchkey.c1 https://p.example random1");
    assert!(calls.last().unwrap().starts_with("act leave https://p.example/oauth/authorize/?"), "{calls:?}");
}

#[wasm_bindgen_test]
fn coming_back_is_believed_only_with_the_state_that_was_kept() {
    let response = "access_token=lkat_1&token_type=Bearer&expires_in=3600&state=s1&iss=https%3A%2F%2Fp.example&client_id=c1";
    for (kept, believed) in [
        ("https://p.example s1", true),
        ("https://p.example s2", false),
        ("https://evil.example s1", false),
        ("", false),
    ] {
        let run = Run::ready("redirect", &format!(r#"{{"recall":"{kept}"}}"#));
        run.core.hear("resume", response);
        let asked = run.calls().contains(&"send session https://p.example/api/0/ lkat_1".into());
        assert_eq!(asked, believed, "{kept}");
        assert_eq!(run.calls().contains(&"settle login state_mismatch".into()), !believed, "{kept}");
    }
}

#[wasm_bindgen_test]
fn a_violation_of_the_pages_policy_is_a_blocked_frame() {
    let run = Run::new("iframe", "{}");
    run.forget();
    run.core.hear("violation", "img-src enforce https://p.example");
    assert!(run.calls().is_empty());
    run.core.hear("violation", "frame-src enforce https://p.example");
    assert_eq!(run.calls(), ["act clear", "settle init frame_blocked"]);
}

#[wasm_bindgen_test]
fn a_failure_that_nobody_waits_for_is_reported() {
    let run = Run::ready("popup", r#"{"open":false,"waits":false}"#);
    run.core.login(&JsValue::UNDEFINED).unwrap();
    assert!(run.calls().contains(&"report popup_blocked".into()), "{:?}", run.calls());
}

#[wasm_bindgen_test]
fn hostile_messages_from_the_frame_do_nothing() {
    let run = Run::new("iframe", "{}");
    run.forget();
    for hostile in [
        "null",
        "7",
        "\"welcome\"",
        "[]",
        "{}",
        r#"{"__proto__":{"type":"sign_out"}}"#,
        r#"{"type":"signed_in","access_token":"t"}"#,
        r#"{"type":"resize","width":"1","height":1}"#,
    ] {
        run.core.heard(&json(hostile));
    }
    assert!(run.calls().is_empty(), "{:?}", run.calls());
    run.core.heard(&json(r#"{"type":"resize","width":100000,"height":1}"#));
    assert_eq!(run.calls(), ["resize 480 32"]);
}
