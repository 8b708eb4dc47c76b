//! Requests to the platform: the API for the page, the status before a start, the session, the revocation.

use alloc::{rc::Rc, string::String};

use js_sys::{Object, Promise};
use latchkey_protocol::{
    error::ErrorCode,
    frame::Session,
    oauth::{encode_into, encode_pairs},
};
use wasm_bindgen::prelude::*;
use web_sys::{Headers, RequestInit, Response, Url, Window};

use crate::{
    client::Client,
    error::Failure,
    events::callback,
    host::Settler,
    message::decode_session,
    options::{Options, invalid},
    response::Token,
    session::{Event, Held},
    value::{get, object, set, text},
};

#[wasm_bindgen]
extern "C" {
    /// A promise, as far as this file needs one.
    type Thenable;

    #[wasm_bindgen(method)]
    fn then(this: &Thenable, done: &JsValue, failed: &JsValue);
}

/// Calls back with what a promise comes to.
fn settled(promise: &Promise, then: impl Fn(Result<JsValue, JsValue>) + 'static) {
    let then = Rc::new(then);
    let failed = then.clone();
    promise.unchecked_ref::<Thenable>().then(
        &callback(move |value| then(Ok(value))).into_js_value(),
        &callback(move |error| failed(Err(error))).into_js_value(),
    );
}

fn send(window: &Window, url: &str, init: &Object) -> Promise {
    window.fetch_with_str_and_init(url, init.unchecked_ref::<RequestInit>())
}

/// Asks for JSON. A refusal of the platform becomes a failure with its own code and words.
fn get_json(
    window: &Window,
    url: &str,
    token: Option<&str>,
    then: impl Fn(Result<JsValue, Failure>) + 'static,
) {
    let init = object(&[("credentials", "omit"), ("cache", "no-store")]);
    if let Some(token) = token {
        set(&init, "headers", &object(&[("authorization", &bearer(token))]));
    }
    let then = Rc::new(then);
    settled(&send(window, url, &init), move |response| {
        let Ok(response) = response else { return then(Err(ErrorCode::NetworkError.into())) };
        let response: Response = response.unchecked_into();
        let (ok, then) = (response.ok(), then.clone());
        let Ok(json) = response.json() else { return then(Err(ErrorCode::ServerError.into())) };
        settled(&json, move |json| {
            then(match json {
                Ok(json) if ok => Ok(json),
                Ok(json) => Err(refusal(&json)),
                Err(_) => Err(ErrorCode::ServerError.into()),
            });
        });
    });
}

fn bearer(token: &str) -> String {
    let mut header = String::from("Bearer ");
    header.push_str(token);
    header
}

/// What the body of a refusal says: `{ error, error_description }`.
fn refusal(body: &JsValue) -> Failure {
    Failure {
        code: text(body, "error").and_then(|code| ErrorCode::parse(&code)).unwrap_or(ErrorCode::ServerError),
        message: text(body, "error_description").unwrap_or_default(),
    }
}

/// Asks whether this site may use this application: a frame that is refused can't say it.
pub(crate) fn status(client: &Rc<Client>) {
    let url = client.options.toolbar("status/");
    let client = client.clone();
    get_json(&client.window.clone(), &url, None, move |answer| {
        client.dispatch(match answer {
            Ok(status) => match get(&status, "allowed").as_bool() {
                Some(true) => Event::Allowed,
                Some(false) | None => Event::Refused(refusal(&status)),
            },
            Err(failure) => Event::Refused(failure),
        });
    });
}

/// Asks whose a new token is, and signs in with it.
pub(crate) fn sign_in(client: &Rc<Client>, token: Token) {
    let expires_at = js_sys::Date::now() + f64::from(token.expires_in) * 1000.0;
    let mut url = client.options.platform.clone();
    url.push_str("/api/0/");
    let (client, token) = (client.clone(), token.access_token);
    get_json(&client.window.clone(), &url, Some(&token.clone()), move |answer| {
        let session: Result<Session, Failure> =
            answer.and_then(|body| decode_session(&body, expires_at).ok_or(ErrorCode::ServerError.into()));
        client.dispatch(match session {
            Ok(session) => Event::SignedIn(Held { token: token.clone(), session }),
            Err(failure) => Event::Failed(failure),
        });
    });
}

/// Tells the platform that a token has served (RFC 7009 §2.1).
pub(crate) fn revoke(client: &Rc<Client>, token: &str) {
    let mut url = client.options.platform.clone();
    url.push_str("/oauth/revoke/");
    let form = encode_pairs([("token", token), ("client_id", &client.options.client_id)]);
    let init = object(&[("method", "POST"), ("credentials", "omit"), ("body", &form)]);
    set(&init, "headers", &object(&[("content-type", "application/x-www-form-urlencoded")]));
    // The page may be left in the same moment.
    set(&init, "keepalive", &JsValue::TRUE);
    let client = client.clone();
    settled(&send(&client.window.clone(), &url, &init), move |answer| {
        client.left(match answer {
            Ok(response) if response.unchecked_ref::<Response>().ok() => Ok(()),
            Ok(_) => Err(ErrorCode::ServerError.into()),
            Err(_) => Err(ErrorCode::NetworkError.into()),
        });
    });
}

/// `client.fetch`.
pub(crate) fn fetch(client: &Rc<Client>, path: &str, init: &JsValue, settler: Settler) {
    let held = client.look(|state| {
        state.session().map(|held| (held.token.clone(), held.session.organization.slug.clone()))
    });
    let Some((token, slug)) = held else {
        return settler.reject(&client.host, &ErrorCode::LoginRequired.into());
    };
    let (url, init) =
        match request(&client.options, &slug, path).and_then(|url| Ok((url, authorized(init, &token)?))) {
            Ok(request) => request,
            Err(failure) => return settler.reject(&client.host, &failure),
        };
    let (promise, client) = (send(&client.window, &url, &init), client.clone());
    settled(&promise, move |answer| match answer {
        Ok(response) => {
            if response.unchecked_ref::<Response>().status() == 401 {
                client.dispatch(Event::Rejected { token: token.clone() });
            }
            settler.resolve(&response);
        }
        Err(_) => {
            let aborted = get(&get(&init, "signal"), "aborted").is_truthy();
            let code = if aborted { ErrorCode::Aborted } else { ErrorCode::NetworkError };
            settler.reject(&client.host, &code.into());
        }
    });
}

/// The page's own settings, with the token and without cookies.
fn authorized(init: &JsValue, token: &str) -> Result<Object, Failure> {
    let wrong = |_| invalid("fetch: the second argument takes what the browser's own fetch takes");
    let given = get(init, "headers");
    let headers =
        if given.is_undefined() { Headers::new() } else { Headers::new_with_headers(given.unchecked_ref()) };
    let headers = headers.map_err(wrong)?;
    headers.set("Authorization", &bearer(token)).map_err(wrong)?;
    let own = Object::assign(&Object::new(), init.unchecked_ref());
    set(&own, "headers", &headers);
    set(&own, "credentials", &JsValue::from_str("omit"));
    Ok(own)
}

/// The address that a path given to `fetch` means.
fn request(options: &Options, slug: &str, path: &str) -> Result<String, Failure> {
    let mut base = options.platform.clone();
    base.push_str("/api/0/organizations/");
    encode_into(&mut base, slug);
    base.push('/');
    Url::new_with_base(path, &base)
        .ok()
        .map(|url| url.href())
        .filter(|href| is_api(&options.platform, href))
        .ok_or_else(|| {
            invalid("fetch: give a path below the organization, such as \"projects/\", or one that begins with \"/api/\"")
        })
}

/// Whether the token may go there: to the platform's API, and to nothing else. The address is the browser's own
/// reading of the path: dot segments, backslashes and user names are no longer what they were in it.
fn is_api(platform: &str, href: &str) -> bool {
    href.strip_prefix(platform).is_some_and(|path| path.starts_with("/api/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_to_the_platforms_api_and_nowhere_else() {
        for (href, reachable) in [
            ("https://p.example/api/0/organizations/acme/projects/", true),
            ("https://p.example/api/0/", true),
            ("https://p.example/api", false),
            ("https://p.example/apix/", false),
            ("https://p.example/login/", false),
            ("https://evil.example/api/", false),
            ("https://p.example.evil.example/api/", false),
            ("https://p.example:8443/api/", false),
            ("https://p.example@evil.example/api/", false),
            ("http://p.example/api/", false),
            ("data:,https://p.example/api/", false),
        ] {
            assert_eq!(is_api("https://p.example", href), reachable, "{href}");
        }
    }
}
