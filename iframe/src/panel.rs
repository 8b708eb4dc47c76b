//! What the toolbar shows of issues.

use std::cell::RefCell;

use gloo_events::EventListener;
use wasm_bindgen::prelude::*;
use web_sys::{Document, Element, HtmlElement};

use crate::{
    issues::Issue,
    text::{decimal, join},
};

/// The states of the panel.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shown<'a> {
    /// There is nothing to show, and no panel.
    Nothing,
    /// The list.
    Issues {
        /// The latest.
        issues: &'a [Issue],
        /// Whether there are others.
        are_more: bool,
        /// Whether this person may resolve them.
        may_resolve: bool,
    },
    /// It could not be read.
    Failed,
}

/// What the person asks for.
pub(crate) enum Asked {
    /// To read the list again.
    Again,
    /// To resolve the issue of this id.
    Resolve(String),
}

/// The elements of the panel.
pub(crate) struct Panel {
    document: Document,
    section: HtmlElement,
    title: HtmlElement,
    note: Element,
    list: Element,
    again: HtmlElement,
    clicks: RefCell<Option<EventListener>>,
}

/// Where a button keeps the id of its issue.
const ISSUE: &str = "data-issue";
/// A button that does nothing for now, but keeps the focus.
const BUSY: &str = "aria-disabled";

impl Panel {
    /// Finds the elements.
    pub(crate) fn find(document: &Document) -> Option<Self> {
        let find = |id: &str| document.get_element_by_id(id);
        Some(Self {
            document: document.clone(),
            section: find("issues")?.dyn_into().ok()?,
            title: find("issues-title")?.dyn_into().ok()?,
            note: find("issues-note")?,
            list: find("issues-list")?,
            again: find("issues-again")?.dyn_into().ok()?,
            clicks: RefCell::default(),
        })
    }

    /// Calls back when a button is clicked.
    pub(crate) fn listen(&self, asked: impl Fn(Asked) + 'static) {
        let listener = EventListener::new(&self.section, "click", move |event| {
            let button = event.target().and_then(|target| target.dyn_into::<Element>().ok());
            let Some(button) = button.filter(|element| element.tag_name() == "BUTTON") else { return };
            if button.get_attribute(BUSY).as_deref() == Some("true") {
                return;
            }
            asked(button.get_attribute(ISSUE).map_or(Asked::Again, Asked::Resolve));
        });
        *self.clicks.borrow_mut() = Some(listener);
    }

    /// Shows a state.
    pub(crate) fn show(&self, shown: Shown<'_>) {
        let had_focus = self.focused();
        self.section.set_hidden(matches!(shown, Shown::Nothing));
        self.again.set_hidden(!matches!(shown, Shown::Failed));
        let (issues, are_more, may_resolve) = match shown {
            Shown::Issues { issues, are_more, may_resolve } => (issues, are_more, may_resolve),
            Shown::Nothing | Shown::Failed => (&[][..], false, false),
        };
        self.list.set_text_content(None);
        for issue in issues {
            let _ = self.row(issue, may_resolve).and_then(|row| self.list.append_child(&row));
        }
        match shown {
            Shown::Failed => self.tell("The issues of this page could not be read."),
            Shown::Issues { issues: [], .. } => self.tell("No open issues on this page."),
            Shown::Issues { .. } if are_more => self.tell("More are on the platform."),
            Shown::Issues { .. } | Shown::Nothing => self.tell(""),
        }
        // The button that had the focus is gone: who works by keyboard goes on where it was.
        if had_focus && !self.section.hidden() {
            let button = self.section.query_selector("button:not([hidden])").ok().flatten();
            let next = button.and_then(|button| button.dyn_into::<HtmlElement>().ok());
            let _ = next.as_ref().unwrap_or(&self.title).focus();
        }
    }

    /// Says something below the title.
    pub(crate) fn tell(&self, note: &str) {
        self.note.set_text_content(Some(note));
    }

    /// While an issue is being resolved its button does nothing, and keeps the focus.
    pub(crate) fn busy(&self, id: &str, is_busy: bool) {
        if let Some(button) = self.button(id) {
            let _ = button.set_attribute(BUSY, if is_busy { "true" } else { "false" });
            button.set_text_content(Some(if is_busy { "Resolving…" } else { "Resolve" }));
        }
    }

    /// The issue is resolved.
    pub(crate) fn resolved(&self, id: &str) {
        if let Some(button) = self.button(id) {
            button.set_text_content(Some("Resolved"));
        }
    }

    fn button(&self, id: &str) -> Option<Element> {
        let buttons = self.list.get_elements_by_tag_name("button");
        (0..buttons.length())
            .filter_map(|index| buttons.item(index))
            .find(|button| button.get_attribute(ISSUE).as_deref() == Some(id))
    }

    fn row(&self, issue: &Issue, may_resolve: bool) -> Result<Element, JsValue> {
        let make = |tag: &str, class: &str, text: &str| {
            let element = self.document.create_element(tag)?;
            element.set_class_name(class);
            element.set_text_content(Some(text));
            Ok::<_, JsValue>(element)
        };
        let row = make("li", "", "")?;
        let lines = make("div", "words lines", "")?;
        let times =
            if issue.count == 1 { "once".to_owned() } else { join(&[&decimal(issue.count), " times"]) };
        let title = make("strong", "", &issue.title)?;
        let more = make("span", "", &join(&[&issue.project.name, ", ", &times]))?;
        lines.append_with_node_2(&title, &more)?;
        row.append_child(&lines)?;
        if may_resolve {
            let button = make("button", "", "Resolve")?;
            button.set_attribute("type", "button")?;
            button.set_attribute("aria-label", &join(&["Resolve ", &issue.title]))?;
            button.set_attribute(ISSUE, &issue.id)?;
            row.append_child(&button)?;
        }
        Ok(row)
    }

    fn focused(&self) -> bool {
        self.document.active_element().is_some_and(|active| self.section.contains(Some(&active)))
    }
}
