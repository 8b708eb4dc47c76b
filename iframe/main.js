import load, { Core } from "./latchkey_iframe.js";
import { readFromWindow, readToFrame, write } from "./messages.js";
import { prepare } from "./request.js";
import { keepsCookies } from "./notes.js";
import { LIMIT_MS } from "./platform.js";
import { Session } from "./session.js";
import { Toolbar } from "./toolbar.js";
import { Stand } from "./corner.js";
import { Issues } from "./issues.js";

// The page that frames this one greets it at its load event, which does not wait for the wasm: what comes before the
// wasm listens is kept, and given to it in order.
const early = [];
const keep = (event) => early.push(event);
addEventListener("message", keep);

const { clientId, issuer, origins } = document.documentElement.dataset;
const [toolbar, stand, issues] = [new Toolbar(), new Stand(), new Issues()];

/** The calls for a page that never sees the token, once they are loaded; nothing where they are not, after so long. */
let calls;
const endCalls = (code) => calls?.then((made) => made?.end(code));
const loadCalls = () =>
  Promise.race([import("./calls.js"), new Promise((late) => setTimeout(late, LIMIT_MS))]).then(
    (loaded) => loaded && new loaded.Calls(post, () => session.account, (token) => session.refuse(token)),
    () => {},
  );

/** Why nothing is asked where they are not. */
const UNLOADED = "fetch: a part of the toolbar's frame could not be loaded. Load the page again.";

const session = new Session(
  clientId,
  (held) => {
    toolbar.showSignedIn(held.session);
    issues.signIn(held);
  },
  () => {
    issues.signOut();
    endCalls("aborted");
  },
);

/** What the core has done in the browser: src/hands.rs says what each is for. */
const hands = {
  readFromWindow,
  readToFrame,
  write,
  keepsCookies,
  call(data) {
    if (!session.keeps) return;
    calls ??= loadCalls();
    calls.then((made) => (made ? made.hear(data) : data?.type == "fetch" && post(write("broken", data.id, "network_error", UNLOADED))));
  },
  greet(origin, keeps) {
    // What was asked for another page is no answer to this one.
    endCalls();
    post(stand.greeting());
    resize();
    if (keeps) calls ??= loadCalls();
    return session.begin(origin, keeps);
  },
  show: (isSigningIn, code) => toolbar.showAttempt(isSigningIn, code, !!session.account),
  prepare: () => prepare().then((request) => core.prepared(...request), () => core.unprepared()),
  act: (actions, code) => session.act(actions, code),
  takeToken: (...given) => session.takeToken(...given),
  takeCode: (...given) => session.takeCode(...given),
  hand: (...given) => session.hand(...given),
  discard: (token) => session.discard(token),
  stand: (path) => issues.stand(path),
  placed: (corner) => stand.placed(corner),
};

await load();
removeEventListener("message", keep);
const core = new Core(hands, window, clientId, issuer, origins);
session.start(core);
addEventListener("online", () => session.finish());
core.start(early);
toolbar.listen(
  () => core.sign_in(),
  () => {
    session.leave();
    post(write("sign_out"));
  },
  resize,
);
stand.listen(post);

function post(message, handedOver) {
  core.post(message, handedOver);
}

function resize() {
  post(write("resize", ...toolbar.size));
}
