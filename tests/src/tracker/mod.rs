//! The platform's own backend in the demo and the journeys: an issue tracker behind the gateway.
//!
//! It is what a platform has already: a service with a database of its own, that knows nothing of tokens. Who asks, and
//! for which organization, it reads from the gateway's assertion and from nothing else.

mod assertion;
mod issues;
mod store;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "these are tests")]
mod tests;

use std::{net::SocketAddr, path::Path, sync::Arc};

use anyhow::Result;
use axum::{Router, routing::get};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::tracker::{assertion::Assertions, store::Store};

/// A running tracker. It ends with its value.
#[derive(Debug)]
pub struct Tracker {
    address: SocketAddr,
    assertions: Arc<Assertions>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct App {
    assertions: Arc<Assertions>,
    store: Store,
}

impl Drop for Tracker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Tracker {
    /// Serves the issues that are kept in this folder; where there are none yet, those of the demo. Until it knows
    /// [whom to trust](Self::trust) it answers nobody.
    pub async fn start(listener: TcpListener, folder: &Path) -> Result<Self> {
        let address = listener.local_addr()?;
        let assertions = Arc::new(Assertions::new(format!("http://{address}")));
        let store = Store::open(&folder.join("issues.db")).await?;
        let app = Arc::new(App { assertions: assertions.clone(), store });
        let router = Router::new()
            .route("/api/0/organizations/{organization}/issues/", get(issues::list))
            .route("/api/0/organizations/{organization}/issues/{id}/", get(issues::find).put(issues::change))
            .with_state(app);
        let task = tokio::spawn(async move {
            // It ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, assertions, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes assertions of this platform, signed by the keys that the server at this address publishes.
    pub fn trust(&self, platform: &str, server: SocketAddr) {
        self.assertions.trust(platform, server);
    }

    /// What stands in the server's file of settings for it.
    pub fn settings(&self) -> String {
        format!(
            "
[[upstreams]]
url = \"http://{}\"
prefix = \"/api/0/organizations/{{organization}}/issues\"
scopes = {{ GET = \"event:read\", PUT = \"event:write\" }}
",
            self.address
        )
    }
}
