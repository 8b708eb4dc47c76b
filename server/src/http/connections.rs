//! Connections: so many at once, none of them slower than it may be, and an orderly end.

use std::{
    convert::Infallible,
    io::{Error, ErrorKind},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{body::Body, extract::ConnectInfo};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::Service;

use crate::{config::Limits, routes::Answering};

/// The longest head of a request, in bytes: the longest query, the cookies, and what a browser and a proxy add.
const MAX_HEAD: usize = 64 * 1024;
/// How long a connection is used: it bounds what a client can hold that does not take its answer.
const LIFETIME: Duration = Duration::from_secs(300);
/// How long a request that is under way may take when the server ends.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long nobody is accepted after the system could not.
const RECOVERY: Duration = Duration::from_secs(1);

/// Answers until `stop`; then ends every connection, after the request that is under way or in five seconds.
pub async fn serve(
    listener: TcpListener,
    answering: Answering,
    limits: &Limits,
    stop: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let (header_timeout, request_time) = (limits.header_timeout, limits.request_time);
    let (farewell, told) = watch::channel(());
    let mut connections = JoinSet::new();
    let accepting = async {
        // Who finds no place waits in the system's queue, which is bounded too.
        while let Ok(place) = places.clone().acquire_owned().await {
            let (stream, peer) = accept(&listener).await;
            let connection =
                Connection { answering: answering.clone(), peer, header_timeout, request_time, place };
            connections.spawn(connection.run(stream, told.clone()));
            while connections.try_join_next().is_some() {}
        }
    };
    tokio::select! {
        () = stop => {}
        () = accepting => {}
    }
    drop((listener, farewell));
    // Who is not done then ends with the set.
    let _ = timeout(FAREWELL, async { while connections.join_next().await.is_some() {} }).await;
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_the_client_s(&error) => {}
            Err(error) => {
                // Too many open files, mostly: to ask again at once would only burn the processor.
                tracing::error!(%error, "no connection can be accepted");
                sleep(RECOVERY).await;
            }
        }
    }
}

/// Whether the client went away before it was accepted.
fn is_the_client_s(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}

struct Connection {
    answering: Answering,
    peer: SocketAddr,
    header_timeout: Duration,
    /// How long the request that is under way may take when the connection's time is over.
    request_time: Duration,
    /// Free for another one when this one ends.
    place: OwnedSemaphorePermit,
}

impl Connection {
    /// Until the client ends it, is too slow, or `farewell` is closed.
    async fn run(self, stream: TcpStream, mut farewell: watch::Receiver<()>) {
        let Self { answering, peer, header_timeout, request_time, place } = self;
        // Answers are small and whole: there is nothing to gather.
        let _ = stream.set_nodelay(true);
        let service = service_fn(move |request| answer(answering.clone(), peer, request));
        let mut protocol = http1::Builder::new();
        protocol.timer(TokioTimer::new()).header_read_timeout(header_timeout).max_buf_size(MAX_HEAD);
        let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            // A client that breaks off, or speaks no HTTP, is not the server's concern.
            _ = connection.as_mut() => return,
            _ = farewell.changed() => {}
            () = sleep(LIFETIME) => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = timeout(request_time, connection).await;
        drop(place);
    }
}

async fn answer(
    mut answering: Answering,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<axum::response::Response, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    answering.call(request).await
}
