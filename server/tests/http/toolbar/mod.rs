//! `/toolbar/{client_id}/…`

mod callback;
mod frame;
mod session;
mod status;

use latchkey_server::http::assets::is_built;

use crate::support::Answer;

/// A page of the iframe's: with its files, or with the command that makes them.
#[track_caller]
fn assert_served(answer: &Answer) {
    if is_built() {
        assert_eq!(answer.status, 200, "{}", answer.body);
    } else {
        answer.assert_page(503, "Run `cargo xtask build`");
    }
}
