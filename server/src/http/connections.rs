//! Connections: so many at once, none of them slower than it may be, and an orderly end.
//!
//! What we answer ourselves is small, so that a connection's time is bounded. What a backend of the platform's answers, or is
//! sent, may be long: it goes on for as long as something of it goes by.

use std::{
    convert::Infallible,
    io::{Error, ErrorKind, IoSlice, Result},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body, extract::ConnectInfo};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::Service;

use crate::{config::Limits, routes::Answering};

/// The longest head of a request, in bytes: the longest query, the cookies, and what a browser and a proxy add.
const MAX_HEAD: usize = 64 * 1024;
/// How long a connection is used: it bounds what a client can hold that does not take its answer. What is forwarded then
/// goes on to its end.
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
        let passage = Passage::default();
        let stream = Watched { stream, passage: passage.clone() };
        let on_it = passage.clone();
        let service = service_fn(move |request| answer(answering.clone(), peer, on_it.clone(), request));
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
        finish(connection, || sleep(request_time), || passage.goes_on()).await;
        drop(place);
    }
}

/// Waits for the end, for as long as what is under way goes on.
async fn finish<P: Future<Output = ()>>(
    connection: impl Future,
    patience: impl Fn() -> P,
    goes_on: impl Fn() -> bool,
) {
    let mut connection = pin!(connection);
    loop {
        tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            () = patience() => {}
        }
        if !goes_on() {
            return;
        }
    }
}

/// What goes by on a connection, which whoever answers a request finds among its extensions.
#[derive(Debug, Clone, Default)]
pub struct Passage(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    is_forwarded: AtomicBool,
    /// Whether anything came or went since somebody asked.
    moved: AtomicBool,
}

impl Passage {
    /// The request goes on to a backend: it may take as long as it goes on.
    pub fn lengthen(&self) {
        self.0.is_forwarded.store(true, Ordering::Relaxed);
    }

    fn begin(&self) {
        self.0.is_forwarded.store(false, Ordering::Relaxed);
    }

    fn moves(&self) {
        self.0.moved.store(true, Ordering::Relaxed);
    }

    /// Whether what is under way may take longer, and does go on since this was asked last.
    pub fn goes_on(&self) -> bool {
        self.0.moved.swap(false, Ordering::Relaxed) && self.0.is_forwarded.load(Ordering::Relaxed)
    }
}

/// A stream that tells when something goes by.
#[derive(Debug)]
struct Watched<S> {
    stream: S,
    passage: Passage,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.passage.moves();
        }
        read
    }
}

impl<S> Watched<S> {
    fn wrote(&self, written: Poll<Result<usize>>) -> Poll<Result<usize>> {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.passage.moves();
        }
        written
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

async fn answer(
    mut answering: Answering,
    peer: SocketAddr,
    passage: Passage,
    request: Request<Incoming>,
) -> std::result::Result<axum::response::Response, Infallible> {
    let mut request = request.map(Body::new);
    passage.begin();
    request.extensions_mut().insert(passage);
    request.extensions_mut().insert(ConnectInfo(peer));
    answering.call(request).await
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        future::{pending, ready},
    };

    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn what_is_forwarded_goes_on_while_anything_goes_by() {
        let (mut client, server) = tokio::io::duplex(64);
        let passage = Passage::default();
        let mut server = Watched { stream: server, passage: passage.clone() };
        server.write_all(b"x").await.unwrap();
        assert!(!passage.goes_on(), "what we answer ourselves is not waited for");
        passage.lengthen();
        assert!(!passage.goes_on(), "nothing since it was asked last");
        server.write_all(b"x").await.unwrap();
        assert!(passage.goes_on() && !passage.goes_on());
        client.write_all(b"y").await.unwrap();
        server.read_u8().await.unwrap();
        assert!(passage.goes_on() && !passage.goes_on());
        server.write_all(b"x").await.unwrap();
        passage.begin();
        assert!(!passage.goes_on(), "the next request is another one");
    }

    #[tokio::test]
    async fn the_end_is_waited_for_as_long_as_it_goes_on() {
        let times = Cell::new(0);
        let goes_on = || times.replace(times.get() + 1) < 5;
        finish(pending::<()>(), || ready(()), goes_on).await;
        assert_eq!(times.get(), 6);
        finish(ready(()), pending, || false).await;
    }
}
