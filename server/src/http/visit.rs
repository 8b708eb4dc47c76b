//! A request for a page: from which browser, with what in its address.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};

use crate::{
    http::{
        browser::Browser,
        error::{Error, PageError},
        parameters::Parameters,
    },
    state::App,
};

/// Somebody opens a page.
#[derive(Debug)]
pub struct Visit {
    /// The browser it comes from.
    pub browser: Browser,
    /// The request's headers.
    pub headers: HeaderMap,
    /// What stands in the query.
    pub parameters: Parameters,
    /// The page's address at the platform, with its query.
    pub address: String,
}

impl FromRequestParts<App> for Visit {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let browser = Browser::from_request_parts(parts, app).await?;
        let parameters = Parameters::parse(parts.uri.query().unwrap_or_default())?;
        // Our own addresses end with a slash, which the router does not see.
        let mut address = format!("{}/", parts.uri.path().trim_end_matches('/'));
        if let Some(query) = parts.uri.query() {
            address.push('?');
            address.push_str(query);
        }
        Ok(Self { browser, headers: parts.headers.clone(), parameters, address })
    }
}

impl Visit {
    /// Turns somebody away: to the login, where that is what is missing, and from there back to this page.
    pub fn refuse(&self, error: Error) -> PageError {
        PageError::to_sign_in(error, &self.address)
    }
}
