//! A bounded run of every target: the corpus, and mutations of it that are the same in every run.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{fs, path::PathBuf};

use fastrand::Rng;
use latchkey_fuzz::{TARGETS, Target};

/// How many mutations of the corpus each target is given.
const MUTATIONS: usize = 40_000;
/// What a mutation may put in: what parsers stumble over, and what they look for.
const WORDS: [&str; 40] = [
    "%",
    "%00",
    "%2e",
    "%2F",
    "%ff",
    "&",
    "=",
    "#",
    "?",
    "+",
    " ",
    "/",
    "\\",
    "@",
    ":",
    "..",
    "//",
    "*",
    "[::1]",
    "127.0.0.1",
    "localhost",
    "https://",
    "http://",
    "javascript:",
    ":443",
    ":65536",
    "\u{0}",
    "\r\n",
    "\t",
    "\u{2028}",
    "\u{202e}",
    "ü",
    "lkat_",
    "lkrt_",
    "org:read",
    "project:admin",
    "prompt=none",
    "state=",
    "scope=",
    "response_type=code",
];

fn corpus(target: Target) -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    // The same order everywhere, so that the same mutations are made.
    files.sort();
    files.iter().map(|file| fs::read_to_string(file).unwrap().trim_end_matches('\n').to_owned()).collect()
}

fn mutate(rng: &mut Rng, corpus: &[String]) -> String {
    let mut text: Vec<char> = corpus[rng.usize(..corpus.len())].chars().collect();
    for _ in 0..rng.usize(1..=4) {
        let at = rng.usize(..=text.len());
        match rng.u8(..5) {
            0 => drop(text.splice(at..at, WORDS[rng.usize(..WORDS.len())].chars())),
            1 => drop(text.drain(at..(at + rng.usize(..8)).min(text.len()))),
            2 => text.insert(at, rng.char(..)),
            3 if at < text.len() => text[at] = char::from(rng.u8(0x20..0x7f)),
            _ => {
                let other: Vec<char> = corpus[rng.usize(..corpus.len())].chars().collect();
                let from = rng.usize(..=other.len());
                drop(text.splice(at.., other[from..].iter().copied()));
            }
        }
    }
    text.into_iter().collect()
}

fn run(name: &str) {
    let target = Target::find(name).unwrap();
    let corpus = corpus(target);
    assert!(corpus.len() >= 5, "a corpus");
    let seeds = corpus.iter().filter(|text| (target.run)(text)).count();
    // Properties of what is accepted say nothing where nothing is.
    assert!(seeds >= 2 && seeds + 2 <= corpus.len(), "{seeds} of the corpus are accepted");
    let mut rng = Rng::with_seed(7636);
    let mut accepted = 0;
    for _ in 0..MUTATIONS {
        let text = mutate(&mut rng, &corpus);
        match std::panic::catch_unwind(|| (target.run)(&text)) {
            Ok(is_accepted) => accepted += usize::from(is_accepted),
            Err(_) => panic!("{name} does not hold for {text:?}"),
        }
    }
    assert!(accepted >= 100, "{accepted} of the mutations are accepted");
}

#[test]
fn an_authorization_request_leads_nowhere_but_to_what_is_registered() {
    run("authorize_query");
}

#[test]
fn an_address_that_is_accepted_is_what_the_standard_reads() {
    run("redirect_uri_and_origin");
}

#[test]
fn a_token_is_read_whole_or_not_at_all() {
    run("token");
}

#[test]
fn a_list_of_scopes_means_what_it_says() {
    run("scope");
}

#[test]
fn every_target_has_its_run() {
    assert_eq!(
        TARGETS.map(|target| target.name),
        ["authorize_query", "redirect_uri_and_origin", "token", "scope",]
    );
}
