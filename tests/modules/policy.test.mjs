// What a Content-Security-Policy allows, against the rules of CSP Level 3.
import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { allows, allowsWasm, extended, listMatches, parse, parseHeader, serialize, sourceMatches } from "../../sdk/policy.js";

const PAGE = new URL("https://shop.example/cart");
const matches = (source, url, page = PAGE) => sourceMatches(source, new URL(url), page);

test("each rule of host sources, by example", () => {
  const cases = [
    // What is named, with everything that is not said about it.
    ["https://p.example", "https://p.example/a/b", true],
    ["p.example", "https://p.example/", true],
    ["P.Example", "https://p.example/", true],
    ["HTTPS://p.example", "https://p.example/", true],
    ["https://p.example", "https://q.example/", false],
    ["https://p.example", "https://p.example.evil/", false],
    ["https://p.example", "https://a.p.example/", false],
    // Schemes: safer ones are allowed, others are not.
    ["http://p.example", "https://p.example/", true],
    ["https://p.example", "http://p.example/", false],
    ["p.example", "http://p.example/", false],
    ["ws://p.example", "https://p.example/", true],
    ["wss://p.example", "https://p.example/", true],
    ["wss://p.example", "http://p.example/", false],
    ["https:", "https://p.example/", true],
    ["http:", "https://p.example:8443/", true],
    ["https:", "http://p.example/", false],
    ["data:", "https://p.example/", false],
    // Ports.
    ["https://p.example:443", "https://p.example/", true],
    ["https://p.example", "https://p.example:8443/", false],
    ["https://p.example:8443", "https://p.example:8443/", true],
    ["https://p.example:8443", "https://p.example/", false],
    ["https://p.example:*", "https://p.example:8443/", true],
    ["http://p.example:80", "https://p.example/", true],
    ["https://p.example:80", "https://p.example/", false],
    // Wildcards are for what stands below.
    ["*.p.example", "https://a.p.example/", true],
    ["*.p.example", "https://a.b.p.example/", true],
    ["*.p.example", "https://p.example/", false],
    ["*.p.example", "https://evilp.example/", false],
    ["https://*", "https://p.example/", true],
    ["https://*:*", "https://p.example:1/", true],
    ["*", "https://p.example:1/", true],
    ["*", "data:,", false],
    // Paths: exactly, or below what ends in a slash.
    ["https://p.example/", "https://p.example/any", true],
    ["https://p.example/toolbar/", "https://p.example/toolbar/c1/", true],
    ["https://p.example/toolbar", "https://p.example/toolbar/c1/", false],
    ["https://p.example/toolbar", "https://p.example/toolbar", true],
    ["https://p.example/toolbar/", "https://p.example/toolbar", false],
    ["https://p.example/Toolbar/", "https://p.example/toolbar/x", false],
    ["https://p.example/a%20b/", "https://p.example/a b/c", true],
    // What is no source of an address allows none.
    ["'none'", "https://p.example/", false],
    ["'unsafe-inline'", "https://p.example/", false],
    ["'nonce-abc'", "https://p.example/", false],
    ["'sha256-abc='", "https://p.example/", false],
    ["'strict-dynamic'", "https://p.example/", false],
    ["https://", "https://p.example/", false],
    ["https://p.*.example", "https://p.a.example/", false],
    ["p.example:", "https://p.example/", false],
    ["https://[::1]:8000", "http://[::1]:8000/", false],
    ["http://127.0.0.1:8000", "http://127.0.0.1:8000/", true],
  ];
  for (const [source, url, expected] of cases) assert.equal(matches(source, url), expected, `${source} ${url}`);
});

test("'self' is the page's origin, or the same host by a safer scheme", () => {
  const plain = new URL("http://shop.example/");
  assert.ok(matches("'self'", "https://shop.example/x"));
  assert.ok(matches("'SELF'", "https://shop.example/x"));
  assert.ok(!matches("'self'", "https://shop.example:8443/"));
  assert.ok(!matches("'self'", "http://shop.example/"));
  assert.ok(!matches("'self'", "https://p.example/"));
  assert.ok(matches("'self'", "https://shop.example/", plain));
  assert.ok(!matches("'self'", "https://shop.example:8443/", plain));
  assert.ok(matches("shop.example", "https://shop.example/", plain), "no scheme is the page's own");
});

test("the nearest directive decides, and an empty list allows nothing", () => {
  const url = new URL("https://p.example/");
  const cases = [
    ["", true],
    ["img-src 'none'", true],
    ["default-src 'none'", false],
    ["default-src 'none'; frame-src p.example", true],
    ["default-src p.example; frame-src", false],
    ["default-src p.example; child-src 'self'", false],
    ["child-src 'self'; frame-src https:", true],
    ["frame-src 'none'; frame-src p.example", false],
    ["FRAME-SRC\tp.example", true],
    ["frame-src 'none' p.example", true],
  ];
  for (const [text, expected] of cases) assert.equal(allows(parse(text), "frame-src", url, PAGE), expected, text);
  assert.ok(allows(parse("child-src 'none'"), "connect-src", url, PAGE), "child-src is about frames");
});

test("WebAssembly is compiled where script-src says so, or nothing is said", () => {
  const cases = [
    ["frame-src 'none'", true],
    ["script-src 'self'", false],
    ["default-src 'self'", false],
    ["script-src 'self' 'wasm-unsafe-eval'", true],
    ["script-src 'unsafe-eval'", true],
    ["default-src 'unsafe-eval'; script-src 'self'", false],
    ["script-src 'nonce-a' 'strict-dynamic' 'WASM-unsafe-eval'", true],
    ["script-src *", false],
  ];
  for (const [text, expected] of cases) assert.equal(allowsWasm(parse(text)), expected, text);
});

test("an extended directive is the whole of what it has to say", () => {
  const cases = [
    ["frame-src 'self' https://a.example", "frame-src", ["https://p.example"], "frame-src 'self' https://a.example https://p.example"],
    ["frame-src 'none'", "frame-src", ["https://p.example"], "frame-src https://p.example"],
    ["default-src 'self' 'unsafe-inline'", "frame-src", ["https://p.example"], "frame-src 'self' https://p.example"],
    ["child-src blob:", "frame-src", ["https://p.example"], "frame-src blob: https://p.example"],
    ["script-src 'nonce-c2VjcmV0' 'strict-dynamic'", "script-src", ["'wasm-unsafe-eval'"], "script-src 'nonce-…' 'strict-dynamic' 'wasm-unsafe-eval'"],
    ["default-src 'self'", "script-src", ["'wasm-unsafe-eval'"], "script-src 'self' 'wasm-unsafe-eval'"],
  ];
  for (const [text, directive, added, expected] of cases) assert.equal(extended(parse(text), directive, added), expected);
});

// Properties.

// Without hyphens: "xn--" begins what must be punycode.
const label = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
const host = fc.array(label, { minLength: 2, maxLength: 4 }).map((labels) => labels.join("."));
const port = fc.option(fc.integer({ min: 1, max: 65535 }), { nil: null });
const scheme = fc.constantFrom("http", "https");
const segment = fc.stringMatching(/^[A-Za-z0-9_~-]{1,8}$/);
const path = fc.array(segment, { maxLength: 4 }).map((segments) => "/" + segments.join("/"));
const parts = fc.record({ scheme, host, port, path });
const address = ({ scheme, host, port, path }) => `${scheme}://${host}${port == null ? "" : ":" + port}${path}`;
const url = parts.map((parts) => new URL(address(parts)));
const source = fc.oneof(
  fc.constantFrom("*", "'self'", "'none'", "'unsafe-inline'", "'nonce-YQ=='", "https:", "http:", "data:", "blob:", "wss:"),
  parts.map(address),
  host,
  host.map((host) => "*." + host),
  fc.tuple(host, port).map(([host, port]) => `${host}:${port ?? "*"}`),
);
const name = fc.constantFrom("default-src", "frame-src", "child-src", "connect-src", "script-src", "img-src", "Frame-Src");
const policyText = fc
  .array(fc.tuple(name, fc.array(source, { maxLength: 4 })), { maxLength: 5 })
  .map((directives) => directives.map(([name, sources]) => [name, ...sources].join(" ")).join(" ; "));
const directive = fc.constantFrom("frame-src", "connect-src");

const hold = (...given) => fc.assert(fc.property(...given), { numRuns: 500 });

test("an address matches itself, and no other host, port or path", () => {
  hold(parts, parts, (one, other) => {
    const own = address(one);
    assert.ok(matches(own, own));
    for (const changed of ["host", "port"]) {
      if (one[changed] == other[changed]) continue;
      const url = new URL(address({ ...one, [changed]: other[changed] }));
      // A port that is the scheme's own is the same as none.
      if (url.host == new URL(own).host) continue;
      assert.ok(!matches(own, url), `${own} ${url}`);
    }
    if (one.path != other.path && one.path != "/") assert.ok(!matches(own, address({ ...one, path: other.path })));
  });
});

test("plain http allows https as well, and https never plain http", () => {
  hold(parts, (parts) => {
    const at = (scheme) => address({ ...parts, scheme, port: parts.port ?? null });
    // 80 and 443 are some scheme's own.
    fc.pre(![80, 443].includes(parts.port));
    assert.ok(matches(at("http"), at("https")));
    assert.ok(!matches(at("https"), at("http")));
  });
});

test("a wildcard allows every host below its own and not that one", () => {
  hold(host, label, (host, label) => {
    assert.ok(matches("*." + host, `https://${label}.${host}/`));
    assert.ok(!matches("*." + host, `https://${host}/`));
    assert.ok(!matches("*." + host, `https://${label}${host}/`));
  });
});

test("a path with a slash at its end allows all below it and nothing beside it", () => {
  hold(host, segment, path, (host, segment, path) => {
    assert.ok(matches(`https://${host}/${segment}/`, `https://${host}/${segment}${path}`));
    assert.ok(!matches(`https://${host}/${segment}/`, `https://${host}/${segment}x${path}`));
  });
});

test("more sources allow no less, and more policies no more", () => {
  hold(fc.array(source, { maxLength: 5 }), source, url, (sources, more, url) => {
    if (listMatches(sources, url, PAGE)) assert.ok(listMatches([...sources, more], url, PAGE));
  });
  hold(policyText, policyText, url, directive, (one, other, url, directive) => {
    const both = parseHeader(`${one}, ${other}`).every((policy) => allows(policy, directive, url, PAGE));
    assert.equal(both, [one, other].every((text) => allows(parse(text), directive, url, PAGE)));
  });
});

test("what is read is written and read the same", () => {
  hold(policyText, (text) => {
    const policy = parse(text);
    assert.deepEqual(parse(serialize(policy)), policy);
    const untidy = text.replaceAll(" ", " \t ").replaceAll(";", ";; ;\n");
    assert.deepEqual(parse(untidy), policy);
  });
});

test("the value of a finding lets in what was kept out, and whatever was let in before", () => {
  hold(policyText, directive, url, url, (text, directive, wanted, other) => {
    const policy = parse(text);
    const value = extended(policy, directive, [wanted.origin]);
    // As a person does: in the place of the directive, or besides the others.
    const [name, sources] = [...parse(value)][0];
    const mended = new Map(policy).set(name, sources);
    assert.ok(allows(mended, directive, wanted, PAGE), value);
    if (allows(policy, directive, other, PAGE) && [...policy.keys()].some((name) => /^(default|child|frame|connect)-src$/.test(name))) {
      const decides = policy.has(directive) || policy.has("default-src") || (directive == "frame-src" && policy.has("child-src"));
      if (decides) assert.ok(allows(mended, directive, other, PAGE), `${text} → ${value}`);
    }
  });
  hold(policyText, (text) => {
    const policy = parse(text);
    const [name, sources] = [...parse(extended(policy, "script-src", ["'wasm-unsafe-eval'"]))][0];
    assert.ok(allowsWasm(new Map(policy).set(name, sources)));
  });
});

test("whatever stands there is read, and no nonce is told on", () => {
  hold(fc.string({ maxLength: 60, unit: "binary" }), url, directive, (text, url, directive) => {
    for (const policy of [parse(text), ...parseHeader(text)]) {
      allows(policy, directive, url, PAGE);
      extended(policy, directive, ["https://p.example"]);
    }
    sourceMatches(text, url, PAGE);
  });
  hold(fc.stringMatching(/^[A-Za-z0-9+/]{8,20}={0,2}$/), (nonce) => {
    const policy = parse(`script-src 'nonce-${nonce}'`);
    assert.ok(!extended(policy, "script-src", ["'wasm-unsafe-eval'"]).includes(nonce));
  });
});
