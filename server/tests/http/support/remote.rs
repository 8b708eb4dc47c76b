//! A process that listens on an address.

use std::{net::SocketAddr, time::Duration};

use axum::{
    body::Body,
    http::{Request, Uri},
};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::time::timeout;

use super::Answer;

/// How long an answer may take. Whoever waits longer knows no more than who got none.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Sends a request over a connection of its own, which is closed when it took longer than this. Where nothing was
/// answered, the status is 0.
pub(super) async fn send(address: SocketAddr, patience: Duration, mut request: Request<Body>) -> Answer {
    let path = request.uri().path_and_query().unwrap().as_str();
    *request.uri_mut() = format!("http://{address}{path}").parse::<Uri>().unwrap();
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http::<Body>();
    let answered = timeout(patience, async {
        let answer = client.request(request).await.ok()?;
        let (parts, body) = answer.into_parts();
        Answer::read(parts, Body::new(body)).await
    });
    answered.await.ok().flatten().unwrap_or_default()
}
