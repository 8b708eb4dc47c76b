//! What a remembered token takes: the memory of a process that remembers many, beside one that was asked the same and
//! remembers none. What the database's connections keep for themselves is in both.

use anyhow::Result;

use crate::{
    Options,
    comparison::{bearer, each, get, serve},
    database::{self, Database, Token},
    load::{self, Until},
    process::Process,
};

/// How many are remembered.
const MANY: usize = 100_000;
/// So that none has to go for another one.
const PLACES: &str = "120000";
/// How many requests fill what the process takes for itself: the connections to the database and their caches.
const WARM: usize = 50_000;

/// The C library gives threads heaps of their own. What lies free in those is many times what the tokens take, and another
/// amount in every run.
const ONE_ARENA: [(&str, &str); 1] = [("MALLOC_ARENA_MAX", "1")];

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Remembered {
    /// How many tokens.
    pub(crate) tokens: usize,
    /// The memory of the process that remembers none, in bytes.
    pub(crate) without: u64,
    /// Of the one that remembers them.
    pub(crate) with: u64,
}

impl Remembered {
    /// Of one token. They are of as few people as can be, so that what several stand on counts for little.
    pub(crate) fn bytes_per_token(&self) -> f64 {
        self.with.saturating_sub(self.without) as f64 / self.tokens as f64
    }
}

/// Starts two servers of their own, one after the other.
pub(crate) async fn run(options: &Options) -> Result<Remembered> {
    let database = Database::find_or_make(&options.server, &options.folder, options.tokens).await?;
    let tokens = database.of_few_people(MANY);
    let without = resident(options, &database, &tokens, "0").await?;
    let with = resident(options, &database, &tokens, PLACES).await?;
    Ok(Remembered { tokens: tokens.len(), without, with })
}

/// The memory of a server that has so many places, when it was asked with all of the tokens.
async fn resident(options: &Options, database: &Database, tokens: &[Token], places: &str) -> Result<u64> {
    let places = ["--max-remembered-tokens", places];
    let server = serve(options, "memory", &database::url(&database.path), &places, &ONE_ARENA).await?;
    // These are looked up as any other, but they let nobody through, and so they are not remembered.
    present(&server, &database.revoked(WARM), 401, WARM).await?;
    present(&server, tokens, 200, tokens.len()).await?;
    server.resident()
}

async fn present(server: &Process, tokens: &[Token], status: u16, count: usize) -> Result<()> {
    let requests = each(tokens, |token| get("/api/0/", &bearer(token)));
    load::run(server.address, requests.into(), status, Until::Sent(count), 0).await?;
    server.forget_log()
}
