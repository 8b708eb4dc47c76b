//! The code flow of Acme's application: codes, and what is exchanged for them.

use axum::http::Method;
use base64::{Engine, engine::general_purpose::STANDARD};
use latchkey_server::{secret::Secret, store};

use super::{ACME_REDIRECT, APP, Answer, Asking, NOW, Person, Platform, Site};

/// RFC 7636 Appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// What a resource server says who it is with, where a test has one.
pub(crate) const SERVER_SECRET: &str = "what the resource server alone knows";

/// What the token endpoint answered with.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) scope: String,
    pub(crate) id_token: Option<String>,
}

impl Tokens {
    #[track_caller]
    pub(crate) fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.body);
        let body = answer.json();
        let text = |name: &str| body[name].as_str().map(ToOwned::to_owned);
        Self {
            access: text("access_token").unwrap(),
            refresh: text("refresh_token").unwrap(),
            scope: text("scope").unwrap(),
            id_token: text("id_token"),
        }
    }
}

/// The parameters of a form, to change one by one.
#[derive(Debug, Clone)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Acme's application exchanges this code.
    pub(crate) fn code(code: &str) -> Self {
        let parameters = [
            ("client_id", APP),
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", ACME_REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        Self(parameters.map(|(name, value)| (name.into(), value.into())).to_vec())
    }

    /// Acme's application exchanges this refresh token.
    pub(crate) fn refresh(token: &str) -> Self {
        let parameters = [("client_id", APP), ("grant_type", "refresh_token"), ("refresh_token", token)];
        Self(parameters.map(|(name, value)| (name.into(), value.into())).to_vec())
    }

    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        let Self(mut parameters) = self.without(name);
        parameters.push((name.into(), value.into()));
        Self(parameters)
    }

    pub(crate) fn without(self, name: &str) -> Self {
        Self(self.0.into_iter().filter(|(known, _)| known != name).collect())
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn body(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

impl Asking {
    /// Acme's application asks for a code, by the redirect URI on its own site; not who the person is.
    pub(crate) fn code() -> Self {
        Self::redirect()
            .with("scope", "org:read member:read project:write event:write")
            .with("response_type", "code")
            .with("code_challenge", CHALLENGE)
            .with("code_challenge_method", "S256")
    }
}

impl Person {
    /// Asks for a code and allows; returns it.
    pub(crate) async fn code(&mut self, asking: &Asking) -> String {
        let answer = self.allow(asking).await;
        let (_, query) = answer.location().split_once('?').unwrap();
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == "code").expect("a code").1.into_owned()
    }
}

impl Platform {
    /// Sends a form to the token endpoint, as a program does that is no browser.
    pub(crate) async fn exchange(&self, form: &Form) -> Answer {
        let site = Site::new(self, "").with(None).from(None);
        site.send(Method::POST, "/oauth/token/", form.body()).await
    }

    /// The tokens of a new grant that this person gave.
    pub(crate) async fn tokens(&self, email: &str) -> Tokens {
        let code = Person::signed_in(self, email).await.code(&Asking::code()).await;
        Tokens::of(&self.exchange(&Form::code(&code)).await)
    }

    /// Sends a refresh token.
    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.exchange(&Form::refresh(token)).await
    }

    /// The tokens that replace it.
    pub(crate) async fn refreshed(&self, token: &str) -> Tokens {
        Tokens::of(&self.refresh(token).await)
    }

    /// A resource server of the platform, or of an organization alone.
    pub(crate) async fn add_resource_server(&self, id: &str, organization_id: Option<&str>) {
        let mut unit = self.write().await;
        let secret = Secret::new(SERVER_SECRET).digest();
        store::resource_servers::insert(&mut unit, id, "API", &secret, organization_id, NOW).await.unwrap();
        unit.commit().await.unwrap();
    }

    /// What a resource server is told of a token.
    pub(crate) async fn introspect(&self, id: &str, token: &str) -> Answer {
        let site = Site::new(self, "").from(None).with(Some(&basic(id, SERVER_SECRET)));
        site.send(Method::POST, "/oauth/introspect/", format!("token={token}")).await
    }

    /// Makes a signing key, as the server does at its first start.
    pub(crate) async fn make_key(&self) {
        let (store, clock, entropy) = (&self.app.store, &self.app.clock, &self.app.entropy);
        self.app.signing_keys.ensure(store, clock, entropy).await.unwrap();
    }
}

/// HTTP Basic as OAuth writes it (RFC 6749 §2.3.1).
pub(crate) fn basic(id: &str, secret: &str) -> String {
    let escape = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", escape(id), escape(secret))))
}
