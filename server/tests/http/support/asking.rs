//! An authorization request, as a site's SDK writes its address.

use super::{ACME_REDIRECT, ACME_SITE, APP, PLATFORM};

/// The parameters, in their order.
#[derive(Debug, Clone)]
pub(crate) struct Asking(Vec<(String, String)>);

impl Asking {
    /// Acme's application, from its site, by the callback.
    pub(crate) fn new() -> Self {
        let parameters = [
            ("client_id", APP),
            ("response_type", "token"),
            ("redirect_uri", &Self::callback(APP)),
            ("origin", ACME_SITE),
            ("state", "s1"),
        ];
        Self(parameters.map(|(name, value)| (name.into(), value.into())).to_vec())
    }

    /// Acme's application, by the redirect URI on its own site.
    pub(crate) fn redirect() -> Self {
        Self::new().with("redirect_uri", ACME_REDIRECT).without("origin")
    }

    /// The same, where the frame keeps the token.
    pub(crate) fn for_frame() -> Self {
        Self::new().with("redirect_uri", &Self::frame_callback(APP))
    }

    /// The callback page of an application.
    pub(crate) fn callback(client_id: &str) -> String {
        format!("{PLATFORM}/toolbar/{client_id}/callback/")
    }

    /// The callback page of an application whose frame keeps the token.
    pub(crate) fn frame_callback(client_id: &str) -> String {
        format!("{PLATFORM}/toolbar/{client_id}/callback/frame/")
    }

    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        let Self(mut parameters) = self;
        match parameters.iter_mut().find(|(known, _)| known == name) {
            Some(found) => found.1 = value.into(),
            None => parameters.push((name.into(), value.into())),
        }
        Self(parameters)
    }

    /// What a parameter says.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn without(self, name: &str) -> Self {
        Self(self.0.into_iter().filter(|(known, _)| known != name).collect())
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The address, with everything escaped as `URLSearchParams` does.
    pub(crate) fn path(&self) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish();
        format!("/oauth/authorize/?{query}")
    }
}
