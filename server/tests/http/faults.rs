//! Real processes, three on a real PostgreSQL server and one on an embedded database, under load, while everything fails
//! that can: processes are killed, the server crashes, connections are cut, one of them so that nobody is told, a clock is
//! set, the disk is full, and one client in ten breaks off. Whatever was acknowledged holds, nothing is let through that a
//! fresh check refuses, and the service comes back by itself, every process of it.

mod load;

use std::{fs::File, io::Write, path::PathBuf, process::Command, time::Duration};

use latchkey_cluster::{Cluster, Durability, Programs};
use load::Load;
use tempfile::{NamedTempFile, TempDir};

use crate::{
    cli::{Node, free_address},
    support::{Link, MEMBER, Place, Platform, database_of, figure, is_embedded, until},
};

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
        figure("no disk of its own can be mounted here: the one that is full is left out");
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

/// The process that comes to the database over a link, and the one by a clock that somebody sets.
const LINKED: usize = 1;
const BY_CLOCK: usize = 2;

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
    let (link, clock) = (Link::to(cluster.port()).await, SteppedClock::new());
    let over_link = url.replace(&format!(":{}/", cluster.port()), &format!(":{}/", link.port()));
    let start = |number: usize, address: &str| {
        let url = if number == LINKED { &over_link } else { &url };
        start_node(url, address, (number == BY_CLOCK).then_some(&clock))
    };
    let mut nodes: Vec<Node> = (0..3).map(|number| start(number, &free_address())).collect();
    let (load, workers) = Load::begin(&platform, &nodes).await;
    load.go_on("the start").await;

    let mut faults = 0;
    for killed in [&[0][..], &[LINKED, BY_CLOCK]] {
        for number in killed {
            nodes[*number].kill();
        }
        load.go_on_without(killed, "processes were killed").await;
        for number in killed {
            nodes[*number] = start(*number, &nodes[*number].address.to_string());
        }
        load.go_on("they were started again").await;

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
        load.cut_off(LINKED, &link).await;
        load.go_on("a process was cut off").await;

        for secs in [120, -120, 0] {
            load.set_apart(true);
            clock.step(secs);
            load.go_on("a clock was set").await;
        }
        load.set_apart(false);
        faults += 9;

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
    let (load, workers) = Load::begin(&platform, std::slice::from_ref(&node)).await;
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

/// It is one process's clock, and what it takes for over is of use to all the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_whose_clock_is_months_ahead_deletes_nothing_that_is_good() {
    const DAYS: i32 = 24 * 3600;
    if is_embedded() {
        return;
    }
    let platform = Platform::new().await;
    platform.tokens(MEMBER).await;
    platform.token(MEMBER).await;
    // One row is over by anybody's clock, and of the kind that is deleted last.
    platform
        .execute_unheard(
            "insert into audit_log (organization_id, created_at, action, actor_kind, detail, occurrences)
             select organization_id, 1, action, 'server', detail, 1 from audit_log limit 1",
        )
        .await;
    let tables = ["access_tokens", "refresh_tokens", "grants", "sessions", "audit_log"];
    let count = async || {
        let mut rows = vec![];
        for table in tables {
            rows.push(platform.count(&format!("select count(*) from {table}")).await);
        }
        rows
    };
    let mut expected = count().await;
    assert!(expected.iter().all(|rows| *rows > 0), "{expected:?}");
    let clock = SteppedClock::new();
    clock.step(1000 * DAYS);
    let _node = start_node(&database_of(&platform.folder()), &free_address(), Some(&clock));
    let over = "select count(*) from audit_log where created_at = 1";
    until(Duration::from_secs(20), "it is deleted", async || platform.count(over).await == 0).await;
    *expected.last_mut().unwrap() -= 1;
    assert_eq!(count().await, expected, "{tables:?}");
}
