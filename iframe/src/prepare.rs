//! Making an authorization request ready, before anybody clicks: nothing may be awaited between a click and its window.

use js_sys::{ArrayBuffer, Uint8Array};
use latchkey_protocol::{base64url, frame::Prepared};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Crypto, Window};

use crate::sign_in::Request;

/// 256 bits in each random value.
const RANDOM: usize = 32;

/// Makes a request: `state`, `nonce`, a PKCE verifier and its S256 challenge (RFC 7636 §4.2).
pub(crate) async fn prepare(window: &Window) -> Result<Request, JsValue> {
    let crypto = window.crypto()?;
    let (state, nonce, verifier) = (random(&crypto)?, random(&crypto)?, random(&crypto)?);
    let digest = crypto.subtle().digest_with_str_and_u8_array("SHA-256", verifier.as_bytes())?;
    let digest: ArrayBuffer = JsFuture::from(digest).await?.unchecked_into();
    let code_challenge = base64url::encode(&Uint8Array::new(&digest).to_vec());
    Ok(Request { prepared: Prepared { state, nonce, code_challenge }, verifier })
}

fn random(crypto: &Crypto) -> Result<String, JsValue> {
    let mut bytes = [0; RANDOM];
    crypto.get_random_values_with_u8_array(&mut bytes)?;
    Ok(base64url::encode(&bytes))
}
