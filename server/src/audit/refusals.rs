//! What the gate refuses: taken note of on the request's path, written down off it, once for many times.
//!
//! A token that is refused again and again is one entry for every ten seconds, with how often it was. So many different
//! refusals are kept in between for each organization, and how many more there were: who floods the gate fills neither the
//! memory nor the log, and pushes out nothing of another organization's.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, MatchedPath},
    http::{header, request::Parts},
};
use ipnet::IpNet;
use latchkey_gate::{Observer, Refusal, Route, Standing};
use latchkey_protocol::origin::Origin;
use serde_json::json;

use crate::{
    audit::{Action, Actor, By},
    clock::Clock,
    http::address::ClientAddress,
    noted::{Noted, Notes},
    store::{
        Store, StoreError, Unit,
        audit_log::{self, Entry},
    },
};

/// How many different ones of an organization are kept until then.
const EACH: usize = 50;
/// How many are kept of all organizations. One of which nothing is kept yet finds a place all the same.
const MOST: usize = 5000;
/// The longest origin that is written down: a host's name has no more than 253 characters (RFC 1035 §2.3.4).
const MAX_ORIGIN: usize = 300;

/// Refusals that are not written down yet.
#[derive(Debug, Clone)]
pub struct Refusals(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    noted: Noted<OfAll>,
    trusted_proxies: Vec<IpNet>,
}

/// What was refused.
#[derive(Debug, Default)]
struct OfAll {
    organizations: HashMap<Box<str>, OfOne>,
    /// How many different ones there are in all.
    all: usize,
}

/// What was refused of one organization's.
#[derive(Debug, Default)]
struct OfOne {
    refusals: HashMap<Refused, u32>,
    /// Those that found no place.
    more: u32,
}

/// Refusals that are alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Refused {
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
        Self(Arc::new(Inner { noted: Noted::default(), trusted_proxies }))
    }

    /// Writes down what was noted, as long as the server runs.
    pub async fn run(self, store: Store, clock: Clock) {
        self.0.noted.run(&store, &clock).await;
    }

    /// Writes down what was noted.
    pub async fn flush(&self, store: &Store, clock: &Clock) -> Result<(), StoreError> {
        self.0.noted.flush(store, clock).await
    }
}

impl OfAll {
    fn note(&mut self, organization_id: &str, refused: Refused, occurrences: u32) {
        let of_one = self.organizations.entry(organization_id.into()).or_default();
        let kept = of_one.refusals.len();
        if let Some(noted) = of_one.refusals.get_mut(&refused) {
            *noted = noted.saturating_add(occurrences);
        } else if kept == 0 || (kept < EACH && self.all < MOST) {
            of_one.refusals.insert(refused, occurrences);
            self.all += 1;
        } else {
            of_one.more = of_one.more.saturating_add(occurrences);
        }
    }
}

impl Notes for OfAll {
    const NAME: &str = "what the gate refused";
    const EVERY: Duration = Duration::from_secs(10);

    fn is_empty(&self) -> bool {
        self.organizations.is_empty()
    }

    fn add(&mut self, others: Self) {
        for (organization_id, OfOne { refusals, more }) in others.organizations {
            for (refused, occurrences) in refusals {
                self.note(&organization_id, refused, occurrences);
            }
            let of_one = self.organizations.entry(organization_id).or_default();
            of_one.more = of_one.more.saturating_add(more);
        }
    }

    async fn write(&self, store: &Store, clock: &Clock) -> Result<(), StoreError> {
        let mut unit = store.write(By::server(clock.now())).await?;
        for (organization_id, OfOne { refusals, more }) in &self.organizations {
            for (refused, occurrences) in refusals {
                refused.write(&mut unit, organization_id, *occurrences, clock).await?;
            }
            if *more > 0 {
                tracing::warn!(organization = %organization_id, more, "more was refused at once than the audit log takes");
                unit.act_for(By::server(clock.now()));
                let entry = Entry { occurrences: *more, ..Entry::new(organization_id, Action::TokenRefused) };
                audit_log::insert(&mut unit, &entry, &json!({ "more": true })).await?;
            }
        }
        unit.commit().await
    }
}

impl Refused {
    async fn write(
        &self,
        unit: &mut Unit,
        organization_id: &str,
        occurrences: u32,
        clock: &Clock,
    ) -> Result<(), StoreError> {
        unit.act_for(By {
            actor: Actor::Application(self.client_id.to_string()),
            address: self.address,
            now: clock.now(),
        });
        let entry = Entry {
            client_id: Some(&self.client_id),
            user_id: Some(&self.user_id),
            occurrences,
            ..Entry::new(organization_id, Action::TokenRefused)
        };
        let detail = json!({
            "reason": self.reason,
            "scope": self.scope,
            "origin": self.origin,
            "route": self.route,
            "token_id": self.token_id,
        });
        audit_log::insert(unit, &entry, &detail).await
    }
}

impl Observer for Refusals {
    fn refused(&self, refusal: &Refusal, standing: Option<&Standing>, request: &Parts) {
        // Of a token that there is not, nobody can say whose it would be.
        let Some(standing) = standing else { return };
        let origin = request.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        let origin = origin.filter(|origin| origin.len() <= MAX_ORIGIN);
        let address = request.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| {
            ClientAddress::find(peer.ip(), &request.headers, &self.0.trusted_proxies).address()
        });
        let refused = Refused {
            client_id: standing.application.client_id.clone(),
            user_id: standing.member.user_id.clone(),
            token_id: standing.token_id.as_str().into(),
            reason: refusal.answer().code,
            scope: if let Refusal::InsufficientScope(scope) = refusal { Some(scope.as_str()) } else { None },
            origin: origin.and_then(|origin| Origin::parse(origin).ok()).map(|origin| origin.to_string()),
            route: route(request),
            address,
        };
        self.0.noted.lock().note(&standing.application.organization.id, refused, 1);
    }
}

/// The route's pattern, and never what somebody filled in.
fn route(request: &Parts) -> Option<String> {
    let told = request.extensions.get::<Route>().map(|Route(name)| &**name);
    told.or_else(|| request.extensions.get::<MatchedPath>().map(MatchedPath::as_str)).map(str::to_owned)
}
