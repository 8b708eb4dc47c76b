// client.fetch where the frame keeps the token: the frame asks the platform, and what it answers comes back in pieces.
// Loaded with tokens: "frame" alone.

/** How many headers the frame takes of a call. */
const MOST_HEADERS = 64;

/** A response with one of these statuses has no body (Fetch §2.2.3). */
const WITHOUT_BODY = [101, 103, 204, 205, 304];

export class Relay {
  #post;
  #error;
  #calls = new Map();
  #last = 0;

  /** `error` makes an error of a code. */
  constructor(post, error) {
    this.#post = post;
    this.#error = error;
  }

  /** The response to a request for a path of the platform. */
  fetch(request, path) {
    const { method, signal } = request;
    const headers = [...request.headers];
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      if (headers.length > MOST_HEADERS) return reject(this.#error("invalid_options", `fetch: give at most ${MOST_HEADERS} headers.`));
      let isSent = false;
      const abort = () => {
        if (isSent) this.#post({ type: "cancel", id });
        this.#break(id, this.#error("aborted"));
      };
      this.#calls.set(id, { resolve, reject, done: () => signal.removeEventListener("abort", abort) });
      if (signal.aborted) return abort();
      signal.addEventListener("abort", abort);
      const send = (body) => {
        // Given up meanwhile, or the frame that was meant is gone: a body may never end.
        if (!this.#calls.has(id)) return;
        isSent = true;
        this.#post({ type: "fetch", id, method, path, headers, body: body?.size ? body : null });
      };
      if (method == "GET" || method == "HEAD") send();
      else request.blob().then(send, () => this.#break(id, this.#error("network_error")));
    });
  }

  /** Takes a message of the frame's; one for a call that is over, or never was, passes in silence. */
  hear({ type, id, status, headers, data, code, description }) {
    const call = this.#calls.get(id);
    if (!call) return;
    if (type == "head") {
      this.#begin(id, call, status, headers);
    } else if (type == "chunk") {
      call.stream?.enqueue(data);
    } else if (type == "end" && call.stream) {
      call.stream.close();
      this.#forget(id);
    } else {
      this.#break(id, this.#error(type == "broken" ? code : "network_error", description));
    }
  }

  #begin(id, call, status, headers) {
    if (call.stream) return;
    const pull = () => this.#post({ type: "pull", id });
    const cancel = () => {
      this.#post({ type: "cancel", id });
      this.#forget(id);
    };
    const stream = new ReadableStream({ start: (controller) => (call.stream = controller), pull, cancel }, { highWaterMark: 0 });
    try {
      call.resolve(new Response(WITHOUT_BODY.includes(status) ? null : stream, { status, headers }));
    } catch {
      // A status or a header that no response can have.
      cancel();
      call.reject(this.#error("network_error"));
    }
  }

  /** The frame is gone: whatever waits for it has failed. */
  end(error) {
    for (const id of [...this.#calls.keys()]) this.#break(id, error);
  }

  #break(id, error) {
    const { reject, stream } = this.#calls.get(id) ?? {};
    this.#forget(id);
    reject?.(error);
    stream?.error(error);
  }

  #forget(id) {
    this.#calls.get(id)?.done();
    this.#calls.delete(id);
  }
}
