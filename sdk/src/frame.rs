//! The companion frame: its element, the handshake, and the port.

use alloc::{rc::Rc, string::String};
use core::cell::Cell;

use latchkey_protocol::{error::ErrorCode, frame::ToFrame};
use wasm_bindgen::prelude::*;
use web_sys::{
    Element, HtmlElement, HtmlIFrameElement, MessageChannel, MessageEvent, MessagePort,
    SecurityPolicyViolationEvent,
};

use crate::{
    client::Client,
    events::Listener,
    message::{decode, encode, hello},
    session::Event,
};

/// The frame on the page. Dropping it takes it off.
pub(crate) struct Frame {
    element: HtmlIFrameElement,
    docked: bool,
    port: Rc<Cell<Option<Port>>>,
    _listeners: [Listener; 2],
}

/// Our end of the channel. Dropping it closes the channel.
struct Port {
    port: MessagePort,
    _listener: Listener,
}

impl Drop for Port {
    fn drop(&mut self) {
        self.port.close();
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.port.take();
        self.element.remove();
    }
}

impl Frame {
    /// Puts the frame into the container, or docks it to the page's corner.
    pub(crate) fn mount(client: &Rc<Client>, container: Option<&Element>) -> Option<Self> {
        let document = client.window.document()?;
        let element: HtmlIFrameElement = document.create_element("iframe").ok()?.unchecked_into();
        let _ = element.set_attribute("src", &client.options.toolbar(""));
        let _ = element.set_attribute("title", "Sign-in toolbar");
        let port = Rc::new(Cell::new(None));
        let listeners = [
            Listener::new(&element, "load", {
                let (client, element, port) = (client.clone(), element.clone(), port.clone());
                // The frame is a document of its own each time it loads: what it said before is void.
                move |_| {
                    client.dispatch(Event::FrameLoaded);
                    port.set(connect(&client, &element));
                }
            }),
            Listener::new(&document, "securitypolicyviolation", {
                let client = client.clone();
                move |event| {
                    if keeps_out(event.unchecked_ref(), &client.options.platform) {
                        client.dispatch(Event::Refused(ErrorCode::FrameBlocked.into()));
                    }
                }
            }),
        ];
        let frame = Self { element, docked: container.is_none(), port, _listeners: listeners };
        frame.dress(&style(frame.docked, 360, 56, false));
        let body = document.body().map(JsCast::unchecked_into::<Element>);
        container.or(body.as_ref())?.append_child(&frame.element).ok()?;
        Some(frame)
    }

    /// Says something to the frame, if it is listening.
    pub(crate) fn post(&self, message: &ToFrame) {
        if let Some(port) = self.port.take() {
            let _ = port.port.post_message(&encode(message));
            self.port.set(Some(port));
        }
    }

    /// Gives the frame the size its content wants, within bounds, and shows it.
    pub(crate) fn resize(&self, width: u32, height: u32) {
        self.dress(&style(self.docked, width.clamp(48, 480), height.clamp(32, 480), true));
    }

    fn dress(&self, style: &str) {
        self.element.unchecked_ref::<HtmlElement>().style().set_css_text(style);
    }
}

/// Hands the frame one end of a new channel. Only a document of the platform gets it.
fn connect(client: &Rc<Client>, element: &HtmlIFrameElement) -> Option<Port> {
    let channel = MessageChannel::new().ok()?;
    let port = channel.port1();
    let listener = Listener::new(&port, "message", {
        let client = client.clone();
        move |event| {
            if let Some(message) = decode(&event.unchecked_ref::<MessageEvent>().data()) {
                client.heard(message);
            }
        }
    });
    port.start();
    let port = Port { port, _listener: listener };
    let transfer = js_sys::Array::of1(&channel.port2());
    let options = &client.options;
    let hello = hello(&options.client_id, &options.scope);
    element.content_window()?.post_message_with_transfer(&hello, &options.platform, &transfer).ok()?;
    Some(port)
}

/// Whether the page's own policy refused the frame.
fn keeps_out(event: &SecurityPolicyViolationEvent, platform: &str) -> bool {
    let directive = event.effective_directive();
    (directive == "frame-src" || directive == "child-src")
        && event.blocked_uri().starts_with(platform)
        && js_sys::Reflect::get(event, &"disposition".into()).is_ok_and(|it| it != *"report")
}

/// The element's whole style. Each part is important, so that no rule of the page reaches it.
///
/// Until the frame answers it is there but not seen: a frame that is refused shows a broken page.
fn style(docked: bool, width: u32, height: u32, shown: bool) -> String {
    const IMPORTANT: &str = "!important;";
    let mut css = String::new();
    let mut push = |parts: &[&str]| {
        parts.iter().for_each(|part| css.push_str(part));
        css.push_str(IMPORTANT);
    };
    push(&["all:initial"]);
    push(&["border:0"]);
    push(&["border-radius:14px"]);
    push(&["height:", &decimal(height), "px"]);
    if docked {
        push(&["position:fixed"]);
        push(&["right:16px"]);
        push(&["bottom:16px"]);
        push(&["z-index:2147483647"]);
        push(&["width:", &decimal(width), "px"]);
        push(&["max-width:calc(100vw - 32px)"]);
        push(&["max-height:calc(100vh - 32px)"]);
        push(&["box-shadow:0 1px 2px rgba(0,0,0,.16),0 8px 32px rgba(0,0,0,.2)"]);
    } else {
        push(&["display:block"]);
        push(&["width:100%"]);
    }
    if !shown {
        push(&["opacity:0"]);
    }
    css
}

/// A number in decimal digits; the standard library's way would weigh more than all of this file.
fn decimal(mut number: u32) -> String {
    let mut digits = String::new();
    loop {
        digits.insert(0, char::from(b'0' + (number % 10) as u8));
        number /= 10;
        if number == 0 {
            return digits;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 7, 10, 360, 480, u32::MAX] {
            assert_eq!(decimal(number), alloc::format!("{number}"));
        }
    }

    #[test]
    fn no_part_of_the_style_can_be_overruled_by_the_page() {
        for docked in [true, false] {
            let css = style(docked, 360, 56, true);
            assert!(css.split(';').filter(|part| !part.is_empty()).all(|part| part.ends_with("!important")));
            assert!(css.contains("height:56px!important") && !css.contains("opacity"));
        }
        assert!(style(true, 360, 56, false).contains("opacity:0!important"));
    }
}
