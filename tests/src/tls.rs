//! TLS before a site, as a real one has it: a certificate made at start, everything else passed through.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

/// A running proxy.
#[derive(Debug)]
pub struct TlsProxy {
    task: JoinHandle<()>,
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TlsProxy {
    /// Takes TLS connections for these names and passes what is in them on to `backend`.
    pub fn start(listener: TcpListener, names: &[&str], backend: SocketAddr) -> Result<Self> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names)?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let task = tokio::spawn(async move {
            while let Ok((outside, _)) = listener.accept().await {
                tokio::spawn(pass_on(acceptor.clone(), outside, backend));
            }
        });
        Ok(Self { task })
    }
}

/// A connection that breaks ends; there is nobody to tell.
async fn pass_on(acceptor: TlsAcceptor, outside: TcpStream, backend: SocketAddr) {
    let Ok(mut outside) = acceptor.accept(outside).await else { return };
    let Ok(mut inside) = TcpStream::connect(backend).await else { return };
    let _ = copy_bidirectional(&mut outside, &mut inside).await;
}
