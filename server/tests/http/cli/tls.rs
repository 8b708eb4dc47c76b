//! A database on another machine proves who it is: the real binary before a real server that speaks TLS, whose certificate
//! is of an authority that is made here.

use latchkey_cluster::{Cluster, Durability, Programs};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

use super::{Node, free_address, latchkey, run, serve::get_with};
use crate::support::is_embedded;

/// Who vouches for names.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for this name, and its key.
    fn vouch(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Its own certificate, in a file of this folder.
    fn file(&self, folder: &TempDir, name: &str) -> String {
        let path = folder.path().join(name);
        std::fs::write(&path, self.0.pem()).unwrap();
        path.display().to_string()
    }
}

#[test]
fn a_server_is_believed_that_has_a_certificate_for_its_name_by_who_is_trusted() {
    if is_embedded() {
        return;
    }
    let programs = Programs::find().expect("the stage installs PostgreSQL");
    let mut cluster = Cluster::start(&programs, Durability::Thrown).unwrap();
    let (trusted, foreign) = (Authority::new("trusted"), Authority::new("foreign"));
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (trusted.file(&folder, "ours.pem"), foreign.file(&folder, "theirs.pem"));
    let port = cluster.port();
    let address = |host: &str| format!("postgres://postgres:canary@{host}:{port}/postgres");
    let asked = |host: &str, parameters: &str| format!("{}?{parameters}", address(host));
    let full = |host: &str, root: &str| asked(host, &format!("sslmode=verify-full&sslrootcert={root}"));
    let (named, numbered) = (full("localhost", &ours), full("127.0.0.1", &ours));
    let (not_theirs, of_the_system) = (full("localhost", &theirs), asked("localhost", "sslmode=verify-full"));
    let of_anybody = asked("127.0.0.1", "sslmode=require");
    let elsewhere = asked("0.0.0.0", &format!("sslrootcert={ours}"));
    let migrate = |url: &str| {
        let said = run(latchkey(&["migrate", "--database", url]));
        assert!(!said.stderr.contains("canary"), "{}", said.stderr);
        said
    };
    let refused = |url: &str, says: &str| {
        let said = migrate(url);
        said.assert_refused("cannot open the database postgres://postgres@");
        said.assert_refused(says);
        said.assert_refused("over TLS where it is another machine");
    };

    // One that speaks no TLS is asked nothing else.
    refused(&named, "server does not support TLS");
    let (certificate, key) = trusted.vouch("localhost");
    cluster.secure(&certificate, &key).unwrap();
    migrate(&named).json();
    // The name is what was connected to, not where that leads.
    refused(&numbered, "certificate not valid for name \"127.0.0.1\"");
    refused(&not_theirs, "invalid peer certificate: UnknownIssuer");
    refused(&of_the_system, "invalid peer certificate: UnknownIssuer");
    for name in ["sslcert", "sslkey", "sslrootcert"] {
        refused(
            &asked("localhost", &format!("{name}=/nowhere.pem")),
            &format!("{name}: /nowhere.pem: No such file"),
        );
    }
    // Whoever says so believes anybody, and whoever says what nobody understands does not.
    migrate(&of_anybody).json();
    for mode in [None, Some("nonsense"), Some("")] {
        let mut command = latchkey(&["migrate", "--database", &elsewhere]);
        command.envs(mode.map(|mode| ("PGSSLMODE", mode)));
        run(command).assert_refused("certificate not valid for name \"0.0.0.0\"");
    }
    // And a whole process runs by it, with the connection on which it hears.
    let node = Node::start(&free_address(), |command| {
        command.args(["--database", &named]);
    });
    let answer = get_with(&node.address.to_string(), "/readyz", "X-Nothing: 0");
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");

    // One that nobody trusted vouches for is no better for having the right name.
    let (certificate, key) = foreign.vouch("localhost");
    cluster.secure(&certificate, &key).unwrap();
    refused(&named, "invalid peer certificate: UnknownIssuer");
}
