// The authorization response: taken out of the address before anything else is loaded, and judged.
import { refusedByServer } from "./errors.js";

/** The key under which a tab keeps the request it left for: the platform, the state, the redirect URI, the verifier. */
export const pendingKey = (clientId) => "latchkey." + clientId;

/** What an authorization response consists of; what else stands in the address belongs to the page. */
const RESPONSE = /^(state|iss|client_id|origin|code|access_token|token_type|expires_in|scope|error|error_description|error_uri)=/;

/**
 * Takes an authorization response to this application out of the address bar and the history, and leaves the rest of
 * the address as it was. A response is ours when it answers the request this tab waits for, and when it names this
 * application: then it may be another tab's, or forged, and handleRedirect() refuses it.
 */
export function takeResponse(clientId) {
  let pending = "";
  try {
    pending = sessionStorage.getItem(pendingKey(clientId)) || "";
  } catch {}
  for (const part of ["hash", "search"]) {
    const response = location[part].slice(1);
    const fields = new URLSearchParams(response);
    const state = fields.get("state");
    const answers = fields.has("error") || fields.has("access_token") || fields.has("code");
    const isPending = pending.split(" ")[1] === state;
    if (!state || !answers || !(isPending || (clientId && fields.get("client_id") == clientId))) continue;
    const rest = response.split("&").filter((pair) => !RESPONSE.test(pair)).join("&");
    const [search, hash] = part == "hash" ? [location.search, rest && "#" + rest] : [rest && "?" + rest, location.hash];
    history.replaceState(history.state, "", location.pathname + search + hash);
    return { response, state, isPending };
  }
}

/** The parameters of a response; nothing where one stands twice (RFC 6749 §3.1). */
function read(response) {
  const fields = { __proto__: null };
  for (const [name, value] of new URLSearchParams(response)) {
    if (name in fields) return;
    fields[name] = value;
  }
  return fields;
}

/**
 * What a response says, if it is the answer to this request: the issuer (RFC 9207 §2.4), the application and the
 * `state` must be the request's, and `origin`, where the request named the site, this page's. Nothing for a response
 * that is not; throws what a refusal says.
 */
export function accept(response, { platform, clientId, responseType }, state, origin) {
  const fields = response.length <= 16384 && read(response);
  const isOurs =
    fields &&
    fields.state === state &&
    fields.iss === platform &&
    fields.client_id === clientId &&
    (!origin || fields.origin === origin);
  if (!isOurs) return;
  const { error, access_token: token, code } = fields;
  // An answer says one thing, and in the way it was asked for.
  if ([error, token, code].filter(Boolean).length != 1) return;
  if (error) throw refusedByServer(error, fields.error_description);
  if (responseType == "code") return code && { code };
  return readToken(fields);
}

/** A token that can be used: `{ token, expiresIn, refresh }`, in seconds. RFC 6749 §7.1: not one of a type that we don't understand. */
export function readToken({ access_token: token, token_type: type, expires_in: expiresIn, refresh_token: refresh } = {}) {
  if (/^bearer$/i.test(type) && typeof token == "string" && token && /^\d{1,9}$/.test(expiresIn)) return { token, expiresIn: +expiresIn, refresh };
}
