//! The gateway, before a backend that is another program: a real server on a port of its own.

mod backend;
mod forwarding;
mod refusing;

use std::time::Duration;

use latchkey_server::gateway::upstream::{Settings, Upstream};

pub(crate) use backend::Backend;

use crate::support::{ACME_SITE, APP, MEMBER, Platform, Site};

/// The prefix of the backend's paths.
const PREFIX: &str = "/api/0/organizations/{organization}/issues";

/// A platform before this backend, whose issues are read with `event:read` and written with `event:write`.
async fn before(backend: &Backend) -> Platform {
    before_with(backend, |upstream| upstream).await
}

async fn before_with(backend: &Backend, with: impl Fn(Upstream) -> Upstream) -> Platform {
    let scopes = [("GET", "event:read"), ("POST", "event:write"), ("PUT", "event:write")];
    let settings = Settings {
        prefix: PREFIX.into(),
        scopes: scopes.map(|(method, scope)| (method.to_owned(), scope.to_owned())).into(),
        response_headers: vec!["X-Total".into()],
        ..Settings::at(&backend.url())
    };
    let upstream = Upstream { answer_time: Duration::from_secs(20), ..Upstream::read(&settings).unwrap() };
    let platform = Platform::before(vec![with(upstream)]).await;
    let scopes = "org:read event:admin openid";
    platform.execute(&format!("update applications set scopes = '{scopes}' where client_id = '{APP}'")).await;
    platform
}

/// Acme's site with a token of a member's, which may write events.
async fn site(platform: &Platform) -> Site {
    let token = platform.token(MEMBER).await;
    Site::new(platform, &token).from(Some(ACME_SITE))
}
