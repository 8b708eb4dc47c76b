//! A customer's site, which calls the API with a token; and a caller who brings nothing.

use axum::{
    body::Body,
    http::{Method, Request, header},
};

use super::{ACME_SITE, Answer, Platform};

/// Script on a site.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    platform: Platform,
    origin: Option<String>,
    authorization: Option<String>,
}

impl Site {
    /// Acme's own site with this token.
    pub(crate) fn new(platform: &Platform, token: &str) -> Self {
        Self {
            platform: platform.clone(),
            origin: Some(ACME_SITE.into()),
            authorization: Some(format!("Bearer {token}")),
        }
    }

    /// From another origin, or without saying from which.
    pub(crate) fn from(self, origin: Option<&str>) -> Self {
        Self { origin: origin.map(Into::into), ..self }
    }

    /// With another `Authorization`, or none.
    pub(crate) fn with(self, authorization: Option<&str>) -> Self {
        Self { authorization: authorization.map(Into::into), ..self }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, String::new()).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: String) -> Answer {
        let mut request = Request::builder().method(&method).uri(path);
        if method == Method::POST {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        for (name, value) in [(header::ORIGIN, &self.origin), (header::AUTHORIZATION, &self.authorization)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        self.platform.send(request.body(Body::from(body)).unwrap()).await
    }

    /// What a browser asks before it sends `Authorization`.
    pub(crate) async fn preflight(&self, method: &str, path: &str) -> Answer {
        let request = Request::options(path)
            .header(header::ORIGIN, self.origin.as_deref().unwrap())
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, method)
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization");
        self.platform.send(request.body(Body::empty()).unwrap()).await
    }
}

/// `GET` with no cookie, no token and no origin.
pub(crate) async fn anonymous(platform: &Platform, path: &str) -> Answer {
    platform.send(Request::get(path).body(Body::empty()).unwrap()).await
}
