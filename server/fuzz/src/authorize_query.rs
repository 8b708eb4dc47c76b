//! The query of an authorization request.

use latchkey_protocol::{
    origin::Origin,
    scope::{Scope, Scopes},
};
use latchkey_server::{
    applications::{ResponseType, ResponseTypes},
    config::Config,
    http::parameters::Parameters,
    oauth::{
        request::{Invalid, Prompt, Request, Target},
        response::{Recipient, RedirectError, refusal},
    },
    store::applications::Application,
};
use url::{Url, form_urlencoded};

const SITE: &str = "https://www.acme.example";
const REDIRECTS: [&str; 2] = ["https://www.acme.example/cb?from=1", "http://127.0.0.1:3000/cb"];

fn application() -> Application {
    let origins = [SITE, "http://localhost:3000"].map(Origin::parse).into_iter().flatten().collect();
    Application {
        client_id: "c1".into(),
        organization_id: "o1".into(),
        name: "Toolbar".into(),
        scopes: Scopes::of(&[Scope::OrgRead, Scope::ProjectWrite, Scope::OpenId]),
        response_types: ResponseTypes::of(&[ResponseType::Token, ResponseType::Code]).expect("two"),
        asks_always_at: None,
        disabled_at: None,
        origins,
        redirect_uris: REDIRECTS.map(Into::into).into(),
    }
}

pub(crate) fn run(query: &str) {
    let Ok(parameters) = Parameters::parse(query) else { return };
    let config = Config::new(Origin::parse("https://platform.example").expect("an origin"));
    let application = application();
    match Request::validate(&parameters, &application, &config) {
        Ok(request) => {
            check_target(&request.target, &application, &config);
            assert!(application.scopes.covers(request.scopes) && !request.scopes.is_empty());
            assert_eq!(request.code_challenge.is_some(), request.response_type == ResponseType::Code);
            assert_eq!(Prompt::parse(request.prompt.as_str()), Some(request.prompt));
            assert_eq!(request.state.as_deref(), parameters.get("state"));
            check_response(request.recipient(), RedirectError::AccessDenied, &config);
        }
        Err(Invalid::Redirect { error, target, state, response_type, .. }) => {
            check_target(&target, &application, &config);
            let state = state.as_deref();
            assert!(state.is_none() || state == parameters.get("state"));
            let recipient = Recipient { client_id: "c1", target: &target, state, response_type };
            check_response(recipient, error, &config);
        }
        Err(Invalid::Page(_)) => {}
    }
}

/// Nobody is sent anywhere but to a registered address, whose port alone may be another one on loopback.
fn check_target(target: &Target, application: &Application, config: &Config) {
    assert!(application.origins.contains(&target.requesting_origin) || !target.is_callback);
    if target.is_callback {
        assert_eq!(target.redirect_uri, config.callback("c1"));
        return;
    }
    if !REDIRECTS.contains(&target.redirect_uri.as_str()) {
        let mut url = Url::parse(&target.redirect_uri).expect("an address");
        assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
        url.set_port(Some(3000)).expect("a port");
        assert_eq!(url.as_str(), REDIRECTS[1]);
    }
    let url = Url::parse(&target.redirect_uri).expect("an address");
    assert_eq!(url.origin().ascii_serialization(), target.requesting_origin.as_str());
}

/// As a browser reads it: the state byte for byte, everything once, and nothing added to the address.
fn check_response(recipient: Recipient<'_>, error: RedirectError, config: &Config) {
    let location = refusal(config, recipient, error);
    let rest = location.strip_prefix(&recipient.target.redirect_uri).expect("the address as it is");
    let (separator, pairs) = rest.split_at(1);
    match recipient.response_type {
        ResponseType::Token => assert_eq!(separator, "#"),
        ResponseType::Code => assert!(["?", "&"].contains(&separator) && !pairs.contains('#')),
    }
    let pairs: Vec<_> = form_urlencoded::parse(pairs.as_bytes()).collect();
    let of = |name: &str| {
        let mut found = pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_ref());
        let first = found.next();
        assert!(found.next().is_none(), "{name} stands twice");
        first
    };
    assert_eq!(of("state"), recipient.state);
    assert_eq!((of("iss"), of("client_id")), (Some("https://platform.example"), Some("c1")));
    assert_eq!((of("error"), of("code"), of("access_token")), (Some(error.code()), None, None));
}
