//! The stage of a journey: a platform, the customers' sites, the demo's data.

use std::{collections::BTreeMap, env, net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::{
    data::{self, Clients},
    server::{CommandLine, Server},
    site::{Settings, Sites, listen},
    tls::TlsProxy,
};

/// How the sites are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `http://customer.localhost`, as in the demo: different sites on one machine, with no TLS.
    Loopback,
    /// `https://customer.example`, as for a real customer: what is special about loopback does not apply.
    Tls,
}

impl Scheme {
    fn origin(self, name: &str, port: u16) -> String {
        match self {
            Self::Loopback => format!("http://{name}.localhost:{port}"),
            Self::Tls => format!("https://{name}.example:{port}"),
        }
    }
}

/// Everything but the browser. It ends with its value.
#[derive(Debug)]
pub struct Stage {
    /// The command line beside the running server.
    pub latchkey: CommandLine,
    /// The client ids of the applications.
    pub clients: Clients,
    scheme: Scheme,
    platform_port: u16,
    site_port: u16,
    server: Option<Server>,
    sites: Sites,
    proxies: Vec<TlsProxy>,
    data: TempDir,
}

impl Stage {
    /// Starts everything on free ports.
    pub async fn start(scheme: Scheme) -> Result<Self> {
        let binary = built("XTASK_SERVER")?;
        let sdk = built("XTASK_SDK")?;
        let www = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../www"));
        let data = TempDir::new()?;

        let site = listen(0).await?;
        let site_address = site.local_addr()?;
        // The server binds its port itself, so a free one is found and let go.
        let server_address = listen(0).await?.local_addr()?;
        let mut proxies = Vec::new();
        let (mut platform_port, mut site_port) = (server_address.port(), site_address.port());
        if scheme == Scheme::Tls {
            platform_port = before(&mut proxies, &["platform.example"], server_address).await?;
            site_port = before(&mut proxies, &["customer.example", "globex.example"], site_address).await?;
        }

        let latchkey = CommandLine::new(&binary, data.path());
        let origin = |name| scheme.origin(name, site_port);
        let clients = data::load(&latchkey, &origin("customer"), &origin("globex")).await?;
        let platform = scheme.origin("platform", platform_port);
        let server = latchkey.serve(server_address, &platform, "warn").await?;
        let host =
            |name| url::Url::parse(&origin(name)).ok().and_then(|url| url.host_str().map(str::to_owned));
        let settings = Settings {
            platform,
            clients: BTreeMap::from([
                (host("customer").unwrap_or_default(), clients.acme.clone()),
                (host("globex").unwrap_or_default(), clients.globex.clone()),
            ]),
            otherwise: clients.acme.clone(),
        };
        let sites = Sites::start(site, &www, &sdk, settings);
        Ok(Self {
            latchkey,
            clients,
            scheme,
            platform_port,
            site_port,
            server: Some(server),
            sites,
            proxies,
            data,
        })
    }

    /// The platform's origin.
    pub fn platform(&self) -> String {
        self.scheme.origin("platform", self.platform_port)
    }

    /// The origin of a site: `customer` is acme's, `globex` is globex's, any other name is not registered.
    pub fn site(&self, name: &str) -> String {
        self.scheme.origin(name, self.site_port)
    }

    /// Ends the server while everything else goes on.
    pub async fn stop_server(&mut self) -> Result<()> {
        match self.server.take() {
            Some(server) => server.stop().await,
            None => Ok(()),
        }
    }

    /// Ends everything in order.
    pub async fn stop(mut self) -> Result<()> {
        self.stop_server().await?;
        drop((self.sites, self.proxies));
        Ok(self.data.close()?)
    }
}

async fn before(proxies: &mut Vec<TlsProxy>, names: &[&str], backend: SocketAddr) -> Result<u16> {
    let listener: TcpListener = listen(0).await?;
    let port = listener.local_addr()?.port();
    proxies.push(TlsProxy::start(listener, names, backend)?);
    Ok(port)
}

/// Something that `cargo xtask test` builds first and names in the environment.
fn built(variable: &str) -> Result<PathBuf> {
    let path = env::var_os(variable).map(PathBuf::from);
    let path =
        path.with_context(|| format!("{variable} is not set: run `cargo xtask test --only journeys`"))?;
    ensure!(path.exists(), "{} is not there: run `cargo xtask test --only journeys`", path.display());
    Ok(path)
}
