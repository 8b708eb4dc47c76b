//! What the gate refuses: taken note of on the request's path, written down off it, once for many times.
//!
//! A token that is refused again and again is one entry for every ten seconds, with how often it was. So many different
//! refusals are kept in between, and no more: who floods the gate fills neither the memory nor the log.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, MatchedPath},
    http::{header, request::Parts},
};
use ipnet::IpNet;
use latchkey_gate::{Observer, Refusal, Standing};
use latchkey_protocol::origin::Origin;
use serde_json::json;

use crate::{
    audit::{Action, Actor, By},
    clock::Clock,
    http::address::ClientAddress,
    store::{
        Store, StoreError,
        audit_log::{self, Entry},
    },
};

/// How often they are written down.
const EVERY: Duration = Duration::from_secs(10);
/// How many different ones are kept until then.
const MOST: usize = 500;

/// Refusals that are not written down yet.
#[derive(Debug, Clone)]
pub struct Refusals(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    noted: Mutex<Noted>,
    trusted_proxies: Vec<IpNet>,
}

#[derive(Debug, Default)]
struct Noted {
    refusals: HashMap<Refused, u32>,
    /// Those that found no place.
    dropped: u64,
}

/// Refusals that are alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Refused {
    organization_id: Box<str>,
    client_id: Box<str>,
    user_id: Box<str>,
    token_id: Box<str>,
    reason: &'static str,
    scope: Option<&'static str>,
    /// The site, where it is one that a browser would name.
    origin: Option<String>,
    route: Option<String>,
    address: Option<IpAddr>,
}

impl Refusals {
    /// Nothing is noted yet.
    pub fn new(trusted_proxies: &[IpNet]) -> Self {
        let trusted_proxies = trusted_proxies.to_vec();
        Self(Arc::new(Inner { noted: Mutex::default(), trusted_proxies }))
    }

    /// Writes down what was noted, as long as the server runs.
    pub async fn run(self, store: Store, clock: Clock) {
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            ticks.tick().await;
            if let Err(error) = self.flush(&store, &clock).await {
                tracing::warn!(%error, "what the gate refused could not be written down");
            }
        }
    }

    /// Writes down what was noted.
    pub async fn flush(&self, store: &Store, clock: &Clock) -> Result<(), StoreError> {
        let Noted { refusals, dropped } =
            std::mem::take(&mut *self.0.noted.lock().unwrap_or_else(PoisonError::into_inner));
        if dropped > 0 {
            tracing::warn!(dropped, "more was refused at once than the audit log takes");
        }
        if refusals.is_empty() {
            return Ok(());
        }
        let mut unit = store.write(By::server(clock.now())).await?;
        for (refused, occurrences) in refusals {
            unit.act_for(By {
                actor: Actor::Application(refused.client_id.to_string()),
                address: refused.address,
                now: clock.now(),
            });
            let entry = Entry {
                client_id: Some(&refused.client_id),
                user_id: Some(&refused.user_id),
                occurrences,
                ..Entry::new(&refused.organization_id, Action::TokenRefused)
            };
            let detail = json!({
                "reason": refused.reason,
                "scope": refused.scope,
                "origin": refused.origin,
                "route": refused.route,
                "token_id": refused.token_id,
            });
            audit_log::insert(&mut unit, &entry, &detail).await?;
        }
        unit.commit().await
    }

    fn note(&self, refused: Refused) {
        let mut noted = self.0.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(occurrences) = noted.refusals.get_mut(&refused) {
            *occurrences = occurrences.saturating_add(1);
        } else if noted.refusals.len() < MOST {
            noted.refusals.insert(refused, 1);
        } else {
            noted.dropped += 1;
        }
    }
}

impl Observer for Refusals {
    fn refused(&self, refusal: &Refusal, standing: Option<&Standing>, request: &Parts) {
        // Of a token that there is not, nobody can say whose it would be.
        let Some(standing) = standing else { return };
        let origin = request.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        let address = request.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| {
            ClientAddress::find(peer.ip(), &request.headers, &self.0.trusted_proxies).address()
        });
        self.note(Refused {
            organization_id: standing.application.organization.id.clone(),
            client_id: standing.application.client_id.clone(),
            user_id: standing.member.user_id.clone(),
            token_id: standing.token_id.as_str().into(),
            reason: refusal.answer().code,
            scope: if let Refusal::InsufficientScope(scope) = refusal { Some(scope.as_str()) } else { None },
            origin: origin.and_then(|origin| Origin::parse(origin).ok()).map(|origin| origin.to_string()),
            route: request.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned()),
            address,
        });
    }
}
