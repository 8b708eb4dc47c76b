//! The issues of the page that the toolbar stands on, where the platform keeps some below
//! `/api/0/organizations/{organization}/issues/`: listed with the scope `event:read`, resolved with `event:write`.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use js_sys::encode_uri_component;
use latchkey_protocol::frame::Session;
use wasm_bindgen::prelude::*;
use web_sys::{Document, Window};

use crate::{
    api::{self, Failure},
    panel::{Asked, Panel, Shown},
    task::spawn,
    text::{decimal, join},
    value::Fields,
};

/// How many are shown: the others are on the platform.
const MOST: u32 = 4;

/// An issue, as far as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issue {
    /// Its id.
    pub(crate) id: String,
    /// What happened.
    pub(crate) title: String,
    /// Where it belongs.
    pub(crate) project: Project,
    /// How often it happened.
    pub(crate) count: u32,
}

/// A project, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Project {
    /// The name.
    pub(crate) name: String,
}

/// One page of the list.
struct Issues {
    issues: Vec<Issue>,
    are_more: bool,
}

impl Issues {
    fn read(data: &JsValue) -> Option<Self> {
        let fields = Fields::of(data)?;
        Some(Self {
            issues: fields.list("issues", MOST, Issue::read)?,
            are_more: fields.get("next_cursor").is_string(),
        })
    }
}

impl Issue {
    fn read(data: &JsValue) -> Option<Self> {
        let fields = Fields::of(data)?;
        let project = fields.get("project");
        Some(Self {
            id: fields.text("id")?,
            title: fields.text("title")?,
            project: Project { name: Fields::of(&project)?.text("name")? },
            count: fields.whole("count")?,
        })
    }
}

/// Who is signed in.
#[derive(Clone)]
struct Account {
    token: String,
    /// Where the organization's issues are.
    path: String,
    may_write: bool,
}

/// The issues at work.
pub(crate) struct Tracker {
    window: Window,
    panel: Panel,
    account: RefCell<Option<Account>>,
    /// The path of the page that frames this one.
    page: RefCell<String>,
    /// Counts the questions: an answer to any but the last one comes too late.
    asked: Cell<u32>,
}

impl Tracker {
    /// Finds the elements; `None` if the page is not the one this was made for.
    pub(crate) fn find(window: &Window, document: &Document) -> Option<Rc<Self>> {
        let tracker = Rc::new(Self {
            window: window.clone(),
            panel: Panel::find(document)?,
            account: RefCell::default(),
            page: RefCell::default(),
            asked: Cell::new(0),
        });
        let me = Rc::downgrade(&tracker);
        tracker.panel.listen(move |asked| {
            let Some(me) = me.upgrade() else { return };
            match asked {
                Asked::Again => me.list(),
                Asked::Resolve(id) => me.resolve(id),
            }
        });
        Some(tracker)
    }

    /// The page that frames this one stands there now.
    pub(crate) fn stand(self: &Rc<Self>, page: String) {
        if self.page.replace(page.clone()) != page {
            self.list();
        }
    }

    /// Somebody signed in.
    pub(crate) fn sign_in(self: &Rc<Self>, token: &str, session: &Session) {
        let may = |scope: &str| session.scopes.iter().any(|granted| granted == scope);
        let may_write = may("event:write");
        *self.account.borrow_mut() = (may_write || may("event:read")).then(|| Account {
            token: token.to_owned(),
            path: join(&[
                "/api/0/organizations/",
                &String::from(encode_uri_component(&session.organization.slug)),
                "/issues/",
            ]),
            may_write,
        });
        self.list();
    }

    /// Nobody is signed in any more: what they saw goes with them.
    pub(crate) fn sign_out(&self) {
        self.account.take();
        self.asked.set(self.asked.get().wrapping_add(1));
        self.panel.show(Shown::Nothing);
    }

    /// Asks for the list.
    fn list(self: &Rc<Self>) {
        let asked = self.asked.get().wrapping_add(1);
        self.asked.set(asked);
        let Some(account) = self.account.borrow().clone() else { return };
        let page = String::from(encode_uri_component(&self.page.borrow()));
        let path = join(&[&account.path, "?status=unresolved&limit=", &decimal(MOST), "&page=", &page]);
        let me = self.clone();
        spawn(async move {
            let found = api::get(&me.window, &account.token, &path).await;
            if me.asked.get() != asked {
                return;
            }
            me.panel.show(match &found.map(|found| Issues::read(&found)) {
                Ok(Some(Issues { issues, are_more })) => {
                    Shown::Issues { issues, are_more: *are_more, may_resolve: account.may_write }
                }
                // A platform that keeps no issues, or none for this person.
                Err(Failure { status: 403 | 404, .. }) => Shown::Nothing,
                Ok(None) | Err(_) => Shown::Failed,
            });
        });
    }

    fn resolve(self: &Rc<Self>, id: String) {
        let Some(account) = self.account.borrow().clone() else { return };
        let path = join(&[&account.path, &String::from(encode_uri_component(&id)), "/"]);
        let (me, asked) = (self.clone(), self.asked.get());
        self.panel.busy(&id, true);
        spawn(async move {
            let body = r#"{"status":"resolved"}"#;
            let done = api::put(&me.window, &account.token, &path, body).await;
            if me.asked.get() != asked {
                return;
            }
            match done {
                Ok(_) => {
                    me.panel.resolved(&id);
                    // Others may come in its place.
                    me.list();
                }
                Err(Failure { status, .. }) => {
                    me.panel.busy(&id, false);
                    me.panel.tell(match status {
                        403 => "Your role does not allow that. Ask an admin of the organization.",
                        404 => "That issue is gone.",
                        _ => "It could not be resolved. Try again.",
                    });
                }
            }
        });
    }
}
