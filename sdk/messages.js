import { CODES } from "./errors.js";

/** The protocol that this package speaks with the frame and with the platform's pages. */
export const VERSION = 1;

const { freeze } = Object;

const isText = (value) => typeof value == "string";

// What a field can be, by the letter that stands for it below.
const IS = {
  t: isText,
  /** A text that is not empty. */
  f: (value) => isText(value) && value,
  /** A whole number. */
  n: (value) => Number.isInteger(value) && value >>> 0 == value,
  c: (value) => CODES.includes(value),
  s: (value) => readSession(value, value?.expires_at),
  b: (value) => value instanceof Uint8Array,
  h: (value) => Array.isArray(value) && value.every((pair) => Array.isArray(pair) && pair.length == 2 && pair.every(isText)),
};

/** The frame's messages: each field by its name and letter; one in capitals may be missing. */
const SHAPES = {
  __proto__: null,
  welcome: "version:n",
  prepared: "state:f nonce:t code_challenge:t",
  signing_in: "state:f",
  answered: "state:f",
  signed_in: "state:f access_token:F session:s",
  renewed: "access_token:F session:s",
  failed: "state:F code:c description:T",
  ended: "code:C",
  sign_out: "",
  resize: "width:n height:n",
  place: "corner:t",
  move: "dx:d dy:d",
  drop: "",
  head: "id:n status:n headers:h",
  chunk: "id:n data:b",
  end: "id:n",
  broken: "id:n code:c description:T",
};
IS.d = Number.isFinite;

/** A message from the frame, once it has the shape of one. */
export function readMessage(data) {
  const shape = isText(data?.type) && SHAPES[data.type];
  const fits = (field) => {
    const [name, letter] = field.split(":");
    const value = data[name];
    return (letter < "a" && value == null) || IS[letter.toLowerCase()](value);
  };
  if (shape === "" || (shape && shape.split(" ").every(fits))) return data;
}

/** Whose a token is, as the frame and the API both write it, once it has the shape. `expiresAt` is by this browser's clock. */
export function readSession(data, expiresAt) {
  const { organization, user, scopes } = Object(data);
  const texts = [organization?.id, organization?.slug, organization?.name, user?.id, user?.name];
  if (!Number.isFinite(expiresAt) || !Array.isArray(scopes) || ![...texts, ...scopes].every(isText)) return;
  const [id, slug, name, userId, userName] = texts;
  // It is the client's own: nothing that the page does to it changes whose session it is, or until when.
  return freeze({
    organization: freeze({ id, slug, name }),
    user: freeze({ id: userId, name: userName }),
    scopes: freeze([...scopes]),
    get expiresAt() {
      return new Date(expiresAt);
    },
  });
}

/** Whether it is a message of the platform's pages, or of this package on another page of the site. */
export const isWindowMessage = (data, type) => data?.type === "latchkey." + type && data.version === VERSION;
