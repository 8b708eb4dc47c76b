//! The session that this frame keeps at the platform, in a cookie that no script sees (SECURITY 45a), and the mark in this
//! browser that there is one, so that a page view without a session costs no request.

use latchkey_protocol::oauth::encode_pairs;
use web_sys::{Storage, Window};

use crate::{
    api::{self, Asker, Failure},
    handshake::{Page, Parent},
    text::join,
    token::Issued,
};

/// Where it is, for one application on one site.
#[derive(Clone)]
pub(crate) struct Kept {
    window: Window,
    path: String,
    origin: String,
    key: String,
}

impl Kept {
    /// Of this application, on the site around it.
    pub(crate) fn of(window: &Window, page: &Page, parent: &Parent) -> Self {
        Self {
            window: window.clone(),
            path: join(&["/toolbar/", &page.client_id, "/session/"]),
            origin: parent.origin.clone(),
            key: join(&["session ", &page.client_id, " ", &parent.origin]),
        }
    }

    /// Makes a session of a handle. False where none was made.
    pub(crate) async fn open(&self, handle: &str) -> bool {
        let form = [("handle", handle), ("origin", &*self.origin)];
        api::post(&self.window, Asker::Frame, &self.path, form).await.is_ok()
    }

    /// Asks for another token of the same sign-in.
    pub(crate) async fn renew(&self) -> Result<Issued, Failure> {
        let form = [("origin", &*self.origin)];
        let path = join(&[&self.path, "token/"]);
        Issued::read(&api::post(&self.window, Asker::Frame, &path, form).await?)
    }

    /// Ends the session, with every token of the sign-in.
    pub(crate) async fn end(&self) {
        let path = join(&[&self.path, "?", &encode_pairs([("origin", &*self.origin)])]);
        let _ = api::send(&self.window, Asker::Frame, "DELETE", &path, None).await;
    }

    /// Whether there may be one.
    pub(crate) fn is_marked(&self) -> bool {
        self.storage().and_then(|storage| storage.get_item(&self.key).ok()).flatten().is_some()
    }

    /// Notes that there is one, or that there is none. Where nothing can be kept the next page view asks nobody.
    pub(crate) fn mark(&self, is_kept: bool) {
        let Some(storage) = self.storage() else { return };
        let _ = if is_kept { storage.set_item(&self.key, "1") } else { storage.remove_item(&self.key) };
    }

    fn storage(&self) -> Option<Storage> {
        self.window.local_storage().ok().flatten()
    }
}
