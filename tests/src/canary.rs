//! The canary: secrets are marked, and when a journey is over, none may stand in the server's log or its database, or
//! have stood on a page.
//!
//! What only the browser or a client may hold (passwords, cookies, PKCE verifiers) and what a client sends for itself
//! (`state`) is known by value; tokens and codes are known by their shape as well, so that none has to be caught to be
//! found.

use std::{fmt, fs, path::Path};

use anyhow::{Context, Result, ensure};

/// What kind of secret it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What a person types.
    Password,
    /// The value of a cookie.
    Cookie,
    /// RFC 7636 §4.1.
    Verifier,
    /// What a resource server says who it is with.
    ServerSecret,
    /// RFC 6749 §4.1.1. The platform keeps it to give it back, so it may stand in the database, but in no log.
    State,
    /// An access token, a refresh token or an authorization code.
    Token,
    /// What a session, a browser or a form's token looks like.
    Random,
    /// A parameter of an authorization request or response, with its value.
    Parameter,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password => "a password",
            Self::Cookie => "a cookie",
            Self::Verifier => "a code_verifier",
            Self::ServerSecret => "the secret of a resource server",
            Self::State => "a state",
            Self::Token => "a token or a code",
            Self::Random => "what looks like the secret of a session, a browser or a form",
            Self::Parameter => "a parameter of an authorization request or response",
        })
    }
}

/// A secret that is known by value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Marked {
    /// What it is.
    pub kind: Kind,
    /// The secret itself.
    pub value: String,
}

/// The prefixes of the platform's tokens, which 49 letters and digits follow; a few are enough to know one by.
const TOKENS: [&str; 3] = ["lkat_", "lkrt_", "lkac_"];
const TOKEN_LENGTH: usize = 12;
/// The length of the platform's other secrets, in letters and digits.
const RANDOM_LENGTH: usize = 43;
/// The parameters that no log has a use for.
const PARAMETERS: [&str; 6] = ["access_token", "code", "code_verifier", "refresh_token", "state", "password"];

/// What one line of a log tells that it must not.
fn of_line(line: &str, marked: &[Marked]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> =
        marked.iter().filter(|one| line.contains(&one.value)).map(|one| one.kind).collect();
    if has_token(line.as_bytes()) {
        kinds.push(Kind::Token);
    }
    if line.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word.len() == RANDOM_LENGTH) {
        kinds.push(Kind::Random);
    }
    let names_one = |rest: &str| {
        PARAMETERS.iter().any(|name| rest.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
    };
    if line.match_indices(['?', '&', '#']).any(|(at, _)| names_one(&line[at + 1..])) {
        kinds.push(Kind::Parameter);
    }
    kinds.sort();
    kinds.dedup();
    kinds
}

fn has_token(bytes: &[u8]) -> bool {
    TOKENS.iter().any(|prefix| {
        let long = prefix.len() + TOKEN_LENGTH;
        bytes.windows(long).any(|window| {
            window.starts_with(prefix.as_bytes())
                && window[prefix.len()..].iter().all(u8::is_ascii_alphanumeric)
        })
    })
}

/// Searches a whole log; says which line tells what.
pub fn search_log(log: &str, marked: &[Marked]) -> Result<()> {
    for (number, line) in log.lines().enumerate() {
        if let Some(kind) = of_line(line, marked).first() {
            anyhow::bail!("line {} of the log holds {kind}: {line}", number + 1);
        }
    }
    Ok(())
}

/// Searches the bytes of a file of the database, or the source of a page: that may lead back to the client, with its state.
pub fn search_bytes(bytes: &[u8], marked: &[Marked]) -> Result<()> {
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    for one in marked.iter().filter(|one| one.kind != Kind::State) {
        ensure!(!holds(&one.value), "it holds {}", one.kind);
    }
    ensure!(!has_token(bytes), "it holds {}", Kind::Token);
    Ok(())
}

/// Searches every file of the database in this folder.
pub fn search_database(folder: &Path, marked: &[Marked]) -> Result<()> {
    let mut searched = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.contains(".db") && !name.ends_with(".secret") {
            let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
            search_bytes(&bytes, marked).with_context(|| name.into_owned())?;
            searched += 1;
        }
    }
    ensure!(searched > 0, "there is no database in {}", folder.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "lkat_0123456789abcdefghijABCDEFGHIJ0123456789abcdefghijABC";
    const SESSION: &str = "0123456789abcdefghijABCDEFGHIJ0123456789abc";

    fn marked() -> Vec<Marked> {
        [
            (Kind::Password, "open sesame"),
            (Kind::Cookie, "a-cookie"),
            (Kind::Verifier, "a-verifier"),
            (Kind::State, "a-state"),
        ]
        .map(|(kind, value)| Marked { kind, value: value.into() })
        .into()
    }

    #[test]
    fn each_kind_of_secret_is_found_in_a_log() {
        for (line, kind) in [
            ("password: open sesame!", Kind::Password),
            (r#"headers={"cookie": "a-cookie"}"#, Kind::Cookie),
            ("form=a-verifier", Kind::Verifier),
            ("bound \"a-state\"", Kind::State),
            (&format!("issued {TOKEN}"), Kind::Token),
            (&TOKEN.replace("lkat", "lkrt"), Kind::Token),
            (&TOKEN.replace("lkat", "lkac"), Kind::Token),
            (&format!("session={SESSION} found"), Kind::Random),
            ("GET /oauth/authorize/?client_id=x&state=y", Kind::Parameter),
            ("to /redirect.html?code=1", Kind::Parameter),
            ("to /redirect.html#access_token=1", Kind::Parameter),
        ] {
            assert_eq!(of_line(line, &marked()), [kind], "{line}");
            let log = format!("listening\n{line}\nstopping\n");
            let error = search_log(&log, &marked()).unwrap_err().to_string();
            assert!(error.starts_with(&format!("line 2 of the log holds {kind}")), "{error}");
        }
    }

    #[test]
    fn what_a_log_is_for_passes() {
        let log = "INFO request{method=GET path=/toolbar/abcdefghij0123456789AB/}: answered status=200\n\
                   DEBUG sqlx::query: summary=\"select …\" db.statement=\"select state from transactions where id = $1\"\n\
                   DEBUG a token: lkat_… digest=2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\n";
        search_log(log, &marked()).unwrap();
    }

    #[test]
    fn what_the_platform_may_not_keep_is_found_in_its_database() {
        for secret in ["open sesame", "a-cookie", "a-verifier", TOKEN] {
            let bytes = [b"\0\xff\x01".as_slice(), secret.as_bytes(), b"\0"].concat();
            assert!(search_bytes(&bytes, &marked()).is_err(), "{secret}");
        }
        search_bytes(b"\0\xffa-state\0lkat_\0", &marked()).unwrap();
    }

    #[test]
    fn every_file_of_the_database_is_searched() {
        let folder = tempfile::tempdir().unwrap();
        search_database(folder.path(), &marked()).expect_err("a folder without a database");
        fs::write(folder.path().join("latchkey.db"), "").unwrap();
        search_database(folder.path(), &marked()).unwrap();
        fs::write(folder.path().join("latchkey.db-wal"), TOKEN).unwrap();
        let error = format!("{:#}", search_database(folder.path(), &marked()).unwrap_err());
        assert!(error.starts_with("latchkey.db-wal"), "{error}");
    }
}
