// client.fetch through the frame: every promise settles, whatever the frame says, and in whatever order.
import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { Relay } from "../../sdk/relay.js";

const start = () => {
  const sent = [];
  return { sent, relay: new Relay((message) => sent.push(message), (code) => Object.assign(new Error(code), { code })) };
};
const request = (init) => new Request("https://p.example/api/0/x/", init);
/** Until the request's body has been read. */
const posted = async (sent) => {
  while (!sent.length) await new Promise((done) => setImmediate(done));
  return sent[0];
};

test("a call says what it is about, and its answer comes back in pieces, one for each that is asked for", async () => {
  const { sent, relay } = start();
  const answer = relay.fetch(request({ method: "POST", body: "in", headers: { "X-A": "1" } }), "/api/0/x/");
  const { body, headers, ...call } = await posted(sent);
  assert.deepEqual(call, { type: "fetch", id: 1, method: "POST", path: "/api/0/x/" });
  assert.equal(await body.text(), "in");
  assert.ok(headers.some(([name, value]) => name == "x-a" && value == "1"));
  relay.hear({ type: "head", id: 1, status: 201, headers: [["etag", "e"]] });
  const response = await answer;
  assert.equal(response.status, 201);
  assert.equal(response.headers.get("etag"), "e");
  assert.equal(sent.length, 1, "nothing is asked for before somebody reads");
  const reader = response.body.getReader();
  const first = reader.read();
  assert.deepEqual(sent[1], { type: "pull", id: 1 });
  relay.hear({ type: "chunk", id: 1, data: new TextEncoder().encode("out") });
  assert.equal(new TextDecoder().decode((await first).value), "out");
  const last = reader.read();
  relay.hear({ type: "end", id: 1 });
  assert.ok((await last).done);
});

test("giving up is told to the frame and rejects, before the answer and in the middle of it", async () => {
  const { sent, relay } = start();
  const early = new AbortController();
  const call = relay.fetch(request({ signal: early.signal }), "/api/0/x/");
  await posted(sent);
  early.abort();
  await assert.rejects(call, { code: "aborted" });
  assert.deepEqual(sent[1], { type: "cancel", id: 1 });
  relay.hear({ type: "head", id: 1, status: 200, headers: [] });
  const late = new AbortController();
  const second = relay.fetch(request({ signal: late.signal }), "/api/0/x/");
  await Promise.resolve();
  relay.hear({ type: "head", id: 2, status: 200, headers: [] });
  const reading = (await second).text();
  late.abort();
  await assert.rejects(reading, { code: "aborted" });
  await assert.rejects(relay.fetch(request({ signal: AbortSignal.abort() }), "/api/0/x/"), { code: "aborted" });
});

test("why there is no answer is told in the frame's own words, where it has any", async () => {
  const sent = [];
  const relay = new Relay((message) => sent.push(message), (code, message) => Object.assign(new Error(message), { code }));
  for (const [id, description, message] of [[1, "fetch: a redirect", "fetch: a redirect"], [2, null, /null|^$/]]) {
    const call = relay.fetch(request(), "/api/0/x/");
    while (sent.length < id) await new Promise((done) => setImmediate(done));
    relay.hear({ type: "broken", id, code: "network_error", description });
    await assert.rejects(call, { code: "network_error", message });
  }
});

test("a status that has no body gives a response without one", async () => {
  const { sent, relay } = start();
  const call = relay.fetch(request(), "/api/0/x/");
  await posted(sent);
  relay.hear({ type: "head", id: 1, status: 204, headers: [] });
  relay.hear({ type: "end", id: 1 });
  assert.equal((await call).body, null);
});

test("when the frame is gone everything that waits for it has failed", async () => {
  const { sent, relay } = start();
  const call = relay.fetch(request(), "/api/0/x/");
  const other = relay.fetch(request(), "/api/0/x/");
  await posted(sent);
  relay.hear({ type: "head", id: 2, status: 200, headers: [] });
  const reading = (await other).text();
  relay.end(Object.assign(new Error("gone"), { code: "network_error" }));
  await assert.rejects(call, { code: "network_error" });
  await assert.rejects(reading, { code: "network_error" });
});

test("whatever the frame says, in whatever order, a call settles once the frame is gone", async () => {
  const message = fc.record({
    type: fc.constantFrom("head", "chunk", "end", "broken"),
    id: fc.integer({ min: 0, max: 3 }),
    status: fc.constantFrom(0, 101, 199, 200, 204, 304, 404, 599, 600, 2 ** 31),
    headers: fc.constantFrom([], [["a", "b"]], [["bad name", "x"]], [["set-cookie", "x"]]),
    data: fc.constant(new Uint8Array(1)),
    code: fc.constantFrom("network_error", "aborted"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(message, { maxLength: 12 }), async (messages) => {
      const { sent, relay } = start();
      const calls = [1, 2].map(() => relay.fetch(request(), "/api/0/x/").then((response) => response.text()));
      const settled = Promise.allSettled(calls);
      await posted(sent);
      for (const message of messages) relay.hear(message);
      relay.end(Object.assign(new Error("gone"), { code: "network_error" }));
      assert.equal((await settled).length, 2);
    }),
  );
});

test("a call whose body is still being read when the frame goes is over with it, and a later one is not", async () => {
  const { sent, relay } = start();
  let finish;
  const body = new ReadableStream({ start: (controller) => (finish = () => controller.close()) });
  const call = relay.fetch(request({ method: "POST", body, duplex: "half" }), "/api/0/x/");
  relay.end(Object.assign(new Error(), { code: "aborted" }));
  await assert.rejects(call, { code: "aborted" });
  finish();
  await new Promise((done) => setTimeout(done, 10));
  assert.deepEqual(sent, []);
  relay.fetch(request({ method: "POST", body: "in" }), "/api/0/x/");
  assert.equal((await posted(sent)).body.size, 2);
});

test("a body that never ends or that fails keeps nobody waiting, and the frame hears nothing of it", async () => {
  const { sent, relay } = start();
  const endless = () => new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(3)) });
  const controller = new AbortController();
  const given = { method: "POST", body: endless(), duplex: "half", signal: controller.signal };
  const call = relay.fetch(request(given), "/api/0/x/");
  setTimeout(() => controller.abort(), 10);
  await assert.rejects(call, { code: "aborted" });
  const other = relay.fetch(request({ method: "POST", body: endless(), duplex: "half" }), "/api/0/x/");
  relay.end(Object.assign(new Error("gone"), { code: "network_error" }));
  await assert.rejects(other, { code: "network_error", message: "gone" });
  const broken = new ReadableStream({ start: (controller) => controller.error(new TypeError("x")) });
  await assert.rejects(relay.fetch(request({ method: "POST", body: broken, duplex: "half" }), "/api/0/x/"), { code: "network_error" });
  assert.deepEqual(sent, []);
});
