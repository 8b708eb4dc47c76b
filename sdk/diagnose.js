// What stands between a page and a sign-in: loaded when somebody asks, whether or not there is a client.
import { check, copy } from "./options.js";
import { allows, allowsWasm, extended, parse, parseHeader, serialize } from "./policy.js";

/** How far the two clocks may be apart, in seconds, before anybody is told. */
const SKEW = 60;

/** How long the toolbar's frame may take to answer, in milliseconds. */
const FRAME_MS = 6000;

/** Where a policy stands. */
const HEADER = "Content-Security-Policy";
const REPORT_ONLY = "Content-Security-Policy-Report-Only";
const META = '<meta http-equiv="Content-Security-Policy">';

const COOP = "Cross-Origin-Opener-Policy";

/**
 * Looks for everything that keeps people from signing in on this page, and answers with what to change. It never
 * rejects and takes no longer than `timeoutMs` for all of it; what it answers holds nothing secret.
 *
 * It takes what `init` takes, and two things that only the SDK knows: `version`, that of its messages, and `wasm`, the
 * address its core is loaded from, if it is loaded.
 */
export async function diagnose(options) {
  const found = [];
  try {
    if (typeof document == "undefined") {
      throw new Error("diagnose() runs in a browser: call it on the page");
    }
    found.push(...judge(await gather(Object(options))));
  } catch (error) {
    found.push(setting("error", "diagnosis", "diagnose()", null, `The diagnosis itself failed: ${error?.message}.`));
  }
  const order = ["error", "warning", "info"];
  found.sort((one, other) => order.indexOf(one.level) - order.indexOf(other.level));
  return { ok: found.every(({ level }) => level != "error"), findings: found };
}

const header = (level, check, header, value, message) => ({ level, check, header, value, message });
const setting = (level, check, setting, value, message, more) => ({ level, check, setting, value, message, ...more });

// What there is to see. Each part answers with nothing where it cannot be seen.

const attempt = (look, otherwise) => {
  try {
    return look();
  } catch {
    return otherwise;
  }
};

/** Everything that is judged, as plain values. */
export async function gather({ timeoutMs, ...options }) {
  const { platform } = options;
  // Bytes and modules are there already.
  const isAddress = typeof options.wasm == "string" || options.wasm instanceof URL;
  const wasm = (isAddress && urlOf(options.wasm, location.href)?.href) || null;
  const clientId = options.clientId ?? options.client_id;
  const signal = AbortSignal.timeout(timeoutMs > 0 ? timeoutMs : 10_000);
  const violations = [];
  const note = (event) => violations.push({ text: event.originalPolicy, isEnforced: event.disposition == "enforce" });
  document.addEventListener("securitypolicyviolation", note);
  try {
    const [page, status, core] = await Promise.all([
      pageHeaders(signal),
      platformStatus(platform, clientId, redirectUriOf(options), signal),
      wasm && loads(wasm, signal),
    ]);
    const frame = status.body?.allowed === true && wantsFrame(options) ? await frameAnswers(platform, clientId, signal) : null;
    // A violation is told after the request that it stopped has failed.
    await new Promise((told) => setTimeout(told));
    const metas = document.querySelectorAll(`head meta[http-equiv="${HEADER}" i]`);
    return {
      options: { ...options, clientId, wasm },
      refused: refusedOf({ ...options, timeoutMs }),
      page: {
        address: location.origin + location.pathname,
        origin: self.origin,
        isSecure: isSecureContext,
        isTop: self === top,
        ancestors: attempt(() => [...location.ancestorOrigins], []),
        cookies: navigator.cookieEnabled,
        storage: attempt(() => (sessionStorage.length, localStorage.length, true), false),
        channel: typeof BroadcastChannel == "function",
        compiles: attempt(() => !!new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0))), false),
        hasWasm: typeof WebAssembly == "object",
        headers: page,
        metas: [...metas].map(({ content }) => content),
        violations,
      },
      status,
      core,
      frame,
    };
  } finally {
    document.removeEventListener("securitypolicyviolation", note);
  }
}

/** The page's own headers, asked for once more; null where that is impossible. An address with a response is not repeated. */
async function pageHeaders(signal) {
  const [visit] = attempt(() => performance.getEntriesByType("navigation"), []);
  const address = new URL(visit?.name ?? location.href);
  if (/[?&](state|code|access_token|error)=/.test(address.search)) address.search = "";
  address.hash = "";
  const names = [HEADER, REPORT_ONLY, COOP];
  for (const method of ["HEAD", "GET"]) {
    try {
      const { ok, headers } = await fetch(address, { method, mode: "same-origin", cache: "no-store", signal });
      // Some servers know no HEAD.
      if (ok || method == "GET") return Object.fromEntries(names.map((name) => [name, headers.get(name)]));
    } catch {
      return null;
    }
  }
}

/** Where on the platform the toolbar's frame lies, and what is asked for it below. */
const framePath = (clientId) => `/toolbar/${encodeURIComponent(clientId)}/`;

/** What the platform says of this site: the answer with its status, and when the local clock said what. */
async function platformStatus(platform, clientId, redirectUri, signal) {
  try {
    const query = redirectUri ? "?" + new URLSearchParams({ redirect_uri: redirectUri }) : "";
    const url = new URL(framePath(clientId) + "status/" + query, platform);
    const asked = Date.now();
    const response = await fetch(url, { credentials: "omit", cache: "no-store", signal });
    const answered = Date.now();
    const body = await response.json().catch(() => null);
    return { code: response.status, body, clock: (asked + answered) / 2000 };
  } catch {
    return { code: 0, body: null, isLate: signal.aborted };
  }
}

/** What `init` says of the options, if it refuses them: the option, and what it would take. */
function refusedOf({ version, ...options }) {
  try {
    check(copy(options));
    return null;
  } catch (error) {
    return String(error?.message);
  }
}

const wantsFrame = ({ mode = "auto", tokens = "page" }) => mode == "auto" || mode == "iframe" || tokens == "frame";

/**
 * What the toolbar's frame answers, if it loads. It is greeted in a version that nobody speaks: it says its own, and
 * whether the browser keeps cookies for it, and touches no session.
 */
async function frameAnswers(platform, client_id, signal) {
  const frame = document.createElement("iframe");
  const { port1, port2 } = new MessageChannel();
  try {
    return await new Promise((resolve) => {
      port1.onmessage = ({ data }) => resolve({ cookies: data?.cookies });
      // There was no time to see.
      signal.addEventListener("abort", () => resolve(null));
      setTimeout(resolve, FRAME_MS, false);
      frame.onload = () => {
        const hello = { type: "latchkey.hello", version: 0, client_id, scope: "", response_type: "token", tokens: "page" };
        frame.contentWindow.postMessage(hello, new URL(platform).origin, [port2]);
      };
      frame.src = new URL(framePath(client_id), platform);
      frame.style.display = "none";
      document.body.append(frame);
    });
  } finally {
    port1.close();
    frame.remove();
  }
}

async function loads(address, signal) {
  try {
    const { ok, headers } = await fetch(address, { signal });
    return { ok, type: headers.get("content-type") };
  } catch {
    return { ok: false };
  }
}

/** Where the site would take a response itself: the page itself, if nothing is said. */
const redirectUriOf = ({ redirectUri, mode }) =>
  redirectUri ?? (mode == "redirect" ? location.origin + location.pathname : undefined);

// What it means. Plain functions on values.

const urlOf = (address, base) => attempt(() => new URL(address, base), null);

const isLoopback = ({ hostname }) => /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);

/** The findings about what was gathered. */
export function judge(facts) {
  const { mode = "auto", responseType = "token", tokens = "page" } = facts.options;
  const platform = urlOf(facts.options.platform);
  if (!platform || !/^https?:$/.test(platform.protocol)) {
    return [setting("error", "platform", "platform", null, "platform is no address: give the platform's origin, such as https://platform.example.")];
  }
  if (!facts.options.clientId) {
    return [setting("error", "client", "clientId", null, "clientId is missing: the application's page on the platform shows it.")];
  }
  // In auto mode a frame that is kept out is gone without; one that keeps the token is not.
  const isFrameNeeded = mode == "iframe" || tokens == "frame";
  const wants = {
    mode,
    platform,
    page: urlOf(facts.page.address),
    isCode: responseType == "code",
    hasFrame: isFrameNeeded || mode == "auto",
    frameLevel: isFrameNeeded ? "error" : "warning",
    hasWindow: mode != "redirect",
  };
  const found = [place, scheme, policies, frame, wasm, isolation, status, redirect, storage].flatMap((check) => check(facts, wants));
  return [...refusal(facts, found), ...found];
}

/** What init() refuses, where no other check has said so. */
function refusal({ refused }, found) {
  const [, option, problem] = /^(\w+): (.*)$/.exec(refused) ?? [];
  if (!option || found.some(({ level, setting }) => level == "error" && setting == option)) return [];
  return [setting("error", "options", option, null, `init() refuses ${option}: ${problem}.`)];
}

/** The page itself: whether it may do anything at all. */
function place({ page }, { page: address, hasFrame, frameLevel }) {
  const found = [];
  if (!page.isSecure) {
    const value = address.origin.replace(/^http:/, "https:");
    found.push(setting("error", "secure-context", "address of this page", value, "This page is no secure context, so that browsers keep the cryptography from it that a sign-in needs: serve it over https."));
  }
  if (page.origin == "null") {
    found.push(setting("error", "sandbox", "sandbox", "allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox", "This page has no origin of its own: it stands in a sandbox without allow-same-origin."));
  }
  if (hasFrame && !page.isTop) {
    for (const origin of new Set(page.ancestors)) {
      if (origin == page.origin) continue;
      found.push(setting(frameLevel, "ancestors", "allowed origins", origin, `This page itself is framed by ${origin}: the toolbar shows there only if that is an allowed origin of the application, too.`));
    }
  }
  return found;
}

/** Whether the page may ask the platform: not from https to http. */
function scheme(facts, { platform, page }) {
  if (platform.protocol != "http:") return [];
  const value = platform.origin.replace(/^http:/, "https:");
  if (!isLoopback(platform)) {
    return [setting("error", "mixed-content", "platform", value, "The platform's address is plain http, which the SDK takes on localhost alone.")];
  }
  if (page.protocol != "https:") return [];
  return [setting("warning", "mixed-content", "platform", value, "This page is https and the platform plain http on this machine, which not every browser lets pass.")];
}

/** What the site's Content-Security-Policies keep out. Each of them has to allow all of it. */
function policies(facts, wants) {
  const { page, status, options } = facts;
  const { platform, hasFrame, frameLevel } = wants;
  const below = (path) => new URL(path, platform);
  const toolbar = framePath(options.clientId);
  const asked = [toolbar + "status/", "/api/0/", "/oauth/revoke/", ...(wants.isCode ? ["/oauth/token/"] : [])];
  const connections = asked.map((path) => [below(path), platform.origin]);
  const core = options.wasm && urlOf(options.wasm, wants.page);
  if (core && /^https?:$/.test(core.protocol)) {
    connections.push([core, core.origin == wants.page.origin ? "'self'" : core.origin]);
  }
  // What was seen to work is not kept out, whatever this reading of the policies says.
  const isHeard = status.code > 0 && (!core || facts.core?.ok);
  const found = [];
  const all = collect(page);
  for (const { where, policy, isEnforced } of all) {
    const tell = (level, directive, added, problem) => {
      if (added.size == 0) return;
      const value = extended(policy, directive, added);
      const told = isEnforced ? level : "info";
      const message = `${problem}${isEnforced ? "" : " once this policy is enforced"}: make it “${value}”${/nonce-…/.test(value) ? ", with the nonce of each response" : ""}.`;
      const finding = where == META ? setting : header;
      found.push(finding(told, directive, where, value, message));
    };
    const missing = (directive, needs) =>
      new Set(needs.filter(([url]) => !allows(policy, directive, url, wants.page)).map(([, source]) => source));
    if (hasFrame) {
      tell(frameLevel, "frame-src", missing("frame-src", [[below(toolbar), platform.origin]]), "This policy keeps the toolbar's frame out");
    }
    tell(isHeard ? "warning" : "error", "connect-src", missing("connect-src", connections), "This policy keeps the SDK from what it asks for");
    const keyword = new Set(allowsWasm(policy) ? [] : ["'wasm-unsafe-eval'"]);
    tell(page.compiles ? "warning" : "error", "script-src", keyword, "This policy keeps WebAssembly out");
    if (isEnforced && policy.has("sandbox")) found.push(...sandbox(policy, where));
  }
  if (page.headers == null) {
    const seen = all.length > 0 ? "only policies that stand in the page, or stopped something, were seen" : "no policy was seen";
    found.push(setting("info", "headers", "headers of this page", null, `This page's headers could not be read a second time: ${seen}.`));
  }
  return found;
}

/** Whether the frame answers, where no policy of the site's keeps it out. */
function frame(facts, { platform, page, frameLevel }) {
  const address = new URL(framePath(facts.options.clientId), platform);
  const isKept = collect(facts.page).some(({ policy, isEnforced }) => isEnforced && !allows(policy, "frame-src", address, page));
  if (facts.frame !== false || isKept) return [];
  return [setting(frameLevel, "frame", "extensions and content blockers", null, `The toolbar's frame did not answer, and no policy of this site keeps it out: look for an extension or a content blocker that does, and for a proxy in front of ${platform.origin} that changes its frame-ancestors or X-Frame-Options.`)];
}

/** What a sandbox has to allow. */
function sandbox(policy, where) {
  const needed = ["allow-scripts", "allow-same-origin", "allow-popups", "allow-popups-to-escape-sandbox"];
  const given = policy.get("sandbox").map((token) => token.toLowerCase());
  if (needed.every((token) => given.includes(token))) return [];
  const value = ["sandbox", ...new Set([...given, ...needed])].join(" ");
  return [header("error", "sandbox", where, value, `This policy puts the page into a sandbox where nobody can sign in: make it “${value}”.`)];
}

/** Every policy once: from the headers, from the page's own elements, and from what stopped something meanwhile. */
function collect({ headers, metas, violations }) {
  const found = new Map();
  const add = (where, isEnforced, policies) => {
    for (const policy of policies) {
      // A nonce is another one in each response.
      const key = `${isEnforced} ${serialize(policy).replace(/'nonce-[^']*'/gi, "")}`;
      if (policy.size > 0 && !found.has(key)) found.set(key, { where, isEnforced, policy });
    }
  };
  add(HEADER, true, parseHeader(headers?.[HEADER] ?? ""));
  add(REPORT_ONLY, false, parseHeader(headers?.[REPORT_ONLY] ?? ""));
  for (const meta of metas) {
    const policy = parse(meta);
    // What means nothing in an element (HTML §4.2.5.3).
    ["sandbox", "frame-ancestors", "report-uri"].forEach((name) => policy.delete(name));
    add(META, true, [policy]);
  }
  for (const { text, isEnforced } of violations) add(isEnforced ? HEADER : REPORT_ONLY, isEnforced, parseHeader(text));
  return [...found.values()];
}

/** Whether the core can be loaded and run. */
function wasm({ page, core, options }) {
  const found = [];
  const enforced = collect(page).filter(({ isEnforced }) => isEnforced);
  const isLetThrough = () => {
    const [here, file] = [urlOf(page.address), urlOf(options.wasm)];
    return enforced.every(({ policy }) => allows(policy, "connect-src", file, here));
  };
  if (!page.hasWasm) {
    found.push(setting("error", "wasm", "WebAssembly", "on", "This browser has no WebAssembly, or it is turned off, as in Lockdown Mode."));
  } else if (!page.compiles && enforced.every(({ policy }) => allowsWasm(policy))) {
    found.push(header("error", "script-src", HEADER, "script-src 'self' 'wasm-unsafe-eval'", "A policy that could not be read keeps WebAssembly out: add 'wasm-unsafe-eval' to its script-src."));
  }
  if (core && !core.ok && isLetThrough()) {
    found.push(setting("error", "wasm", "wasm", options.wasm, "The SDK's .wasm file could not be loaded from there: serve it beside index.js, or say where it is by the option wasm."));
  } else if (core?.ok && !/^application\/wasm\b/i.test(core.type ?? "")) {
    found.push(header("info", "wasm", "Content-Type", "application/wasm", "The SDK's .wasm file has another type, so that browsers compile it later than they could."));
  }
  return found;
}

/** Whether the window and the page will know each other. */
function isolation({ page, status, options }, { hasWindow, isCode }) {
  const found = [];
  // Its value may be followed by where to report to.
  const said = (name) => (page.headers?.[name] ?? "").split(";")[0].trim();
  const coop = page.isTop && page.isSecure ? said(COOP) : "";
  const way = status.body?.redirect_uri === "registered";
  const cutsOff = /^(same-origin|noopener-allow-popups)$/.test(coop);
  if (hasWindow && cutsOff) {
    const message = way
      ? "This page and the sign-in window can't reach each other, so that the response goes to the redirect URI of this site. With the value it goes the short way."
      : "This page and the sign-in window can't reach each other: send the value, or register a redirect URI on this site and give it to init as redirectUri.";
    found.push(header(way ? "info" : "error", "opener", COOP, "same-origin-allow-popups", message));
  }
  if (hasWindow && (cutsOff || status.body?.opener === "cut") && way && options.tokens == "frame" && !isCode) {
    found.push(setting("error", "opener", "responseType", "code", "The response goes to the redirect URI of this site, where its pages would see the token that the frame is to keep: set responseType to the value."));
  }
  if (hasWindow && status.body?.opener === "cut" && !way) {
    found.push(setting("error", "opener", "redirectUri", page.address, "The platform's login cuts the window off from this page: register a redirect URI on this site, and give it to init as redirectUri."));
  }
  return found;
}

/** What the platform says of this site, and whether it says anything. */
function status({ page, status: { code, body, clock, isLate }, options }, { platform }) {
  const about = (level, check, name, value, message, more) => [setting(level, check, name, value, message, more)];
  if (code == 0) {
    // Where the reason is known, it is named by another check.
    const isKept = collect(page).some(({ policy, isEnforced }) => isEnforced && !allows(policy, "connect-src", platform, urlOf(page.address)));
    if (isKept) return [];
    return about("error", "network", "platform", null, `${platform.origin} ${isLate ? "did not answer in time" : "could not be reached"}: check the address, and the network.`);
  }
  if (typeof body?.allowed != "boolean") {
    return about("error", "platform", "platform", null, `${platform.origin} answered with status ${code} and not as such a platform does: check the address.`);
  }
  const found = [];
  if (body.error === "unknown_client") {
    found.push(...about("error", "client", "clientId", null, `No active application has the client id ${options.clientId}: the application's page on the platform shows the right one.`));
  } else if (!body.allowed) {
    const setupUrl = urlOf(body.setup_url);
    const more = setupUrl?.origin == platform.origin ? { setupUrl: setupUrl.href } : {};
    found.push(...about("error", "origin", "allowed origins", page.origin, `This site is not among the application's allowed origins: add ${page.origin}.`, more));
  }
  const version = options.version;
  if (version != null && Number.isInteger(body.version) && body.version !== version) {
    const older = body.version > version ? "this SDK" : "the platform";
    found.push(...about("error", "version", "@latchkey/sdk", String(body.version), `The platform speaks version ${body.version} of the messages and this SDK version ${version}: update ${older}.`));
  }
  // A moment that a date can be.
  const skew = typeof body.now == "number" && Math.abs(body.now) < 8.64e12 ? Math.round(clock - body.now) : 0;
  if (Math.abs(skew) > SKEW) {
    const now = new Date(body.now * 1000).toISOString();
    found.push(...about("warning", "clock", "clock of this device", now, `It is ${Math.abs(skew)} seconds ${skew > 0 ? "ahead of" : "behind"} the platform's, so that sessions seem to end at the wrong time.`));
  }
  return found;
}

/** Whether a response may come back to the site itself. */
function redirect({ page, status: { body }, options }, { mode, page: here }) {
  const given = options.redirectUri ?? (mode == "redirect" ? page.address : null);
  if (given == null) return [];
  const level = mode == "redirect" ? "error" : "warning";
  const uri = urlOf(given);
  if (uri?.origin != here.origin) {
    return [setting(level, "redirect-uri", "redirectUri", page.address, `redirectUri must be a page of this site's own, below ${here.origin}.`)];
  }
  if (body?.redirect_uri !== "unregistered") return [];
  return [setting(level, "redirect-uri", "redirect URIs", String(given), `${given} is not among the application's redirect URIs: register it as exactly this.`)];
}

/** What the browser keeps for this site, and for the frame on it. */
function storage({ page, frame }, { mode, hasWindow, platform }) {
  const found = [];
  if (frame?.cookies === false) {
    found.push(setting("warning", "cookies", "cookies of other sites", "allowed", `This browser keeps no cookie for the toolbar's frame, so that whoever signs in is signed out when the page is loaded again: allow cookies of ${platform.origin} on this site. Where they are blocked on its own pages as well, nobody can log in.`));
  }
  if (!page.cookies) {
    found.push(setting("error", "cookies", "cookies", "allowed", "This browser keeps no cookies at all, so that nobody can log in at the platform: allow them."));
  }
  if (!page.storage) {
    found.push(setting(mode == "redirect" ? "error" : "warning", "storage", "site data", "allowed", "This browser keeps no data for this site, so that a sign-in is lost where the page is left in between: allow it."));
  }
  if (hasWindow && !page.channel) {
    found.push(setting("info", "storage", "BroadcastChannel", "on", "This browser has no BroadcastChannel: a response that comes to the redirect URI of this site can't be handed over."));
  }
  return found;
}
