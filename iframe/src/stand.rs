//! Where the toolbar stands on the page and how much of it is shown, as the person wants it: dragged or sent to another
//! corner, collapsed to a pill or whole.
//!
//! The frame cannot move itself. It tells the page, which moves it, and keeps what the page answers for the next time:
//! in its own storage, which browsers keep apart for each site. A page that never answers has a place of its own for
//! the toolbar, and then there is nothing to move or collapse.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use gloo_events::{EventListener, EventListenerOptions};
use latchkey_protocol::frame::Corner;
use wasm_bindgen::prelude::*;
use web_sys::{Document, Element, HtmlElement, KeyboardEvent, PointerEvent, Storage, Window};

use crate::message::FromFrame;

/// On the toolbar, while the page says where it stands.
const DOCKED: &str = "docked";
/// On the toolbar, while it is a pill.
pub(crate) const COLLAPSED: &str = "collapsed";
/// On the toolbar, while it is dragged.
const DRAGGED: &str = "dragged";
/// What a drag may begin on.
const HANDLES: &str = "#move, .mark, .words, .collapsed > #toggle";
/// The keys in the storage.
const KEPT_CORNER: &str = "toolbar.corner";
const KEPT_COLLAPSED: &str = "toolbar.collapsed";
/// Less than this, in CSS pixels, is a click by an unsteady hand.
const SLACK: f64 = 4.0;

/// The toolbar as a thing that is moved.
pub(crate) struct Stand {
    document: Document,
    storage: Option<Storage>,
    toolbar: HtmlElement,
    handle: HtmlElement,
    toggle: HtmlElement,
    spot: Element,
    corner: Cell<Corner>,
    drag: Cell<Option<Drag>>,
    /// The click at the end of a drag is none.
    is_click: Cell<bool>,
    listeners: RefCell<Vec<EventListener>>,
}

impl Stand {
    /// Finds the elements, and what was kept; `None` if the page is not the one this was made for.
    pub(crate) fn find(window: &Window, document: &Document) -> Option<Rc<Self>> {
        let find = |id: &str| document.get_element_by_id(id)?.dyn_into::<HtmlElement>().ok();
        // Where storage is blocked nothing is kept.
        let storage = window.local_storage().ok().flatten();
        let kept = |key| storage.as_ref().and_then(|storage| storage.get_item(key).ok().flatten());
        let corner = kept(KEPT_CORNER).and_then(|word| Corner::parse(&word)).unwrap_or_default();
        let is_collapsed = kept(KEPT_COLLAPSED).is_some();
        let stand = Self {
            document: document.clone(),
            storage,
            toolbar: find("toolbar")?,
            handle: find("move")?,
            toggle: find("toggle")?,
            spot: document.get_element_by_id("spot")?,
            corner: Cell::new(corner),
            drag: Cell::new(None),
            is_click: Cell::new(true),
            listeners: RefCell::default(),
        };
        if is_collapsed {
            stand.mark(COLLAPSED, true);
        }
        Some(Rc::new(stand))
    }

    /// Listens to what the person does, and tells the page through `post`.
    pub(crate) fn listen(self: &Rc<Self>, post: impl Fn(FromFrame) + 'static) {
        let post: Rc<dyn Fn(FromFrame)> = Rc::new(post);
        let mut listeners = Vec::new();
        let mut on = |target: &web_sys::EventTarget, kind: &'static str, does: Does| {
            let (me, post) = (self.clone(), post.clone());
            let options = EventListenerOptions::enable_prevent_default();
            listeners.push(EventListener::new_with_options(target, kind, options, move |event| {
                does(&me, event, &*post);
            }));
        };
        on(&self.toggle, "click", |me, _, _| me.toggle());
        on(&self.handle, "click", |me, _, post| me.send(next(me.corner.get()), post));
        on(&self.handle, "keydown", |me, event, post| {
            let key = event.unchecked_ref::<KeyboardEvent>().key();
            if let Some(corner) = toward(me.corner.get(), &key) {
                event.prevent_default();
                me.send(corner, post);
            }
        });
        on(&self.toolbar, "pointerdown", |me, event, _| me.press(event.unchecked_ref()));
        on(&self.document, "pointermove", |me, event, post| me.pull(event.unchecked_ref(), post));
        for kind in ["pointerup", "pointercancel"] {
            on(&self.document, kind, |me, _, post| me.let_go(post));
        }
        on(&self.document, "keydown", |me, event, post| {
            let is_dragged = me.drag.get().is_some_and(|drag| drag.scale.is_some());
            if is_dragged && event.unchecked_ref::<KeyboardEvent>().key() == "Escape" {
                post(FromFrame::Move { dx: 0, dy: 0 });
                me.let_go(post);
            }
        });
        *self.listeners.borrow_mut() = listeners;
    }

    /// What a new page is told.
    pub(crate) fn greeting(&self) -> FromFrame {
        self.mark(DOCKED, false);
        FromFrame::Place { corner: self.corner.get() }
    }

    /// The page says where the toolbar stands.
    pub(crate) fn placed(&self, corner: Corner) {
        self.mark(DOCKED, true);
        if self.corner.replace(corner) != corner {
            self.keep(KEPT_CORNER, Some(corner.as_str()));
            self.spot.set_text_content(Some(words(corner)));
        }
    }

    /// Only a toolbar that the page docked is collapsed.
    fn toggle(&self) {
        if self.is_click.replace(true) {
            let is_collapsed = !self.toolbar.class_list().contains(COLLAPSED);
            self.mark(COLLAPSED, is_collapsed);
            self.keep(KEPT_COLLAPSED, is_collapsed.then_some("1"));
        }
    }

    fn send(&self, corner: Corner, post: &dyn Fn(FromFrame)) {
        if self.is_click.replace(true) && corner != self.corner.get() {
            post(FromFrame::Place { corner });
        }
    }

    fn press(&self, event: &PointerEvent) {
        self.is_click.set(true);
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let Some(handle) = target.and_then(|target| target.closest(HANDLES).ok().flatten()) else { return };
        if event.is_primary() && event.button() == 0 && self.toolbar.class_list().contains(DOCKED) {
            // From here on all of this pointer comes to the handle, wherever it goes: it leaves the frame at once.
            let _ = handle.set_pointer_capture(event.pointer_id());
            self.drag.set(Some(Drag::begin(event.pointer_id(), Pointer::of(event))));
        }
    }

    fn pull(&self, event: &PointerEvent, post: &dyn Fn(FromFrame)) {
        let Some(mut drag) = self.drag.get().filter(|drag| drag.pointer == event.pointer_id()) else {
            return;
        };
        let begins = drag.scale.is_none();
        let Some((dx, dy)) = drag.to(Pointer::of(event)) else { return };
        self.drag.set(Some(drag));
        if begins {
            self.is_click.set(false);
            self.mark(DRAGGED, true);
        }
        post(FromFrame::Move { dx, dy });
    }

    fn let_go(&self, post: &dyn Fn(FromFrame)) {
        if self.drag.take().is_some_and(|drag| drag.scale.is_some()) {
            self.mark(DRAGGED, false);
            post(FromFrame::Drop);
        }
    }

    fn mark(&self, class: &str, is_on: bool) {
        let _ = self.toolbar.class_list().toggle_with_force(class, is_on);
        if class == COLLAPSED {
            let _ = self.toggle.set_attribute("aria-expanded", if is_on { "false" } else { "true" });
        }
    }

    fn keep(&self, key: &str, value: Option<&str>) {
        let Some(storage) = &self.storage else { return };
        let _ = match value {
            Some(value) => storage.set_item(key, value),
            None => storage.remove_item(key),
        };
    }
}

/// What an event does.
type Does = fn(&Stand, &web_sys::Event, &dyn Fn(FromFrame));

/// A pointer, in CSS pixels: on the screen, where it is the same whatever the frame does, and in the frame.
#[derive(Debug, Clone, Copy)]
struct Pointer {
    screen: (f64, f64),
    frame: (f64, f64),
}

impl Pointer {
    fn of(event: &PointerEvent) -> Self {
        Self {
            screen: (event.screen_x().into(), event.screen_y().into()),
            frame: (event.client_x().into(), event.client_y().into()),
        }
    }
}

/// A drag, or a press that may become one.
#[derive(Debug, Clone, Copy)]
struct Drag {
    pointer: i32,
    start: Pointer,
    /// How many pixels of the page a pixel of the screen is, once it is a drag. A page that is zoomed has larger ones,
    /// and nothing tells the frame but how far the pointer comes in each before the frame follows it.
    scale: Option<f64>,
}

impl Drag {
    fn begin(pointer: i32, start: Pointer) -> Self {
        Self { pointer, start, scale: None }
    }

    /// How far the toolbar is dragged, if it is.
    fn to(&mut self, now: Pointer) -> Option<(i32, i32)> {
        let apart = |(x, y): (f64, f64), (from_x, from_y): (f64, f64)| (x - from_x, y - from_y);
        let length = |(x, y): (f64, f64)| (x * x + y * y).sqrt();
        let on_screen = apart(now.screen, self.start.screen);
        let in_frame = length(apart(now.frame, self.start.frame));
        if self.scale.is_none() && in_frame < SLACK {
            return None;
        }
        let measured = in_frame / length(on_screen);
        // Over such a short way, browsers round what is one to one by as much.
        let is_zoomed = measured.is_finite() && (measured - 1.0).abs() > 0.3;
        let scale = *self.scale.get_or_insert(if is_zoomed { measured } else { 1.0 });
        Some(((on_screen.0 * scale) as i32, (on_screen.1 * scale) as i32))
    }
}

/// The corner on the side of an arrow key; `None` for any other key.
fn toward(corner: Corner, key: &str) -> Option<Corner> {
    use Corner::{BottomLeft, BottomRight, TopLeft, TopRight};
    let is_top = matches!(corner, TopLeft | TopRight);
    let is_left = matches!(corner, TopLeft | BottomLeft);
    let (is_top, is_left) = match key {
        "ArrowLeft" => (is_top, true),
        "ArrowRight" => (is_top, false),
        "ArrowUp" => (true, is_left),
        "ArrowDown" => (false, is_left),
        _ => return None,
    };
    Some(match (is_top, is_left) {
        (true, true) => TopLeft,
        (true, false) => TopRight,
        (false, true) => BottomLeft,
        (false, false) => BottomRight,
    })
}

/// The next corner, clockwise: for who can neither drag nor press an arrow key (WCAG 2.2, 2.5.7).
fn next(corner: Corner) -> Corner {
    match corner {
        Corner::BottomRight => Corner::BottomLeft,
        Corner::BottomLeft => Corner::TopLeft,
        Corner::TopLeft => Corner::TopRight,
        Corner::TopRight => Corner::BottomRight,
    }
}

/// What a screen reader says of a new place.
fn words(corner: Corner) -> &'static str {
    match corner {
        Corner::BottomRight => "The toolbar is at the bottom right.",
        Corner::BottomLeft => "The toolbar is at the bottom left.",
        Corner::TopLeft => "The toolbar is at the top left.",
        Corner::TopRight => "The toolbar is at the top right.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(screen: (f64, f64), frame: (f64, f64)) -> Pointer {
        Pointer { screen, frame }
    }

    #[test]
    fn an_arrow_leads_to_the_corner_on_its_side_and_no_other_key_leads_anywhere() {
        for (key, corners) in [
            ("ArrowLeft", [Corner::BottomLeft, Corner::BottomLeft, Corner::TopLeft, Corner::TopLeft]),
            ("ArrowRight", [Corner::BottomRight, Corner::BottomRight, Corner::TopRight, Corner::TopRight]),
            ("ArrowUp", [Corner::TopRight, Corner::TopLeft, Corner::TopLeft, Corner::TopRight]),
            ("ArrowDown", [Corner::BottomRight, Corner::BottomLeft, Corner::BottomLeft, Corner::BottomRight]),
        ] {
            for (from, to) in Corner::ALL.iter().zip(corners) {
                assert_eq!(toward(*from, key), Some(to), "{from:?} {key}");
            }
        }
        assert_eq!(toward(Corner::TopLeft, "Enter"), None);
    }

    #[test]
    fn four_steps_lead_around_the_page() {
        let mut seen = vec![Corner::BottomRight];
        for _ in 0..3 {
            seen.push(next(seen[seen.len() - 1]));
        }
        assert!(Corner::ALL.iter().all(|corner| seen.contains(corner)), "{seen:?}");
        assert_eq!(next(seen[3]), Corner::BottomRight);
    }

    #[test]
    fn an_unsteady_hand_drags_nothing() {
        let mut drag = Drag::begin(1, at((500.0, 500.0), (20.0, 20.0)));
        assert_eq!(drag.to(at((502.0, 502.0), (22.0, 22.0))), None);
        assert_eq!(drag.to(at((503.0, 504.0), (23.0, 24.0))), Some((3, 4)));
        // From here on it follows every pixel, and back to where it began.
        assert_eq!(drag.to(at((500.0, 501.0), (20.0, 21.0))), Some((0, 1)));
    }

    #[test]
    fn the_frame_that_follows_the_pointer_is_no_part_of_the_way() {
        let mut drag = Drag::begin(1, at((500.0, 500.0), (20.0, 20.0)));
        drag.to(at((490.0, 500.0), (10.0, 20.0)));
        assert_eq!(drag.to(at((300.0, 400.0), (20.0, 20.0))), Some((-200, -100)));
    }

    #[test]
    fn on_a_page_of_twice_the_size_it_goes_half_as_many_pixels() {
        let mut drag = Drag::begin(1, at((500.0, 500.0), (20.0, 20.0)));
        assert_eq!(drag.to(at((500.0, 510.0), (20.0, 25.0))), Some((0, 5)));
        assert_eq!(drag.to(at((700.0, 500.0), (20.0, 20.0))), Some((100, 0)));
    }

    #[test]
    fn rounding_is_no_zoom_and_neither_is_a_screen_that_is_not_told() {
        let mut drag = Drag::begin(1, at((500.0, 500.0), (20.0, 20.0)));
        drag.to(at((505.0, 500.0), (24.0, 20.0)));
        assert_eq!(drag.to(at((600.0, 500.0), (20.0, 20.0))), Some((100, 0)));
        let mut drag = Drag::begin(1, at((0.0, 0.0), (20.0, 20.0)));
        assert_eq!(drag.to(at((0.0, 0.0), (40.0, 20.0))), Some((0, 0)));
    }

    #[test]
    fn every_corner_has_words() {
        for corner in Corner::ALL {
            assert!(words(*corner).contains(&corner.as_str().replace('-', " ")), "{corner:?}");
        }
    }
}
