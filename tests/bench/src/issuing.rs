//! How fast people are signed in and tokens issued, beside how fast the engine commits anything at all: every token is on
//! the disk, or on its way to a replica, before anybody is told of it.
//!
//! Issuing is measured [by itself](crate::issuance), of which targets are set, and as people see it: there the processors
//! have HTTP to do as well, and whoever asks for it.
//!
//! One sign-in is an authorization request of somebody who is signed in to the platform and allowed the application
//! before. Its token comes in the fragment of the answer, one commit, or for the code that comes there, two.

use std::{
    cell::Cell,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use latchkey_cluster::{Cluster, Durability, Programs};
use sqlx::{
    Connection as _, PgConnection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::task::JoinSet;

use crate::{
    Options,
    comparison::{self, SMALL, get},
    database::{self, Database, Person},
    issuance::{Issuance, Place},
    load::Connection,
    process::Process,
    statistics::{Target, median, percentile, ratio},
};

/// How many wait at once, where many do.
const MANY: usize = 64;
/// How many tokens a server begins with. They are of a thousand people: of ten, each would sign in several times at the
/// same moment, and be in their own way.
const AT_A_SERVER: usize = 100_000;
/// How many people there are, as far as there are tokens.
const PEOPLE: usize = 1000;
/// A database on a server has no file beside it for a secret, and two processes of one platform have the same.
const SECRET: (&str, &str) = ("LATCHKEY_SECRET", "the secret of a platform that is measured");
/// What proves that a code is its owner's (RFC 7636 appendix B).
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// An engine's own commits: one row each, one after the other, each on the disk before the next.
enum Bare {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Bare {
    async fn sqlite(path: &Path) -> Result<Self> {
        database::remove(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        sqlx::query(TABLE).execute(&mut connection).await?;
        Ok(Self::Sqlite(connection))
    }

    async fn postgres(url: &str) -> Result<Self> {
        let mut connection = PgConnection::connect(url).await?;
        sqlx::query(TABLE).execute(&mut connection).await?;
        Ok(Self::Postgres(connection))
    }

    /// Rows in a second.
    async fn measure(&mut self, time: Duration) -> Result<f64> {
        const INSERT: &str = "insert into bare (word) values ($1)";
        let started = Instant::now();
        let mut count = 0_u32;
        while started.elapsed() < time {
            let word = format!("a token and what is around it, some hundred bytes of it: {count:060}");
            match self {
                Self::Sqlite(connection) => {
                    sqlx::query(INSERT).bind(word).execute(connection).await.map(drop)
                }
                Self::Postgres(connection) => {
                    sqlx::query(INSERT).bind(word).execute(connection).await.map(drop)
                }
            }?;
            count += 1;
        }
        Ok(f64::from(count) / started.elapsed().as_secs_f64())
    }
}

const TABLE: &str = "create table bare (word text not null)";

/// How the token comes.
#[derive(Debug, Clone, Copy)]
enum Way {
    Fragment,
    Code,
}

impl Way {
    const ALL: [Self; 2] = [Self::Fragment, Self::Code];

    fn name(self) -> &'static str {
        match self {
            Self::Fragment => "fragment",
            Self::Code => "code",
        }
    }
}

/// People who sign in, so many at once, each on a connection of their own.
struct SignIns {
    name: String,
    way: Way,
    people: Rc<[Person]>,
    /// The processes that they come to, in turn.
    nodes: Vec<Rc<Process>>,
    at_once: usize,
    rates: Vec<f64>,
    p99: Vec<f64>,
    /// What one costs the processors, in milliseconds.
    work: Vec<f64>,
}

impl SignIns {
    fn new(name: String, way: Way, people: &Rc<[Person]>, nodes: &[&Rc<Process>], at_once: usize) -> Self {
        let nodes = nodes.iter().map(|&node| node.clone()).collect();
        let (rates, p99, work) = (vec![], vec![], vec![]);
        Self { name, way, people: people.clone(), nodes, at_once, rates, p99, work }
    }

    fn ticks(&self) -> Result<u64> {
        self.nodes.iter().map(|node| node.ticks()).sum()
    }

    async fn measure(&mut self, time: Duration) -> Result<()> {
        let next = Rc::new(Cell::new(0));
        let (started, ticks) = (Instant::now(), self.ticks()?);
        let mut running = JoinSet::new();
        for node in self.nodes.iter().cycle().take(self.at_once) {
            let (people, next) = (self.people.clone(), next.clone());
            running.spawn_local(sign_in(node.address, self.way, people, next, started + time));
        }
        let mut latencies = vec![];
        while let Some(ended) = running.join_next().await {
            latencies.extend(ended??);
        }
        self.rates.push(latencies.len() as f64 / started.elapsed().as_secs_f64());
        self.work.push((self.ticks()? - ticks) as f64 * 10.0 / latencies.len() as f64);
        self.p99.push(percentile(&mut latencies, 0.99) as f64 / 1e6);
        for node in &self.nodes {
            node.forget_log()?;
        }
        Ok(())
    }
}

/// Signs in again and again, and says how long each took, in nanoseconds.
async fn sign_in(
    address: SocketAddr,
    way: Way,
    people: Rc<[Person]>,
    next: Rc<Cell<usize>>,
    until: Instant,
) -> Result<Vec<u64>> {
    let mut connection = Connection::open(address).await?;
    let mut latencies = vec![];
    while Instant::now() < until {
        let number = next.replace(next.get() + 1);
        let person = people.get(number % people.len()).context("there is nobody")?;
        let Person { session, client_id, redirect_uri } = person;
        let asked_for = match way {
            Way::Fragment => "response_type=token".to_owned(),
            Way::Code => {
                format!("response_type=code&code_challenge={CHALLENGE}&code_challenge_method=S256")
            }
        };
        let began = Instant::now();
        let asked = get(
            &format!(
                "/oauth/authorize/?client_id={client_id}&{asked_for}&redirect_uri={redirect_uri}\
                 &state=s{number}&prompt=none"
            ),
            // Everybody from an address of their own, which may begin only so much.
            &format!(
                "Cookie: __Host-latchkey_session={session}\r\nX-Forwarded-For: 10.{}.{}.{}\r\n",
                number >> 16 & 255,
                number >> 8 & 255,
                number & 255
            ),
        );
        let answer = connection.fetch(&asked, 303).await?;
        match way {
            Way::Fragment => ensure!(answer.contains("#access_token="), "no token: {answer}"),
            Way::Code => {
                let code = answer.split(['?', '&']).find_map(|field| field.strip_prefix("code="));
                let code = code.with_context(|| format!("no code: {answer}"))?.to_owned();
                exchange(&mut connection, person, &code).await?;
            }
        }
        latencies.push(u64::try_from(began.elapsed().as_nanos())?);
    }
    Ok(latencies)
}

/// Exchanges a code.
async fn exchange(connection: &mut Connection, person: &Person, code: &str) -> Result<()> {
    let Person { client_id, redirect_uri, .. } = person;
    let body = format!(
        "grant_type=authorization_code&client_id={client_id}&code={code}&redirect_uri={redirect_uri}\
         &code_verifier={VERIFIER}"
    );
    let length = body.len();
    let exchange = format!(
        "POST /oauth/token/ HTTP/1.1\r\nHost: bench\r\nContent-Length: {length}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}"
    );
    connection.fetch(exchange.as_bytes(), 200).await.map(drop)
}

/// Starts a server on a database, behind a proxy that says where everybody comes from.
async fn serve(options: &Options, name: &'static str, database: &str) -> Result<Rc<Process>> {
    comparison::serve(options, name, database, &["--trusted-proxy", "127.0.0.1"], &[SECRET]).await
}

/// A copy of an embedded database, that may grow.
async fn copied(options: &Options, name: &'static str, tokens: usize) -> Result<(Database, Rc<Process>)> {
    let database = Database::find_or_make(&options.server, &options.folder, tokens).await?;
    let copy = copy(options, &database, name)?;
    let server = serve(options, name, &database::url(&copy)).await?;
    Ok((database, server))
}

fn copy(options: &Options, database: &Database, name: &str) -> Result<PathBuf> {
    let copy = options.folder.join(name).with_extension("db");
    database::remove(&copy)?;
    std::fs::copy(&database.path, &copy)?;
    Ok(copy)
}

/// Measures, in turn and again and again, and prints.
pub(crate) async fn run(options: &Options) -> Result<()> {
    std::fs::create_dir_all(&options.folder)?;
    let (small, embedded) = copied(options, "issuing", SMALL).await?;
    let (large, grown) = copied(options, "issuing-grown", options.tokens).await?;
    let programs = Programs::find().context("PostgreSQL is not installed")?;
    let cluster = Cluster::start(&programs, Durability::Kept)?;
    let url = cluster.url("latchkey");
    let mut admin = PgConnection::connect(&cluster.url("postgres")).await?;
    for database in ["latchkey", "bare"] {
        sqlx::query(sqlx::AssertSqlSafe(format!("create database {database}"))).execute(&mut admin).await?;
    }
    let moved = Database::find_or_make(&options.server, &options.folder, AT_A_SERVER).await?;
    move_to(options, &moved, &url)?;
    let (node, other) = (serve(options, "node", &url).await?, serve(options, "other-node", &url).await?);
    let alone = copy(options, &small, "issuance")?;
    let places = [
        Place::open(&database::url(&alone), SECRET.1, small.people(PEOPLE)).await?,
        Place::open(&url, SECRET.1, moved.people(PEOPLE)).await?,
    ];

    let [few, many, there] =
        [&small, &large, &moved].map(|database| Rc::<[Person]>::from(database.people(PEOPLE)));
    let mut bare =
        [Bare::sqlite(&options.folder.join("bare.db")).await?, Bare::postgres(&cluster.url("bare")).await?];
    let mut commits = [vec![], vec![]];
    let (one, all) = ("one at a time".to_owned(), format!("{MANY} at once"));
    let grown_to = format!("{all}, {} rows", options.tokens);
    let sign_ins = |way: Way, place: &str, people, nodes: &[&Rc<Process>], at_once| {
        SignIns::new(format!("{place}, {}", way.name()), way, people, nodes, at_once)
    };
    let mut measured = Way::ALL.map(|way| {
        [
            sign_ins(way, &format!("SQLite, {one}"), &few, &[&embedded], 1),
            sign_ins(way, &format!("SQLite, {all}"), &few, &[&embedded], MANY),
            sign_ins(way, &format!("SQLite, {grown_to}"), &many, &[&grown], MANY),
            sign_ins(way, &format!("PostgreSQL, {one}"), &there, &[&node], 1),
            sign_ins(way, &format!("PostgreSQL, {all}"), &there, &[&node], MANY),
            sign_ins(way, &format!("PostgreSQL, {all}, two nodes"), &there, &[&node, &other], MANY),
        ]
    });
    let mut issued = ["SQLite", "PostgreSQL"].map(|engine| {
        [(&one, 1), (&all, MANY)]
            .map(|(how, at_once)| Issuance::new(format!("{engine}, {how}, issuing alone"), at_once))
    });
    let time = Duration::from_millis(options.millis);
    for round in 0..options.rounds {
        eprint!("\rround {} of {}", round + 1, options.rounds);
        for (bare, commits) in bare.iter_mut().zip(&mut commits) {
            commits.push(bare.measure(time).await?);
        }
        for (place, issued) in places.iter().zip(&mut issued) {
            for issuance in issued {
                place.measure(issuance, time).await?;
            }
        }
        for sign_ins in measured.iter_mut().flatten() {
            sign_ins.measure(time).await?;
        }
    }
    eprintln!();
    print(options, &commits, &issued, &measured);
    Ok(())
}

/// Moves an embedded database to the server, as an operator would.
fn move_to(options: &Options, database: &Database, url: &str) -> Result<()> {
    // A file that has moved is served by nobody any more.
    let source = database::url(&copy(options, database, "moving")?);
    let output = Command::new(&options.server)
        .args(["migrate", "--database", &source, "--to", url])
        .envs([SECRET])
        .output()?;
    ensure!(output.status.success(), "latchkey migrate: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

fn print(
    options: &Options,
    [sqlite, postgres]: &[Vec<f64>; 2],
    issued: &[[Issuance; 2]; 2],
    measured: &[[SignIns; 6]; 2],
) {
    println!("\ntokens and sign-ins, each on the disk before it is told; medians over the rounds\n");
    println!("{:<46}{:>10}{:>10}{:>10}", "", "a second", "p99 ms", "work ms");
    println!("{:<46}{:>10.0}", "SQLite, bare inserts", median(sqlite));
    println!("{:<46}{:>10.0}", "PostgreSQL, bare inserts", median(postgres));
    for Issuance { name, rates, p99, .. } in issued.iter().flatten() {
        println!("{name:<46}{:>10.0}{:>10.1}", median(rates), median(p99));
    }
    for SignIns { name, rates, p99, work, .. } in measured.iter().flatten() {
        println!("{name:<46}{:>10.0}{:>10.1}{:>10.2}", median(rates), median(p99), median(work));
    }
    println!("\n{:<50}{:>10}{:>12}", "", "measured", "target");
    let tell = |what: &str, value: f64, target: Target| {
        println!("{what:<50}{value:>10.2}{target:>12}  {}", target.word(value));
    };
    let targets = [Target::AtLeast(0.5), Target::AtLeast(1.0)];
    let told = [Target::Told; 2];
    for ((issued, bare), targets) in issued.iter().zip([sqlite, postgres]).zip([targets, told]) {
        for (issuance, target) in issued.iter().zip(targets) {
            tell(&format!("{} : bare", issuance.name), ratio(&issuance.rates, bare), target);
        }
    }
    let rows = options.tokens;
    for (way, measured) in Way::ALL.into_iter().zip(measured) {
        let [one, all, grown, one_of_server, all_of_server, two_nodes] =
            measured.each_ref().map(|one| &one.rates);
        for (what, value) in [
            ("SQLite, one at a time : bare".to_owned(), ratio(one, sqlite)),
            (format!("SQLite, {MANY} at once : bare"), ratio(all, sqlite)),
            (format!("SQLite, {rows} rows : {SMALL} rows"), ratio(grown, all)),
            ("PostgreSQL, one at a time : bare".to_owned(), ratio(one_of_server, postgres)),
            (format!("PostgreSQL, {MANY} at once : bare"), ratio(all_of_server, postgres)),
            ("PostgreSQL, two nodes : one".to_owned(), ratio(two_nodes, all_of_server)),
        ] {
            tell(&format!("{what}, {}", way.name()), value, Target::Told);
        }
    }
}
