//! The edge of the SDK in a real browser: what its JavaScript makes of texts and messages that come from elsewhere.
//! The literals are those that the frame is tested with.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test in a browser is no #[test] that clippy knows")]

use js_sys::{Array, JSON, Object, Reflect, Uint8Array};
use latchkey_protocol::{VERSION, error::ErrorCode, frame::literals};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::*;

wasm_bindgen_test_configure!(run_in_browser);

/// The modules import this one by its name, so it has to lie beside them.
#[wasm_bindgen(module = "/errors.js")]
extern "C" {
    fn refused(code: &str, message: &JsValue) -> JsValue;

    #[wasm_bindgen(js_name = refusedByServer)]
    fn refused_by_server(error: &str, description: &JsValue) -> JsValue;
}

#[wasm_bindgen(module = "/messages.js")]
extern "C" {
    #[wasm_bindgen(js_name = readMessage)]
    fn read_message(data: &JsValue) -> JsValue;

    #[wasm_bindgen(js_name = readSession)]
    fn read_session(data: &JsValue, expires_at: f64) -> JsValue;

    #[wasm_bindgen(js_name = isWindowMessage)]
    fn is_window_message(data: &JsValue, kind: &str) -> bool;
}

#[wasm_bindgen(module = "/response.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn accept(response: &str, options: &JsValue, state: &str, origin: &JsValue) -> Result<JsValue, JsValue>;
}

#[wasm_bindgen(module = "/options.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn copy(given: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch)]
    fn check(given: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = checkLogin)]
    fn check_login(given: &JsValue, options: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = timeoutOf)]
    fn timeout_of(ms: &JsValue, otherwise: f64) -> Result<f64, JsValue>;
}

#[wasm_bindgen(module = "/request.js")]
extern "C" {
    #[wasm_bindgen(js_name = authorizeUrl)]
    fn authorize_url(
        options: &JsValue,
        request: &JsValue,
        ask: &JsValue,
        redirect_uri: &str,
        is_callback: bool,
    ) -> String;
}

fn json(text: &str) -> JsValue {
    JSON::parse(text).unwrap_or_else(|_| panic!("not JSON: {text}"))
}

fn text(object: &JsValue, name: &str) -> String {
    Reflect::get(object, &name.into()).unwrap().as_string().unwrap_or_default()
}

/// A message as it comes out of a port: bytes are bytes.
fn message(literal: &str) -> JsValue {
    let message = json(literal);
    if text(&message, "type") == "chunk" {
        Reflect::set(&message, &"data".into(), &Uint8Array::new_with_length(2)).unwrap();
    }
    message
}

#[wasm_bindgen_test]
fn every_message_of_the_frame_is_read_and_none_that_lacks_a_part() {
    for literal in literals::FROM_FRAME {
        let whole = message(literal);
        assert!(read_message(&whole).is_object(), "{literal}");
        for name in Object::keys(whole.unchecked_ref::<Object>()).iter() {
            let optional = ["code", "description", "access_token"].iter().any(|it| name == *it)
                && !(name == "code" && literal.contains("broken"))
                || name == "state" && literal.contains("failed");
            for wrong in
                [JsValue::UNDEFINED, JsValue::NULL, json("{}"), json("[7]"), json("-0.5"), JsValue::TRUE]
            {
                let broken = message(literal);
                Reflect::set(&broken, &name, &wrong).unwrap();
                let is_read = read_message(&broken).is_object();
                let may_be = optional && (wrong.is_null() || wrong.is_undefined())
                    || wrong.as_f64().is_some() && (name == "dx" || name == "dy");
                let required = name == "code" && literal.contains("failed");
                assert_eq!(
                    is_read,
                    may_be && !required,
                    "{literal}: {} as {wrong:?}",
                    name.as_string().unwrap()
                );
            }
        }
    }
}

#[wasm_bindgen_test]
fn hostile_shapes_are_no_message_anywhere() {
    let shapes = r#"[null, 7, 1.5, true, "welcome", "", [], {}, [[]], [{"type":"welcome","version":1}],
        {"type":null}, {"type":7}, {"type":["welcome"],"version":1}, {"type":{"toString":1}}, {"type":"__proto__"},
        {"type":"constructor"}, {"type":"toString"}, {"type":"hasOwnProperty"}, {"type":"WELCOME","version":1},
        {"type":"welcome"}, {"type":"welcome","version":"1"}, {"type":"welcome","version":-1},
        {"type":"welcome","version":1.5}, {"type":"welcome","version":4294967296},
        {"__proto__":{"type":"sign_out"}}, {"constructor":{"prototype":{"type":"sign_out"}}},
        {"type":"signed_in","access_token":"t"}, {"type":"signed_in","access_token":"t","session":{}},
        {"type":"signed_in","access_token":"","session":null}, {"type":"failed","code":"because"},
        {"type":"failed","code":"__proto__"}, {"type":"resize","width":"1","height":1},
        {"type":"resize","width":1e300,"height":1}, {"type":"head","id":1,"status":200,"headers":[["a"]]},
        {"type":"head","id":1,"status":200,"headers":[[1,2]]}, {"type":"head","id":1,"status":200,"headers":{}},
        {"type":"chunk","id":1,"data":"hi"}, {"type":"chunk","id":1,"data":[104]}, {"type":"move","dx":null,"dy":1},
        {"type":"prepared","state":"","nonce":"n","code_challenge":"c"},
        {"type":"latchkey.response"}, {"type":"latchkey.response","version":"1","response":"x"},
        {"type":"latchkey.response","version":2,"response":"x"}, {"type":"response","version":1,"response":"x"}]"#;
    let shapes: Array = json(shapes).unchecked_into();
    assert!(shapes.length() >= 40);
    for shape in shapes.iter() {
        let shown = JSON::stringify(&shape).unwrap();
        assert!(read_message(&shape).is_undefined(), "{shown}");
        assert!(!is_window_message(&shape, "response"), "{shown}");
        assert!(!is_window_message(&shape, "alive"), "{shown}");
    }
    assert!(!read_message(&JsValue::UNDEFINED).is_object());
}

#[wasm_bindgen_test]
fn the_messages_of_the_platforms_pages_are_read_in_this_version_alone() {
    for (literal, kind) in
        [(literals::RESPONSE, "response"), (literals::ALIVE, "alive"), (literals::RECEIVED, "received")]
    {
        assert!(is_window_message(&json(literal), kind), "{literal}");
        assert!(!is_window_message(&json(literal), "another"), "{literal}");
        let other = literal.replace(&format!("\"version\":{VERSION}"), "\"version\":99");
        assert!(!is_window_message(&json(&other), kind), "{other}");
    }
}

const ADA: &str = r#"{"organization":{"id":"o","slug":"acme","name":"Acme"},"user":{"id":"u","name":"Ada"},"scopes":["org:read"]}"#;

#[wasm_bindgen_test]
fn a_session_has_all_its_parts_and_nothing_else() {
    let session = read_session(&json(&ADA.replace("\"id\":\"u\"", "\"id\":\"u\",\"token\":\"t\"")), 4e12);
    let shown = String::from(JSON::stringify(&session).unwrap());
    assert!(shown.contains("\"slug\":\"acme\"") && !shown.contains("token"), "{shown}");
    for (from, to) in [
        ("\"slug\":\"acme\",", ""),
        ("\"id\":\"o\"", "\"id\":7"),
        ("\"name\":\"Ada\"", "\"name\":null"),
        ("[\"org:read\"]", "\"org:read\""),
        ("[\"org:read\"]", "[7]"),
    ] {
        let broken = ADA.replace(from, to);
        assert_ne!(broken, ADA);
        assert!(read_session(&json(&broken), 4e12).is_undefined(), "{broken}");
    }
    assert!(read_session(&json(ADA), f64::NAN).is_undefined());
    assert!(read_session(&JsValue::NULL, 4e12).is_undefined());
}

const TOKEN: &str = "access_token=lkat_1&token_type=Bearer&expires_in=3600&scope=org%3Aread&state=s1\
    &iss=https%3A%2F%2Fp.example&client_id=c1&origin=https%3A%2F%2Fshop.example";

fn judged(response: &str, response_type: &str, origin: Option<&str>) -> Result<JsValue, JsValue> {
    let options = json(&format!(
        r#"{{"platform":"https://p.example","clientId":"c1","responseType":"{response_type}"}}"#
    ));
    accept(response, &options, "s1", &origin.map_or(JsValue::UNDEFINED, JsValue::from_str))
}

fn is_taken(response: &str, response_type: &str) -> bool {
    judged(response, response_type, Some("https://shop.example")).is_ok_and(|accepted| accepted.is_truthy())
}

#[wasm_bindgen_test]
fn the_response_to_the_request_that_is_out_is_accepted() {
    let token = judged(TOKEN, "token", Some("https://shop.example")).unwrap();
    assert_eq!(text(&token, "token"), "lkat_1");
    assert_eq!(Reflect::get(&token, &"expiresIn".into()).unwrap().as_f64(), Some(3600.0));
    let code = TOKEN.replace("access_token=lkat_1&token_type=Bearer&expires_in=3600", "code=lkac_1");
    assert_eq!(text(&judged(&code, "code", None).unwrap(), "code"), "lkac_1");
    // Where the redirect URI names the site, the response need not.
    let nameless = TOKEN.replace("&origin=https%3A%2F%2Fshop.example", "");
    assert!(judged(&nameless, "token", None).unwrap().is_truthy());
}

#[wasm_bindgen_test]
fn a_response_is_refused_when_any_part_is_anothers() {
    for (from, to) in [
        ("state=s1", "state=s2"),
        ("state=s1", "state="),
        ("state=s1&", ""),
        ("p.example", "evil.example"),
        ("client_id=c1", "client_id=c2"),
        ("client_id=c1", "client_id=C1"),
        ("shop.example", "evil.example"),
        ("&origin=https%3A%2F%2Fshop.example", ""),
        ("state=s1", "state=s1&state=s1"),
        ("access_token=lkat_1", "access_token=lkat_1&access_token=lkat_2"),
        ("token_type=Bearer", "token_type=mac"),
        ("token_type=Bearer&", ""),
        ("access_token=lkat_1", "access_token="),
        ("access_token=lkat_1&", ""),
        ("access_token=lkat_1", "access_token=lkat_1&code=lkac_1"),
        ("access_token=lkat_1", "code=lkac_1"),
        ("access_token=lkat_1", "access_token=lkat_1&error=access_denied"),
        ("expires_in=3600", "expires_in=-1"),
        ("expires_in=3600", "expires_in=3600.5"),
        ("expires_in=3600", "expires_in=1e3"),
        ("expires_in=3600&", ""),
    ] {
        let response = TOKEN.replace(from, to);
        assert_ne!(response, TOKEN);
        assert!(!is_taken(&response, "token"), "{response}");
    }
    assert!(is_taken(TOKEN, "token"));
    assert!(!is_taken(TOKEN, "code"), "a token where a code was asked for");
    assert!(!is_taken(&format!("{TOKEN}&x={}", "x".repeat(16_384)), "token"), "too long");
    for nonsense in ["", "&", "=", "%", "state", "__proto__=1&state=s1", "\u{0}"] {
        assert!(!is_taken(nonsense, "token"), "{nonsense}");
    }
}

#[wasm_bindgen_test]
fn a_refusal_keeps_the_servers_words_and_never_takes_a_code_that_only_a_browser_can_know() {
    let refusal = |error: &str| {
        let response = format!(
            "error={error}&error_description=No+thanks&state=s1&iss=https%3A%2F%2Fp.example&client_id=c1"
        );
        judged(&response, "token", None).unwrap_err()
    };
    for (error, code) in [
        ("access_denied", ErrorCode::AccessDenied),
        ("login_required", ErrorCode::LoginRequired),
        ("interaction_required", ErrorCode::LoginRequired),
        ("consent_required", ErrorCode::ConsentRequired),
        ("membership_required", ErrorCode::MembershipRequired),
        ("invalid_scope", ErrorCode::InsufficientScope),
        ("temporarily_unavailable", ErrorCode::ServerError),
        ("popup_blocked", ErrorCode::ServerError),
        ("__proto__", ErrorCode::ServerError),
    ] {
        let refusal = refusal(error);
        assert_eq!(
            (text(&refusal, "code").as_str(), text(&refusal, "message").as_str()),
            (code.as_str(), "No thanks")
        );
        assert_eq!(text(&refused_by_server(error, &JsValue::UNDEFINED), "code"), code.as_str());
    }
}

#[wasm_bindgen_test]
fn every_code_has_a_hint_that_says_what_to_do() {
    for code in ErrorCode::ALL {
        let error = refused(code.as_str(), &JsValue::UNDEFINED);
        assert!(error.is_instance_of::<js_sys::Error>());
        assert_eq!(text(&error, "code"), code.as_str());
        assert_eq!(text(&error, "name"), "LatchkeyError");
        assert!(text(&error, "hint").ends_with('.') && !text(&error, "message").is_empty(), "{code:?}");
    }
    assert_eq!(text(&refused("because", &JsValue::TRUE), "code"), "server_error");
}

/// Options of `init`, with one of them another.
fn options(change: &str) -> JsValue {
    let given = json(r#"{"clientId":"c1","platform":"https://p.example"}"#);
    Object::assign(given.unchecked_ref::<Object>(), json(change).unchecked_ref::<Object>()).into()
}

#[wasm_bindgen_test]
fn two_options_are_enough_and_an_origin_may_have_a_slash_behind_it() {
    let checked = check(&options("{}")).unwrap();
    for (name, value) in
        [("clientId", "c1"), ("mode", "auto"), ("tokens", "page"), ("responseType", "token"), ("scope", "")]
    {
        assert_eq!(text(&checked, name), value);
    }
    assert!(text(&checked, "redirectUri").starts_with(&text(&checked, "origin")));
    for platform in [
        "https://p.example/",
        "http://localhost",
        "http://p.localhost:8000",
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
    ] {
        let checked = check(&options(&format!(r#"{{"platform":"{platform}"}}"#))).unwrap();
        assert_eq!(text(&checked, "platform"), platform.trim_end_matches('/'));
    }
    let snake = check(&json(r#"{"client_id":"c1","platform":"https://p.example"}"#)).unwrap();
    assert_eq!(text(&snake, "clientId"), "c1");
}

#[wasm_bindgen_test]
fn what_cannot_be_used_is_refused_by_the_name_of_the_option() {
    for (option, wrong) in [
        ("clientId", r#"[null, "", 7, {}]"#),
        (
            "platform",
            r#"[null, "", 7, "p.example", "http://p.example", "http://localhost.evil.example:8000", "https://p.example/app",
                "https://user@p.example", "https://p.example:443", "HTTPS://p.example", "ftp://p.example",
                "javascript:alert(1)", "*", "null", "http://[::2]", "http://evil.example#.localhost", "https://p.example//"]"#,
        ),
        ("mode", r#"["frame", "", 7, []]"#),
        ("tokens", r#"["both", "", 7]"#),
        ("responseType", r#"["id_token", "", 7]"#),
        ("scopes", r#"["org:read", [""], ["org:read org:write"], ["a\"b"], ["a\\b"], ["é"], [7], {}]"#),
        ("redirectUri", r#"["", "/back", "https://other.example/", 7, "javascript:alert(1)"]"#),
        ("container", r#"["body", {}, 7]"#),
        ("wasm", r#"["", 5, {}, false, [0, 97]]"#),
        ("headless", r#"["no", 0, {}]"#),
    ] {
        let wrong: Array = json(wrong).unchecked_into();
        for value in wrong.iter() {
            let given = options("{}");
            Reflect::set(&given, &option.into(), &value).unwrap();
            let error = check(&given).unwrap_err();
            assert_eq!(text(&error, "code"), "invalid_options");
            assert!(
                text(&error, "message").starts_with(&format!("{option}:")),
                "{} for {option}",
                text(&error, "message")
            );
            assert_eq!(text(&error, "hint"), text(&error, "message"));
        }
    }
    let error = check(&options(r#"{"tokens":"frame","mode":"popup"}"#)).unwrap_err();
    assert!(text(&error, "message").starts_with("tokens:"));
    for (given, name) in [(r#"{"clientID":"c1"}"#, "clientID"), (r#"{"clientId":"c1","scope":"x"}"#, "scope")]
    {
        let error = copy(&json(given)).unwrap_err();
        assert!(text(&error, "message").starts_with(&format!("{name}:")), "{}", text(&error, "message"));
    }
    assert!(copy(&json(r#"{"clientId":"c1"}"#)).is_ok());
    for given in [json("\"x\""), json("7"), json("true")] {
        let error = check_login(&given, &json(r#"{"scope":""}"#)).unwrap_err();
        assert!(text(&error, "message").starts_with("login:"));
    }
    for (name, wrong) in
        [("prompt", r#""""#), ("prompt", "1"), ("scopes", r#""x""#), ("signal", "{}"), ("timeoutMs", "-1")]
    {
        let given = json(&format!(r#"{{"{name}":{wrong}}}"#));
        let error = check_login(&given, &json(r#"{"scope":""}"#)).unwrap_err();
        assert!(text(&error, "message").starts_with(&format!("{name}:")), "{}", text(&error, "message"));
    }
    for ms in [
        json("0"),
        json("-1"),
        JsValue::from_f64(f64::NAN),
        JsValue::from_f64(f64::INFINITY),
        json("\"9\""),
        json("2147483648"),
    ] {
        assert!(text(&timeout_of(&ms, 1.0).unwrap_err(), "message").starts_with("timeoutMs:"));
    }
    assert_eq!(timeout_of(&JsValue::UNDEFINED, 7.0), Ok(7.0));
}

#[wasm_bindgen_test]
fn a_request_for_the_callback_names_the_site_and_one_for_the_site_does_not() {
    let options = |kind: &str| {
        json(&format!(
            r#"{{"platform":"https://p.example","clientId":"c1","responseType":"{kind}","origin":"https://shop.example"}}"#
        ))
    };
    let request = json(r#"{"state":"s1","nonce":"n1","code_challenge":"c"}"#);
    let ask = json(r#"{"scope":"a&state=x b","prompt":"none#"}"#);
    assert_eq!(
        authorize_url(
            &options("token"),
            &request,
            &json("{}"),
            "https://p.example/toolbar/c1/callback/",
            true
        ),
        "https://p.example/oauth/authorize/?client_id=c1&response_type=token\
         &redirect_uri=https%3A%2F%2Fp.example%2Ftoolbar%2Fc1%2Fcallback%2F\
         &origin=https%3A%2F%2Fshop.example&state=s1&nonce=n1"
    );
    assert_eq!(
        authorize_url(&options("code"), &request, &ask, "https://shop.example/back", false),
        "https://p.example/oauth/authorize/?client_id=c1&response_type=code\
         &redirect_uri=https%3A%2F%2Fshop.example%2Fback&state=s1&nonce=n1\
         &scope=a%26state%3Dx+b&prompt=none%23&code_challenge=c&code_challenge_method=S256"
    );
}
