//! What a program of Rust's calls a server with: hyper, over a TLS that trusts one authority.

use std::sync::Arc;

use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use latchkey_journeys::tls::Authority;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct Failure(anyhow::Error);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl std::error::Error for Failure {}

/// A client. It follows no redirect.
pub(crate) struct Https {
    connector: TlsConnector,
}

impl Https {
    /// A client that trusts this authority and no other.
    pub(crate) fn trusting(authority: &Authority) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate().clone())?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { connector: TlsConnector::from(Arc::new(config)) })
    }

    /// Sends a request to where its address says, on a connection of its own.
    pub(crate) async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Failure> {
        self.exchange(request).await.map_err(Failure)
    }

    async fn exchange(&self, mut request: Request<Vec<u8>>) -> anyhow::Result<Response<Vec<u8>>> {
        let authority =
            request.uri().authority().cloned().unwrap_or_else(|| http::uri::Authority::from_static("-"));
        let socket = TcpStream::connect((authority.host(), authority.port_u16().unwrap_or(443))).await?;
        let name = ServerName::try_from(authority.host().to_owned())?;
        let stream = self.connector.connect(name, socket).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        request.headers_mut().insert(http::header::HOST, authority.as_str().parse()?);
        if let Some(path) = request.uri().path_and_query().cloned() {
            *request.uri_mut() = Uri::from(path);
        }
        let response = sender.send_request(request.map(|body| Full::new(Bytes::from(body)))).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await?.to_bytes().to_vec();
        drop(sender);
        // A server that ends the connection without a farewell of TLS has said everything all the same.
        let _ = connection.await?;
        Ok(Response::from_parts(parts, body))
    }
}
