//! The script of an application's frame, with the jar that the browser keeps for it on one site.

use std::ops::{Deref, DerefMut};

use axum::{
    body::Body,
    http::{Method, Request, header},
};

use super::{ACME_SITE, APP, Answer, Asking, PLATFORM, Person, Platform};

/// A frame, and what its requests say of where they come from.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) jar: Person,
    pub(crate) client_id: String,
    /// The site around it.
    pub(crate) site: String,
    /// Who holds the token, where it says so.
    pub(crate) tokens: Option<&'static str>,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Deref for Frame {
    type Target = Person;

    fn deref(&self) -> &Person {
        &self.jar
    }
}

impl DerefMut for Frame {
    fn deref_mut(&mut self) -> &mut Person {
        &mut self.jar
    }
}

impl Frame {
    /// The frame of Acme's application on its site.
    pub(crate) fn new(platform: &Platform) -> Self {
        Self {
            jar: Person::new(platform),
            client_id: APP.into(),
            site: ACME_SITE.into(),
            tokens: None,
            headers: vec![("origin", PLATFORM.into()), ("latchkey-frame", "1".into())],
        }
    }

    /// A frame that keeps the session of somebody who just signed in, whose own browser comes along.
    pub(crate) async fn signed_in(platform: &Platform, email: &str) -> (Self, Person) {
        let mut person = Person::signed_in(platform, email).await;
        let handle = person.handle(&Asking::new()).await;
        let mut frame = Self::new(platform);
        assert_eq!(frame.open(&handle).await.status, 204);
        (frame, person)
    }

    /// With this header, or without it.
    pub(crate) fn with(mut self, name: &'static str, value: Option<&str>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.extend(value.map(|value| (name, value.to_owned())));
        self
    }

    /// On this site.
    pub(crate) fn on(self, site: &str) -> Self {
        Self { site: site.into(), ..self }
    }

    /// Makes a session of a handle.
    pub(crate) async fn open(&mut self, handle: &str) -> Answer {
        self.ask(Method::POST, "", &[("handle", handle)]).await
    }

    /// Asks for another token.
    pub(crate) async fn renew(&mut self) -> Answer {
        self.ask(Method::POST, "token/", &[]).await
    }

    /// Asks for another token, and is given one.
    pub(crate) async fn renewed(&mut self) -> String {
        let answer = self.renew().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Asks for another token in a browser without the cookie.
    pub(crate) async fn has_no_session(&mut self) {
        let answer = self.renew().await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    }

    /// Ends the session.
    pub(crate) async fn end(&mut self) -> Answer {
        self.ask(Method::DELETE, "", &[]).await
    }

    async fn ask(&mut self, method: Method, path: &str, form: &[(&str, &str)]) -> Answer {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        let tokens = self.tokens.map(|tokens| ("tokens", tokens));
        let form = pairs.extend_pairs(form).append_pair("origin", &self.site).extend_pairs(tokens).finish();
        let path = format!("/toolbar/{}/session/{path}", self.client_id);
        let mut request = Request::builder().method(&method);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let request = if method == Method::DELETE {
            request.uri(format!("{path}?{form}")).body(Body::empty())
        } else {
            let kind = "application/x-www-form-urlencoded";
            request.uri(path).header(header::CONTENT_TYPE, kind).body(Body::from(form))
        };
        self.jar.send(request.unwrap()).await
    }
}

impl Person {
    /// Asks by the callback and allows; returns what the frame's session is made of.
    pub(crate) async fn handle(&mut self, asking: &Asking) -> String {
        let answer = self.allow(asking).await;
        let (_, response) = answer.location().split_once(['#', '?']).unwrap();
        let mut pairs = url::form_urlencoded::parse(response.as_bytes());
        pairs.find(|(name, _)| name == "handle").expect("a handle").1.into_owned()
    }
}
