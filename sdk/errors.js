/** Every code of the closed list, in the order of the protocol's, with what to do next. */
const HINTS = {
  __proto__: null,
  popup_blocked: "Call login() in a click handler, before any await, or allow popups for this site.",
  popup_closed: "The sign-in window was closed. Offer the sign-in button again.",
  interaction_in_progress: "Wait for the sign-in that is open, or abort it by its signal.",
  aborted: "The call was aborted by its signal, destroy(), logout() or another sign-in.",
  timeout: "Nothing answered in time. Try again, or raise timeoutMs.",
  access_denied: "Access was not allowed. Offer the sign-in button again.",
  login_required: "Nobody is signed in. Call login() without prompt \"none\".",
  consent_required: "The person has not allowed this yet. Call login() without prompt \"none\".",
  membership_required: "Ask the organization's admin to add this person, or sign in with another account.",
  wrong_organization: "This sign-in opens one organization: use its slug in the path, or a relative path.",
  insufficient_scope: "Ask for the scope in login({ scopes }), and allow it for the application.",
  origin_not_allowed: "Add this site's origin to the application's allowed origins.",
  unknown_client: "Check clientId: no active application has it.",
  invalid_options: "Check the option that the message names.",
  frame_blocked: "Add the platform's origin to frame-src in this site's Content-Security-Policy.",
  wasm_blocked: "Add 'wasm-unsafe-eval' to script-src in this site's Content-Security-Policy.",
  storage_unavailable: "Allow this site to keep data, or use mode \"popup\".",
  state_mismatch: "Start the sign-in again: this response belongs to another request.",
  protocol_mismatch: "Update the SDK: the platform has another version.",
  session_expired: "The session has ended. Call login() again.",
  network_error:
    "The platform could not be reached. Check the platform option, the network, and connect-src in this site's Content-Security-Policy.",
  server_error: "The platform failed. Try again, then tell its team.",
};

export const CODES = Object.keys(HINTS);

/** What every promise of the SDK is rejected with. */
export class LatchkeyError extends Error {
  constructor(code, message, hint) {
    super(message || HINTS[code]);
    this.code = code;
    this.hint = hint ?? HINTS[code];
  }
}
LatchkeyError.prototype.name = "LatchkeyError";

/** The option's name is the first word of the message, and the message is the hint. */
export const invalid = (message) => new LatchkeyError("invalid_options", message, message);

/** Why a file of the package is missing. */
export const notLoaded = (file, directive, otherwise = "") => {
  const why = navigator.onLine
    ? `: serve it beside index.js${otherwise}, and allow it in ${directive} of this site's Content-Security-Policy.`
    : ": this browser is offline.";
  const message = file + " could not be loaded" + why;
  return new LatchkeyError("network_error", message, message);
};

/** An error by a code that came from elsewhere. */
export const refused = (code, message) =>
  new LatchkeyError(CODES.includes(code) ? code : "server_error", text(message));

/** What OAuth and OpenID Connect call it (RFC 6749 §4.2.2.1, OpenID Connect Core §3.1.2.6). Codes that only a browser can know are not taken from a server. */
const OAUTH = {
  __proto__: null,
  access_denied: "access_denied",
  login_required: "login_required",
  interaction_required: "login_required",
  account_selection_required: "login_required",
  consent_required: "consent_required",
  membership_required: "membership_required",
  invalid_scope: "insufficient_scope",
};

export const refusedByServer = (error, description) => refused(OAUTH[error], description);

/** A text, or an empty one for everything else. */
export const text = (value) => (typeof value == "string" ? value : "");
