// Content-Security-Policy, read as browsers read it (CSP Level 3): what a policy allows, and what it would have to say.

/** What decides about a request, and what does where that is missing (CSP3 §6.8.3). */
const DECIDING = {
  "frame-src": ["frame-src", "child-src", "default-src"],
  "connect-src": ["connect-src", "default-src"],
  "script-src": ["script-src", "default-src"],
};

const DEFAULT_PORTS = { "http:": "80", "https:": "443", "ws:": "80", "wss:": "443" };

/** One policy: its directives by name, each with its sources (CSP3 §2.2.1). Of two with one name the first one counts. */
export function parse(text) {
  const policy = new Map();
  for (const directive of text.split(";")) {
    const [name, ...sources] = directive.split(/[\t\n\f\r ]+/).filter(Boolean);
    if (name && !policy.has(name.toLowerCase())) policy.set(name.toLowerCase(), sources);
  }
  return policy;
}

/** A header's policies: whoever sends several headers, or one with commas, has each of them enforced (CSP3 §2.2.2). */
export const parseHeader = (text) => text.split(",").map(parse).filter((policy) => policy.size > 0);

/** A policy as a header says it. */
export const serialize = (policy) => [...policy].map((directive) => directive.flat().join(" ")).join("; ");

/** The directive that decides, as its name and its sources; nothing where the policy leaves it open. */
function deciding(policy, directive) {
  const name = DECIDING[directive].find((name) => policy.has(name));
  return name && [name, policy.get(name)];
}

/** Whether a scheme, with its colon, is what the source's allows: a safer one is (CSP3 §6.7.2.9). */
const schemeMatches = (source, scheme) =>
  source == scheme ||
  (source == "http:" && scheme == "https:") ||
  (source == "wss:" && scheme == "https:") ||
  (source == "ws:" && /^(wss|https?):$/.test(scheme));

/** Whether a host is the source's, or one below it (CSP3 §6.7.2.10). */
function hostMatches(source, host) {
  source = source.toLowerCase();
  if (source == "*") return true;
  return source.startsWith("*.") ? host.endsWith(source.slice(1)) : source == host;
}

/** Whether a port is the source's. One that names none means the scheme's own (CSP3 §6.7.2.11). */
function portMatches(source, sourceScheme, url) {
  const port = url.port || DEFAULT_PORTS[url.protocol];
  if (source == "*") return true;
  if (source == null) return port == DEFAULT_PORTS[url.protocol];
  // As a safer scheme is what the source allows, so is its port.
  const isSafer = sourceScheme != "https:" && url.protocol == "https:" && source == "80" && port == "443";
  return Number(source) == Number(port) || isSafer;
}

const decoded = (segment) => {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
};

/** Whether a path is the source's, or below it where that ends in a slash (CSP3 §6.7.2.12). */
function pathMatches(source, path) {
  if (!source) return true;
  const wanted = source.split("/").map(decoded);
  const given = path.split("/").map(decoded);
  const isFolder = wanted.at(-1) == "";
  if (isFolder) wanted.pop();
  return (isFolder ? given.length > wanted.length : given.length == wanted.length) && wanted.every((part, at) => part == given[at]);
}

const SCHEME = /^[a-z][a-z0-9+.-]*:$/i;
const HOST = /^(?:([a-z][a-z0-9+.-]*:)\/\/)?(\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?)(?::(\d+|\*))?(\/[^?#]*)?$/i;

/** Whether a source allows a URL on a page of this origin (CSP3 §6.7.2.8). */
export function sourceMatches(source, url, page) {
  const isWeb = /^https?:$/.test(url.protocol);
  if (source == "*") return isWeb || url.protocol == page.protocol;
  if (SCHEME.test(source)) return schemeMatches(source.toLowerCase(), url.protocol);
  if (/^'self'$/i.test(source)) {
    const isSafer = schemeMatches(page.protocol, url.protocol) && url.protocol != page.protocol;
    const hasOwnPort = !url.port && !page.port;
    return url.origin == page.origin || (isSafer && url.hostname == page.hostname && (hasOwnPort || url.port == page.port));
  }
  const [isHost, scheme, host, port, path] = HOST.exec(source) ?? [];
  if (!isHost || !url.hostname) return false;
  const own = scheme?.toLowerCase() ?? page.protocol;
  return (
    schemeMatches(own, url.protocol) &&
    hostMatches(host, url.hostname) &&
    portMatches(port, own, url) &&
    pathMatches(path, url.pathname)
  );
}

/** Whether a list of sources allows a URL: an empty one and 'none' allow nothing (CSP3 §6.7.2.7). */
export const listMatches = (sources, url, page) => sources.some((source) => sourceMatches(source, url, page));

/** Whether a policy allows a frame of this address, or a request to it. */
export function allows(policy, directive, url, page) {
  const [, sources] = deciding(policy, directive) ?? [];
  return !sources || listMatches(sources, url, page);
}

/** Whether a policy lets WebAssembly be compiled (CSP3 §4.5). */
export function allowsWasm(policy) {
  const [, sources] = deciding(policy, "script-src") ?? [];
  return !sources || sources.some((source) => /^'(wasm-)?unsafe-eval'$/i.test(source));
}

/**
 * The directive with what it has to say besides, whole: what it says already is kept, and where another one decided in
 * its place, what that says. A nonce is another one in each response, so that its place alone is shown.
 */
export function extended(policy, directive, added) {
  const [, sources] = deciding(policy, directive) ?? [, []];
  const ofRequests = /^'self'$|^[^']/i;
  const kept = sources
    .filter((source) => !/^'none'$/i.test(source) && (directive == "script-src" || ofRequests.test(source)))
    .map((source) => source.replace(/^'nonce-.*'$/i, "'nonce-…'"));
  return [directive, ...new Set([...kept, ...added])].join(" ");
}
