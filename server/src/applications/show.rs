//! `/organizations/{organization}/applications/{client_id}/`: an application, and how a site comes to use it.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use axum_extra::extract::cookie::CookieJar;

use crate::{
    applications::{
        ResponseType,
        pages::{csrf_purpose, find, path, visitor},
    },
    http::{
        error::PageError,
        moment::Day,
        page,
        script::{self, Tag},
        visit::Visit,
        workspace::{Place, Workspace},
    },
    state::App,
    store::{
        self,
        applications::Application,
        grants::{self, Live},
        refused_origins::Refused,
    },
};

#[derive(Template)]
#[template(path = "application.html")]
struct ApplicationPage {
    workspace: Workspace,
    path: String,
    csrf: String,
    application: Application,
    platform: String,
    /// The SDK for who has no bundler.
    script: Option<Tag>,
    live: Live,
    refused: Vec<Asked>,
    is_registered: bool,
    is_saved: bool,
}

/// A site that asked for the application and is not registered.
struct Asked {
    origin: String,
    occurrences: i64,
    last: Day,
    /// The page that adds it.
    add: String,
}

/// Shows the page.
pub async fn get(
    State(app): State<App>,
    Path((slug, client_id)): Path<(String, String)>,
    visit: Visit,
) -> Result<Response, PageError> {
    let mut unit = app.store.read().await?;
    let admin = visitor(&app, &mut unit, &visit, &slug).await?;
    let application = find(&mut unit, &admin, &client_id).await?;
    let now = app.clock.now();
    let live = grants::count_live(&mut unit, &admin.organization.id, &client_id, now).await?;
    let refused = store::refused_origins::list(&mut unit, &admin.organization.id, &client_id).await?;
    let unregistered =
        |refused: &Refused| application.origins.iter().all(|own| own.as_str() != refused.origin);
    let refused = refused.into_iter().filter(unregistered).map(|refused| Asked {
        add: path(&slug, &client_id, &edit_with(&refused.origin)),
        last: Day::of(refused.last_at),
        occurrences: refused.occurrences,
        origin: refused.origin,
    });
    let page = ApplicationPage {
        workspace: Workspace::of_organization(&admin, &visit.browser, Place::Applications),
        path: path(&slug, &client_id, ""),
        csrf: visit.browser.csrf(&csrf_purpose(&slug)),
        platform: app.config.issuer().to_owned(),
        script: script::tag(&app.config),
        live,
        refused: refused.collect(),
        is_registered: visit.parameters.get("registered").is_some(),
        is_saved: visit.parameters.get("saved").is_some(),
        application,
    };
    let page = page::respond_enhanced(StatusCode::OK, &page);
    Ok((visit.browser.remember(CookieJar::new()), page).into_response())
}

/// The end of the address at which a site stands in the form, to be saved or not.
pub fn edit_with(origin: &str) -> String {
    let query =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("add_origin", origin).finish();
    format!("edit/?{query}")
}

/// The SDK as a hook for React: the one that the sites of the tests are built with.
const HOOK: &str = include_str!("../../../www/use-latchkey.js");

impl ApplicationPage {
    /// The options of `init`, in lines that are indented by so many spaces.
    fn options(&self, indent: usize) -> String {
        let mut lines = vec![
            format!("clientId: \"{}\",", self.application.client_id),
            format!("platform: \"{}\",", self.platform),
        ];
        if !self.takes_tokens() {
            lines.push("responseType: \"code\",".to_owned());
        }
        lines.iter().map(|line| format!("{:indent$}{line}\n", "")).collect()
    }

    fn hook(&self) -> &'static str {
        HOOK
    }

    fn takes_tokens(&self) -> bool {
        self.application.allows(ResponseType::Token)
    }

    fn takes_codes(&self) -> bool {
        self.application.allows(ResponseType::Code)
    }
}
