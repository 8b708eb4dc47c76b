//! The stage of a journey: a platform, the customers' sites, the demo's data.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use axum::Router;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::{
    browser::Page,
    canary::{self, Kind, Marked},
    data::{self, Clients},
    server::{CommandLine, Log, SETTINGS, Server},
    site::{Settings, Sites, listen},
    tls::{Authority, TlsProxy},
    tracker::Tracker,
};

/// How the sites are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `http://customer.localhost`, as in the demo: different sites on one machine, with no TLS.
    Loopback,
    /// `https://customer.example`, as for a real customer: what is special about loopback does not apply.
    Tls,
    /// The same, with the platform at `https://127.0.0.1`: programs besides the browser can't resolve our names.
    TlsByAddress,
    /// `https://customer.localhost`: different sites to every engine, WebKit included, without a resolver of ours.
    TlsOnLoopback,
}

impl Scheme {
    fn origin(self, name: &str, port: u16) -> String {
        match self {
            Self::Loopback => format!("http://{name}.localhost:{port}"),
            Self::TlsByAddress if name == PLATFORM => format!("https://127.0.0.1:{port}"),
            Self::TlsOnLoopback => format!("https://{name}.localhost:{port}"),
            Self::Tls | Self::TlsByAddress => format!("https://{name}.example:{port}"),
        }
    }
}

const PLATFORM: &str = "platform";
/// The pages that a customer's site has for clients no one here wrote.
const COUNTERPARTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/site");

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
    server_address: SocketAddr,
    tracker: Option<Tracker>,
    tracker_port: u16,
    /// The tracker's own folder: what is searched for secrets is the server's.
    issues: TempDir,
    proxies: [Option<TlsProxy>; 2],
    authority: Authority,
    marked: Vec<Marked>,
    data: TempDir,
}

impl Stage {
    /// Starts everything on free ports.
    pub async fn start(scheme: Scheme) -> Result<Self> {
        Self::start_with(scheme, Router::new()).await
    }

    /// The same, where the customers' sites have more pages.
    pub async fn start_with(scheme: Scheme, pages: Router<Arc<Settings>>) -> Result<Self> {
        let binary = built("XTASK_SERVER")?;
        let sdk = built("XTASK_SDK")?;
        // Only the journeys of such clients have them installed.
        let modules = built(CLIENTS).map(|folder| folder.join("node_modules")).ok();
        let packages = built(PACKAGES).ok();
        let www = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../www"));
        let data = TempDir::new()?;

        let authority = Authority::new()?;
        let site = listen(0).await?;
        let before_site = Outside::of(scheme).await?;
        let before_platform = Outside::of(scheme).await?;
        let site_port = before_site.port(site.local_addr()?.port());

        let latchkey = CommandLine::new(&binary, data.path());
        let origin = |name| scheme.origin(name, site_port);
        let clients = data::load(&latchkey, &origin("customer"), &origin("globex")).await?;
        let log = data.path().join(LOG);
        let issues = TempDir::new()?;
        let tracker = Tracker::start(listen(0).await?, issues.path()).await?;
        fs::write(data.path().join(SETTINGS), format!("{GUARDED}{}", tracker.settings()))?;
        let public_url = |port| scheme.origin(PLATFORM, before_platform.port(port));
        let (server, address) = start_server(&latchkey, &log, public_url).await?;
        let platform_port = before_platform.port(address.port());
        tracker.trust(&scheme.origin(PLATFORM, platform_port), address);
        let proxies = [
            before_site.lead(
                &authority,
                &["customer.example", "globex.example", "customer.localhost"],
                site.local_addr()?,
            )?,
            before_platform.lead(
                &authority,
                &["platform.example", "platform.localhost", "127.0.0.1"],
                address,
            )?,
        ];

        let host =
            |name| url::Url::parse(&origin(name)).ok().and_then(|url| url.host_str().map(str::to_owned));
        let settings = Settings {
            platform: scheme.origin(PLATFORM, platform_port),
            clients: BTreeMap::from([
                (host("customer").unwrap_or_default(), clients.acme.clone()),
                (host("globex").unwrap_or_default(), clients.globex.clone()),
            ]),
            otherwise: clients.acme.clone(),
        };
        let mut beside = vec![("/latchkey", sdk.as_path()), ("/clients", COUNTERPARTS.as_ref())];
        beside.extend(modules.iter().map(|folder| ("/modules", folder.as_path())));
        // Only who compares them has them installed.
        let peers = built("XTASK_PEERS").ok();
        beside.extend(peers.iter().map(|folder| ("/peers", folder.as_path())));
        beside.extend(packages.iter().map(|folder| ("/packages", folder.as_path())));
        let sites = Sites::start(site, &www, &beside, pages, settings);
        let password = Marked { kind: Kind::Password, value: data::PASSWORD.into() };
        Ok(Self {
            latchkey,
            clients,
            scheme,
            platform_port,
            site_port,
            server: Some(server),
            sites,
            server_address: address,
            tracker_port: tracker.address().port(),
            tracker: Some(tracker),
            issues,
            proxies,
            authority,
            marked: vec![password],
            data,
        })
    }

    /// The platform's origin.
    pub fn platform(&self) -> String {
        self.scheme.origin(PLATFORM, self.platform_port)
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

    /// Starts the server anew where it was, with these settings besides its own.
    pub async fn restart_server(&mut self, settings: &str) -> Result<()> {
        self.stop_server().await?;
        let file = self.data.path().join(SETTINGS);
        fs::write(&file, format!("{settings}{}", fs::read_to_string(&file)?))?;
        let log = self.data.path().join(LOG);
        let server =
            self.latchkey.serve(self.server_address, &self.platform(), Log::Everything(&log)).await?;
        self.server = Some(server);
        Ok(())
    }

    /// Ends the platform's own backend while everything else goes on.
    pub fn stop_tracker(&mut self) {
        self.tracker = None;
    }

    /// Starts it again, where it was.
    pub async fn start_tracker(&mut self) -> Result<()> {
        let tracker = Tracker::start(listen(self.tracker_port).await?, self.issues.path()).await?;
        tracker.trust(&self.platform(), self.server_address);
        self.tracker = Some(tracker);
        Ok(())
    }

    /// Who vouches for the names of the platform and the sites.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// A folder that ends with the stage.
    pub fn folder(&self) -> &Path {
        self.data.path()
    }

    /// Marks a secret: the server may not tell it, nor keep it. See [`canary`].
    pub fn mark(&mut self, kind: Kind, value: impl Into<String>) {
        self.marked.push(Marked { kind, value: value.into() });
    }

    /// Searches what the browser showed for the secrets that were marked until now.
    pub fn search_pages(&self, pages: &BTreeSet<Page>) -> Result<()> {
        pages.iter().try_for_each(|page| {
            canary::search_bytes(page.source.as_bytes(), &self.marked)
                .with_context(|| format!("a page at {}", page.address))
        })
    }

    /// Keeps the server's log for a person to read.
    pub fn keep_log(&self, path: &Path) -> Result<()> {
        fs::copy(self.data.path().join(LOG), path)?;
        Ok(())
    }

    /// Ends everything in order, and searches what the server leaves behind for the secrets that were marked.
    pub async fn stop(mut self) -> Result<()> {
        // While the server runs, what it wrote last stands beside the database; afterwards all is in one file.
        let beside = canary::search_database(self.data.path(), &self.marked);
        self.stop_server().await?;
        drop((self.sites, self.proxies, self.tracker));
        beside?;
        canary::search_database(self.data.path(), &self.marked)?;
        canary::search_log(&fs::read_to_string(self.data.path().join(LOG))?, &self.marked)?;
        Ok(self.data.close()?)
    }
}

/// The port before a server where there is TLS, taken before the server has its own: its public URL names it.
#[derive(Debug)]
struct Outside(Option<TcpListener>);

impl Outside {
    async fn of(scheme: Scheme) -> Result<Self> {
        Ok(Self(if scheme == Scheme::Loopback { None } else { Some(listen(0).await?) }))
    }

    /// Where the browser finds a server that listens on `inside`.
    fn port(&self, inside: u16) -> u16 {
        let outside = self.0.as_ref().and_then(|listener| listener.local_addr().ok());
        outside.map_or(inside, |address| address.port())
    }

    /// Leads to the server from now on.
    fn lead(self, authority: &Authority, names: &[&str], inside: SocketAddr) -> Result<Option<TlsProxy>> {
        self.0.map(|listener| TlsProxy::start(authority, listener, names, inside)).transpose()
    }
}

/// Starts the server on a free port, and returns where. The server binds it itself, so one is found and let go; where
/// somebody took it in between, another one is found.
async fn start_server(
    latchkey: &CommandLine,
    log: &Path,
    public_url: impl Fn(u16) -> String,
) -> Result<(Server, SocketAddr)> {
    let mut last = anyhow::anyhow!("the server was not started");
    for _ in 0..5 {
        let address = listen(0).await?.local_addr()?;
        match latchkey.serve(address, &public_url(address.port()), Log::Everything(log)).await {
            Ok(server) => return Ok((server, address)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Paths of the platform's that a proxy of its own answers, which asks the gate about them.
const GUARDED: &str = r#"
[[guarded]]
prefix = "/v1/{organization}/things"
scopes = { GET = "event:read", POST = "event:write" }
"#;

/// The server's log, in the stage's folder.
const LOG: &str = "server.log";
/// The variable that names the folder of clients no one here wrote.
pub(crate) const CLIENTS: &str = "XTASK_CLIENTS";

/// The variable that names the folder of sites built on the npm package.
pub const PACKAGES: &str = "XTASK_PACKAGES";

/// Something that `cargo xtask test` builds first and names in the environment.
pub fn built(variable: &str) -> Result<PathBuf> {
    let path = env::var_os(variable).map(PathBuf::from);
    let path =
        path.with_context(|| format!("{variable} is not set: run `cargo xtask test --only journeys`"))?;
    ensure!(path.exists(), "{} is not there: run `cargo xtask test --only journeys`", path.display());
    Ok(path)
}
