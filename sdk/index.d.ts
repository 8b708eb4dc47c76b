/**
 * Sign in with a platform, from a site of one of its organizations.
 *
 * ```js
 * import * as sdk from "@latchkey/sdk";
 *
 * const client = await sdk.init({ clientId: "…", platform: "https://platform.example" });
 * button.onclick = () => client.login().catch(showError);
 * client.addEventListener("statechange", () => render(client.session));   // at once, and whenever it changes
 * const readProjects = async () => (await client.fetch("projects/")).json();   // while somebody is signed in
 * ```
 *
 * Importing the package does nothing and is safe on a server. Every promise settles, and every rejection is a
 * {@link LatchkeyError}.
 *
 * @packageDocumentation
 */

/** Why a promise was rejected. The list is closed. */
export type ErrorCode =
  | "popup_blocked"
  | "popup_closed"
  | "interaction_in_progress"
  | "aborted"
  | "timeout"
  | "access_denied"
  | "login_required"
  | "consent_required"
  | "membership_required"
  | "wrong_organization"
  | "insufficient_scope"
  | "origin_not_allowed"
  | "unknown_client"
  | "invalid_options"
  | "frame_blocked"
  | "wasm_blocked"
  | "storage_unavailable"
  | "state_mismatch"
  | "protocol_mismatch"
  | "session_expired"
  | "network_error"
  | "server_error";

/** What every promise of the SDK is rejected with. */
export class LatchkeyError extends Error {
  constructor(code: ErrorCode, message?: string, hint?: string);
  readonly name: "LatchkeyError";
  /** What to branch on. */
  readonly code: ErrorCode;
  /** What to do next, for the person who reads the console: it names the header or setting to change. */
  readonly hint: string;
  /** With `origin_not_allowed`: where an admin of the organization lets this site use the application. */
  readonly setupUrl?: string;
}

/** What {@link init} takes. Anything else that it is given is refused by its name. */
export type Options = CommonOptions & ClientId & Way;

/** The application's client id, by either name. It is public. */
export type ClientId =
  | { clientId: string; client_id?: string | undefined }
  | { clientId?: undefined; /** The same as `clientId`. */ client_id: string };

/**
 * How a person signs in.
 *
 * - `"auto"` (the default): `"iframe"` where the frame loads and answers, else `"popup"`; and where the
 *   browser opens no window and `redirectUri` is registered, `"redirect"`.
 * - `"iframe"`: a toolbar on the page, and a window.
 * - `"popup"`: a window alone, opened by {@link Client.login}.
 * - `"redirect"`: the page goes to the platform and comes back; see {@link Client.handleRedirect}.
 */
export type Mode = "auto" | "iframe" | "popup" | "redirect";

/** How a person signs in, and where the access token is kept: a frame can keep it where there is one. */
export type Way =
  | { mode?: Mode | undefined; tokens?: "page" | undefined }
  | {
      mode?: "auto" | "iframe" | undefined;
      /**
       * Where the access token is kept. With `"page"` (the default) the page has it; with `"frame"` it never leaves the
       * platform's frame, {@link Client.fetch} asks through the frame, and {@link Client.getToken} answers `null`.
       *
       * A session stays where it began: when a site changes this option, people sign in once more. With `"frame"` a script
       * that gets into the page can use the session through the frame while it runs; it cannot take the session's token
       * along. For a token of its own it must ask the person, who sees the platform's consent page: what was allowed to the
       * frame is not allowed to the page. A sign-in that came back by a `redirectUri` was allowed to a page of the site's.
       */
      tokens: "frame";
    };

/** The rest of what {@link init} takes. */
export interface CommonOptions {
  /** The platform's origin, such as `"https://platform.example"`. Plain http only on localhost. */
  platform: string;
  /** The scopes to ask for, such as `["project:read"]`. Without them: the application's maximum. */
  scopes?: readonly string[];
  /**
   * What the platform answers with: the token itself, or with `"code"` an authorization code that is exchanged under
   * PKCE (RFC 7636), with refresh tokens that rotate. The application must allow it. `"token"` if left out.
   */
  responseType?: "token" | "code";
  /**
   * The page to come back to, exactly as it is registered, on this site's own origin; it must call {@link init} for
   * the same application. Mode `"redirect"` needs it, and takes this page's address, without query and fragment,
   * where it is left out: `init` rejects with `invalid_options` where that is not registered. In the other modes it is
   * what a site with `Cross-Origin-Opener-Policy: same-origin` needs: its sign-in window returns to this page, which hands
   * the response over and closes.
   */
  redirectUri?: string;
  /** The core's WebAssembly, where it is not beside the module: its address, its bytes, or the compiled module. */
  wasm?: string | URL | ArrayBuffer | ArrayBufferView | WebAssembly.Module;
  /** Keeps the toolbar out of sight and reach, for a site that draws its own. */
  headless?: boolean;
  /** Where to put the toolbar. Without it: docked to the bottom right corner. */
  container?: HTMLElement;
  /** How long `init` may take, in milliseconds. 10,000 if left out. */
  timeoutMs?: number;
}

/** What {@link Client.login} takes. */
export interface LoginOptions {
  /** The scopes to ask for this time, instead of those given to {@link init}. */
  scopes?: readonly string[];
  /** Gives the sign-in up: its window is closed and the promise rejects with `aborted`. */
  signal?: AbortSignal;
  /**
   * How long the person may take, in milliseconds. Five minutes if left out. A call that joins a sign-in which is under
   * way is rejected with `timeout` after as long, and the window keeps its own time.
   */
  timeoutMs?: number;
  /** `"none"` never asks anything, `"login"` always asks who it is, `"consent"` always asks for consent. */
  prompt?: "none" | "login" | "consent";
}

/** Whose session it is and what it opens. It is frozen, and another object once it changes. */
export interface Session {
  /** The one organization this session opens. */
  readonly organization: { readonly id: string; readonly slug: string; readonly name: string };
  /** The person who signed in. */
  readonly user: { readonly id: string; readonly name: string };
  /** What was granted. It may be less than what was asked for. */
  readonly scopes: readonly string[];
  /** When the session ends, by this browser's clock. */
  readonly expiresAt: Date;
}

/** Where a client is. */
export type State = "loading" | "signed-out" | "signing-in" | "signed-in";

/** An event that says what no promise says: a sign-in begun in the toolbar failed, or the session expired. */
export interface ClientErrorEvent extends Event {
  readonly error: LatchkeyError;
}

/** The events of a {@link Client}. */
export interface ClientEventMap {
  /**
   * `state` or `session` changed. A listener that is added as soon as {@link init} has answered, before anything else is
   * awaited, is told the first state, too: one function shows both who is signed in after a reload, and whatever follows.
   */
  statechange: Event;
  /** Something failed that no promise reports. */
  error: ClientErrorEvent;
}

/** Something that stands in the way of signing in, or will, and what to change. */
export interface Finding {
  /** An `error` keeps people from signing in on this page; a `warning` does for some of them, or later. */
  readonly level: "error" | "warning" | "info";
  /** What was looked at, such as `"frame-src"` or `"clock"`. */
  readonly check: string;
  /** The response header of this site to change, if it is one. */
  readonly header?: string;
  /** What else to change: an option of {@link init}, a setting of the application, of the browser or of the device. */
  readonly setting?: string;
  /** What that should be, whole; `null` where it cannot be said. */
  readonly value: string | null;
  /** The same in a sentence. */
  readonly message: string;
  /** Where an admin of the organization changes it, if that is on the platform. */
  readonly setupUrl?: string;
}

/** What {@link diagnose} answers with. */
export interface Diagnosis {
  /** Whether there is no error among the findings. */
  readonly ok: boolean;
  /** The errors first. */
  readonly findings: readonly Finding[];
}

/** One application on one page. {@link init} makes it. */
export interface Client extends EventTarget {
  /** Where the client is. */
  readonly state: State;
  /** The session there is. */
  readonly session: Session | null;
  /**
   * How the response of a sign-in comes to this page: from the window to its opener; through a channel of the site's
   * own, from a window that returned to `redirectUri`; or with the page itself, which was left and came back.
   */
  readonly delivery: "opener" | "channel" | "redirect";

  /**
   * Signs a person in. Call it directly inside a click handler: browsers open windows only there, and nothing may be
   * awaited before.
   *
   * Where the site has taken the toolbar off the page, as with a body that was replaced, it is put back first; where its
   * container is gone as well, this rejects with `frame_blocked`.
   *
   * While a sign-in is under way, a second call brings its window to the front and settles together with the first;
   * its `signal` then gives up waiting, and the last one that waits takes the window along. Where the browser has cut
   * that window off, the second call opens another one; if that is blocked, an `error` event says so, and the first
   * window may still answer.
   * In mode `"redirect"` the page is left, and the promise settles only if that fails, or with `aborted` if the person
   * comes back to this page by the Back button.
   *
   * Rejects with `popup_blocked`, `popup_closed`, `timeout`, `aborted`, …; with `access_denied` where the person says no or
   * is no member of the organization, and with `membership_required` where they cease to be one in the same moment.
   */
  login(options?: LoginOptions): Promise<Session>;

  /**
   * Finishes a sign-in for which the page was left, after it came back. `null` where the page did not come from a
   * sign-in. The response is out of the address bar since {@link init} was called.
   *
   * Rejects with `state_mismatch`, `access_denied`, …
   */
  handleRedirect(): Promise<Session | null>;

  /**
   * Signs the person out of this site: the session is gone at once, here and in the other tabs, and the platform revokes
   * its token. Where `session` is `null` already, since its token expired while no other could be had, it keeps that
   * session from coming back with the next page view. A sign-in that is under way ends: its window closes, and its
   * `login()` rejects with `aborted`.
   *
   * Rejects with `network_error` where the platform could not be told of the token; the session is gone nevertheless.
   * What the frame keeps, the token itself with `tokens: "frame"`, the frame ends at the platform: the promise does not
   * wait for that, and does not reject where it fails.
   */
  logout(): Promise<void>;

  /**
   * The browser's own `fetch` with the session's token.
   *
   * A relative path stands below the session's organization: `client.fetch("projects/")`. A path that begins with
   * `/api/0/`, or the platform's whole address of one, stands as it is; every other path is refused with
   * `invalid_options`. A fragment is left out. The token goes nowhere else: a redirect is not followed, and rejects with
   * `network_error`, whatever `init.redirect` says. Cookies are never sent.
   *
   * A response with status 401 ends the session, unless its token has just expired and another one is on its way; it is
   * returned all the same, with its body. `init.signal`, streams in both directions and whatever else the browser's
   * `fetch` takes work as there: a stream as the body needs `duplex: "half"`, HTTP/2, and a browser that has them.
   *
   * With `tokens: "frame"` the frame sends the method (`GET`, `HEAD`, `POST`, `PUT`, `PATCH` or `DELETE`), the headers and
   * the body, which is read whole before, and nothing else of `init`. It refuses with `invalid_options` a path with
   * anything that could lead elsewhere, such as an encoded slash, space or dot segment, and the headers that are a
   * browser's or a proxy's to write, such as `Cookie` or `X-Forwarded-For`. At most 64 calls may be open: for one more,
   * the call whose body was not read for longest fails with `network_error`; where all of them still wait for an answer,
   * the new one is refused with `invalid_options`.
   *
   * Rejects with `login_required`, `invalid_options`, `network_error` and `aborted`; after {@link Client.destroy}, and for
   * who waits for an answer then, with `aborted`.
   */
  fetch(path: string | URL, init?: RequestInit): Promise<Response>;

  /**
   * The access token, or `null` where nobody is signed in, or where the frame keeps it. {@link Client.fetch} needs no
   * such call.
   */
  getToken(): Promise<string | null>;

  /** {@link diagnose} with this client's options. */
  diagnose(): Promise<Diagnosis>;

  /**
   * Takes the toolbar off the page and rejects what is pending with `aborted`, and each later {@link Client.login} and
   * {@link Client.fetch}. Signs nobody out: the next {@link init} starts anew, and where the frame keeps a session has it
   * again. A body that is being read ends with `tokens: "frame"`, and otherwise is read to its end. A page that is being
   * left for a sign-in is left all the same.
   */
  destroy(): void;

  addEventListener<K extends keyof ClientEventMap>(
    type: K,
    listener: (this: Client, event: ClientEventMap[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<K extends keyof ClientEventMap>(
    type: K,
    listener: (this: Client, event: ClientEventMap[K]) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

/**
 * Starts the SDK for one application. Called again for the same application, it answers with the same client, until
 * that is destroyed; and puts the toolbar back, where the site has taken it off the page: into the container that is given
 * now, if there is one.
 *
 * Rejects with `invalid_options`, `unknown_client`, `origin_not_allowed`, `frame_blocked`, `wasm_blocked`,
 * `protocol_mismatch`, `network_error`, `timeout` or `server_error`. Where there should be a toolbar, a strip in its
 * place says why there is none.
 */
export function init(options: Options): Promise<Client>;

/**
 * Looks for everything on this page that keeps people from signing in: its Content-Security-Policy, its
 * Cross-Origin-Opener-Policy, whether the site and its redirect URI are registered, cookies and storage, the clock,
 * and the platform's version. Takes what {@link init} takes, and works where `init` fails. It never rejects.
 */
export function diagnose(options: Options): Promise<Diagnosis>;

/** What the script tag makes global. */
export as namespace latchkey;
