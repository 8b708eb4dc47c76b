//! Real processes, three on a real PostgreSQL server and one on an embedded database, under load, while everything fails
//! that can: processes are killed, the server crashes, connections are cut, a clock is set, the disk is full. Whatever was acknowledged holds, nothing is let through that a fresh check
//! refuses, and the service comes back by itself.
#![allow(clippy::print_stdout, reason = "it tells how much it went through")]

use std::{
    collections::HashMap,
    fs::File,
    io::Write,
    path::PathBuf,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::http::Method;
use latchkey_cluster::{Cluster, Durability, Programs};
use latchkey_server::clock::Clock;
use tempfile::{NamedTempFile, TempDir};
use tokio::task::JoinHandle;

use crate::{
    cli::{Node, free_address},
    support::{
        ADMIN, APP, Asking, BOTH, Form, MEMBER, OWNER, Person, Place, Platform, Site, Tokens, is_embedded,
    },
};

/// From when on a revocation that was acknowledged counts at every process, DESIGN §4; and a little more, as it is asked
/// over a connection.
const HEARD: Duration = Duration::from_millis(250);
/// Answers between two faults.
const BETWEEN: usize = 60;
/// Failures after which something is broken.
const FAILURES: usize = 8;
/// How long any part of it may take, by far.
const PATIENCE: Duration = Duration::from_secs(60);

/// What somebody was told of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// It was issued.
    Issued,
    /// Somebody began to end it, and was not told whether it has ended.
    Unknown,
    /// It was ended, and that was acknowledged then.
    Ended(Duration),
}

/// The load, and what came of it.
#[derive(Debug, Default)]
struct Load {
    nodes: Vec<Platform>,
    tokens: Mutex<HashMap<String, Told>>,
    answered: AtomicUsize,
    failed: AtomicUsize,
    wrong: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

fn now() -> Duration {
    Clock::System.elapsed()
}

impl Load {
    fn told(&self, token: &str) -> Option<Told> {
        self.tokens.lock().unwrap().get(token).copied()
    }

    fn tell(&self, token: &str, told: Told) {
        self.tokens.lock().unwrap().insert(token.to_owned(), told);
    }

    fn say(&self, wrong: String) {
        self.wrong.lock().unwrap().push(wrong);
    }

    fn count(&self, status: u16) {
        let counter = if status == 0 || status >= 500 { &self.failed } else { &self.answered };
        counter.fetch_add(1, Ordering::SeqCst);
    }

    /// Calls the API with a token, and holds the answer against what is known of it.
    async fn call(&self, node: &Platform, token: &str) {
        let (before, asked_at) = (self.told(token), now());
        let status = Site::new(node, token).from(None).get("/api/0/").await.status;
        self.count(status);
        match (before, self.told(token), status) {
            (Some(Told::Ended(at)), _, 200) if asked_at > at + HEARD => {
                self.say(format!("{:?} after it was ended a token opened something", asked_at - at));
            }
            (Some(Told::Issued), Some(Told::Issued), 401 | 403) => {
                self.say("a token that was acknowledged is lost".into());
            }
            _ => {}
        }
    }

    /// Somebody signs in, uses what they get, and ends it, again and again, each time at another process.
    async fn work(self: Arc<Self>, email: &'static str, mut turn: usize) {
        let mut person = Person::signed_in(&self.nodes[0], email).await;
        person.allow(&Asking::code()).await;
        while !self.is_over.load(Ordering::SeqCst) {
            turn += 1;
            let node = |ahead: usize| &self.nodes[(turn + ahead) % self.nodes.len()];
            // An address is as good as another: the limits are held elsewhere.
            let from = format!("10.{}.{}.{}", turn / 65536 % 256, turn / 256 % 256, turn % 256);
            person = person.through(node(0)).at(&from);
            let answer = person.ask(&Asking::code().with("prompt", "none")).await;
            self.count(answer.status);
            if answer.status != 303 {
                continue;
            }
            let query = answer.location().split_once('?').unwrap().1.to_owned();
            let mut pairs = url::form_urlencoded::parse(query.as_bytes()).into_owned();
            // What failed is told to the site, too.
            let Some((_, code)) = pairs.find(|(name, _)| name == "code") else {
                self.count(503);
                continue;
            };
            let answer = node(1).exchange(&Form::code(&code)).await;
            self.count(answer.status);
            if answer.status != 200 {
                continue;
            }
            let first = Tokens::of(&answer);
            self.tell(&first.access, Told::Issued);
            self.call(node(2), &first.access).await;
            if turn.is_multiple_of(5) {
                self.present_again(node(2), &code, &first).await;
                continue;
            }
            let answer = node(2).refresh(&first.refresh).await;
            self.count(answer.status);
            if answer.status == 200 {
                let second = Tokens::of(&answer);
                self.tell(&second.access, Told::Issued);
                self.call(node(0), &second.access).await;
                if turn.is_multiple_of(2) {
                    self.end(node(1), &second.access).await;
                    for ahead in 0..3 {
                        self.call(node(ahead), &second.access).await;
                    }
                }
            }
            self.call(node(1), &first.access).await;
        }
    }

    /// A code is used once: who presents it again ends what came of it.
    async fn present_again(&self, node: &Platform, code: &str, tokens: &Tokens) {
        self.tell(&tokens.access, Told::Unknown);
        let answer = node.exchange(&Form::code(code)).await;
        self.count(answer.status);
        match answer.status {
            200 => self.say("a code was used twice".into()),
            400 => self.tell(&tokens.access, Told::Ended(now())),
            _ => {}
        }
    }

    async fn end(&self, node: &Platform, token: &str) {
        self.tell(token, Told::Unknown);
        let site = Site::new(node, "").with(None).from(None);
        let answer =
            site.send(Method::POST, "/oauth/revoke/", format!("client_id={APP}&token={token}")).await;
        self.count(answer.status);
        if answer.status == 200 {
            self.tell(token, Told::Ended(now()));
        }
    }

    /// Until so many more were not: what was broken is.
    async fn fail(&self, fault: &str) {
        let (from, since) = (self.failed.load(Ordering::SeqCst), now());
        while self.failed.load(Ordering::SeqCst) < from + FAILURES {
            assert!(now() - since < PATIENCE, "{fault}: and everything is answered");
            tokio::task::yield_now().await;
        }
    }

    /// Until so many more were answered: the service answers again by itself.
    async fn go_on(&self, fault: &str) {
        let (from, since) = (self.answered.load(Ordering::SeqCst), now());
        while self.answered.load(Ordering::SeqCst) < from + BETWEEN {
            assert!(now() - since < PATIENCE, "after {fault} it does not answer again");
            tokio::task::yield_now().await;
        }
    }

    /// Begins, at these processes of a platform.
    fn begin(platform: &Platform, nodes: &[Node]) -> (Arc<Self>, Vec<JoinHandle<()>>) {
        let nodes = nodes.iter().map(|node| platform.through(node.address)).collect();
        let load = Arc::new(Self { nodes, ..Self::default() });
        let people = [OWNER, MEMBER, BOTH, ADMIN].into_iter().enumerate();
        let workers =
            people.map(|(number, email)| tokio::spawn(load.clone().work(email, number * 16_384))).collect();
        (load, workers)
    }

    /// Ends, and holds every token against what was told of it.
    async fn finish(&self, workers: Vec<JoinHandle<()>>, faults: usize) {
        self.is_over.store(true, Ordering::SeqCst);
        for worker in workers {
            worker.await.unwrap();
        }
        let tokens: Vec<_> = self.tokens.lock().unwrap().clone().into_iter().collect();
        let (mut kept, mut ended) = (0, 0);
        for (token, told) in &tokens {
            for node in &self.nodes {
                let status = Site::new(node, token).from(None).get("/api/0/").await.status;
                match (told, status) {
                    (Told::Issued, 200) => kept += 1,
                    (Told::Ended(_), 401) => ended += 1,
                    (Told::Unknown, 200 | 401) => {}
                    (told, status) => self.say(format!("at the end: {told:?} and {status}")),
                }
            }
        }
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(kept > 0 && ended > 0, "{kept} {ended}");
        println!(
            "{} requests answered, {} failed, {faults} faults; {} tokens: {kept} checks found one that was kept, {ended} \
             one that was ended, none was lost",
            self.answered.load(Ordering::SeqCst),
            self.failed.load(Ordering::SeqCst),
            tokens.len(),
        );
    }
}

/// A node of a platform, on this database and by this clock.
fn start_node(url: &str, address: &str, clock: Option<&SteppedClock>) -> Node {
    Node::start(address, |command| {
        command.args(["--database", url, "--log", "info"]);
        if let Some(clock) = clock {
            clock.set_for(command);
        }
    })
}

/// The clock of one process, which somebody sets while it runs. What passes between two moments is not theirs to set.
struct SteppedClock {
    library: PathBuf,
    setting: NamedTempFile,
}

impl SteppedClock {
    /// With Debian's libfaketime, where a stage has installed that.
    fn new() -> Self {
        let library = ["x86_64-linux-gnu", "aarch64-linux-gnu"]
            .map(|machine| PathBuf::from(format!("/usr/lib/{machine}/faketime/libfaketimeMT.so.1")));
        let library = library.into_iter().find(|path| path.exists()).expect("the stage installs libfaketime");
        let clock = Self { library, setting: NamedTempFile::new().unwrap() };
        clock.step(0);
        clock
    }

    /// So many seconds ahead of everybody else, or behind.
    fn step(&self, secs: i32) {
        std::fs::write(self.setting.path(), format!("{secs:+}\n")).unwrap();
    }

    fn set_for(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", self.setting.path())
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}

/// A disk of its own, in memory, which can be full.
struct Disk(TempDir);

impl Disk {
    /// Of so many megabytes. Nothing where the system mounts none for this user.
    fn mount(megabytes: usize) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m,mode=755"), "tmpfs"])
            .arg(folder.path())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(folder));
        }
        println!("no disk of its own can be mounted here: the one that is full is left out");
        None
    }

    fn ballast(&self) -> PathBuf {
        self.0.path().join("ballast")
    }

    /// To the last byte.
    fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.ballast()).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whatever is open on it goes with who has it open.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_nothing_that_was_acknowledged_is_lost_and_nothing_is_let_through() {
    if is_embedded() {
        return;
    }
    let programs = Programs::find().expect("the stage installs PostgreSQL");
    let disk = Disk::mount(256);
    let parent = disk.as_ref().map_or_else(std::env::temp_dir, |disk| disk.0.path().to_owned());
    let mut cluster = Cluster::start_in(&parent, &programs, Durability::Kept).unwrap();
    let url = cluster.url("postgres");
    let platform = Platform::placed(Platform::config(), Place::at(&url)).await;
    let clock = SteppedClock::new();
    let its_clock = |number: usize| (number == 2).then_some(&clock);
    let mut nodes: Vec<Node> =
        (0..3).map(|number| start_node(&url, &free_address(), its_clock(number))).collect();
    let (load, workers) = Load::begin(&platform, &nodes);
    load.go_on("the start").await;

    let mut faults = 0;
    for round in 0..2 {
        let killed = round % nodes.len();
        nodes[killed].kill();
        load.go_on("a process was killed").await;
        nodes[killed] = start_node(&url, &nodes[killed].address.to_string(), its_clock(killed));
        load.go_on("it was started again").await;

        cluster.crash().unwrap();
        cluster.resume().unwrap();
        load.go_on("the database crashed").await;

        let mine = "pid <> pg_backend_pid() and datname = current_database()";
        let cut = async |which: &str| {
            let sql =
                format!("select count(pg_terminate_backend(pid)) from pg_stat_activity where {mine} {which}");
            let place = Place::at(&url);
            assert!(place.connect().await.number(&sql).await > 0, "{which}");
        };
        cut("and backend_type = 'client backend'").await;
        load.go_on("every connection was cut").await;
        cut("and query = 'select 1'").await;
        load.go_on("the listeners were cut").await;

        for secs in [120, -120, 0] {
            clock.step(secs);
            load.go_on("a clock was set").await;
        }
        faults += 8;

        if let Some(disk) = &disk {
            disk.fill();
            load.fail("the disk is full").await;
            disk.free();
            // With no room for its log it gives up, and whoever looks after it starts it again.
            if !cluster.lives().unwrap() {
                cluster.crash().unwrap();
                cluster.resume().unwrap();
            }
            load.go_on("the disk was full").await;
            faults += 1;
        }
    }
    load.finish(workers, faults).await;
}

/// The same of an embedded database, whose one process shares its commits among whoever waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_embedded_database_loses_nothing_that_was_acknowledged() {
    if !is_embedded() {
        return;
    }
    let disk = Disk::mount(24);
    let parent = disk.as_ref().map_or_else(std::env::temp_dir, |disk| disk.0.path().to_owned());
    let platform = Platform::placed(Platform::config(), Place::embedded_in(&parent)).await;
    let url = format!("sqlite://{}", platform.folder().join("latchkey.db").display());
    let mut node = start_node(&url, &free_address(), None);
    let (load, workers) = Load::begin(&platform, std::slice::from_ref(&node));
    load.go_on("the start").await;
    let mut faults = 0;
    for _ in 0..3 {
        node.kill();
        node = start_node(&url, &node.address.to_string(), None);
        load.go_on("the process was killed").await;
        faults += 1;
        if let Some(disk) = &disk {
            disk.fill();
            load.fail("the disk is full").await;
            disk.free();
            load.go_on("the disk was full").await;
            faults += 1;
        }
    }
    load.finish(workers, faults).await;
}
