// The messages between this page, the SDK and the sign-in window: what has the shape of one, and how one is written.
// Whatever else comes passes in silence. The literals of sdk/protocol are the wire; tests/messages.rs holds this to them.

export const isText = (value) => typeof value == "string";
export const isWhole = (value) => Number.isInteger(value) && value >>> 0 == value;
const isYesOrNo = (value) => typeof value == "boolean";
const isMaybeText = (value) => value === undefined || isText(value);

/** A header: its name and its value. */
const isPair = (value) => Array.isArray(value) && value.length == 2 && value.every(isText);

/** Of other windows: what each property has to be. */
const FROM_WINDOW = {
  __proto__: null,
  "latchkey.hello": { version: isWhole, client_id: isText, scope: isText, response_type: isText, tokens: isText },
  "latchkey.response": { version: isWhole, response: isText },
  "latchkey.alive": { version: isWhole },
};

/** Of the port. */
const TO_FRAME = {
  __proto__: null,
  began: { state: isText },
  ended: { state: isText, code: isText },
  signed_out: { expired: isYesOrNo },
  page: { path: isText },
  response: { state: isText, response: isText, redirect_uri: isMaybeText },
  placed: { corner: isText },
  adopt: { access_token: isText, expires_in: isWhole, replaces: isYesOrNo },
};

/** Of the port, where the frame calls the platform for the page. */
const CALLS = {
  __proto__: null,
  fetch: {
    id: isWhole,
    method: isText,
    path: isText,
    headers: (value) => Array.isArray(value) && value.length <= 64 && value.every(isPair),
    body: (value) => value === null || value instanceof Blob,
  },
  pull: { id: isWhole },
  cancel: { id: isWhole },
};

const isPlain = (value) => typeof value == "object" && value !== null && !Array.isArray(value);

/** What is read, if it has exactly the properties that its type has: a closed protocol has no others. */
function read(data, shapes) {
  const shape = isPlain(data) && isText(data.type) && shapes[data.type];
  if (!shape) return;
  const names = Object.keys(data);
  const has = ([name, fits]) => fits(names.includes(name) ? data[name] : undefined);
  const isKnown = (name) => name == "type" || Object.hasOwn(shape, name);
  if (Object.entries(shape).every(has) && names.every(isKnown)) return data;
}

export const readFromWindow = (data) => read(data, FROM_WINDOW);
export const readToFrame = (data) => read(data, TO_FRAME);
export const readCall = (data) => read(data, CALLS);

/** What this page says, with the names of what is said, in order. */
const SAID = {
  welcome: "version cookies",
  prepared: "state nonce code_challenge",
  signing_in: "state",
  answered: "state",
  signed_in: "state access_token session",
  renewed: "access_token session",
  failed: "state code description",
  ended: "code",
  sign_out: "",
  resize: "width height",
  head: "id status headers",
  chunk: "id data",
  end: "id",
  broken: "id code description",
  place: "corner",
  move: "dx dy",
  drop: "",
  "latchkey.received": "version",
};

/** A message of this type, with its values in order. */
export function write(type, ...values) {
  const message = { type };
  const names = SAID[type].split(" ");
  names.forEach((name, index) => name && (message[name] = values[index]));
  return message;
}

/** Whose a token is, as the API says it and as other tabs do, once it has the shape. */
export function readSession(data, expires_at) {
  const { organization, user, scopes } = Object(data);
  const texts = [organization?.id, organization?.slug, organization?.name, user?.id, user?.name];
  if (!Number.isFinite(expires_at) || !Array.isArray(scopes) || scopes.length > 64 || ![...texts, ...scopes].every(isText)) return;
  const [id, slug, name, userId, userName] = texts;
  return { organization: { id, slug, name }, user: { id: userId, name: userName }, scopes, expires_at };
}

/** What the platform issued (RFC 6749 §5.1). */
export function readIssued(data) {
  const { access_token: token, token_type, expires_in, refresh_token: refresh } = Object(data);
  const fits = isText(token) && isText(token_type) && token_type.toLowerCase() == "bearer" && isWhole(expires_in) && isMaybeText(refresh);
  if (fits) return { token, expiresAt: Date.now() + expires_in * 1000, refresh };
}
