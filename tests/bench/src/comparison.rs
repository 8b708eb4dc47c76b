//! The routes that are compared, in turn and again and again, so that what disturbs the machine disturbs all of them.

use std::{env, rc::Rc, time::Duration};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    Options, backend,
    database::{self, Database, RESOURCE_SERVER, Token},
    load,
    process::{Process, free_address},
    route::Route,
};

/// How many tokens are used over and over.
pub(crate) const FEW: usize = 1000;
/// How many are used in turn where each is to be another one.
const MANY: usize = 50_000;
/// How many go through the gateway, which signs something for each of them now and then.
const FORWARDED: usize = 32;
/// How many rows the small database has.
pub(crate) const SMALL: usize = 1000;

/// What was measured.
#[derive(Debug)]
pub(crate) struct Compared {
    /// A bare axum route.
    pub(crate) bare: Route,
    /// The bare route behind the gate's layer, with tokens that it remembers.
    pub(crate) layer: Route,
    /// A route of the server, with tokens that it remembers.
    pub(crate) guarded: Route,
    /// The same, asked for by a site.
    pub(crate) with_origin: Route,
    /// A bare axum route that looks one row up.
    pub(crate) lookup: Route,
    /// A route behind a gate that remembers nothing.
    pub(crate) cold: Route,
    /// With few rows: tokens that are remembered.
    pub(crate) small: Route,
    /// With few rows: nothing remembered.
    pub(crate) small_cold: Route,
    /// Asked by a resource server.
    pub(crate) introspection: Route,
    /// The bare route, through the gateway.
    pub(crate) gateway: Route,
}

/// Starts what is compared, and measures it.
pub(crate) async fn run(options: &Options) -> Result<Compared> {
    let few = |database: &Database| database.spread(FEW);
    let database = Database::find_or_make(&options.server, &options.folder, options.tokens).await?;
    let small = Database::find_or_make(&options.server, &options.folder, SMALL).await?;
    let behind = free_address()?;
    let start = async |name, database: &Database, arguments: &[&str]| {
        serve(options, name, &database::url(&database.path), arguments, &[]).await
    };
    let upstream = format!("http://{behind}");
    let server = start("server", &database, &["--upstream", &upstream]).await?;
    let forgetful = start("cold", &database, FORGETFUL).await?;
    let small_server = start("small", &small, &[]).await?;
    let small_forgetful = start("small-cold", &small, FORGETFUL).await?;

    let tokens = few(&database);
    let token = tokens.first().context("there are tokens")?;
    let body = load::fetch(server.address, &get("/api/0/", &bearer(token))).await?;
    let arguments = backend::arguments(behind, &body, &database.path)?;
    let log = options.folder.join("backend.log");
    let backend = Rc::new(Process::start(&env::current_exe()?, &arguments, behind, &log, &[]).await?);

    let guarded = |tokens: &[Token]| each(tokens, |token| get("/api/0/", &bearer(token)));
    let many = database.spread(MANY);
    let mut compared = Compared {
        bare: Route::new("bare axum route", &backend, guarded(&tokens)),
        layer: Route::new(
            "bare axum route behind the layer",
            &backend,
            each(&tokens, |token| get(backend::GUARDED, &bearer(token))),
        ),
        guarded: Route::new("guarded, remembered", &server, guarded(&tokens)),
        with_origin: Route::new(
            "guarded, remembered, with an Origin",
            &server,
            each(&tokens, |token| get("/api/0/", &format!("{}Origin: {}\r\n", bearer(token), token.origin))),
        ),
        lookup: Route::new(
            "bare axum route with one lookup",
            &backend,
            each(&many, |token| get(&format!("/lookup/{}", token.id), &bearer(token))),
        ),
        cold: Route::new("guarded, cold", &forgetful, guarded(&many)),
        small: Route::new("guarded, remembered, 1 k rows", &small_server, guarded(&few(&small))),
        small_cold: Route::new("guarded, cold, 1 k rows", &small_forgetful, guarded(&few(&small))),
        introspection: Route::new("introspection, remembered", &server, each(&tokens, introspect)),
        gateway: Route::new(
            "gateway to the bare route",
            &server,
            each(tokens.get(..FORWARDED).unwrap_or(&tokens), |token| {
                get(&format!("/api/0/organizations/{}/issues/", token.organization), &bearer(token))
            }),
        ),
    };
    for route in compared.routes() {
        route.warm().await?;
    }
    for round in 0..options.rounds {
        eprint!("\rround {} of {}", round + 1, options.rounds);
        // Nobody always comes after the same one.
        let mut routes = compared.routes();
        let count = routes.len();
        routes.rotate_left(round % count);
        for route in routes {
            route.measure(Duration::from_millis(options.millis)).await?;
        }
    }
    eprintln!();
    Ok(compared)
}

impl Compared {
    /// All of them.
    fn routes(&mut self) -> [&mut Route; 10] {
        let Self {
            bare,
            layer,
            guarded,
            with_origin,
            lookup,
            cold,
            small,
            small_cold,
            introspection,
            gateway,
        } = self;
        [bare, layer, guarded, with_origin, lookup, cold, small, small_cold, introspection, gateway]
    }
}

/// Asks the database for every request.
const FORGETFUL: &[&str] = &["--max-remembered-tokens", "0"];

/// Starts the server as it would be deployed, on the database with this URL.
pub(crate) async fn serve(
    options: &Options,
    name: &'static str,
    database: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Result<Rc<Process>> {
    let address = free_address()?;
    let (listen, public_url) = (address.to_string(), format!("http://{address}"));
    let words = ["serve", "--database", database, "--listen", &listen, "--public-url", &public_url];
    let words: Vec<String> = words.iter().chain(arguments).map(|&word| word.to_owned()).collect();
    let log = options.folder.join(name).with_extension("log");
    Ok(Rc::new(Process::start(&options.server, &words, address, &log, environment).await?))
}

/// What is asked for with each of these tokens.
pub(crate) fn each(tokens: &[Token], request: impl Fn(&Token) -> Box<[u8]>) -> Vec<Box<[u8]>> {
    tokens.iter().map(request).collect()
}

/// The header that a token comes in.
pub(crate) fn bearer(token: &Token) -> String {
    format!("Authorization: Bearer {}\r\n", token.token.expose())
}

/// A request as it goes over the wire.
pub(crate) fn get(path: &str, headers: &str) -> Box<[u8]> {
    format!("GET {path} HTTP/1.1\r\nHost: bench\r\n{headers}\r\n").into_bytes().into()
}

fn introspect(token: &Token) -> Box<[u8]> {
    let (id, secret) = RESOURCE_SERVER;
    let credentials = STANDARD.encode(format!("{id}:{secret}"));
    let body = format!("token={}", token.token.expose());
    let length = body.len();
    format!(
        "POST /oauth/introspect/ HTTP/1.1\r\nHost: bench\r\nAuthorization: Basic {credentials}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
    .into()
}
