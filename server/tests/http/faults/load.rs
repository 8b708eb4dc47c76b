//! The load: people who sign in, and sites that use what they get and end it, again and again, each time at another
//! process. Every answer is held against what was acknowledged before.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::http::Method;
use latchkey_server::{clock::Clock, secret::Entropy};
use tokio::task::JoinHandle;

use crate::{
    cli::Node,
    support::{ADMIN, APP, Asking, BOTH, Form, Link, MEMBER, OWNER, Person, Platform, Site, Tokens, figure},
};

/// From when on a revocation that was acknowledged counts at every process, DESIGN §4; and the millisecond in which a
/// process counts that.
const HEARD: Duration = Duration::from_millis(251);
/// Answers of each kind, at each process, between two faults.
const EACH: usize = 2;
/// Failures after which something is broken.
const FAILURES: usize = 8;
/// How long any part of it may take, by far.
const PATIENCE: Duration = Duration::from_secs(60);
/// Of so many requests one is broken off, after so many microseconds at the most: most are answered by then, and what is
/// not is anywhere in what a process does.
const BROKEN_OFF: (usize, usize) = (10, 30_000);
/// Tokens that ended last, of which some are asked again.
const LATELY: usize = 48;
/// How long an answer out of what is remembered may take, by far.
const AT_ONCE: Duration = Duration::from_secs(1);
/// For how long somebody may hold a refresh token whose answer was lost, and a good deal less.
const REPEATED: Duration = Duration::from_secs(20);

/// What somebody was told of a token, or of a line of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// It was issued.
    Issued,
    /// Somebody began to end it, and was not told whether it has ended.
    Unknown,
    /// It was ended, and that was acknowledged then.
    Ended(Duration),
}

/// What is asked of a process, and answered as it should be.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A code, by the session that somebody has.
    SignIn,
    /// The tokens for it.
    Exchange,
    /// The next ones.
    Refresh,
    /// The API, with a token that stands.
    Call,
    /// The API, with a token that has ended.
    Refusal,
}

const KINDS: usize = Kind::Refusal as usize + 1;

/// A process that is asked next.
struct Asked {
    number: usize,
    platform: Platform,
    breaks_off: bool,
}

/// The refresh tokens of one sign-in, as the site holds them.
pub(super) struct Line {
    last: String,
    /// The one that the last one replaced.
    used: Option<String>,
    access: Vec<String>,
    told: Told,
}

/// The load, and what came of it.
#[derive(Debug)]
pub(super) struct Load {
    nodes: Vec<Platform>,
    entropy: Entropy,
    tokens: Mutex<HashMap<String, Told>>,
    ended: Mutex<Vec<String>>,
    answered: Vec<[AtomicUsize; KINDS]>,
    refused: AtomicUsize,
    failed: AtomicUsize,
    broken_off: AtomicUsize,
    wrong: Mutex<Vec<String>>,
    /// Whether the processes' clocks are further apart than a site that lost an answer may ask again.
    is_apart: AtomicBool,
    is_over: AtomicBool,
}

pub(super) fn now() -> Duration {
    Clock::System.elapsed()
}

impl Load {
    /// Begins, at these processes of a platform.
    pub(super) async fn begin(
        platform: &Platform,
        nodes: &[Node],
    ) -> (Arc<Self>, Vec<JoinHandle<Vec<Line>>>) {
        let nodes: Vec<_> = nodes.iter().map(|node| platform.through(node.address)).collect();
        let load = Arc::new(Self {
            answered: nodes.iter().map(|_| Default::default()).collect(),
            nodes,
            entropy: Entropy::seeded(1 << 48),
            tokens: Mutex::default(),
            ended: Mutex::default(),
            refused: AtomicUsize::default(),
            failed: AtomicUsize::default(),
            broken_off: AtomicUsize::default(),
            wrong: Mutex::default(),
            is_apart: AtomicBool::default(),
            is_over: AtomicBool::default(),
        });
        // All of them before the first one begins: nothing is to fail until then.
        let mut people = vec![];
        for email in [OWNER, MEMBER, BOTH, ADMIN] {
            let mut person = Person::signed_in(&load.nodes[0], email).await;
            person.allow(&Asking::code()).await;
            people.push((email, person, Person::signed_in(&load.nodes[0], OWNER).await));
        }
        let work = |(number, (email, person, owner))| {
            tokio::spawn(load.clone().work(email, person, owner, number * 16_384))
        };
        let workers = people.into_iter().enumerate().map(work).collect();
        (load, workers)
    }

    fn random(&self, below: usize) -> usize {
        let bytes = self.entropy.bytes().unwrap();
        usize::from(u16::from_be_bytes([bytes[0], bytes[1]])) % below
    }

    /// Any process, and now and then somebody who does not wait for what it answers.
    fn anywhere(&self) -> Asked {
        let number = self.random(self.nodes.len());
        let breaks_off = self.random(BROKEN_OFF.0) == 0;
        let platform = if breaks_off {
            self.nodes[number].within(Duration::from_micros(self.random(BROKEN_OFF.1) as u64))
        } else {
            self.nodes[number].clone()
        };
        Asked { number, platform, breaks_off }
    }

    /// This process, whose answer is waited for.
    fn at(&self, number: usize) -> Asked {
        Asked { number, platform: self.nodes[number].clone(), breaks_off: false }
    }

    fn told(&self, token: &str) -> Option<Told> {
        self.tokens.lock().unwrap().get(token).copied()
    }

    fn tell(&self, token: &str, told: Told) {
        self.tokens.lock().unwrap().insert(token.to_owned(), told);
        if let Told::Ended(_) = told {
            self.ended.lock().unwrap().push(token.to_owned());
        }
    }

    fn say(&self, wrong: String) {
        self.wrong.lock().unwrap().push(wrong);
    }

    /// Counts an answer, which is as it should be or is not; true in the first case.
    fn count(&self, asked: &Asked, kind: Kind, status: u16, is_right: bool) -> bool {
        let counter = match status {
            _ if is_right => &self.answered[asked.number][kind as usize],
            0 if asked.breaks_off => &self.broken_off,
            0 | 500.. => &self.failed,
            _ => &self.refused,
        };
        counter.fetch_add(1, Ordering::SeqCst);
        is_right
    }

    /// Calls the API with a token, and holds the answer against what is known of it.
    async fn call(&self, asked: &Asked, token: &str) {
        let (before, asked_at) = (self.told(token), now());
        let status = Site::new(&asked.platform, token).from(None).get("/api/0/").await.status;
        let has_ended = matches!(before, Some(Told::Ended(at)) if asked_at > at + HEARD);
        if has_ended {
            self.count(asked, Kind::Refusal, status, matches!(status, 401 | 403));
        } else {
            self.count(asked, Kind::Call, status, status == 200);
        }
        match (before, self.told(token), status) {
            (Some(Told::Ended(at)), _, 200) if has_ended => {
                let after = asked_at - at;
                self.say(format!(
                    "{after:?} after it was ended a token opened something at {}",
                    asked.number
                ));
            }
            (Some(Told::Issued), Some(Told::Issued), 401 | 403) => {
                self.say(format!("a token that was acknowledged is lost at {}", asked.number));
            }
            _ => {}
        }
    }

    /// Asks with one of the tokens that ended lately, wherever it was remembered.
    async fn call_ended(&self) {
        let token = {
            let ended = self.ended.lock().unwrap();
            if ended.is_empty() {
                return;
            }
            let lately = &ended[ended.len().saturating_sub(LATELY)..];
            lately[self.random(lately.len())].clone()
        };
        self.call(&self.anywhere(), &token).await;
    }

    /// Somebody signs in, uses what they get, and ends it. Returns what they hold in the end.
    async fn work(
        self: Arc<Self>,
        email: &'static str,
        mut person: Person,
        mut owner: Person,
        mut turn: usize,
    ) -> Vec<Line> {
        let mut lines = vec![];
        while !self.is_over.load(Ordering::SeqCst) {
            turn += 1;
            self.call_ended().await;
            // An address is as good as another: the limits are held elsewhere.
            let from = format!("10.{}.{}.{}", turn / 65536 % 256, turn / 256 % 256, turn % 256);
            person = person.at(&from);
            if email == MEMBER && turn.is_multiple_of(8) {
                owner = owner.at(&from);
                self.remove(&mut owner, &mut person, &mut lines).await;
            }
            let Some(code) = self.sign_in(&mut person).await else { continue };
            if turn.is_multiple_of(5) {
                self.present_at_once(&code).await;
                continue;
            }
            let Some(mut line) = self.exchange(&code).await else { continue };
            if turn % 5 == 1 {
                self.present_again(&code, &mut line).await;
            } else {
                self.call_ended().await;
                self.refresh(&mut line).await;
                if turn.is_multiple_of(2) {
                    let token = line.access.last().unwrap().clone();
                    // So that each of them remembers it.
                    for number in 0..self.nodes.len() {
                        self.call(&self.at(number), &token).await;
                    }
                    self.end(&self.anywhere(), &token).await;
                    self.call_ended().await;
                }
            }
            self.call(&self.anywhere(), &line.access[0]).await;
            lines.push(line);
        }
        lines
    }

    /// Asks for a code by the session that somebody has.
    async fn sign_in(&self, person: &mut Person) -> Option<String> {
        let asked = self.anywhere();
        let mut browser = person.clone().through(&asked.platform);
        let answer = browser.ask(&Asking::code().with("prompt", "none")).await;
        *person = browser;
        let answered = answer.header("location").filter(|_| answer.status == 303);
        let query = answered.and_then(|location| location.split_once('?')).map_or("", |(_, query)| query);
        let mut pairs: HashMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let code = pairs.remove("code");
        // What failed is told to the site, too.
        let failed = pairs.get("error").is_some_and(|error| error == "temporarily_unavailable");
        let status = if failed { 503 } else { answer.status };
        self.count(&asked, Kind::SignIn, status, code.is_some());
        code
    }

    /// Exchanges a code for the first tokens of its line.
    async fn exchange(&self, code: &str) -> Option<Line> {
        let asked = self.anywhere();
        let answer = asked.platform.exchange(&Form::code(code)).await;
        if !self.count(&asked, Kind::Exchange, answer.status, answer.status == 200) {
            return None;
        }
        let Tokens { access, refresh, .. } = Tokens::of(&answer);
        self.tell(&access, Told::Issued);
        self.call(&self.anywhere(), &access).await;
        Some(Line { last: refresh, used: None, access: vec![access], told: Told::Issued })
    }

    /// Exchanges the last refresh token of a line; once more where no answer came back.
    async fn refresh(&self, line: &mut Line) {
        let (mut was_apart, began_at) = (self.is_apart.load(Ordering::SeqCst), now());
        line.told = Told::Unknown;
        for is_again in [false, true] {
            let asked = self.anywhere();
            let answer = asked.platform.refresh(&line.last).await;
            was_apart |= self.is_apart.load(Ordering::SeqCst);
            if self.count(&asked, Kind::Refresh, answer.status, answer.status == 200) {
                let Tokens { access, refresh, .. } = Tokens::of(&answer);
                self.tell(&access, Told::Issued);
                line.access.push(access);
                line.used = Some(std::mem::replace(&mut line.last, refresh));
                line.told = Told::Issued;
                return;
            }
            if matches!(answer.status, 400 | 401) {
                if !was_apart && now() - began_at < REPEATED {
                    self.say(format!("a refresh token was refused, again: {is_again}: {}", answer.body));
                }
                return self.tell_line(line, Told::Unknown);
            }
        }
    }

    /// The same of all that a line holds.
    fn tell_line(&self, line: &mut Line, told: Told) {
        line.told = told;
        for token in &line.access {
            self.tell(token, told);
        }
    }

    /// A code is used once: who presents it again ends what came of it.
    async fn present_again(&self, code: &str, line: &mut Line) {
        self.tell_line(line, Told::Unknown);
        let asked = self.anywhere();
        let answer = asked.platform.exchange(&Form::code(code)).await;
        match answer.status {
            200 => self.say("a code was used twice".into()),
            400 if answer.body.contains("invalid_grant") => self.tell_line(line, Told::Ended(now())),
            _ => {}
        }
    }

    /// And of two who present it at the same time, at two processes, one gets something at most, which has ended when the
    /// other one was refused.
    async fn present_at_once(&self, code: &str) {
        let was_apart = self.is_apart.load(Ordering::SeqCst);
        let asked = [self.anywhere(), self.anywhere()];
        let forms = [Form::code(code), Form::code(code)];
        let answers =
            tokio::join!(asked[0].platform.exchange(&forms[0]), asked[1].platform.exchange(&forms[1]));
        let answers = [answers.0, answers.1];
        let mut got = answers.iter().filter(|answer| answer.status == 200);
        match (got.next(), got.next()) {
            (Some(_), Some(_)) => self.say("a code was used twice at once".into()),
            (Some(answer), None) => {
                let token = Tokens::of(answer).access;
                let is_refused = answers.iter().any(|answer| answer.status == 400);
                // By a clock that is ahead the code may have been refused as one that is too old.
                let has_ended = is_refused && !was_apart && !self.is_apart.load(Ordering::SeqCst);
                self.tell(&token, if has_ended { Told::Ended(now()) } else { Told::Unknown });
                self.call(&self.anywhere(), &token).await;
            }
            (None, _) => {}
        }
    }

    async fn end(&self, asked: &Asked, token: &str) {
        self.tell(token, Told::Unknown);
        let site = Site::new(&asked.platform, "").with(None).from(None);
        let answer =
            site.send(Method::POST, "/oauth/revoke/", format!("client_id={APP}&token={token}")).await;
        if answer.status == 200 {
            self.tell(token, Told::Ended(now()));
        }
    }

    /// The owner removes a member, with which all ends that they allowed; who is a member again allows it anew.
    async fn remove(&self, owner: &mut Person, member: &mut Person, lines: &mut [Line]) {
        for line in lines.iter_mut().filter(|line| line.told == Told::Issued) {
            self.tell_line(line, Told::Unknown);
        }
        let csrf = owner.csrf("members of acme");
        let number = self.random(self.nodes.len());
        *owner = owner.clone().through(&self.nodes[number]);
        let answer = owner.post("/organizations/acme/members/max/remove/", &[("csrf", &csrf)]).await;
        if answer.header("location").is_some_and(|location| location.ends_with("?done=removed")) {
            for line in lines.iter_mut().filter(|line| line.told == Told::Unknown) {
                self.tell_line(line, Told::Ended(now()));
            }
        }
        // Whoever was not told waits until it is decided, by the lock that a removal holds.
        const AGAIN: [&str; 2] = [
            "update memberships set role = role where organization_id = 'org-acme' and user_id = 'max'",
            "insert into memberships (organization_id, user_id, role, created_at)
             values ('org-acme', 'max', 'member', 1) on conflict do nothing",
        ];
        let since = now();
        for sql in AGAIN {
            while self.nodes[0].database.execute(sql).await.is_err() {
                assert!(now() - since < PATIENCE, "the database does not answer");
            }
        }
        while !self.is_over.load(Ordering::SeqCst) {
            assert!(now() - since < PATIENCE, "who is a member again may not sign in");
            *member = member.clone().through(&self.at(self.random(self.nodes.len())).platform);
            let page = member.ask(&Asking::code()).await;
            match page.status {
                200 if page.body.contains("name=\"transaction\"") => {
                    member.decide(&page, "approve").await;
                }
                303 => return,
                _ => {}
            }
        }
    }

    /// Somebody's token ends while this process hears of nothing, and is told nothing of that.
    pub(super) async fn cut_off(&self, number: usize, link: &Link) {
        let other = (number + 1) % self.nodes.len();
        let tokens = self.nodes[other].tokens(OWNER).await;
        self.tell(&tokens.access, Told::Issued);
        self.call(&self.at(number), &tokens.access).await;
        link.cut();
        self.end(&self.at(other), &tokens.access).await;
        let Some(Told::Ended(ended_at)) = self.told(&tokens.access) else { panic!("the others answer") };
        // It is asked until one more request has begun when it must have noticed. Who answers by what is remembered does so
        // at once; for who asks the database nobody waits.
        let platform = self.nodes[number].within(AT_ONCE);
        let asked = Asked { number, platform, breaks_off: true };
        let mut asked_at = ended_at;
        while asked_at <= ended_at + HEARD {
            asked_at = now();
            self.call(&asked, &tokens.access).await;
        }
        link.mend();
    }

    /// The clocks are so far apart from now on, or are not.
    pub(super) fn set_apart(&self, is_apart: bool) {
        self.is_apart.store(is_apart, Ordering::SeqCst);
    }

    /// Until so many more were not answered: what was broken is.
    pub(super) async fn fail(&self, fault: &str) {
        let (from, since) = (self.failed.load(Ordering::SeqCst), now());
        while self.failed.load(Ordering::SeqCst) < from + FAILURES {
            assert!(now() - since < PATIENCE, "{fault}: and everything is answered");
            tokio::task::yield_now().await;
        }
    }

    fn at_each(&self) -> Vec<[usize; KINDS]> {
        let load = |kinds: &[AtomicUsize; KINDS]| kinds.each_ref().map(|count| count.load(Ordering::SeqCst));
        self.answered.iter().map(load).collect()
    }

    /// Until every process answered so many more of everything as it should: the service answers again by itself.
    pub(super) async fn go_on(&self, fault: &str) {
        self.go_on_without(&[], fault).await;
    }

    /// The same of all but these.
    pub(super) async fn go_on_without(&self, gone: &[usize], fault: &str) {
        let (from, since) = (self.at_each(), now());
        let is_enough = |(was, is): (&usize, &usize)| *is >= was + EACH;
        loop {
            let each = self.at_each();
            let mut lives = from.iter().zip(&each).enumerate().filter(|(number, _)| !gone.contains(number));
            if lives.all(|(_, (was, is))| was.iter().zip(is).all(is_enough)) {
                return;
            }
            self.assert_right();
            assert!(
                now() - since < PATIENCE,
                "after {fault} it does not answer again: {from:?}, then {each:?}"
            );
            tokio::task::yield_now().await;
        }
    }

    #[track_caller]
    fn assert_right(&self) {
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    /// Ends, and holds every token against what was told of it.
    pub(super) async fn finish(&self, workers: Vec<JoinHandle<Vec<Line>>>, faults: usize) {
        self.is_over.store(true, Ordering::SeqCst);
        let mut lines = vec![];
        for worker in workers {
            lines.extend(worker.await.unwrap());
        }
        let tokens: Vec<_> = self.tokens.lock().unwrap().clone().into_iter().collect();
        let (mut kept, mut ended) = (0, 0);
        for (number, (token, told)) in tokens.iter().enumerate() {
            // What stands does so in the database; what has ended might be remembered anywhere.
            let is_anywhere = matches!(told, Told::Ended(_));
            let asked = self.nodes.iter().cycle().skip(number % self.nodes.len());
            for node in asked.take(if is_anywhere { self.nodes.len() } else { 1 }) {
                let status = Site::new(node, token).from(None).get("/api/0/").await.status;
                match (told, status) {
                    (Told::Issued, 200) => kept += 1,
                    (Told::Ended(_), 401) => ended += 1,
                    (Told::Unknown, 200 | 401) => {}
                    (told, status) => self.say(format!("at the end: {told:?} and {status}")),
                }
            }
        }
        let (mut refreshed, mut reused) = (0, 0);
        for (number, line) in lines.iter().enumerate() {
            let node = |ahead: usize| &self.nodes[(number + ahead) % self.nodes.len()];
            let answer = node(0).refresh(&line.last).await;
            match (line.told, answer.status) {
                (Told::Issued, 200) => refreshed += 1,
                (Told::Ended(_), 400) => ended += 1,
                (Told::Unknown, 200 | 400) => {}
                (told, status) => self.say(format!("at the end a refresh token: {told:?} and {status}")),
            }
            let (Told::Issued, Some(used)) = (line.told, &line.used) else { continue };
            let status = node(1).refresh(used).await.status;
            let token = Tokens::of(&answer).access;
            let left = Site::new(node(1), &token).from(None).get("/api/0/").await.status;
            if (status, left) == (400, 401) {
                reused += 1;
            } else {
                self.say(format!("a refresh token that was used: {status}, and then its line {left}"));
            }
        }
        self.assert_right();
        assert!(kept > 0 && ended > 0 && refreshed > 0 && reused > 0, "{kept} {ended} {refreshed} {reused}");
        figure(&format!(
            "{faults} faults, {} requests answered, {} refused, {} failed, {} broken off; {} tokens and {} lines of \
             refresh tokens: {kept} checks found one that was kept, {ended} one that was ended, {refreshed} lines went \
             on, {reused} ended when one was used again; lost: none, let through: none",
            self.at_each().iter().flatten().sum::<usize>(),
            self.refused.load(Ordering::SeqCst),
            self.failed.load(Ordering::SeqCst),
            self.broken_off.load(Ordering::SeqCst),
            tokens.len(),
            lines.len(),
        ));
    }
}
