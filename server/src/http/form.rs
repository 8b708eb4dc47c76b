//! Forms: what a program sends, and what a page of the platform itself sends. Whoever takes a form takes one of these.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, Uri, header},
};

use crate::{
    http::{
        address::ClientAddress,
        browser::Browser,
        error::{ApiError, Error, PageError},
        origin_check::require_same_origin,
        parameters::Parameters,
    },
    state::App,
};

/// The media type of a form.
const FORM: &str = "application/x-www-form-urlencoded";

/// A form that a program sent (RFC 6749 §3.2): parameters in the body and nowhere else.
#[derive(Debug)]
pub struct Form {
    /// Its parameters.
    pub parameters: Parameters,
    /// The request's headers.
    pub headers: HeaderMap,
    /// Where it comes from.
    pub address: ClientAddress,
}

impl FromRequest<App> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, Self::Rejection> {
        // RFC 6749 §2.3.1: never in the address, where servers and proxies write it into their logs; and so that no
        // two readers take different values for the same parameter, from nowhere but one place.
        refuse_query(request.uri())?;
        let headers = request.headers().clone();
        if !is_form(&headers) {
            return Err(Error::NotAForm.into());
        }
        let address = ClientAddress::of(request.extensions(), &headers, app)?;
        Ok(Self { parameters: read(request, app).await?, headers, address })
    }
}

/// A form that a page of the platform itself sent: its browser says so. It counts when it also brings the token of its
/// purpose, for which whoever takes it asks with [`PageForm::require_token`]. As with a [`Form`], parameters stand in its
/// body and nowhere else.
#[derive(Debug)]
pub struct PageForm {
    /// Its parameters.
    pub parameters: Parameters,
    /// The browser it comes from.
    pub browser: Browser,
    /// The request's headers.
    pub headers: HeaderMap,
    /// Where it comes from.
    pub address: ClientAddress,
    /// The path that it was sent to.
    pub path: String,
}

impl FromRequest<App> for PageForm {
    type Rejection = PageError;

    async fn from_request(request: Request, app: &App) -> Result<Self, Self::Rejection> {
        let (mut parts, body) = request.into_parts();
        require_same_origin(&parts.headers, &app.config.public_url)?;
        // No form of ours is sent to an address with one.
        refuse_query(&parts.uri)?;
        let browser = Browser::from_request_parts(&mut parts, app).await?;
        let headers = parts.headers.clone();
        let address = ClientAddress::of(&parts.extensions, &headers, app)?;
        let path = format!("{}/", parts.uri.path().trim_end_matches('/'));
        let parameters = read(Request::from_parts(parts, body), app).await?;
        Ok(Self { parameters, browser, headers, address, path })
    }
}

impl PageForm {
    /// Refuses a form that does not bring this browser's `csrf` token for the purpose.
    pub fn require_token(&self, purpose: &str) -> Result<(), Error> {
        let token = self.parameters.get("csrf").unwrap_or_default();
        if self.browser.accepts(purpose, token) { Ok(()) } else { Err(Error::Forged) }
    }

    /// Turns somebody away: to the login, where that is what is missing, and from there to the page at this path.
    pub fn refuse(&self, error: Error) -> PageError {
        PageError::to_sign_in(error, &self.path)
    }
}

fn refuse_query(address: &Uri) -> Result<(), Error> {
    let is_empty = address.query().is_none_or(str::is_empty);
    if is_empty { Ok(()) } else { Err(Error::InQuery) }
}

async fn read(request: Request, app: &App) -> Result<Parameters, Error> {
    let body = Bytes::from_request(request, app).await.map_err(|_| Error::TooLarge)?;
    Parameters::parse_form(&body)
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case(FORM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_form_says_that_it_is_one() {
        for (kind, is) in [
            ("application/x-www-form-urlencoded", true),
            ("application/x-www-form-urlencoded;charset=UTF-8", true),
            ("Application/X-WWW-Form-Urlencoded ; charset=utf-8", true),
            ("application/json", false),
            ("text/plain", false),
            ("multipart/form-data; boundary=x", false),
            ("application/x-www-form-urlencoded2", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            assert_eq!(is_form(&headers), is, "{kind}");
        }
        assert!(!is_form(&HeaderMap::new()));
    }
}
