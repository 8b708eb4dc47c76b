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

/** Uses the storage, or else the cookies, or neither. */
function use(inStorage, inCookies) {
  for (const attempt of [() => inStorage(localStorage), inCookies]) {
    try {
      return attempt();
    } catch {}
  }
  return null;
}

/** What is noted, or null. */
export const get = (key) => use((storage) => storage.getItem(key), () => readCookie(nameOf(key)));

/** Notes a word. */
export const set = (key, word) => use((storage) => storage.setItem(key, word), () => writeCookie(nameOf(key), word, LONG));

/** Notes nothing any more. */
export const remove = (key) => use((storage) => storage.removeItem(key), () => writeCookie(nameOf(key), "", 0));

/** Whether the browser keeps a cookie for this page, on the site around it, as that of the session is one. */
export function keepsCookies() {
  const name = nameOf("");
  try {
    writeCookie(name, 1, 60);
    const isKept = readCookie(name) == "1";
    writeCookie(name, "", 0);
    return isKept;
  } catch {
    return false;
  }
}
