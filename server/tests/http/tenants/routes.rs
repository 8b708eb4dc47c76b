//! Every route of the API, as one organization and as the other.

use axum::http::Method;
use latchkey_server::{
    gate::OrganizationRule,
    gateway::upstream::{Settings, Upstream},
    routes::{API, ApiRoute},
};

use super::{rows_of, words_of};
use crate::gateway::Backend;
use crate::support::{
    ACME, ACME_SITE, Asking, GLOBEX, GLOBEX_APP, GLOBEX_SITE, MEMBER, OUTSIDER, Person, Platform, Site,
};

const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// An organization, and somebody who may do everything there.
#[derive(Debug, Clone)]
struct Tenant {
    id: &'static str,
    slug: &'static str,
    site: Site,
}

/// Acme and Globex, each with tokens, consents, codes and a log of its own.
async fn tenants(platform: &Platform) -> [Tenant; 2] {
    let scopes = latchkey_protocol::scope::Scopes::ALL.to_list();
    platform.execute(&format!("update applications set scopes = '{scopes}'")).await;
    platform.execute("update memberships set role = 'owner'").await;
    let acme = Person::signed_in(platform, MEMBER).await.token(&Asking::new()).await;
    let globex = Asking::new().with("client_id", GLOBEX_APP).with("origin", GLOBEX_SITE);
    let globex =
        globex.with("redirect_uri", &format!("https://platform.example/toolbar/{GLOBEX_APP}/callback/"));
    let globex = Person::signed_in(platform, OUTSIDER).await.token(&globex).await;
    [
        Tenant { id: ACME.0, slug: ACME.1, site: Site::new(platform, &acme).from(Some(ACME_SITE)) },
        Tenant { id: GLOBEX.0, slug: GLOBEX.1, site: Site::new(platform, &globex).from(Some(GLOBEX_SITE)) },
    ]
}

/// The route's address for an organization, with every other parameter set to this.
fn path(route: &ApiRoute, organization: &str, nested: &str) -> String {
    let segment = |segment: &str| match segment {
        "{organization}" => organization.to_owned(),
        nesting if nesting.starts_with('{') => nested.to_owned(),
        other => other.to_owned(),
    };
    route.path.split('/').map(segment).collect::<Vec<_>>().join("/") + "/"
}

/// Everything by which a request could name something of the other organization's besides its path.
fn queries(other: &Tenant, words: &[String]) -> Vec<String> {
    let mut queries = vec![
        String::new(),
        format!("?organization={0}&organization_id={1}&org={0}", other.slug, other.id),
        "?cursor=1000000&limit=200".into(),
    ];
    for name in ["id", "client_id", "user_id", "project", "project_id", "cursor", "query", "token_id"] {
        queries.extend(words.iter().map(|word| {
            let word: String = url::form_urlencoded::byte_serialize(word.as_bytes()).collect();
            format!("?{name}={word}")
        }));
    }
    queries
}

fn body(other: &Tenant, words: &[String]) -> String {
    serde_json::json!({
        "organization": other.slug, "organization_id": other.id, "ids": words, "projects": words, "client_ids": words,
        "items": words.iter().map(|word| serde_json::json!({ "id": word, "organization_id": other.id })).collect::<Vec<_>>(),
    })
    .to_string()
}

#[tokio::test]
async fn no_route_reads_or_writes_anything_of_another_organization_s() {
    let platform = Platform::new().await;
    let [acme, globex] = tenants(&platform).await;
    for (own, other) in [(&acme, &globex), (&globex, &acme)] {
        let words = words_of(&platform, other.slug).await;
        assert!(words.len() >= 8, "{words:?}");
        let before = rows_of(&platform, other.id).await;
        for route in API {
            for method in METHODS {
                for organization in [own.slug, own.id] {
                    for nested in words.iter().map(String::as_str).take(3) {
                        for query in queries(other, &words) {
                            let path = path(route, organization, &nested.replace(' ', "%20")) + &query;
                            let answer = own.site.send(method.clone(), &path, body(other, &words)).await;
                            assert!(
                                answer.status != 500 && answer.status != 503,
                                "{method} {path}: {}",
                                answer.body
                            );
                            let read = words.iter().find(|word| answer.body.contains(word.as_str()));
                            assert_eq!(read, None, "{method} {path} tells of the other: {}", answer.body);
                        }
                        // Without a parameter to set, one round is all there is.
                        if route.path.matches('{').count() < 2 {
                            break;
                        }
                    }
                }
            }
        }
        assert!(rows_of(&platform, other.id).await == before, "something of {}'s was changed", other.slug);
    }
}

#[tokio::test]
async fn a_foreign_organization_and_one_that_is_not_there_are_the_same_refusal() {
    let platform = Platform::new().await;
    let [acme, globex] = tenants(&platform).await;
    for (own, other) in [(&acme, &globex), (&globex, &acme)] {
        for route in API.iter().filter(|route| route.rule().organization != OrganizationRule::Own) {
            for method in METHODS {
                let ask = async |organization: &str| {
                    let answer =
                        own.site.send(method.clone(), &path(route, organization, "1"), "{}".into()).await;
                    (answer.status, answer.headers, answer.body)
                };
                let unknown = ask("no-such-organization").await;
                assert!([403, 405].contains(&unknown.0), "{method} {}", route.path);
                for foreign in [other.slug, other.id] {
                    assert_eq!(ask(foreign).await, unknown, "{method} {} {foreign}", route.path);
                }
            }
        }
    }
}

#[tokio::test]
async fn each_tenant_reads_its_own() {
    let platform = Platform::new().await;
    for tenant in tenants(&platform).await {
        for route in API {
            let answer = tenant.site.get(&path(route, tenant.slug, "1")).await;
            assert_eq!(answer.status, 200, "{}: {}", route.path, answer.body);
        }
        let projects = tenant.site.get(&format!("/api/0/organizations/{}/projects/", tenant.slug)).await;
        assert!(projects.body.contains(&format!("{}-backend", tenant.slug)));
    }
}

/// The platform's own backend is held to it as our own routes are.
#[tokio::test]
async fn no_path_of_a_backend_s_is_another_organization_s() {
    let backend = Backend::new().await;
    let platform = Platform::before(vec![Upstream::read(&Settings::at(&backend.url())).unwrap()]).await;
    let [acme, globex] = tenants(&platform).await;
    for (own, other) in [(&acme, &globex), (&globex, &acme)] {
        let before = rows_of(&platform, other.id).await;
        let asked = backend.asked().len();
        for method in METHODS {
            let ask = async |organization: &str| {
                let path = format!("/api/0/organizations/{organization}/issues/7/?organization={}", own.slug);
                let answer = own.site.send(method.clone(), &path, "{}".into()).await;
                (answer.status, answer.headers, answer.body)
            };
            let unknown = ask("no-such-organization").await;
            assert_eq!(unknown.0, 403, "{method}");
            for foreign in [other.slug, other.id] {
                assert_eq!(ask(foreign).await, unknown, "{method} {foreign}");
            }
        }
        assert_eq!(backend.asked().len(), asked, "nothing of it went on");
        for organization in [own.slug, own.id] {
            let answer = own.site.get(&format!("/api/0/organizations/{organization}/issues/")).await;
            assert_eq!(answer.body, "issues");
            assert_eq!(backend.asked().pop().unwrap().headers["latchkey-organization"], own.id);
        }
        assert!(rows_of(&platform, other.id).await == before);
    }
}
