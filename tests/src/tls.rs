//! TLS before a site, as a real one has it: certificates of an authority made at start, everything else passed through.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};

/// Who vouches for the names of one stage. The browser is told to trust anybody; a program is given its certificate.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A new one, which nobody trusts yet.
    pub fn new() -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Latchkey's journeys");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)? })
    }

    /// Its certificate, for who is to trust it.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        self.issuer.der()
    }

    /// The same as a text that programs read from a file.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// What a server at these names and addresses shows.
    fn vouch(&self, names: &[&str]) -> Result<ServerConfig> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Python's TLS looks for it.
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        Ok(ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?)
    }
}

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
    pub fn start(
        authority: &Authority,
        listener: TcpListener,
        names: &[&str],
        backend: SocketAddr,
    ) -> Result<Self> {
        let acceptor = TlsAcceptor::from(Arc::new(authority.vouch(names)?));
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
