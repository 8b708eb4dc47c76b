//! Where the database is, as `--database` names it.

use std::{fmt, fs::File, net::IpAddr, path::PathBuf, str::FromStr};

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `sqlite:///path/to/file.db`: an embedded file.
    Sqlite(PathBuf),
    /// `postgres://user:password@host/database`: a PostgreSQL server.
    Postgres(PostgresUrl),
}

/// A PostgreSQL server, and a database of it.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(Box<Url>);

/// Why a text does not name a database.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DatabaseUrlError {
    /// The URL has no scheme this server knows, or no path.
    #[error(
        "a database is named by a URL such as sqlite:///var/lib/latchkey/latchkey.db or \
         postgres://latchkey@db.example/latchkey"
    )]
    Malformed,
    /// There is no database in it.
    #[error("the URL names no database: write postgres://user@host/database")]
    NoDatabase,
    /// A parameter that nobody reads.
    #[error("the parameter {0:?} is not known: use {known}", known = PARAMETERS.join(", "))]
    Parameter(String),
    /// A parameter has a value that it cannot have.
    #[error("{0}")]
    Value(String),
}

/// The parameters of a URL that are read (PostgreSQL 18, §32.1.2).
const PARAMETERS: [&str; 11] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
];

/// Those of them that name a file.
const FILES: [&str; 3] = ["sslcert", "sslkey", "sslrootcert"];

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return PostgresUrl::parse(text).map(Self::Postgres);
        }
        let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:"));
        let path = path.filter(|path| !path.is_empty() && !path.contains('?'));
        path.map(|path| Self::Sqlite(path.into())).ok_or(DatabaseUrlError::Malformed)
    }
}

impl DatabaseUrl {
    /// What to do where it cannot be opened.
    pub fn next(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "Check that its folder exists and can be written",
            Self::Postgres(_) => {
                "Check that the server runs and lets this user in, over TLS where it is another machine"
            }
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

/// What somebody wrote where a URL belongs, without what may open it: the same as [`PostgresUrl`] shows, of a text that is
/// none.
pub fn shown(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}://…{}", &text[..scheme], &text[at..]),
        _ => text.to_owned(),
    }
}

impl PostgresUrl {
    fn parse(text: &str) -> Result<Self, DatabaseUrlError> {
        let url = Url::parse(text).map_err(|_| DatabaseUrlError::Malformed)?;
        if let Some((name, _)) = url.query_pairs().find(|(name, _)| !PARAMETERS.contains(&&**name)) {
            return Err(DatabaseUrlError::Parameter(name.into_owned()));
        }
        let url = Self(Box::new(url));
        // The library's own words name the value, and never the password.
        let options = PgConnectOptions::from_str(url.0.as_str())
            .map_err(|error| DatabaseUrlError::Value(error.to_string()))?;
        if options.get_database().is_none_or(str::is_empty) {
            return Err(DatabaseUrlError::NoDatabase);
        }
        Ok(url)
    }

    /// How to connect. Where neither the URL nor `PGSSLMODE` says how the server proves who it is, it does so by a
    /// certificate for its name (`verify-full`), unless it is on this machine.
    pub(super) fn options(&self) -> Result<PgConnectOptions, sqlx::Error> {
        let options = PgConnectOptions::from_str(self.0.as_str())?;
        self.require_files()?;
        let is_said = self.0.query_pairs().any(|(name, _)| name == "sslmode");
        // What the library does not know it takes for nothing, and would then do as it likes.
        let is_set = std::env::var("PGSSLMODE").is_ok_and(|mode| mode.parse::<PgSslMode>().is_ok());
        if is_said || is_set {
            return Ok(options);
        }
        // By what is connected to in the end: the URL, its parameters and the environment may each name another one.
        let mode = if is_local(&options) { PgSslMode::Prefer } else { PgSslMode::VerifyFull };
        Ok(options.ssl_mode(mode))
    }

    /// Refuses a URL that names a file which cannot be read: the library does not say which.
    fn require_files(&self) -> Result<(), sqlx::Error> {
        for (name, path) in self.0.query_pairs().filter(|(name, _)| FILES.contains(&&**name)) {
            if let Err(error) = File::open(&*path) {
                return Err(sqlx::Error::Configuration(format!("{name}: {path}: {error}").into()));
            }
        }
        Ok(())
    }

    /// The same for a PostgreSQL server that connects there by itself: its library reads such URLs, and is told what it
    /// would not do unasked. A link that is cut is noticed in half a minute.
    pub(super) fn for_a_server(&self) -> Result<String, sqlx::Error> {
        if !is_encoded(self.0.as_str()) {
            let problem =
                "a % in it is not followed by two hexadecimal digits other than 00: write %25 for it";
            return Err(sqlx::Error::Configuration(problem.into()));
        }
        let mut url = (*self.0).clone();
        let is_said = url.query_pairs().any(|(name, _)| name == "sslmode");
        let is_local = is_local(&PgConnectOptions::from_str(url.as_str())?);
        let mut pairs = url.query_pairs_mut();
        if !is_said && !is_local {
            pairs.append_pair("sslmode", "verify-full");
        }
        for (name, value) in [
            ("connect_timeout", "10"),
            ("keepalives_idle", "10"),
            ("keepalives_interval", "5"),
            ("keepalives_count", "3"),
            ("tcp_user_timeout", "30000"),
        ] {
            pairs.append_pair(name, value);
        }
        drop(pairs);
        Ok(url.into())
    }
}

/// Whether every `%` begins a byte. PostgreSQL's library refuses what does not, and repeats it.
fn is_encoded(text: &str) -> bool {
    let is_byte = |rest: &str| {
        let digits = rest.get(..2).filter(|digits| digits.chars().all(|c| c.is_ascii_hexdigit()));
        digits.is_some_and(|digits| digits != "00")
    };
    text.split('%').skip(1).all(is_byte)
}

fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    options.get_socket().is_some()
        || host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || host.trim_matches(['[', ']']).parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Without what opens it.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        shown.set_query(None);
        // Both are refused for a URL that can have none.
        let _ = shown.set_password(None);
        shown.fmt(f)
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postgres(text: &str) -> PostgresUrl {
        match text.parse() {
            Ok(DatabaseUrl::Postgres(url)) => url,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn what_is_no_url_is_shown_without_what_may_be_a_password() {
        for (text, expected) in [
            ("/a/b.db", "/a/b.db"),
            ("mysql://u:p@host/d", "mysql://…@host/d"),
            ("postgres://u:p@ss/w@host:x/d?password=p", "postgres://…@host:x/d"),
            ("postgres://host:x#p", "postgres://host:x"),
            ("u@h://", "u@h://"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn a_database_is_named_by_a_url() {
        assert_eq!("sqlite:///a/b.db".parse(), Ok(DatabaseUrl::Sqlite("/a/b.db".into())));
        assert_eq!("sqlite:b.db".parse(), Ok(DatabaseUrl::Sqlite("b.db".into())));
        for wrong in ["", "sqlite://", "/a/b.db", "mysql://x", "sqlite:///a?mode=memory", "postgres://["] {
            assert_eq!(wrong.parse::<DatabaseUrl>(), Err(DatabaseUrlError::Malformed), "{wrong:?}");
        }
        for without in ["postgres://u@db.example", "postgresql://u@db.example/"] {
            assert_eq!(without.parse::<DatabaseUrl>(), Err(DatabaseUrlError::NoDatabase), "{without}");
        }
        let unknown = "postgres://u@db.example/d?sslmod=disable".parse::<DatabaseUrl>();
        assert_eq!(unknown, Err(DatabaseUrlError::Parameter("sslmod".into())));
        let value = "postgres://u:secret@db.example/d?sslmode=perhaps".parse::<DatabaseUrl>().unwrap_err();
        assert!(value.to_string().contains("perhaps") && !value.to_string().contains("secret"), "{value}");
    }

    #[test]
    fn off_this_machine_the_server_proves_who_it_is() {
        let mode = |text: &str| format!("{:?}", postgres(text).options().unwrap().get_ssl_mode());
        for far in [
            "postgres://u@db.example/d",
            "postgresql://u@192.0.2.1:6432/d",
            "postgres://u@localhost/d?host=db.example",
            "postgres://u@localhost/d?hostaddr=192.0.2.1",
            "postgres://u@localhost/d?hostaddr=127.0.0.1&host=db.example",
            "postgres://u@localhost.example/d",
        ] {
            assert_eq!(mode(far), "VerifyFull", "{far}");
        }
        for near in [
            "postgres://u@localhost/d",
            "postgres://u@127.0.0.1:5433/d",
            "postgres://u@[::1]/d",
            "postgres://u@%2Frun%2Fpostgresql/d",
            "postgres:///d?host=/run/postgresql",
        ] {
            assert_eq!(mode(near), "Prefer", "{near}");
        }
        assert_eq!(mode("postgres://u@db.example/d?sslmode=require"), "Require");
    }

    #[test]
    fn a_server_that_connects_by_itself_is_told_what_it_would_not_do_unasked() {
        let far = postgres("postgres://u:p%27@db.example/d").for_a_server().unwrap();
        assert!(
            far.starts_with("postgres://u:p%27@db.example/d?sslmode=verify-full&connect_timeout="),
            "{far}"
        );
        let said = postgres("postgres://u@db.example/d?sslmode=require").for_a_server().unwrap();
        assert!(said.contains("?sslmode=require&connect_timeout=") && !said.contains("verify"), "{said}");
        let near = postgres("postgres://u@127.0.0.1/d").for_a_server().unwrap();
        assert!(!near.contains("sslmode"), "{near}");
    }

    #[test]
    fn a_url_is_shown_without_what_opens_it() {
        let url = postgres("postgres://u:secret@db.example/d?password=secret");
        assert_eq!(url.to_string(), "postgres://u@db.example/d");
        assert_eq!(format!("{:?}", DatabaseUrl::Postgres(url)), "Postgres(postgres://u@db.example/d)");
    }
}
