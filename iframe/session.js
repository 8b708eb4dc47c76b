// Who is signed in: whose token it is, what keeps it alive, and what the page and the other tabs are told of it. What
// follows from what is the core's to decide (src/life.rs); here is what it decides about.
import { isText, readSession, write } from "./messages.js";
import { readNote, removeNote, writeNote } from "./notes.js";
import { LIMIT_MS, another, describe, exchange, form, revoke, send } from "./platform.js";
import {
  ADOPT,
  ADOPTED,
  ASK,
  CAME,
  CLOSE,
  CLOSE_OTHERWISE,
  COOKIE,
  DISCARD,
  FAILED,
  FORGET,
  HANDED,
  HANDLE,
  LEAVING,
  MARK,
  MARKED,
  OPEN,
  OPENED,
  OTHERWISE,
  POST_RENEWED,
  POST_SIGNED_IN,
  REFRESH,
  REFUSED,
  RENEWED,
  REPLACES,
  REVOKE_REFRESH,
  REVOKE_TOKEN,
  SAME,
  SHARED,
  TAB_ENDED,
  TAB_RENEWED,
  TAKE,
  TELL_ENDED,
  TELL_RENEWED,
  TICK,
  UNMARK,
  UNOPENED,
  UNRENEWED,
} from "./table.js";

/** How soon it is asked again for a session that is being made, in milliseconds; then it is twice as long, up to a second. */
const AGAIN_MS = 250;

/** Does this while no other frame of this name does. Without locks each goes on by itself. */
async function alone(name, work) {
  let isDone = false;
  const once = () => (isDone = true) && work();
  try {
    await navigator.locks.request(name, once);
  } catch {
    if (!isDone) await once();
  }
}

export class Session {
  #clientId;
  #core;
  /** Told who is signed in, and that nobody is any more. */
  #signedIn;
  #forgotten;
  #held = null;
  /** What the core is being asked about. */
  #offer = null;
  /** What the page handed over. */
  #handed;
  #origin;
  #keeps = false;
  /** The handle of which a session is being made, or is to be. */
  #opening;
  /** The sessions that are to be made, one after the other. */
  #steps = [];
  #isFinishing = false;
  /** The page is being left: what is asked for goes on, and nobody hears the answer. */
  #isLeft = false;
  #channel;

  constructor(clientId, signedIn, forgotten) {
    this.#clientId = clientId;
    this.#signedIn = signedIn;
    this.#forgotten = forgotten;
  }

  start(core) {
    this.#core = core;
    addEventListener("pagehide", () => (this.#isLeft = true));
    addEventListener("pageshow", () => (this.#isLeft = false));
    // A machine that slept, or a tab that was put aside, missed its time.
    document.addEventListener("visibilitychange", () => document.visibilityState == "visible" && this.#tell(TICK));
  }

  /** Whether the frame keeps the token. */
  get keeps() {
    return this.#keeps;
  }

  /** The token, and the organization that it opens. */
  get account() {
    return this.#held && { token: this.#held.token, organization: this.#held.session.organization.slug };
  }

  /** A page of this origin said hello. Returns what sessions the browser may have. */
  begin(origin, keeps) {
    this.#origin = origin;
    this.#keeps = keeps;
    this.#handed = undefined;
    this.#channel?.close();
    try {
      this.#channel = new BroadcastChannel("latchkey " + this.#place());
      this.#channel.onmessage = ({ data }) => this.#hearTab(data);
    } catch {
      this.#channel = undefined;
    }
    // What somebody signed out of is no session, even where the platform has not heard of it yet.
    const isMarked = (keeps) => !this.#isClosing(keeps) && readNote(this.#key(keeps));
    const flags = (isMarked(keeps) ? MARKED : 0) | (isMarked(!keeps) ? OTHERWISE : 0);
    this.finish();
    return flags;
  }

  /** Ends what could not be ended when somebody signed out: the platform was out of reach, or the page was left. */
  async finish() {
    if (!this.#origin || this.#isFinishing) return;
    this.#isFinishing = true;
    for (const keeps of [this.#keeps, !this.#keeps]) {
      if (this.#isClosing(keeps)) await this.#close(keeps);
    }
    this.#isFinishing = false;
  }

  /**
   * One application on one site; and where the frame keeps the token, apart from where it does not: what it says and
   * notes then no frame hears or finds that hands tokens out.
   */
  #place(keeps = this.#keeps) {
    return `${this.#clientId} ${this.#origin}${keeps ? " frame" : ""}`;
  }

  #key(keeps) {
    return "session " + this.#place(keeps);
  }

  #closing(keeps) {
    return "closing " + this.#place(keeps);
  }

  #isClosing(keeps) {
    return readNote(this.#closing(keeps));
  }

  /** What the platform is told of the frame that asks: the cookie is by these. */
  #fields(keeps = this.#keeps) {
    return { origin: this.#origin, tokens: keeps ? "frame" : "page" };
  }

  get #path() {
    return `/toolbar/${this.#clientId}/session/`;
  }

  leave() {
    this.#tell(LEAVING);
  }

  /** The platform does not take this token any more. */
  refuse(token) {
    if (this.#held?.token === token) this.#tell(REFUSED, { code: "session_expired" });
  }

  takeToken(state, token, expires_in, handle) {
    this.#take(state, { token, expiresAt: Date.now() + expires_in * 1000 }, handle);
  }

  /** Exchanges a code, with the verifier that never leaves this page. */
  takeCode(state, code, code_verifier, redirect_uri, handle) {
    const fields = { grant_type: "authorization_code", client_id: this.#clientId, code, redirect_uri, code_verifier };
    this.#take(state, exchange(fields), handle);
  }

  async #take(state, asked, handle) {
    const turn = this.#core.attempt();
    const answer = await asked;
    const offer = await this.#describe(answer);
    if (offer.code) {
      // Nobody will have what was issued.
      if (answer.token) this.discard(answer.refresh ?? answer.token);
      return this.#tell(FAILED, { turn, code: offer.code });
    }
    this.#tell(CAME, { turn, flags: handle ? HANDLE : 0 }, { ...offer, state, handle });
  }

  /** The page hands its own session over, which may take the place of this one. */
  hand(token, expires_in, replaces) {
    this.#handed = { token, expiresAt: Date.now() + expires_in * 1000 };
    this.#tell(HANDED, { flags: replaces ? REPLACES : 0 });
  }

  /** What was issued, with whose it is. It must be of this application, wherever it comes from. */
  async #describe(answer) {
    const offer = await describe(answer);
    return offer.code || offer.clientId === this.#clientId ? offer : { code: "server_error" };
  }

  async #adopt() {
    const turn = this.#core.turn();
    const handed = this.#handed;
    const offer = await this.#describe(handed);
    if (!offer.code && handed == this.#handed) this.#tell(ADOPTED, { turn }, offer);
  }

  discard(token) {
    revoke(this.#clientId, token);
  }

  // The table.

  #tell(event, { flags = 0, turn = 0, code = "" } = {}, offer = null) {
    if (offer?.refresh) flags |= REFRESH;
    if (offer && this.#isSame(offer.session)) flags |= SAME;
    this.#offer = offer;
    this.#core.step(event, flags, offer?.session.expires_at ?? 0, turn, code);
    this.#offer = null;
  }

  #isSame({ user, organization }) {
    const { session } = this.#held ?? {};
    return session?.user.id === user.id && session?.organization.id === organization.id;
  }

  /** Does what the core says. */
  act(actions, code) {
    const does = (action) => actions & action;
    const [before, offer] = [this.#held, this.#offer];
    if (does(REVOKE_REFRESH) && before) this.discard(before.refresh);
    if (does(REVOKE_TOKEN) && before) this.discard(before.token);
    if (does(DISCARD)) this.discard(offer.whole);
    if (does(TAKE)) {
      // Whoever is told later of the sign-in is told by its own state.
      this.#held = { state: before?.state, ...offer };
      this.#signedIn(offer);
    }
    if (does(FORGET)) {
      this.#held = null;
      this.#forgotten();
    }
    // What is noted of it is gone when it is ended.
    const isOpening = this.#isOpening();
    const ended = does(FORGET | CLOSE) ? this.#give() : undefined;
    if (does(POST_SIGNED_IN | POST_RENEWED)) {
      const { state, session } = this.#held;
      const token = this.#keeps ? null : this.#held.token;
      this.#core.post(does(POST_RENEWED) ? write("renewed", token, session) : write("signed_in", state, token, session));
    }
    if (does(TELL_RENEWED)) this.#channel?.postMessage({ type: "renewed", access_token: offer.token, session: offer.session });
    if (does(TELL_ENDED)) this.#channel?.postMessage({ type: "ended", code: code || null });
    if (does(MARK)) this.#mark("1");
    if (does(UNMARK)) this.#unmark();
    if (does(CLOSE) && !does(OPEN)) this.#end(ended, isOpening);
    if (does(OPEN)) this.#open(offer.handle, does(CLOSE));
    if (does(CLOSE_OTHERWISE)) {
      this.#close(!this.#keeps);
      // It may be on its way still, and is closed by the next page view.
      if (!this.#isOpening(!this.#keeps)) this.#unmark(!this.#keeps);
    }
    if (does(ASK)) this.#ask();
    if (does(ADOPT)) this.#adopt();
  }

  // The session that this frame keeps at the platform, in a cookie that no script sees (SECURITY 45a).

  /** Does this once all before it is done. */
  async #inOrder(step) {
    this.#steps.push(step);
    if (this.#steps.length > 1) return;
    while (this.#steps.length) {
      await this.#steps[0]();
      this.#steps.shift();
    }
  }

  /** Has a session made, in the place of whatever the cookie opens. Of two tabs, the one that signed in last has it. */
  #open(handle, closes) {
    const turn = this.#core.turn();
    const fields = { handle, ...this.#fields() };
    this.#opening = handle;
    // Both are on their way before the page can be left: what asks in between must not find who was signed in before.
    if (closes) this.#remove();
    this.#inOrder(async () => {
      if (this.#opening != handle) return;
      const before = readNote(this.#key());
      // Who leaves the page before the answer is here has the cookie all the same, a little later.
      this.#mark(Date.now());
      let status, code;
      await alone("latchkey cookie " + this.#place(), async () => ({ status, code } = await send(this.#path, { isFrame: true, fields })));
      // It was ended meanwhile, by the handle.
      if (this.#opening != handle) return;
      this.#opening = undefined;
      if (code) {
        // Where the platform did not answer, it may have made one.
        if (status) before ? this.#mark(before) : this.#unmark();
        if (closes && !this.#isLeft) this.#end();
        return this.#tell(UNOPENED, { turn });
      }
      // It took the place of whatever was to be closed, which the platform has ended.
      this.#closed();
      this.#tell(OPENED, { turn });
    });
  }

  /** Ends the session that is being made, by its handle: its cookie may come yet. Nobody is told of that one any more. */
  #give() {
    const handle = this.#opening;
    this.#opening = undefined;
    return handle && this.#remove(this.#keeps, handle);
  }

  /**
   * Ends what the cookie opens now, beside what is `ended` by its handle; it waits for nothing, as the page may be left and
   * another tab may sign in. It is noted until the platform has heard of it, and longer where the page before may have left
   * one on its way.
   */
  async #end(ended, isOpening) {
    writeNote(this.#closing(), isOpening ? Date.now() + LIMIT_MS : 1);
    const answers = await Promise.all([ended, this.#remove()]);
    if (!answers.some((answer) => answer?.code)) this.#heard();
  }

  async #close(keeps) {
    if (!this.#isClosing(keeps)) writeNote(this.#closing(keeps), 1);
    const { code } = await this.#remove(keeps);
    if (!code) this.#heard(keeps);
  }

  #remove(keeps = this.#keeps, handle) {
    return send(`${this.#path}?${form(this.#fields(keeps))}`, { isFrame: true, method: "DELETE", handle });
  }

  /** The platform has ended what there was. */
  #heard(keeps) {
    if (!(this.#isClosing(keeps) > Date.now())) this.#closed(keeps);
  }

  #closed(keeps) {
    removeNote(this.#closing(keeps));
  }

  /** Notes that there is a session, or since when one is being made. */
  #mark(word) {
    writeNote(this.#key(), word);
  }

  /** Whether the session may be there in a moment. */
  #isOpening(keeps) {
    const since = Date.now() - readNote(this.#key(keeps));
    return since >= 0 && since < LIMIT_MS;
  }

  #unmark(keeps) {
    removeNote(this.#key(keeps));
  }

  /** Asks for another token, by the cookie or by the refresh token; one tab at a time. */
  async #ask() {
    const turn = this.#core.turn();
    const before = this.#held?.token;
    await alone("latchkey " + this.#place(), async () => {
      if (this.#held?.token !== before) return this.#tell(SHARED, { turn });
      const refresh = this.#held?.refresh;
      let answer = { code: "login_required" };
      if (this.#core.tries_cookie() && !this.#isClosing()) answer = await another(this.#path, this.#fields());
      // The page before this one was left while its session was being made; until it is, the cookie is none or an old one.
      const isMissing = () => answer.code == "login_required" || answer.code == "session_expired";
      for (let wait = AGAIN_MS; isMissing() && this.#isOpening() && turn == this.#core.turn(); wait = Math.min(2 * wait, 1000)) {
        await new Promise((again) => setTimeout(again, wait));
        if (turn == this.#core.turn()) answer = await another(this.#path, this.#fields());
      }
      const flags = answer.code ? 0 : COOKIE;
      if (answer.code == "login_required" && refresh) {
        answer = await exchange({ grant_type: "refresh_token", client_id: this.#clientId, refresh_token: refresh });
      }
      const offer = await this.#describe(answer);
      // Whatever else fails: the one before it has served.
      if (answer.refresh && this.#held?.refresh === refresh) this.#held.refresh = answer.refresh;
      if (offer.code) this.#tell(UNRENEWED, { turn, code: offer.code });
      else this.#tell(RENEWED, { turn, flags }, { ...offer, refresh: offer.refresh ?? refresh });
    });
  }

  // The other tabs: only pages of the platform's own origin can say anything there.

  #hearTab(data) {
    const { type, access_token: token, code } = Object(data);
    const session = type === "renewed" && readSession(data.session, data.session?.expires_at);
    if (session && isText(token)) this.#tell(TAB_RENEWED, {}, { token, session, refresh: this.#held?.refresh });
    if (type === "ended") this.#tell(TAB_ENDED, { code: isText(code) ? code : "" });
  }
}
