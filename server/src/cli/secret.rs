//! The secret that the database's own secrets lie encrypted under: it must not lie in the database.
//!
//! It is `LATCHKEY_SECRET` in the environment, or else, of an embedded database, a file beside it that only its owner
//! can read, made at the first start. There is no option for it: a command line can be read by everybody on the machine.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::{
    cli::{CliError, Context, beside, options::Options},
    secret::{Entropy, Secret},
    store::{self, DatabaseUrl},
};

/// The environment's name for it.
const VARIABLE: &str = "LATCHKEY_SECRET";
/// The shortest that is taken, in bytes: nobody types one.
const MIN_LENGTH: usize = 32;

/// The secret. It is made where there is none and nothing lies under one yet, or what does is to be forgotten.
pub(super) async fn find_or_make(
    options: &Options,
    context: &Context,
    forget: bool,
) -> Result<Secret, CliError> {
    if let Some(text) = std::env::var_os(VARIABLE) {
        return text.to_str().and_then(check).ok_or_else(|| {
            CliError::Refused(format!(
                "{VARIABLE} is no text, or has fewer than {MIN_LENGTH} bytes: give it 32 random bytes in hexadecimal \
                 or base64"
            ))
        });
    }
    let path = match options.database()? {
        DatabaseUrl::Sqlite(database) => path_beside(&database),
        DatabaseUrl::Postgres(_) => {
            return Err(CliError::Refused(format!(
                "{VARIABLE} is missing, and a database on a server has no file beside it: give every process the same \
                 32 random bytes in hexadecimal or base64, such as `openssl rand -base64 32` prints"
            )));
        }
    };
    match read(&path) {
        Err(Problem::Missing) => {
            let mut unit = context.store.read().await?;
            let is_needed = !forget && store::signing_keys::find(&mut unit).await?.is_some();
            drop(unit);
            if !is_needed {
                make(&path, &context.entropy)?;
            }
            read(&path)
        }
        found => found,
    }
    .map_err(|problem| CliError::Refused(problem.tell(&path)))
}

/// What to do with the secret of an embedded database that moved to a server.
pub(super) fn where_to_take_it(database: &Path) -> String {
    let path = path_beside(database);
    if std::env::var_os(VARIABLE).is_none() && path.exists() {
        return format!(
            "the keys that sign id_tokens lie under the secret in {}: give its content as {VARIABLE} to every process \
             there",
            path.display()
        );
    }
    format!(
        "give every process there the same {VARIABLE} as before: the keys that sign id_tokens lie under it"
    )
}

/// Beside the database, under its own name with `.secret` at its end.
pub(super) fn path_beside(database: &Path) -> PathBuf {
    beside(database, ".secret")
}

enum Problem {
    Missing,
    Exposed,
    Short,
    Io(std::io::Error),
}

impl Problem {
    fn tell(self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::Missing => format!(
                "the secret {path} is gone, and a signing key lies under it: restore it, or run `latchkey key rotate \
                 --forget`, which makes a new one of both"
            ),
            Self::Exposed => format!("the secret {path} can be read by others: run `chmod 600 {path}`"),
            Self::Short => format!(
                "the secret {path} is damaged: restore it, or delete it and run `latchkey key rotate --forget`"
            ),
            Self::Io(error) => format!("cannot read the secret {path}: {error}"),
        }
    }
}

fn read(path: &Path) -> Result<Secret, Problem> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(Problem::Missing),
        Err(error) => return Err(Problem::Io(error)),
    };
    let mode = std::fs::metadata(path).map_err(Problem::Io)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Problem::Exposed);
    }
    check(&text).ok_or(Problem::Short)
}

fn check(text: &str) -> Option<Secret> {
    let text = text.trim();
    (text.len() >= MIN_LENGTH).then(|| Secret::new(text))
}

/// Writes a new secret. It gets its name when it is whole, and never takes the place of one that is there: of two
/// processes that start at once both use the same.
fn make(path: &Path, entropy: &Entropy) -> Result<(), CliError> {
    let secret = Secret::generate(entropy)?;
    let draft = beside(path, &format!(".{}", entropy.id()?));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    writeln!(file, "{}", secret.expose())?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_read_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = path_beside(&folder.path().join("latchkey.db"));
        assert!(path.ends_with("latchkey.db.secret"));
        assert!(matches!(read(&path), Err(Problem::Missing)));
        make(&path, &Entropy::System).unwrap();
        let first = read(&path).ok().unwrap();
        make(&path, &Entropy::System).unwrap();
        assert!(read(&path).ok().unwrap().matches(first.expose()), "it is not replaced");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path), Err(Problem::Exposed)));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::write(&path, "short").unwrap();
        assert!(matches!(read(&path), Err(Problem::Short)));
    }
}
