//! Work that goes on by itself.

use std::pin::Pin;

use wasm_bindgen_futures::spawn_local;

/// Begins it. For the executor all work is of one type: for each of its own, its whole code would be there once more.
pub(crate) fn spawn(work: impl Future<Output = ()> + 'static) {
    let work: Pin<Box<dyn Future<Output = ()>>> = Box::pin(work);
    spawn_local(work);
}
