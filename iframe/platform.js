// The platform, asked from a page of its own: by the token that came, by the frame's own cookie, or by nothing.
import { isText, readIssued, readSession } from "./messages.js";

/** How long the platform may take to answer. */
export const LIMIT_MS = 15_000;

/** Parameters in a form's notation. */
export const form = (fields) => new URLSearchParams(fields);

/**
 * Asks, and never fails: the answer is `{ status, body }`, with a `code` where it is none. Who asks is who holds `token`,
 * the frame with its cookie, or an application that says who it is and proves nothing. A form is posted.
 */
export async function send(path, { token, isFrame, handle, fields, method = fields ? "POST" : "GET", json }) {
  const headers = {};
  if (token) headers.Authorization = "Bearer " + token;
  // It says that this is no form and no link.
  if (isFrame) headers["Latchkey-Frame"] = "1";
  if (handle) headers["Latchkey-Handle"] = handle;
  if (json) headers["Content-Type"] = "application/json";
  let status = 0;
  try {
    const response = await fetch(path, {
      method,
      headers,
      body: fields ? form(fields) : json,
      credentials: isFrame ? "same-origin" : "omit",
      signal: AbortSignal.timeout(LIMIT_MS),
      // Whoever signs out may leave the page at once.
      keepalive: true,
    });
    ({ status } = response);
    if (status == 204) return { status };
    const body = await response.json();
    if (response.ok) return { status, body };
    return { status, code: isText(body?.error) ? body.error : "server_error" };
  } catch {
    return { status, code: status ? "server_error" : "network_error" };
  }
}

/** What was issued, of an answer; or its code. */
const issued = ({ code, body }) => (code ? { code } : (readIssued(body) ?? { code: "server_error" }));

/** What an application gets of the token endpoint (RFC 6749 §4.1.3 and §6). */
export async function exchange(fields) {
  const answer = await send("/oauth/token/", { fields });
  const { status } = answer;
  // What it says of a refresh token that is of no use any more is `invalid_grant`.
  if (fields.refresh_token && status >= 400 && status <= 403) return { code: "session_expired" };
  return issued(answer);
}

/** Another token of the session in the frame's cookie; where the browser has none, nothing answers. */
export async function another(path, fields) {
  const answer = await send(path + "token/", { isFrame: true, fields });
  return answer.status == 204 ? { code: "login_required" } : issued(answer);
}

/** Ends a token, a refresh token with all that stands on its grant (RFC 7009). */
export const revoke = (client_id, token) => send("/oauth/revoke/", { fields: { client_id, token } });

/** What was issued, with whose it is; `whole` is what ends all that came with it. */
export async function describe({ code, token, expiresAt, refresh }) {
  if (code) return { code };
  const { code: refused, body } = await send("/api/0/", { token });
  const session = !refused && readSession(body, expiresAt);
  return session ? { token, session, refresh, whole: refresh ?? token, clientId: body.client_id } : { code: refused ?? "server_error" };
}
