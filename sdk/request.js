// The authorization request, made ready before any click: nothing may be awaited between a click and its window.

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** 256 bits of chance. */
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

/** `state`, `nonce`, and for the code flow a PKCE verifier with its S256 challenge (RFC 7636 §4.2). */
export async function prepare(responseType) {
  const request = { state: random(), nonce: random() };
  if (responseType == "code") {
    request.verifier = random();
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(request.verifier));
    request.code_challenge = base64url(new Uint8Array(digest));
  }
  return request;
}

/** Parameters in a form's notation, without those that have no value. */
export const form = (fields) => new URLSearchParams(Object.entries(fields).filter(([, value]) => value));

/** Where an application's pages are on the platform. */
export const toolbar = ({ platform, clientId }, page) => `${platform}/toolbar/${encodeURIComponent(clientId)}/${page}`;

/** The address of an authorization request (RFC 6749 §4.1.1, §4.2.1). The callback belongs to the platform, so a request for it says which site it comes from. */
export function authorizeUrl({ platform, clientId: client_id, responseType: response_type, origin }, request, { scope, prompt }, redirectUri, isCallback) {
  const { state, nonce, code_challenge } = request;
  const proof = response_type == "code" && { code_challenge, code_challenge_method: "S256" };
  const fields = { client_id, response_type, redirect_uri: redirectUri, origin: isCallback && origin, state, nonce, scope, prompt, ...proof };
  return `${platform}/oauth/authorize/?${form(fields)}`;
}
