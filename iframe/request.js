// Making an authorization request ready, before anybody clicks: nothing may be awaited between a click and its window.

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** 256 bits of chance. */
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

/** `state`, `nonce`, the S256 challenge of a PKCE verifier (RFC 7636 §4.2), and that verifier. */
export async function prepare() {
  const [state, nonce, verifier] = [random(), random(), random()];
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  return [state, nonce, base64url(new Uint8Array(digest)), verifier];
}
