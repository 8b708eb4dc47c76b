//! What somebody typed is not lost when their session ended meanwhile: it is kept, for this browser alone, until they
//! have signed in again and stand before the same page.

use url::form_urlencoded;

use crate::{
    audit::By,
    http::{
        error::{Error, PageError},
        form::PageForm,
        parameters::Parameters,
        visit::Visit,
    },
    secret::Secret,
    state::App,
    store::{self, Unit},
};

/// How long, in seconds: until somebody has found their password.
const KEPT_SECS: i64 = 3600;
/// Under which name a page is told the form's id.
const NAME: &str = "kept";
/// What is for one sending alone.
const CSRF: &str = "csrf";

/// Turns somebody away from a form that they sent: where they are to sign in, what they typed waits for them.
///
/// Nobody is known here: how many forms one address leaves is counted as its authorization requests are.
pub async fn refuse(app: &App, form: &PageForm, error: Error) -> PageError {
    if !matches!(error, Error::SessionRequired) {
        return form.refuse(error);
    }
    match keep(app, form).await {
        Ok(address) => PageError::to_sign_in(Error::SessionRequired, &address),
        Err(error) => error.into(),
    }
}

async fn keep(app: &App, form: &PageForm) -> Result<String, Error> {
    app.throttle.begin(form.address).await?;
    let fields = form.parameters.iter().filter(|(name, _)| *name != CSRF);
    let fields = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let id = Secret::generate(&app.entropy)?;
    let now = app.clock.now();
    let mut unit = app.store.write(By::server(now)).await?;
    let (digest, browser) = (id.digest(), form.browser.digest());
    let is_kept =
        store::kept_forms::insert(&mut unit, &digest, &browser, &form.path, &fields, now + KEPT_SECS).await?;
    unit.commit().await?;
    // Where there is no room for it, they sign in all the same.
    Ok(if is_kept { format!("{}?{NAME}={}", form.path, id.expose()) } else { form.path.clone() })
}

/// What this browser typed before its person signed in again.
pub async fn find(app: &App, unit: &mut Unit, visit: &Visit) -> Result<Option<Parameters>, Error> {
    let Some(id) = visit.parameters.get(NAME) else { return Ok(None) };
    let path = visit.address.split('?').next().unwrap_or_default();
    let (id, browser) = (Secret::new(id).digest(), visit.browser.digest());
    let fields = store::kept_forms::find(unit, &id, &browser, path, app.clock.now()).await?;
    fields.map(|fields| Parameters::parse_form(fields.as_bytes())).transpose()
}
