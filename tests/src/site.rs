//! The customer's site: static files, the SDK's package, and a `config.js` and `config.json` with the client id of whoever the site is.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use anyhow::Result;
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tower_http::services::ServeDir;

/// What the sites need to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The platform's origin.
    pub platform: String,
    /// The client id of each site, by host name without port.
    pub clients: BTreeMap<String, String>,
    /// The client id for every other host: a site that is not registered.
    pub otherwise: String,
}

/// Running sites: one listener, told apart by host name.
#[derive(Debug)]
pub struct Sites {
    task: JoinHandle<()>,
}

impl Drop for Sites {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sites {
    /// Serves the sites of `www`, and below these paths what stands elsewhere: the SDK's package at `/latchkey`. `pages`
    /// are more pages of theirs, which are not files.
    pub fn start(
        listener: TcpListener,
        www: &Path,
        beside: &[(&str, &Path)],
        pages: Router<Arc<Settings>>,
        settings: Settings,
    ) -> Self {
        let router = pages
            .route("/config.js", get(module))
            .route("/config.json", get(document))
            .fallback_service(ServeDir::new(www));
        let router = beside
            .iter()
            .fold(router, |router, (path, folder)| router.nest_service(path, ServeDir::new(folder)))
            .with_state(Arc::new(settings));
        let task = tokio::spawn(async move {
            // It ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Self { task }
    }
}

/// The site's settings as a module.
async fn module(State(settings): State<Arc<Settings>>, headers: HeaderMap) -> Response {
    let (client_id, platform) = settings.of(&headers);
    let (client_id, platform) = (Value::from(client_id), Value::from(platform));
    let script = format!("export const clientId = {client_id};\nexport const platform = {platform};\n");
    answer("text/javascript", script)
}

/// The same for a page that was built before anybody knew them.
async fn document(State(settings): State<Arc<Settings>>, headers: HeaderMap) -> Response {
    let (client_id, platform) = settings.of(&headers);
    answer("application/json", json!({ "clientId": client_id, "platform": platform }).to_string())
}

fn answer(kind: &'static str, text: String) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], text).into_response()
}

impl Settings {
    /// The client id of the site that is asked, and the platform.
    fn of(&self, headers: &HeaderMap) -> (&str, &str) {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
        (self.clients.get(host).unwrap_or(&self.otherwise), &self.platform)
    }
}

/// Listens on a port of this machine; 0 takes a free one.
pub async fn listen(port: u16) -> Result<TcpListener> {
    use anyhow::Context;
    TcpListener::bind(("127.0.0.1", port))
        .await
        .with_context(|| format!("port {port} is taken: stop what listens there, or choose another one"))
}
