//! A backend that keeps what it was asked, and answers what it was told to.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, Response},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

/// What a backend was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// A backend. It ends with the test.
#[derive(Debug)]
pub(crate) struct Backend {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    running: JoinHandle<()>,
}

impl Backend {
    /// Answers every request with what this makes.
    pub(crate) async fn answering<F>(answer: F) -> Self
    where
        F: Fn() -> Response<Body> + Clone + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let kept = asked.clone();
        let router = Router::new().fallback(async move |request: Request| {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap_or_default().to_vec();
            let path = parts.uri.to_string();
            kept.lock().unwrap().push(Asked {
                method: parts.method.to_string(),
                path,
                headers: parts.headers,
                body,
            });
            answer()
        });
        let running = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, asked, running }
    }

    /// Answers every request with a word.
    pub(crate) async fn new() -> Self {
        Self::answering(|| Response::new(Body::from("issues"))).await
    }

    /// Answers the n-th connection with these bytes and ends it; the last of them again and again.
    pub(crate) async fn speaking(answers: Vec<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let kept = asked.clone();
        let running = tokio::spawn(async move {
            let mut answers = answers.into_iter();
            let mut last = "";
            while let Ok((mut stream, _)) = listener.accept().await {
                last = answers.next().unwrap_or(last);
                let mut head = vec![0; 64 * 1024];
                let read = stream.read(&mut head).await.unwrap_or_default();
                let head = String::from_utf8_lossy(&head[..read]).into_owned();
                let mut line = head.split(' ');
                let (method, path) =
                    (line.next().unwrap().to_owned(), line.next().unwrap_or_default().to_owned());
                kept.lock().unwrap().push(Asked { method, path, headers: HeaderMap::new(), body: vec![] });
                let _ = stream.write_all(last.as_bytes()).await;
            }
        });
        Self { address, asked, running }
    }

    /// Takes every connection and says nothing.
    pub(crate) async fn silent() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let running = tokio::spawn(async move {
            let mut held = vec![];
            while let Ok(accepted) = listener.accept().await {
                held.push(accepted);
            }
        });
        Self { address, asked: Arc::default(), running }
    }

    /// A port at which nobody is.
    pub(crate) async fn nowhere() -> Self {
        let backend = Self::new().await;
        backend.running.abort();
        // Until it has ended, and with it the listener.
        while !backend.running.is_finished() {
            tokio::task::yield_now().await;
        }
        backend
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The one thing it was asked.
    #[track_caller]
    pub(crate) fn only(&self) -> Asked {
        let asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked[0].clone()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.running.abort();
    }
}
