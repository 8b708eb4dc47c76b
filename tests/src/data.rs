//! The data of the demo and the journeys, loaded through the command line as an operator would.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::server::CommandLine;

/// A person who can sign in.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// Their e-mail address.
    pub email: &'static str,
    /// Their name.
    pub name: &'static str,
    /// Where they are members, and as what.
    pub memberships: &'static [(&'static str, &'static str)],
}

/// The password of everybody in the demo. A text that stands nowhere else, so that the canary knows it anywhere.
pub const PASSWORD: &str = "latchkey-demo-canary";

/// The owner of acme.
pub const ADA: Person =
    Person { email: "ada@acme.example", name: "Ada Lovelace", memberships: &[("acme", "owner")] };
/// The owner of globex.
pub const HEDY: Person =
    Person { email: "hedy@globex.example", name: "Hedy Lamarr", memberships: &[("globex", "owner")] };
/// A member of both.
pub const GRACE: Person = Person {
    email: "grace@both.example",
    name: "Grace Hopper",
    memberships: &[("acme", "member"), ("globex", "member")],
};
/// A member of neither.
pub const EVE: Person = Person { email: "eve@nowhere.example", name: "Eve Stranger", memberships: &[] };

/// Everybody.
pub const PEOPLE: [Person; 4] = [ADA, HEDY, GRACE, EVE];

struct Organization {
    slug: &'static str,
    name: &'static str,
    /// Slug and name of each.
    projects: &'static [(&'static str, &'static str)],
}

const ORGANIZATIONS: [Organization; 2] = [
    Organization {
        slug: "acme",
        name: "Acme Corporation",
        projects: &[("web-shop", "Web shop"), ("billing", "Billing"), ("mobile-app", "Mobile app")],
    },
    Organization {
        slug: "globex",
        name: "Globex",
        projects: &[("reactor", "Reactor control"), ("payroll", "Payroll")],
    },
];

/// The client ids of the two organizations' applications.
#[derive(Debug, Clone)]
pub struct Clients {
    /// acme's.
    pub acme: String,
    /// globex's.
    pub globex: String,
}

/// Loads the data. The arguments are the origins of acme's and of globex's site.
pub async fn load(latchkey: &CommandLine, acme: &str, globex: &str) -> Result<Clients> {
    for Organization { slug, name, projects } in ORGANIZATIONS {
        latchkey.run(&["org", "add", "--slug", slug, "--name", name]).await?;
        for (project, name) in projects {
            latchkey.run(&["project", "add", "--org", slug, "--slug", project, "--name", name]).await?;
        }
    }
    for person in PEOPLE {
        let add = ["user", "add", "--email", person.email, "--name", person.name, "--password-stdin"];
        latchkey.run_with_input(&add, PASSWORD).await?;
        for (org, role) in person.memberships {
            latchkey.run(&["member", "add", "--org", org, "--email", person.email, "--role", role]).await?;
        }
    }
    Ok(Clients {
        acme: add_application(latchkey, "acme", "Acme developer toolbar", acme, WRITING).await?,
        globex: add_application(latchkey, "globex", "Globex status bar", globex, READING).await?,
    })
}

/// The scopes of an application that shows things, and of one that changes some of them, too.
const READING: &str = "org:read member:read project:read event:read";
const WRITING: &str = "org:read member:read project:read event:read event:write";

async fn add_application(
    latchkey: &CommandLine,
    org: &str,
    name: &str,
    origin: &str,
    scopes: &str,
) -> Result<String> {
    let redirect_uri = format!("{origin}/redirect.html");
    let added = latchkey
        .run(&[
            "app",
            "add",
            "--org",
            org,
            "--name",
            name,
            "--origin",
            origin,
            "--redirect-uri",
            &redirect_uri,
            "--scope",
            scopes,
        ])
        .await?;
    added.get("client_id").and_then(Value::as_str).map(str::to_owned).context("app add printed no client_id")
}
