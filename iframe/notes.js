// What this frame notes for the next page view: in its storage, or in cookies where a browser denies it that and keeps
// those. Where it keeps neither there is nothing to note, as it keeps no session of the frame's either.
const ATTRIBUTES = "; Path=/; Secure; SameSite=None; Partitioned; Max-Age=";

/** The longest that a browser keeps a cookie, in seconds (RFC 6265bis §5.5). */
const LONG = 400 * 24 * 3600;

const nameOf = (key) => "__Host-latchkey_note_" + encodeURIComponent(key);

/** What was noted there, or null. */
function readCookie(name) {
  const found = document.cookie.split("; ").find((cookie) => cookie.startsWith(name + "="));
  return found ? found.slice(name.length + 1) : null;
}

const writeCookie = (name, value, seconds) => (document.cookie = `${name}=${value}${ATTRIBUTES}${seconds}`);

/** What comes of it, or null where the browser does not let it. */
function attempt(use) {
  try {
    return use();
  } catch {
    return null;
  }
}

/** What is noted, or null. */
export const readNote = (key) => attempt(() => localStorage.getItem(key)) ?? attempt(() => readCookie(nameOf(key)));

/** Notes a word. */
export function writeNote(key, word) {
  const isStored = attempt(() => (localStorage.setItem(key, word), true));
  if (!isStored) attempt(() => writeCookie(nameOf(key), word, LONG));
}

/** Notes nothing any more. */
export function removeNote(key) {
  attempt(() => localStorage.removeItem(key));
  attempt(() => readCookie(nameOf(key)) && writeCookie(nameOf(key), "", 0));
}

/** Whether the browser keeps a cookie for this page, on the site around it, as that of the session is one. */
export function keepsCookies() {
  const name = nameOf("");
  const isKept = attempt(() => (writeCookie(name, 1, 60), readCookie(name)));
  attempt(() => writeCookie(name, "", 0));
  return isKept == "1";
}
