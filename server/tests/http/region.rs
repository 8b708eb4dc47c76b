//! A region far from the centre: two PostgreSQL servers, a real process on each, and a link between the servers that can be
//! cut. What the centre issues the region knows, what it ends the region refuses, and who has not heard from the centre for
//! too long lets nobody through.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    http::{Method, Request},
};
use latchkey_cluster::{Cluster, Durability, Programs};
use latchkey_server::{
    audit::By,
    clock::Clock,
    routes::{API, RESERVED, SESSION_API},
    store::{self, DatabaseUrl, Store},
};
use serde_json::{Value, json};

use crate::{
    cli::{Node, Said, free_address, latchkey, run},
    support::{
        self, ACME, ACME_SITE, APP, Answer, Asking, BOTH, Database, GLOBEX_APP, GLOBEX_SITE, Link, MEMBER,
        NOW, OWNER, PASSWORD, PLATFORM, Person, Place, Platform, SERVER_SECRET, Site, basic, figure,
        is_embedded,
    },
};

/// From when on a change at the centre counts in a region whose link is up, DESIGN §4.
const HEARD: Duration = Duration::from_secs(1);
/// How old what the region knows may be, where a test is about that: the least that can be asked for.
const STALENESS: Duration = Duration::from_secs(5);
/// Answers between two faults.
const BETWEEN: usize = 100;
/// How long any part of it may take, by far.
const PATIENCE: Duration = Duration::from_secs(60);
/// Who lets the region's server in at the centre, and what the region's process is there.
const ROLES: &str = "
    create role region_eu login replication password 'what nobody may read';
    grant usage on schema regional to region_eu;
    grant select on all tables in schema regional to region_eu;";
const READER: &str = "
    create role latchkey_region login;
    grant usage on schema regional to latchkey_region;
    grant select on all tables in schema regional to latchkey_region;";
/// What the region's process has before its own gate, and behind it.
const SETTINGS: &str = r#"
    [[guarded]]
    prefix = "/v1/{organization}"
    scopes = { GET = "org:read" }
    [[upstreams]]
    url = "http://127.0.0.1:9"
    prefix = "/api/0/organizations/{organization}"
    scopes = { GET = "org:read" }"#;

fn now() -> Duration {
    Clock::System.elapsed()
}

/// Until it is so, and how long that took.
async fn until(what: &str, is_so: impl AsyncFnMut() -> bool) -> Duration {
    support::until(PATIENCE, what, is_so).await
}

/// Ends a server as the end of its machine does, and starts it again. Meanwhile somebody's connection may have its port.
fn crash(cluster: &mut Cluster) {
    let since = now();
    cluster.crash().unwrap();
    while let Err(error) = cluster.resume() {
        assert!(now() - since < PATIENCE, "{error}");
        cluster.crash().unwrap();
    }
}

fn start_node(line: &[&str], address: &str) -> Node {
    Node::start(address, |command| {
        command.args(line);
    })
}

/// The centre, a region of it, and whatever is between them.
struct World {
    far: Node,
    centre: Node,
    /// The platform, as the centre's process answers it, and as the region's does.
    here: Platform,
    there: Platform,
    link: Link,
    place: Place,
    region: Cluster,
    cluster: Cluster,
    staleness: Duration,
}

impl World {
    /// With one organization, Acme, in the one region; nothing where there are no servers.
    async fn new() -> Option<Self> {
        Self::trusting(Duration::from_secs(60)).await
    }

    /// Where what the region knows may be this old.
    async fn trusting(staleness: Duration) -> Option<Self> {
        if is_embedded() {
            return None;
        }
        let programs = Programs::find().expect("the stage installs PostgreSQL");
        let (cluster, region) = std::thread::scope(|scope| {
            let begin = || Cluster::start(&programs, Durability::Kept).unwrap();
            let other = scope.spawn(begin);
            (begin(), other.join().unwrap())
        });
        let platform = Platform::placed(Platform::config(), Place::at(&cluster.url("postgres"))).await;
        platform.make_key().await;
        let centre = start_node(&["--database", &cluster.url("postgres")], &free_address());
        platform.database.script(ROLES).await;
        let link = Link::to(cluster.port()).await;
        let place = Place::at(&region.url("postgres"));
        let world = |far| Self {
            here: platform.through(centre.address),
            there: platform.through(SocketAddr::from(([127, 0, 0, 1], 1))),
            far,
            centre,
            link,
            place,
            region,
            cluster,
            staleness,
        };
        let mut world = world(Node { running: None, address: free_address().parse().unwrap() });
        world.at_centre(&["publish", "eu"]).json();
        world.at_centre(&["assign", "--organization", "acme", "eu"]).json();
        world.in_region(&["subscribe", "eu", "--from", &world.from()]).json();
        world.region_database().await.script(READER).await;
        world.start_region();
        world.becomes_fresh().await;
        Some(world)
    }

    fn from(&self) -> String {
        format!("postgres://region_eu:what%20nobody%20may%20read@127.0.0.1:{}/postgres", self.link.port())
    }

    fn at_centre(&self, line: &[&str]) -> Said {
        run(latchkey(&[&["region", "--database", &self.cluster.url("postgres")], line].concat()))
    }

    fn in_region(&self, line: &[&str]) -> Said {
        run(latchkey(&[&["region", "--database", &self.region.url("postgres")], line].concat()))
    }

    async fn region_database(&self) -> Database {
        self.place.connect().await
    }

    /// Starts the region's process, as somebody who may read what has come, and nothing else.
    fn start_region(&mut self) {
        let url = self.region.url("postgres").replace("postgres@", "latchkey_region@");
        let settings = self.place.folder().join("settings.toml");
        std::fs::write(&settings, SETTINGS).unwrap();
        let settings = settings.display().to_string();
        let secs = self.staleness.as_secs().to_string();
        let line = ["--role", "region", "--database", &url, "--config", &settings];
        let line = [&line[..], &["--max-staleness-secs", &secs]].concat();
        self.far = start_node(&line, &self.far.address.to_string());
        self.there = self.here.through(self.far.address);
    }

    async fn becomes_fresh(&self) -> Duration {
        until("the region is ready", async || self.readiness().await.status == 200).await
    }

    async fn readiness(&self) -> Answer {
        Site::new(&self.there, "").with(None).from(None).get("/readyz/").await
    }

    /// A token of Acme's, for somebody who signs in from an address of their own: the limits are held elsewhere.
    async fn token(&self, email: &str) -> String {
        static NUMBER: AtomicUsize = AtomicUsize::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut person = Person::new(&self.here).at(&format!("10.255.0.{number}"));
        person.sign_in(email).await;
        person.token(&Asking::new()).await
    }

    /// One that the region knows.
    async fn known_token(&self, email: &str) -> String {
        let token = self.token(email).await;
        until("the token is known", async || self.status(&token).await == 200).await;
        token
    }

    async fn status(&self, token: &str) -> u16 {
        Site::new(&self.there, token).get("/api/0/").await.status
    }

    /// The same, once the region is sure: for so little time it may be too old now and then, while much is going on.
    async fn certain_status(&self, token: &str) -> u16 {
        let mut status = 503;
        until("the region is sure", async || {
            status = self.status(token).await;
            status != 503
        })
        .await;
        status
    }

    /// Ends a token at the centre, as another process would.
    async fn end(&self, token: &str) {
        let four = &token[token.len() - 4..];
        let end = format!("update access_tokens set revoked_at = 1 where last_four = '{four}'");
        self.here.database.execute(&end).await.unwrap();
    }

    /// How long it takes until the region refuses this in that way.
    async fn refused(&self, token: &str, status: u16, error: &str) -> Duration {
        let site = Site::new(&self.there, token);
        let answers = async || site.get("/api/0/").await;
        let took = until(error, async || answers().await.status != 200).await;
        answers().await.assert_api_error(status, error);
        took
    }
}

/// What ends a token, what puts back what it stood on, and how it is refused.
const ENDINGS: [(&str, &str, u16, &str); 9] = [
    ("update access_tokens set revoked_at = 1", "", 401, "invalid_token"),
    ("update grants set revoked_at = 1", "", 401, "invalid_token"),
    (
        "update applications set disabled_at = 1",
        "update applications set disabled_at = null",
        401,
        "invalid_token",
    ),
    (
        "update organizations set disabled_at = 1",
        "update organizations set disabled_at = null",
        401,
        "invalid_token",
    ),
    (
        "update users set disabled_at = 1 where id = 'max'",
        "update users set disabled_at = null",
        401,
        "invalid_token",
    ),
    (
        "delete from memberships where user_id = 'max'",
        "insert into memberships (organization_id, user_id, role, created_at) values ('org-acme', 'max', 'member', 1)",
        403,
        "membership_required",
    ),
    (
        "delete from application_origins where origin = 'https://www.acme.example'",
        "insert into application_origins (client_id, origin) values ('acmeclient', 'https://www.acme.example')",
        403,
        "origin_not_allowed",
    ),
    ("delete from access_tokens", "", 401, "invalid_token"),
    // As whatever is replicated to the centre from elsewhere.
    (
        "set session_replication_role = replica; update access_tokens set revoked_at = 1; \
         set session_replication_role = origin",
        "",
        401,
        "invalid_token",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_centre_issues_the_region_knows_and_what_it_ends_the_region_refuses() {
    let Some(world) = World::new().await else { return };
    let token = world.token(MEMBER).await;
    let known = until("it is known", async || world.status(&token).await == 200).await;
    figure(&format!("a token was known in the region {known:?} after it was issued"));
    assert!(known < HEARD, "{known:?}");
    let site = Site::new(&world.there, &token);
    let answer = site.get("/api/0/organizations/acme/").await;
    assert_eq!(answer.json(), json!({ "id": ACME.0, "slug": "acme", "name": "Acme Rockets" }));
    site.get("/api/0/organizations/globex/").await.assert_api_error(403, "wrong_organization");
    site.clone().from(Some(GLOBEX_SITE)).get("/api/0/").await.assert_api_error(403, "origin_not_allowed");
    assert_eq!(site.preflight("GET", "/api/0/").await.header("access-control-allow-origin"), Some(ACME_SITE));

    let mut longest = Duration::ZERO;
    for (end, put_back, status, error) in ENDINGS {
        let token = world.known_token(MEMBER).await;
        world.here.database.script(end).await;
        let took = world.refused(&token, status, error).await;
        longest = longest.max(took);
        if !put_back.is_empty() {
            world.here.database.script(put_back).await;
        }
    }
    let token = world.known_token(MEMBER).await;
    let body = format!("client_id={APP}&token={token}");
    let anybody = Site::new(&world.here, "").with(None).from(None);
    assert_eq!(anybody.send(Method::POST, "/oauth/revoke/", body).await.status, 200);
    longest = longest.max(world.refused(&token, 401, "invalid_token").await);
    figure(&format!("at the latest {longest:?} after it was committed it counted in the region"));
    assert!(longest < HEARD, "{longest:?}");

    // Whatever was changed, what is kept for the region is what there is of the organization, and what has come is that.
    for (table, columns, whose) in KEPT {
        let kept = format!("select {columns} from regional.{table}");
        let there_is = format!("select {columns} from {table} where {whose}");
        for (one, other) in [(&kept, &there_is), (&there_is, &kept)] {
            let more = world.here.count(&format!("select count(*) from ({one} except {other}) x")).await;
            assert_eq!(more, 0, "{one} except {other}");
        }
        let rows = format!("select t::text from regional.{table} t order by 1");
        let region = world.region_database().await;
        until(table, async || region.texts(&rows).await == world.here.texts(&rows).await).await;
        assert!(!region.texts(&rows).await.is_empty(), "{table}");
    }
}

/// What is kept after which columns of what is Acme's.
const KEPT: [(&str, &str, &str); 7] = [
    ("organizations", "id, slug, name, disabled_at", "slug = 'acme'"),
    ("memberships", "organization_id, user_id, role", "organization_id = 'org-acme'"),
    (
        "users",
        "id, name, disabled_at",
        "id in (select user_id from memberships where organization_id = 'org-acme')",
    ),
    ("applications", "client_id, organization_id, disabled_at", "client_id = 'acmeclient'"),
    ("application_origins", "client_id, origin", "client_id = 'acmeclient'"),
    ("grants", "id, client_id, organization_id, user_id, revoked_at", "client_id = 'acmeclient'"),
    (
        "access_tokens",
        "id, token_hash, grant_id, scopes, created_at, expires_at, revoked_at",
        "grant_id in (select id from grants where client_id = 'acmeclient')",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resource_servers_and_proxies_are_answered_there() {
    let Some(world) = World::new().await else { return };
    for (id, organization) in [("all", None), ("acmes", Some(ACME.0)), ("globexes", Some("org-globex"))] {
        let mut unit = world.here.write().await;
        let secret = latchkey_server::secret::Secret::new(SERVER_SECRET).digest();
        store::resource_servers::insert(&mut unit, id, "API", &secret, organization, NOW).await.unwrap();
        unit.commit().await.unwrap();
    }
    let token = world.known_token(MEMBER).await;
    let ask = async |id: &str| {
        let site = Site::new(&world.there, "").from(None).with(Some(&basic(id, SERVER_SECRET)));
        site.send(Method::POST, "/oauth/introspect/", format!("token={token}")).await
    };
    for id in ["all", "acmes"] {
        let answer = ask(id).await.json();
        let told = ["active", "name", "organization_slug", "email"].map(|name| answer[name].clone());
        assert_eq!(told, [json!(true), json!("Max"), json!("acme"), Value::Null], "{answer}");
    }
    // It is in another region, or in none.
    ask("globexes").await.assert_api_error(401, "invalid_client");

    let check = async |address: &str| {
        let request = Request::get("/gate/check/")
            .header("authorization", format!("Bearer {token}"))
            .header("x-original-method", "GET")
            .header("x-original-uri", address);
        world.there.send(request.body(Body::empty()).unwrap()).await
    };
    let answer = check("/v1/acme/things").await;
    assert_eq!((answer.status, answer.header("latchkey-user")), (200, Some("max")));
    assert_eq!(answer.header("latchkey-assertion"), None, "there is no key to sign one");
    check("/v1/globex/things").await.assert_api_error(403, "wrong_organization");
    // Of the gateway's backend nobody answers on that port.
    let site = Site::new(&world.there, &token);
    site.get("/api/0/organizations/acme/issues/").await.assert_api_error(502, "bad_gateway");
    site.get("/api/0/organizations/globex/issues/").await.assert_api_error(403, "wrong_organization");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_wants_anything_else_is_sent_to_the_centre() {
    let Some(world) = World::new().await else { return };
    let token = world.known_token(OWNER).await;
    let here = ["/gate", "/healthz", "/readyz", "/metrics"];
    let api = API.iter().filter(|route| !route.is_in_regions).map(|route| route.path).chain(SESSION_API);
    let fill = |path: &str| path.replace("{organization}", "acme").replace("{client_id}", APP);
    let pages = RESERVED.into_iter().filter(|path| !here.contains(path)).map(ToOwned::to_owned);
    let others = [
        "/",
        "/oauth/authorize/",
        "/oauth/token/",
        "/oauth/revoke/",
        "/oauth/jwks/",
        "/.well-known/openid-configuration",
        "/toolbar/acmeclient/",
        "/toolbar/acmeclient/session/",
        "/organizations/acme/members/",
        "/api/",
        "/nowhere/",
    ];
    let all: Vec<String> = api.map(fill).chain(pages).chain(others.map(ToOwned::to_owned)).collect();
    assert!(all.len() > 25 && all.contains(&"/api/0/organizations/acme/members".to_owned()), "{all:?}");
    let site = Site::new(&world.there, &token);
    for path in &all {
        for method in [Method::GET, Method::POST] {
            let answer = site.send(method, path, String::new()).await;
            answer.assert_api_error(404, "not_here");
            assert!(answer.body.contains("the platform's own address"), "{path}: {}", answer.body);
        }
    }
    for route in API.iter().filter(|route| route.is_in_regions) {
        assert_eq!(site.get(&fill(route.path)).await.status, 200, "{}", route.path);
    }
    assert_eq!(Site::new(&world.there, "").from(None).get("/healthz/").await.status, 204);
}

/// The columns of the region's database that its own schema makes: whatever is added is looked at here.
const HELD: [(&str, &str); 10] = [
    ("access_tokens", "created_at expires_at grant_id id region revoked_at scopes token_hash"),
    ("application_origins", "client_id origin region"),
    ("applications", "client_id disabled_at organization_id region"),
    ("gaps", "found_at"),
    ("grants", "client_id id organization_id region revoked_at user_id"),
    ("heartbeat", "echoed mark number previous region"),
    ("memberships", "organization_id region role user_id"),
    ("organizations", "disabled_at id name region slug"),
    ("resource_servers", "disabled_at id name organization_id region secret_hash"),
    ("users", "disabled_at id name region"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_holds_what_it_needs_and_nothing_can_be_written_there() {
    let Some(world) = World::new().await else { return };
    // Somebody of both organizations, which are in two regions, with a token of each.
    world.at_centre(&["publish", "us-1"]).json();
    world.at_centre(&["assign", "--organization", "globex", "us-1"]).json();
    world.known_token(BOTH).await;
    let globex = Asking::new()
        .with("client_id", GLOBEX_APP)
        .with("origin", GLOBEX_SITE)
        .with("redirect_uri", &Asking::callback(GLOBEX_APP));
    let foreign = Person::signed_in(&world.here, BOTH).await.token(&globex).await;
    world.known_token(MEMBER).await;
    let site = Site::new(&world.there, &foreign).from(Some(GLOBEX_SITE));
    site.get("/api/0/").await.assert_api_error(401, "invalid_token");

    let database = world.region_database().await;
    let columns = "select table_schema || '.' || table_name || ' ' || string_agg(column_name, ' ' order by column_name)
                   from information_schema.columns
                   where table_schema not in ('pg_catalog', 'information_schema') and table_name <> '_sqlx_migrations'
                   group by table_schema, table_name order by 1";
    let expected: Vec<String> =
        HELD.iter().map(|(table, columns)| format!("regional.{table} {columns}")).collect();
    assert_eq!(database.texts(columns).await, expected);
    let mut everything = String::new();
    for (table, _) in HELD {
        let rows = database.texts(&format!("select t::text from regional.{table} t")).await;
        assert_eq!(rows.is_empty(), ["gaps", "resource_servers"].contains(&table), "{table}");
        everything += &rows.join("\n");
    }
    let hash = world.here.text("select password_hash from users where id = 'max'").await;
    for absent in ["@example.org", "lobex", "lkat_", &hash, PASSWORD] {
        assert!(!everything.contains(absent), "{absent}");
    }

    // Even where the role could.
    let Ok(DatabaseUrl::Postgres(url)) = world.region.url("postgres").parse() else { panic!("a server") };
    let store = Store::open_region(&url).await.unwrap();
    let mut unit = store.write(By::server(NOW)).await.unwrap();
    let written = store::organizations::revoke(&mut unit, ACME.0, NOW).await;
    assert!(written.unwrap_err().to_string().contains("read-only transaction"));
    drop(unit);
    store.close().await;
    // And neither is taken for the other.
    let taken = Store::open(&DatabaseUrl::Postgres(url)).await.unwrap_err();
    assert!(taken.to_string().contains("`latchkey serve --role region` is for it"), "{taken}");
    let Ok(DatabaseUrl::Postgres(url)) = world.cluster.url("postgres").parse() else { panic!("a server") };
    let taken = Store::open_region(&url).await.unwrap_err();
    assert!(taken.to_string().contains("run `latchkey region subscribe` first"), "{taken}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organization_that_moves_is_forgotten_where_it_was() {
    let Some(world) = World::new().await else { return };
    let token = world.known_token(BOTH).await;
    world.at_centre(&["publish", "us-1"]).json();
    let moved = world.at_centre(&["assign", "--organization", "acme", "us-1"]).json();
    assert_eq!(moved, json!({ "organization": "acme", "region": "us-1", "moved": true }));
    let took = world.refused(&token, 401, "invalid_token").await;
    figure(&format!("{took:?} after an organization was moved away the region knew nothing of it"));
    assert!(took < HEARD, "{took:?}");
    let database = world.region_database().await;
    for (table, _) in HELD.iter().filter(|(table, _)| *table != "heartbeat") {
        assert_eq!(database.number(&format!("select count(*) from regional.{table}")).await, 0, "{table}");
    }
    world.at_centre(&["assign", "--organization", "acme", "eu"]).json();
    until("it is known again", async || world.status(&token).await == 200).await;
    let again = world.at_centre(&["assign", "--organization", "acme", "eu"]).json();
    assert_eq!(again["moved"], false);
    world.at_centre(&["release", "--organization", "acme"]).json();
    world.refused(&token, 401, "invalid_token").await;
    let log = "select detail from audit_log where action = 'organization.moved' order by id";
    let log: Vec<Value> =
        world.here.texts(log).await.iter().map(|detail| serde_json::from_str(detail).unwrap()).collect();
    let entry = |region: Option<&str>, was: Option<&str>| json!({ "region": region, "was": was });
    let expected = [
        entry(Some("eu"), None),
        entry(Some("us-1"), Some("eu")),
        entry(Some("eu"), Some("us-1")),
        entry(None, Some("eu")),
    ];
    assert_eq!(log, expected);
    assert_eq!(world.here.count("select count(*) from regional.users").await, 0);
}

/// What somebody was told of a token, and when.
#[derive(Debug, Clone, Copy)]
enum Told {
    Issued(Duration),
    Unknown,
    Ended(Duration),
}

/// People who sign in at the centre, use what they get in the region, and end it.
#[derive(Debug)]
struct Load {
    here: Platform,
    there: Platform,
    tokens: Mutex<HashMap<String, Told>>,
    answered: AtomicUsize,
    closed: AtomicUsize,
    wrong: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

impl Load {
    fn told(&self, token: &str) -> Told {
        self.tokens.lock().unwrap()[token]
    }

    fn tell(&self, token: &str, told: Told) {
        self.tokens.lock().unwrap().insert(token.to_owned(), told);
    }

    /// Asks the region, and holds the answer against what the centre acknowledged longer ago than the region may be old.
    async fn call(&self, token: &str) {
        let window = STALENESS + HEARD;
        let (before, asked_at) = (self.told(token), now());
        let status = Site::new(&self.there, token).get("/api/0/").await.status;
        let counter = if status < 500 && status > 0 { &self.answered } else { &self.closed };
        counter.fetch_add(1, Ordering::SeqCst);
        let wrong = match (before, self.told(token), status) {
            (Told::Ended(at), _, 200) if asked_at > at + window => {
                format!("{:?} after it was ended a token opened something", asked_at - at)
            }
            (Told::Issued(at), Told::Issued(_), 401 | 403) if asked_at > at + window => {
                format!("{:?} after it was issued a token is lost", asked_at - at)
            }
            _ => return,
        };
        self.wrong.lock().unwrap().push(wrong);
    }

    /// Until the region has answered so many more.
    async fn go_on(&self) {
        let from = self.answered.load(Ordering::SeqCst);
        until("the load goes on", async || self.answered.load(Ordering::SeqCst) > from + BETWEEN).await;
    }

    async fn work(self: Arc<Self>, email: &'static str, mut turn: usize) {
        let mut person = Person::signed_in(&self.here, email).await;
        person.allow(&Asking::new()).await;
        let mut last: Vec<String> = vec![];
        while !self.is_over.load(Ordering::SeqCst) {
            turn += 1;
            person = person.at(&format!("10.{}.{}.{}", turn / 65536 % 256, turn / 256 % 256, turn % 256));
            let answer = person.ask(&Asking::new().with("prompt", "none")).await;
            let token = (answer.status == 303)
                .then(|| answer.response_to(&Asking::callback(APP)).remove("access_token"))
                .flatten();
            if let Some(token) = token {
                self.tell(&token, Told::Issued(now()));
                if turn.is_multiple_of(2) {
                    self.tell(&token, Told::Unknown);
                    let site = Site::new(&self.here, "").with(None).from(None);
                    let body = format!("client_id={APP}&token={token}");
                    let ended = site.send(Method::POST, "/oauth/revoke/", body).await;
                    if ended.status == 200 {
                        self.tell(&token, Told::Ended(now()));
                    }
                }
                last.push(token);
            }
            for token in last.iter().rev().take(3).chain(last.iter().rev().skip(20).step_by(17).take(3)) {
                self.call(token).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_not_heard_from_the_centre_for_too_long_lets_nobody_through_and_comes_back() {
    let Some(mut world) = World::trusting(STALENESS).await else { return };
    let load = Arc::new(Load {
        here: world.here.clone(),
        there: world.there.clone(),
        tokens: Mutex::default(),
        answered: AtomicUsize::default(),
        closed: AtomicUsize::default(),
        wrong: Mutex::default(),
        is_over: AtomicBool::default(),
    });
    let people = [OWNER, BOTH].into_iter().enumerate();
    let workers: Vec<_> =
        people.map(|(number, email)| tokio::spawn(load.clone().work(email, number * 16_384))).collect();
    let (kept, ended) = (world.known_token(MEMBER).await, world.known_token(MEMBER).await);
    let closes = async |world: &World, token: &str| {
        until("it lets nobody through", async || world.status(token).await == 503).await
    };
    let opens = async |world: &World, token: &str| {
        until("it answers again", async || world.status(token).await == 200).await
    };

    load.go_on().await;

    // While the link is up, what is ended counts there within a second under load, too.
    let token = world.known_token(MEMBER).await;
    world.end(&token).await;
    let took = until("it is refused", async || world.status(&token).await == 401).await;
    figure(&format!("a region: under load, what was ended counted after {took:?}"));
    assert!(took < HEARD, "{took:?}");

    // The link is cut.
    world.link.cut();
    world.end(&ended).await;
    let took = closes(&world, &kept).await;
    figure(&format!("a region: the link was cut: it answered for {took:?}"));
    assert!(took > STALENESS / 4 && took < STALENESS + HEARD, "{took:?}");
    let answer = Site::new(&world.there, &kept).get("/api/0/").await;
    answer.assert_api_error(503, "temporarily_unavailable");
    assert!(answer.body.contains("has not heard from the centre for too long"), "{}", answer.body);
    assert_eq!((answer.header("retry-after"), world.readiness().await.status), (Some("1"), 503));
    // The load goes on meanwhile, so that much is waiting behind the cut.
    let later = now() + STALENESS;
    until("some time has passed", async || now() > later).await;
    assert_eq!(world.status(&ended).await, 503);

    // Whatever waited comes at once, and counts when all of it is there.
    world.link.mend();
    let took = until("it answers again", async || {
        let status = world.status(&ended).await;
        assert!(status != 200, "a token that ended long ago opens something");
        world.status(&kept).await == 200
    })
    .await;
    figure(&format!("a region: the link was mended: it answered again after {took:?}"));
    assert_eq!(world.certain_status(&ended).await, 401);
    load.go_on().await;

    // A process that is started anew knows nothing of the age of what is there.
    world.far.kill();
    world.link.cut();
    world.start_region();
    let later = now() + STALENESS;
    let mut asked = 0;
    until("some time has passed", async || {
        asked += 1;
        assert_eq!(world.status(&kept).await, 503, "it has not seen a beat");
        now() > later
    })
    .await;
    assert!(asked > 10);
    world.link.mend();
    figure(&format!(
        "a region: it was started anew: it answered {:?} after the link was there",
        opens(&world, &kept).await
    ));

    load.go_on().await;

    // The centre's server crashes, and then its process is gone for a while.
    crash(&mut world.cluster);
    figure(&format!(
        "a region: the centre's server crashed: it answered after {:?}",
        opens(&world, &kept).await
    ));
    load.go_on().await;
    world.centre.kill();
    figure(&format!(
        "a region: the centre's process was killed: it answered for {:?}",
        closes(&world, &kept).await
    ));
    let url = world.cluster.url("postgres");
    world.centre = start_node(&["--database", &url], &world.centre.address.to_string());
    figure(&format!("a region: it was started again: it answered after {:?}", opens(&world, &kept).await));
    load.go_on().await;
    // And the region's server.
    crash(&mut world.region);
    figure(&format!(
        "a region: the region's server crashed: it answered after {:?}",
        opens(&world, &kept).await
    ));

    load.go_on().await;
    load.is_over.store(true, Ordering::SeqCst);
    for worker in workers {
        worker.await.unwrap();
    }
    let tokens: Vec<_> = load.tokens.lock().unwrap().clone().into_iter().collect();
    let last = world.known_token(MEMBER).await;
    assert_eq!(world.certain_status(&last).await, 200, "all that was issued before is there");
    let (mut lives, mut is_over) = (0, 0);
    for (token, told) in &tokens {
        match (told, world.certain_status(token).await) {
            (Told::Issued(_), 200) => lives += 1,
            (Told::Ended(_), 401) => is_over += 1,
            (Told::Unknown, 200 | 401) => {}
            (told, status) => panic!("at the end: {told:?} and {status}"),
        }
    }
    let wrong = load.wrong.lock().unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(lives > 0 && is_over > 0, "{lives} {is_over}");
    figure(&format!(
        "{} requests answered, {} refused for want of news, 5 faults; {lives} tokens live and {is_over} have ended, as \
         the centre said: none was lost",
        load.answered.load(Ordering::SeqCst),
        load.closed.load(Ordering::SeqCst),
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_was_put_back_or_follows_another_one_lets_nobody_through() {
    let Some(mut world) = World::trusting(STALENESS).await else { return };
    let (kept, ended) = (world.known_token(MEMBER).await, world.known_token(MEMBER).await);
    let saved = world.region.save().unwrap();
    world.becomes_fresh().await;
    world.end(&ended).await;
    until("it is refused", async || world.status(&ended).await == 401).await;
    let stays_closed = async |world: &World, kept: &str, ended: &str| {
        let (since, mut asked) = (now(), 0);
        until("some time has passed", async || {
            asked += 1;
            assert_eq!((world.status(kept).await, world.status(ended).await), (503, 503));
            now() - since > 2 * HEARD
        })
        .await;
        assert!(asked > 10);
    };

    // A standby: what confirms the beats is not what is read.
    world.region.put_back(&saved, true).unwrap();
    stays_closed(&world, &kept, &ended).await;
    let Ok(DatabaseUrl::Postgres(url)) = world.region.url("postgres").parse() else { panic!("a server") };
    for refused in [Store::open_region(&url).await, Store::open(&DatabaseUrl::Postgres(url)).await] {
        let refused = refused.unwrap_err();
        assert!(refused.to_string().contains("this server is a standby"), "{refused}");
    }

    // What it had a while ago: PostgreSQL goes on after what is missing.
    world.region.put_back(&saved, false).unwrap();
    until("the gap is seen", async || {
        assert_ne!(world.status(&ended).await, 200, "what ended it never came");
        let ready = world.readiness().await;
        ready.status == 503 && ready.body.contains("\"has_gap\":true")
    })
    .await;
    stays_closed(&world, &kept, &ended).await;

    // Only a new copy mends it.
    world.in_region(&["unsubscribe"]).json();
    world.in_region(&["subscribe", "eu", "--from", &world.from()]).json();
    until("it answers again", async || world.status(&kept).await == 200).await;
    assert_eq!(world.certain_status(&ended).await, 401);

    // One that was away for longer than the centre keeps its log.
    let (kept, ended) = (world.known_token(MEMBER).await, world.known_token(MEMBER).await);
    let listed = |world: &World| world.at_centre(&["list"]).json()["regions"][0]["log_lost"].clone();
    assert_eq!(listed(&world), json!(false));
    world.link.cut();
    world.end(&ended).await;
    for setting in ["alter system set max_slot_wal_keep_size = '1MB'", "select pg_reload_conf()"] {
        world.here.database.execute(setting).await.unwrap();
    }
    until("the centre has dropped the log", async || {
        for step in
            ["select pg_logical_emit_message(true, 'more', 'of it')", "select pg_switch_wal()", "checkpoint"]
        {
            world.here.database.execute(step).await.unwrap();
        }
        listed(&world) == json!(true)
    })
    .await;
    world.link.mend();
    until("it lets nobody through", async || world.status(&ended).await == 503).await;
    stays_closed(&world, &kept, &ended).await;
    world.in_region(&["unsubscribe"]).json();
    world.in_region(&["subscribe", "eu", "--from", &world.from()]).json();
    until("it answers again", async || world.status(&kept).await == 200).await;
    assert_eq!((world.certain_status(&ended).await, listed(&world)), (401, json!(false)));

    // A centre that was moved to another server, whose log has not come as far.
    let moved = "update regional.heartbeat set asked = number, asked_lsn = 'FF/0'";
    world.here.database.script(moved).await;
    until("it asks for the next beat", async || {
        world.here.count("select count(*) from regional.heartbeat where asked_lsn < 'FF/0'").await == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_said_with_what_to_do_and_without_a_password() {
    let Some(mut world) = World::new().await else { return };
    world.at_centre(&["publish", "eu"]).assert_refused("there is already a region \"eu\"");
    world.at_centre(&["publish", "E U"]).assert_refused("NAME \"E U\": ");
    let refused = world.at_centre(&["assign", "--organization", "acme", "mars"]);
    refused.assert_refused("make one with `latchkey region publish`");
    world.at_centre(&["remove", "eu"]).assert_refused("there are 1 organizations in the region");
    let listed = world.at_centre(&["list"]).json()["regions"][0].clone();
    let told = ["name", "organizations", "subscribed", "connected"].map(|name| listed[name].clone());
    assert_eq!(told, [json!("eu"), json!(1), json!(true), json!(true)]);
    assert!(listed["behind_bytes"].is_i64(), "{listed}");
    let ready = world.readiness().await.json();
    assert_eq!((&ready["region"], &ready["is_receiving"]), (&json!("eu"), &json!(true)), "{ready}");
    assert!(ready["staleness_secs"].as_f64().unwrap() < 60.0, "{ready}");
    let metrics = Site::new(&world.there, "").with(None).from(None).get("/metrics/").await;
    assert!(metrics.body.contains("\nlatchkey_region_staleness_seconds "), "{}", metrics.body);

    let from = world.from();
    world
        .in_region(&["subscribe", "eu", "--from", &from])
        .assert_refused("subscribes to latchkey_eu already");
    world.at_centre(&["release", "--organization", "acme"]).json();
    world.at_centre(&["remove", "eu"]).assert_refused("run `latchkey region unsubscribe` there first");
    let unsubscribed = world.in_region(&["unsubscribe"]).json();
    assert_eq!(unsubscribed, json!({ "unsubscribed": "latchkey_eu", "slot_dropped": true }));
    world.in_region(&["unsubscribe"]).assert_refused("subscribes to nothing");
    assert_eq!(world.here.count("select count(*) from pg_replication_slots").await, 0);
    assert_eq!(
        world.region_database().await.number("select count(*) from regional.heartbeat").await,
        0,
        "what came is forgotten"
    );
    until("it lets nobody through", async || world.readiness().await.status == 503).await;

    let refused = world.in_region(&["subscribe", "mars", "--from", &from]);
    refused.assert_refused("run `latchkey region publish mars` there");
    world.here.database.script("revoke select on regional.grants from region_eu").await;
    let refused = world.in_region(&["subscribe", "eu", "--from", &from]);
    refused.assert_refused("grant select on all tables in schema regional to \"region_eu\"");
    world.here.database.script("alter role region_eu noreplication").await;
    world.here.database.script("grant select on regional.grants to region_eu").await;
    let refused = world.in_region(&["subscribe", "eu", "--from", &from]);
    refused.assert_refused("run `alter role \"region_eu\" replication` at the centre");
    let nobody = from.replace(&world.link.port().to_string(), "1");
    let refused = world.in_region(&["subscribe", "eu", "--from", &nobody]);
    refused.assert_refused("The region's server must reach the centre's");
    // A file that the URL names is one of the region's server.
    let there = format!("{nobody}{}sslrootcert=/nowhere.pem", if nobody.contains('?') { '&' } else { '?' });
    let refused = world.in_region(&["subscribe", "eu", "--from", &there]);
    refused.assert_refused("The region's server must reach the centre's");
    assert!(
        !refused.stderr.contains("nobody%20may") && !refused.stderr.contains("nobody may"),
        "{refused:?}"
    );
    let half = from.replace("%20may", "%may");
    let refused = world.in_region(&["subscribe", "eu", "--from", &half]);
    refused.assert_refused("write %25 for it");
    assert!(!refused.stderr.contains("nobody"), "{refused:?}");
    let centre = world.cluster.url("postgres");
    world
        .here
        .database
        .script("create subscription other connection '' publication other with (connect = false)")
        .await;
    let refused = world.at_centre(&["unsubscribe"]);
    refused.assert_refused("this database is no region's");
    assert_eq!(world.here.count("select count(*) from regional.regions").await, 1);
    let refused = run(latchkey(&["region", "subscribe", "eu", "--from", &from, "--database", &centre]));
    refused.assert_refused("this database is a centre's");
    let file = format!("sqlite://{}", world.place.folder().join("latchkey.db").display());
    let refused = run(latchkey(&["region", "list", "--database", &file]));
    refused.assert_refused("move there with `latchkey migrate --to`");

    let line = ["serve", "--role", "region", "--max-staleness-secs", "4", "--public-url", PLATFORM];
    let refused = run(latchkey(&[&line[..], &["--database", &world.region.url("postgres")]].concat()));
    refused.assert_refused("--max-staleness-secs 4: 5 is the least");

    // It begins anew, with all that there is by then; and a slot that nobody asks for any more goes with its region.
    world.here.database.script("alter role region_eu replication").await;
    world.at_centre(&["assign", "--organization", "acme", "eu"]).json();
    let token = world.token(MEMBER).await;
    let subscribed = world.in_region(&["subscribe", "eu", "--from", &from]);
    assert!(!subscribed.json().to_string().contains("nobody"), "{subscribed:?}");
    until("it is known", async || world.status(&token).await == 200).await;
    crash(&mut world.region);
    world.in_region(&["unsubscribe", "--without-centre"]).json();
    world.at_centre(&["release", "--organization", "acme"]).json();
    until("it is not connected", async || {
        world.at_centre(&["list"]).json()["regions"][0]["connected"] == json!(false)
    })
    .await;
    assert_eq!(world.at_centre(&["remove", "eu"]).json(), json!({ "region": "eu", "removed": true }));
    assert_eq!(world.here.count("select count(*) from pg_replication_slots").await, 0);
    // Where there is no region nothing is kept for one.
    let on = "select count(*) from pg_trigger where tgname like 'regions\\_keep\\_%' and tgenabled <> 'D'";
    assert_eq!(world.here.count(on).await, 0);
}
