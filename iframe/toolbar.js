// What the toolbar shows of who is signed in.

/** The width the toolbar asks for; its height follows from its content. */
const WIDTH = 416;
/** Its height before there was room to measure it. */
const HEIGHT = 60;
/** The size of the pill that it collapses to. */
const PILL = 52;

const SIGNED_IN = "You are signed in.";
const DID_NOT_WORK = "Signing in did not work. Try again in a moment.";
const ENDED = "Your session has ended. Sign in again.";
const NOT_ALLOWED = "Access was not allowed. Sign in again to change your mind.";

/** What to tell the person of a failure, with what to do next. */
const WORDS = {
  __proto__: null,
  popup_blocked: "Your browser blocked the sign-in window. Allow pop-ups for this site, then try again.",
  popup_closed: "The sign-in window was closed before the end. Try again when you like.",
  timeout: "That took too long. Try again.",
  access_denied: NOT_ALLOWED,
  consent_required: NOT_ALLOWED,
  membership_required: "You are not a member of this organization. Ask one of its admins to add you, or use another account.",
  login_required: ENDED,
  session_expired: ENDED,
  network_error: "The platform could not be reached. Check your connection, then try again.",
};

export const words = (code) => WORDS[code] ?? DID_NOT_WORK;

/** The first letters of a name's first and last word. The style makes capitals of them. */
export function initials(name) {
  const letters = name.split(/\s+/).filter(Boolean).map(([letter]) => letter);
  return letters.length > 1 ? letters[0] + letters.at(-1) : letters.join("");
}

/** An element of the page that must be there. */
export function find(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(id);
  return element;
}

export class Toolbar {
  #toolbar = find("toolbar");
  #idle = find("idle");
  #status = find("status");
  #person = find("person");
  #signIn = find("sign-in");
  #signOut = find("sign-out");
  /** Of the whole toolbar. */
  #height = HEIGHT;

  /** Calls back when a button is clicked, and when the content's size changes. */
  listen(signIn, signOut, resized) {
    this.#signIn.addEventListener("click", signIn);
    this.#signOut.addEventListener("click", () => {
      this.#show("Signing out…", { isSignedIn: true });
      this.#signOut.disabled = true;
      signOut();
    });
    new ResizeObserver(resized).observe(this.#toolbar);
  }

  /**
   * How signing in goes: a window is open, or its response is looked at; or why the last attempt failed, if it did. Who was
   * signed in before still is.
   */
  showAttempt(isSigningIn, code, isSignedIn) {
    const isFailure = !isSigningIn && !!code;
    const rest = isSignedIn ? SIGNED_IN : "You are signed out.";
    const status = isSigningIn ? "Continue in the window that opened." : isFailure ? words(code) : rest;
    this.#show(status, { isSignedIn, isSigningIn, isFailure });
  }

  showSignedIn({ user, organization }) {
    find("avatar").textContent = find("face").textContent = initials(user.name);
    find("name").textContent = user.name;
    find("organization").textContent = organization.name;
    this.#show(SIGNED_IN, { isSignedIn: true });
  }

  #show(status, { isSignedIn = false, isSigningIn = false, isFailure = false }) {
    const active = document.activeElement;
    this.#status.textContent = status;
    this.#toolbar.classList.toggle("failure", isFailure);
    this.#toolbar.classList.toggle("signed-in", isSignedIn);
    this.#person.hidden = this.#signOut.hidden = !isSignedIn;
    this.#signOut.disabled = false;
    this.#signIn.hidden = isSignedIn;
    this.#signIn.disabled = isSigningIn;
    this.#idle.classList.toggle("visually-hidden", isSignedIn && !isSigningIn && !isFailure);
    // The button that had the focus may be gone: who works by keyboard goes on with the other one.
    if (this.#toolbar.contains(active) && !active.offsetWidth) (isSignedIn ? this.#signOut : this.#signIn).focus();
  }

  /** The size the content wants, in CSS pixels. */
  get size() {
    if (this.#toolbar.classList.contains("collapsed")) return [PILL, PILL];
    const { width, height } = this.#toolbar.getBoundingClientRect();
    // In the room of the pill, nothing has its height.
    if (width > PILL) this.#height = Math.ceil(height);
    return [WIDTH, this.#height];
  }
}
