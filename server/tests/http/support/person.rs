//! A person in front of a browser that holds cookies.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{Method, Request, header},
};

use latchkey_server::secret::Secret;

use super::{Answer, Asking, PASSWORD, PEER, PLATFORM, Platform, leak};

/// A cookie, as it was set: its value, and its attributes in the order of the alphabet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cookie {
    pub(crate) value: String,
    pub(crate) attributes: Vec<String>,
}

/// A person, or a browser of theirs.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    platform: Platform,
    peer: String,
    /// What the proxy before the platform writes into the headers.
    forwarded_for: Option<String>,
    /// What the browser calls itself.
    user_agent: Option<String>,
    pub(crate) cookies: BTreeMap<String, Cookie>,
}

impl Person {
    /// Somebody with a fresh browser.
    pub(crate) fn new(platform: &Platform) -> Self {
        Self {
            platform: platform.clone(),
            peer: PEER.into(),
            forwarded_for: None,
            user_agent: None,
            cookies: BTreeMap::new(),
        }
    }

    /// The same browser at another address.
    pub(crate) fn at(self, peer: &str) -> Self {
        Self { peer: peer.into(), ..self }
    }

    /// The same browser, whose requests bring this `X-Forwarded-For`.
    /// The same browser, as another process of the platform answers it.
    pub(crate) fn through(self, platform: &Platform) -> Self {
        Self { platform: platform.clone(), ..self }
    }

    pub(crate) fn forwarded_for(self, list: &str) -> Self {
        Self { forwarded_for: Some(list.into()), ..self }
    }

    /// A browser that calls itself this.
    pub(crate) fn calling_itself(self, user_agent: &str) -> Self {
        Self { user_agent: Some(user_agent.into()), ..self }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let request = Request::get(path);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Sends a form from a page of the platform's own.
    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.post_from(Some(PLATFORM), path, form).await
    }

    /// Sends a form from a page of this origin.
    pub(crate) async fn post_from(
        &mut self,
        origin: Option<&str>,
        path: &str,
        form: &[(&str, &str)],
    ) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Sends a request with the cookies, and keeps the cookies that come back.
    pub(crate) async fn send(&mut self, mut request: Request<Body>) -> Answer {
        let cookies: Vec<_> =
            self.cookies.iter().map(|(name, cookie)| format!("{name}={}", cookie.value)).collect();
        if !cookies.is_empty() {
            request.headers_mut().insert(header::COOKIE, cookies.join("; ").parse().unwrap());
        }
        if let Some(list) = &self.forwarded_for {
            request.headers_mut().insert("x-forwarded-for", list.parse().unwrap());
        }
        if let Some(user_agent) = &self.user_agent {
            request.headers_mut().insert(header::USER_AGENT, user_agent.parse().unwrap());
        }
        let answer = self.platform.send_from(&self.peer, request).await;
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            self.keep(cookie.to_str().unwrap());
        }
        if let Some(told) = leak::of_cookies(&self.cookies, &answer.headers, &answer.body) {
            panic!("{told}");
        }
        answer
    }

    fn keep(&mut self, cookie: &str) {
        let mut parts = cookie.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let mut attributes: Vec<_> = parts.map(ToOwned::to_owned).collect();
        attributes.sort();
        if attributes.iter().any(|attribute| attribute == "Max-Age=0") {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.into(), Cookie { value: value.into(), attributes });
        }
    }

    /// The CSRF token that a form for this purpose brings from this browser, whoever is signed in.
    pub(crate) fn csrf(&self, purpose: &str) -> String {
        let browser = &self.cookies["__Host-latchkey_browser"].value;
        Secret::new(browser).derive(purpose).expose().to_owned()
    }

    /// The value of the session's cookie.
    pub(crate) fn session(&self) -> Option<&str> {
        self.cookies.get("__Host-latchkey_session").map(|cookie| cookie.value.as_str())
    }

    /// Sends the login form with this address and password.
    pub(crate) async fn log_in(&mut self, page: &str, email: &str, password: &str) -> Answer {
        let page = self.get(page).await;
        let csrf = page.field("csrf");
        let mut form = vec![("csrf", csrf.as_str()), ("email", email), ("password", password)];
        let transaction = page.body.contains("name=\"transaction\"").then(|| page.field("transaction"));
        form.extend(transaction.as_deref().map(|transaction| ("transaction", transaction)));
        self.post("/login/", &form).await
    }

    /// A browser in which this account is signed in at the platform.
    pub(crate) async fn signed_in(platform: &Platform, email: &str) -> Self {
        let mut person = Self::new(platform);
        person.sign_in(email).await;
        person
    }

    /// Signs in with the right password.
    pub(crate) async fn sign_in(&mut self, email: &str) {
        let answer = self.log_in("/login/", email, PASSWORD).await;
        assert_eq!(answer.location(), "/");
    }

    /// Opens the authorization page.
    pub(crate) async fn ask(&mut self, asking: &Asking) -> Answer {
        self.get(&asking.path()).await
    }

    /// Presses a button of the consent page.
    pub(crate) async fn decide(&mut self, page: &Answer, decision: &str) -> Answer {
        let (transaction, csrf) = (page.field("transaction"), page.field("csrf"));
        let form = [("transaction", transaction.as_str()), ("csrf", &csrf), ("decision", decision)];
        self.post("/oauth/authorize/", &form).await
    }

    /// Asks, and allows where that is asked.
    pub(crate) async fn allow(&mut self, asking: &Asking) -> Answer {
        let answer = self.ask(asking).await;
        if answer.status == 200 { self.decide(&answer, "approve").await } else { answer }
    }

    /// Asks by the callback and allows; returns the token.
    pub(crate) async fn token(&mut self, asking: &Asking) -> String {
        let answer = self.allow(asking).await;
        let (_, fragment) = answer.location().split_once('#').unwrap();
        let mut pairs = url::form_urlencoded::parse(fragment.as_bytes());
        pairs.find(|(name, _)| name == "access_token").expect("a token").1.into_owned()
    }
}
