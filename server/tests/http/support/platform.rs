//! A platform with two organizations, people in one, the other, both and none, and an application each.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{body::Body, extract::ConnectInfo, http::Request};
use latchkey_protocol::{
    origin::Origin,
    scope::{Role, Scopes},
};
use latchkey_server::{
    applications::{ResponseType, ResponseTypes},
    audit::By,
    clock::Clock,
    config::{Config, Limits, Rate},
    directory::password::Passwords,
    gateway::upstream::Upstream,
    routes,
    secret::{Entropy, Secret},
    state::{App, Parts},
    store::{
        self, DatabaseUrl, Store, Unit, applications::Application, organizations::Organization,
        projects::Project, users::User,
    },
};
use tokio::sync::OnceCell;
use tower::ServiceExt;

use super::{Answer, Asking, Database, Link, Person, Place, remote};

/// Where the clock stands at first.
pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const PLATFORM: &str = "https://platform.example";

/// Where everybody's connections come from who does not say otherwise.
pub(crate) const PEER: &str = "192.0.2.1";

/// An organization, by id and slug.
pub(crate) const ACME: (&str, &str) = ("org-acme", "acme");
pub(crate) const GLOBEX: (&str, &str) = ("org-globex", "globex");

pub(crate) const OWNER: &str = "ada@example.org";
pub(crate) const ADMIN: &str = "arno@example.org";
pub(crate) const MEMBER: &str = "max@example.org";
/// A member of Globex alone.
pub(crate) const OUTSIDER: &str = "gil@example.org";
/// An admin of Acme who is a member of Globex too.
pub(crate) const BOTH: &str = "bea@example.org";
/// A member of nothing.
pub(crate) const STRANGER: &str = "nora@example.org";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

pub(crate) const APP: &str = "acmeclient";
pub(crate) const ACME_SITE: &str = "https://www.acme.example";
pub(crate) const ACME_LOCAL: &str = "http://customer.localhost:8001";
pub(crate) const ACME_REDIRECT: &str = "https://www.acme.example/signed-in?from=latchkey";
pub(crate) const LOCAL_REDIRECT: &str = "http://127.0.0.1:3000/cb";

pub(crate) const GLOBEX_APP: &str = "globexclient";
pub(crate) const GLOBEX_SITE: &str = "https://www.globex.example";
/// The one redirect URI that Globex's application has.
pub(crate) const GLOBEX_REDIRECT: &str = "https://www.globex.example/cb";

/// What the database's own secrets lie under.
pub(crate) const SECRET: &str = "the secret that is not in the database";

/// Who answers.
#[derive(Debug, Clone)]
enum Way {
    /// This process, without a connection.
    Here(routes::Answering),
    /// The one that listens here, waited for no longer than this.
    There(SocketAddr, Duration),
}

/// The platform under test: shared, cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Platform {
    pub(crate) app: App,
    way: Way,
    /// Connections of its own, as another process has them.
    pub(crate) database: Database,
    place: Arc<Place>,
}

impl Platform {
    pub(crate) async fn new() -> Self {
        Self::at(PLATFORM).await
    }

    /// A platform whose pages lie at this origin.
    pub(crate) async fn at(public_url: &str) -> Self {
        // Whoever tests something else signs people in as often as they like.
        let roomy = Rate::new(1000, 1);
        let limits = Limits { per_account: roomy, per_account_and_address: roomy, ..Limits::default() };
        Self::with(Config { limits, ..Config::new(Origin::parse(public_url).unwrap()) }).await
    }

    /// A platform that does this much, this often.
    pub(crate) async fn limited(limits: Limits) -> Self {
        Self::with(Config { limits, ..Self::config() }).await
    }

    /// The settings of a platform that nobody said anything about.
    pub(crate) fn config() -> Config {
        Config::new(Origin::parse(PLATFORM).unwrap())
    }

    /// Before these backends of its own.
    pub(crate) async fn before(upstreams: Vec<Upstream>) -> Self {
        let platform = Self::with(Config { upstreams, ..Self::config() }).await;
        platform.make_key().await;
        platform
    }

    pub(crate) async fn with(config: Config) -> Self {
        Self::placed(config, Place::new().await).await
    }

    /// A platform whose database is a file, whatever the tests run on.
    pub(crate) async fn embedded() -> Self {
        Self::placed(Self::config(), Place::embedded()).await
    }

    /// With its data there.
    pub(crate) async fn placed(config: Config, place: Place) -> Self {
        super::log::begin();
        let place = Arc::new(place);
        let store = Store::open(place.url()).await.unwrap();
        let secret = Secret::new(SECRET);
        let app = App::new(config, store, Clock::manual(NOW), Entropy::seeded(1), &secret).unwrap();
        let mut unit = app.store.write(By::server(NOW)).await.unwrap();
        populate(&mut unit).await;
        unit.commit().await.unwrap();
        // A server tells its changes to who listens, and of nobody else is anything remembered.
        if let DatabaseUrl::Postgres(_) = place.url() {
            app.gate.source().catch_up().await.unwrap();
        }
        let database = place.connect().await;
        Self { way: Way::Here(routes::service(&app)), app, database, place }
    }

    /// Another process of the same platform, on the same database. Its clock is the same.
    pub(crate) async fn node(&self) -> Self {
        self.node_at(self.place.url()).await
    }

    /// One that comes to the database over a link of its own. Nothing where that is a file.
    pub(crate) async fn node_over_link(&self) -> Option<(Self, Link)> {
        let mut url = self.place.server()?;
        let link = Link::to(url.port()?).await;
        url.set_port(Some(link.port())).ok()?;
        Some((self.node_at(&url.as_str().parse().unwrap()).await, link))
    }

    async fn node_at(&self, url: &DatabaseUrl) -> Self {
        let store = Store::open(url).await.unwrap();
        let Parts { config, clock, .. } = &*self.app;
        let entropy = Entropy::seeded(1 << 32);
        let app = App::new(config.clone(), store, clock.clone(), entropy, &Secret::new(SECRET)).unwrap();
        app.gate.source().catch_up().await.unwrap();
        Self {
            way: Way::Here(routes::service(&app)),
            app,
            database: self.database.clone(),
            place: self.place.clone(),
        }
    }

    /// The writer, as the server by itself.
    pub(crate) async fn write(&self) -> Unit {
        self.app.store.write(By::server(self.app.clock.now())).await.unwrap()
    }

    /// Lets nobody have the database open, as when the server has ended.
    pub(crate) async fn end(&self) {
        self.app.store.close().await;
        self.database.close().await;
    }

    /// The folder of the database, for a test's own files.
    pub(crate) fn folder(&self) -> PathBuf {
        self.place.folder().to_owned()
    }

    /// Sends a request over a connection from an address of its own.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        self.send_from(PEER, request).await
    }

    /// Sends a request over a connection from this address.
    pub(crate) async fn send_from(&self, peer: &str, mut request: Request<Body>) -> Answer {
        let peer = SocketAddr::new(peer.parse().unwrap(), 40_000);
        request.extensions_mut().insert(ConnectInfo(peer));
        match &self.way {
            Way::Here(service) => Answer::of(service.clone().oneshot(request).await.unwrap()).await,
            Way::There(address, patience) => {
                // Through a proxy of the platform's, which says where it comes from.
                request.headers_mut().insert("x-forwarded-for", peer.ip().to_string().parse().unwrap());
                remote::send(*address, *patience, request).await
            }
        }
    }

    /// The same platform, as the process answers it that listens here.
    pub(crate) fn through(&self, address: SocketAddr) -> Self {
        Self { way: Way::There(address, remote::PATIENCE), ..self.clone() }
    }

    /// The same process, asked by somebody who breaks off when an answer takes longer than this.
    pub(crate) fn within(&self, patience: Duration) -> Self {
        let Way::There(address, _) = self.way else { panic!("nobody waits for this process") };
        Self { way: Way::There(address, patience), ..self.clone() }
    }

    /// Sends a request, and leaves the answer's body where it is.
    pub(crate) fn stream(
        &self,
        mut request: Request<Body>,
    ) -> impl Future<Output = axum::response::Response> + Send + 'static {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(PEER.parse().unwrap(), 40_000)));
        let Way::Here(service) = self.way.clone() else {
            panic!("another process's answers are read at once")
        };
        async move { service.oneshot(request).await.unwrap() }
    }

    /// Changes the database as another process would, and lets the server hear of it.
    pub(crate) async fn execute(&self, sql: &str) {
        self.execute_unheard(sql).await;
        self.hear().await;
    }

    /// Lets the server hear of what other processes did, as it does ten times a second.
    pub(crate) async fn hear(&self) {
        self.app.gate.source().catch_up().await.unwrap();
    }

    /// Changes the database as another process would. The server has not heard of it yet.
    pub(crate) async fn execute_unheard(&self, sql: &str) {
        let changed = self.database.execute(sql).await.unwrap();
        assert!(changed > 0, "{sql} changed nothing");
    }

    /// Changes the database as another process would, if it lets itself be changed.
    pub(crate) async fn try_execute(&self, sql: &str) -> Result<(), sqlx::Error> {
        self.database.execute(sql).await.map(drop)
    }

    /// Takes a table away, to show that nobody asks it.
    pub(crate) async fn drop_table(&self, table: &str) {
        self.database.drop_table(table).await;
    }

    /// One number out of the database.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.database.number(sql).await
    }

    /// How many tokens and how many consents there are: what a refusal must leave at nothing.
    pub(crate) async fn issued(&self) -> (i64, i64) {
        (
            self.count("select count(*) from access_tokens").await,
            self.count("select count(*) from consents").await,
        )
    }

    /// One text out of the database.
    pub(crate) async fn text(&self, sql: &str) -> String {
        self.texts(sql).await.remove(0)
    }

    /// The texts of a column.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        self.database.texts(sql).await
    }

    pub(crate) fn advance(&self, secs: i64) {
        self.app.clock.advance(secs);
    }

    /// A token for Acme with whatever this person may do there.
    pub(crate) async fn whole_token(&self, email: &str) -> String {
        let scopes = Scopes::ALL.to_list();
        self.execute(&format!("update applications set scopes = '{scopes}' where client_id = '{APP}'")).await;
        self.token(email).await
    }

    /// The path of an invitation to Acme for this address, made by its owner.
    pub(crate) async fn invite(&self, email: &str, role: &str) -> String {
        let mut owner = Person::signed_in(self, OWNER).await;
        let csrf = owner.csrf("members of acme");
        let form = [("csrf", csrf.as_str()), ("email", email), ("role", role)];
        let page = owner.post("/organizations/acme/members/", &form).await;
        let (_, rest) = page.body.split_once("id=\"invitation-link\">").expect("a link");
        rest.split_once('<').unwrap().0.strip_prefix(PLATFORM).unwrap().to_owned()
    }

    /// A token for Acme that this person allowed on Acme's site.
    pub(crate) async fn token(&self, email: &str) -> String {
        Person::signed_in(self, email).await.token(&Asking::new()).await
    }
}

/// Hashing is slow on purpose: once for all people of all tests.
async fn password_hash() -> String {
    static HASH: OnceCell<String> = OnceCell::const_new();
    let hash = || async {
        let entropy = Entropy::seeded(0);
        Passwords::new(&entropy, 1).unwrap().hash(Secret::new(PASSWORD), &entropy).await.unwrap()
    };
    HASH.get_or_init(hash).await.clone()
}

async fn populate(unit: &mut Unit) {
    for ((id, slug), name) in [(ACME, "Acme Rockets"), (GLOBEX, "Globex Corporation")] {
        let organization =
            Organization { id: id.into(), slug: slug.into(), name: name.into(), disabled_at: None };
        store::organizations::insert(unit, &organization, NOW).await.unwrap();
        for project in ["backend", "website"] {
            let (id, name) = (format!("{slug}-{project}"), format!("{name} {project}"));
            let project = Project { id, slug: project.into(), name };
            store::projects::insert(unit, organization.id.as_str(), &project, NOW).await.unwrap();
        }
    }
    people(unit).await;
    for application in [acme_application(), globex_application()] {
        store::applications::insert(unit, &application, NOW).await.unwrap();
    }
}

/// The organizations of a person, and what they are there.
type Roles<'a> = &'a [(&'a str, Role)];

async fn people(unit: &mut Unit) {
    let password_hash = password_hash().await;
    let people: [(&str, &str, Roles<'_>); 6] = [
        (OWNER, "Ada", &[(ACME.0, Role::Owner)]),
        (ADMIN, "Arno", &[(ACME.0, Role::Admin)]),
        (MEMBER, "Max", &[(ACME.0, Role::Member)]),
        (OUTSIDER, "Gil", &[(GLOBEX.0, Role::Owner)]),
        (BOTH, "Bea", &[(ACME.0, Role::Admin), (GLOBEX.0, Role::Member)]),
        (STRANGER, "Nora", &[]),
    ];
    for (email, name, roles) in people {
        let id = name.to_lowercase();
        let user = User {
            id: id.clone(),
            email: email.into(),
            name: name.into(),
            password_hash: password_hash.clone(),
            disabled_at: None,
        };
        store::users::insert(unit, &user, NOW).await.unwrap();
        for (organization, role) in roles {
            store::memberships::insert(unit, organization, &id, *role, NOW).await.unwrap();
        }
    }
}

fn acme_application() -> Application {
    Application {
        client_id: APP.into(),
        organization_id: ACME.0.into(),
        name: "Acme Toolbar".into(),
        scopes: Scopes::parse("org:read member:read project:write event:write openid").unwrap(),
        response_types: ResponseTypes::of(&[ResponseType::Token, ResponseType::Code]).unwrap(),
        asks_always_at: None,
        disabled_at: None,
        homepage_url: None,
        privacy_url: None,
        terms_url: None,
        revision: 1,
        origins: [ACME_SITE, "https://shop.acme.example", ACME_LOCAL]
            .map(|o| Origin::parse(o).unwrap())
            .into(),
        redirect_uris: vec![ACME_REDIRECT.into(), LOCAL_REDIRECT.into()],
    }
}

fn globex_application() -> Application {
    Application {
        client_id: GLOBEX_APP.into(),
        organization_id: GLOBEX.0.into(),
        name: "Globex Toolbar".into(),
        origins: vec![Origin::parse(GLOBEX_SITE).unwrap()],
        redirect_uris: vec![GLOBEX_REDIRECT.into()],
        ..acme_application()
    }
}
