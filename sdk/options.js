import { invalid, text } from "./errors.js";

/** Plain http reaches the machine itself alone. */
const IS_SECURE = /^(https:\/\/|http:\/\/(([^/:]+\.)?localhost|127\.0\.0\.1|\[::1\])(:\d+)?$)/;

/** A character that RFC 6749 §3.3 lets stand in a scope. Which scopes there are is the platform's to say. */
const SCOPES = /^[!#-[\]-~]+$/;

export const originOf = (address) => {
  try {
    return new URL(address).origin;
  } catch {
    return "";
  }
};

const choice = (name, value, ...choices) => {
  value ??= choices[0];
  if (!choices.includes(value)) throw invalid(`${name}: give ${choices.map((it) => `"${it}"`).join(" or ")}`);
  return value;
};

/** Scopes as one space-delimited list. */
export const scopeOf = (scopes) => {
  if (scopes == null) return "";
  if (!Array.isArray(scopes) || !scopes.every((scope) => SCOPES.test(text(scope)))) throw invalid('scopes: give an array, such as ["project:read"]');
  return scopes.join(" ");
};

/** Milliseconds, up to the longest wait that a timer counts to. */
export const timeoutOf = (ms, otherwise) => {
  if (ms == null) return otherwise;
  if (!(typeof ms == "number" && ms > 0 && ms <= 2147483647)) throw invalid("timeoutMs: give milliseconds, from 1 to 2147483647");
  return ms;
};

/** The platform's window looks for the frame among the page's own, where those of a shadow tree are not listed. */
export function checkContainer(container) {
  if (container != null && !(container instanceof Element && container.getRootNode() == document)) {
    throw invalid("container: give an element of the page, in no shadow tree");
  }
  return container ?? undefined;
}

const NAMES = "clientId client_id platform scopes mode responseType tokens redirectUri wasm headless container timeoutMs".split(" ");

/** What the core may come from, whichever window made it. */
const IS_WASM = / (String|URL|ArrayBuffer|\w+Array|DataView|WebAssembly.Module)\]$/;

/** A copy of what `init` was given: the page may change its own, or answer otherwise the next time. */
export function copy(given) {
  const unknown = Object.keys(Object(given)).find((name) => !NAMES.includes(name) && given[name] !== undefined);
  if (unknown) throw invalid(`${unknown}: there is no such option`);
  return Object.fromEntries(NAMES.map((name) => [name, given?.[name]]));
}

/** The options of `init`, each of them usable. A refusal names the option first and says what would be accepted. */
export function check(given) {
  const clientId = text(given.clientId ?? given.client_id);
  if (!clientId) throw invalid("clientId: give the client id of an application");
  const platform = text(given.platform).replace(/\/$/, "");
  if (originOf(platform) != platform || !IS_SECURE.test(platform)) {
    throw invalid('platform: give an origin, such as "https://platform.example" (http only on localhost)');
  }
  const { wasm, headless, redirectUri = location.origin + location.pathname } = given;
  if (text(redirectUri).includes("#") || !text(redirectUri).startsWith(location.origin + "/")) {
    throw invalid("redirectUri: give the full address of a page on this origin, without #");
  }
  if (wasm === "" || (wasm != null && !IS_WASM.test({}.toString.call(wasm)))) {
    throw invalid("wasm: give the address of latchkey_sdk_bg.wasm, or its bytes");
  }
  if (headless != null && typeof headless != "boolean") throw invalid("headless: give true or false");
  const tokens = choice("tokens", given.tokens, "page", "frame");
  const mode = choice("mode", given.mode, "auto", "iframe", "popup", "redirect");
  if (tokens == "frame" && mode != "auto" && mode != "iframe") throw invalid('tokens: "frame" needs mode "iframe"');
  return {
    clientId,
    platform,
    mode,
    tokens,
    container: checkContainer(given.container),
    redirectUri,
    scope: scopeOf(given.scopes),
    responseType: choice("responseType", given.responseType, "token", "code"),
    headless,
    limit: timeoutOf(given.timeoutMs, 10_000),
    // A page of the site's own where responses may arrive, if it was given on purpose.
    hasRedirectUri: given.redirectUri != null,
    origin: location.origin,
    given,
  };
}

/** The options of `login`. */
export function checkLogin(given, { scope }) {
  if (given != null && typeof given != "object") throw invalid("login: give options, or nothing");
  const { signal, scopes, prompt } = Object(given);
  if (signal != null && !(signal instanceof AbortSignal)) throw invalid("signal: give an AbortSignal");
  return {
    signal,
    scope: scopes == null ? scope : scopeOf(scopes),
    prompt: prompt == null ? "" : choice("prompt", prompt, "none", "login", "consent"),
    limit: timeoutOf(given?.timeoutMs, 300_000),
  };
}
