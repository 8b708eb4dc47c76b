// The issues of the page that the toolbar stands on, where the platform keeps some below
// /api/0/organizations/{organization}/issues/: listed with the scope event:read, resolved with event:write.
import { isText, isWhole } from "./messages.js";
import { send } from "./platform.js";
import { find } from "./toolbar.js";

/** How many are shown: the others are on the platform. */
const MOST = 4;

/** One page of the list, as far as it is shown; undefined for what is none. */
export function readIssues(data) {
  const { issues, next_cursor } = Object(data);
  const isOne = (issue) => [issue?.id, issue?.title, issue?.project?.name].every(isText) && isWhole(issue.count);
  if (Array.isArray(issues) && issues.length <= MOST && issues.every(isOne)) return { issues, areMore: isText(next_cursor) };
}

export class Issues {
  #section = find("issues");
  #title = find("issues-title");
  #note = find("issues-note");
  #list = find("issues-list");
  #again = find("issues-again");
  /** Who is signed in, where their issues are, and what they may do there. */
  #account;
  /** The path of the page that frames this one. */
  #page = "";
  /** Counts the questions: an answer to any but the last one comes too late. */
  #asked = 0;

  constructor() {
    this.#section.addEventListener("click", ({ target }) => {
      // A busy button does nothing for now, but keeps the focus.
      if (target.tagName != "BUTTON" || target.ariaDisabled == "true") return;
      if (target == this.#again) this.#read();
      else this.#resolve(target);
    });
  }

  /** The page that frames this one stands there now. */
  stand(page) {
    if (page == this.#page) return;
    this.#page = page;
    this.#read();
  }

  signIn({ token, session: { scopes, organization } }) {
    const mayWrite = scopes.includes("event:write");
    const path = `/api/0/organizations/${encodeURIComponent(organization.slug)}/issues/`;
    this.#account = mayWrite || scopes.includes("event:read") ? { token, path, mayWrite } : undefined;
    this.#read();
  }

  /** Nobody is signed in any more: what they saw goes with them. */
  signOut() {
    this.#account = undefined;
    this.#asked += 1;
    this.#show([], "", { isHidden: true });
  }

  async #read() {
    const asked = (this.#asked += 1);
    if (!this.#account) return;
    const { token, path, mayWrite } = this.#account;
    const { status, code, body } = await send(`${path}?status=unresolved&limit=${MOST}&page=${encodeURIComponent(this.#page)}`, { token });
    if (this.#asked != asked) return;
    // A platform that keeps no issues, or none for this person.
    if (status == 403 || status == 404) return this.#show([], "", { isHidden: true });
    const found = code ? undefined : readIssues(body);
    if (!found) return this.#show([], "The issues of this page could not be read.", { isFailure: true });
    const { issues, areMore } = found;
    const note = areMore ? "More are on the platform." : "";
    this.#show(issues.map((issue) => this.#row(issue, mayWrite)), issues.length ? note : "No open issues on this page.");
  }

  async #resolve(button) {
    if (!this.#account) return;
    const { token, path } = this.#account;
    const asked = this.#asked;
    button.ariaDisabled = "true";
    button.textContent = "Resolving…";
    const where = `${path}${encodeURIComponent(button.dataset.issue)}/`;
    const { status, code } = await send(where, { token, method: "PUT", json: '{"status":"resolved"}' });
    if (this.#asked != asked) return;
    if (!code) {
      button.textContent = "Resolved";
      // Others may come in its place.
      return this.#read();
    }
    button.ariaDisabled = "false";
    button.textContent = "Resolve";
    const why = { 403: "Your role does not allow that. Ask an admin of the organization.", 404: "That issue is gone." };
    this.#note.textContent = why[status] ?? "It could not be resolved. Try again.";
  }

  #show(rows, note, { isHidden = false, isFailure = false } = {}) {
    const hadFocus = this.#section.contains(document.activeElement);
    this.#section.hidden = isHidden;
    this.#again.hidden = !isFailure;
    this.#list.replaceChildren(...rows);
    this.#note.textContent = note;
    // The button that had the focus is gone: who works by keyboard goes on where it was.
    if (hadFocus && !isHidden) (this.#section.querySelector("button:not([hidden])") ?? this.#title).focus();
  }

  #row({ id, title, count, project }, mayWrite) {
    const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
    const row = make("li");
    const lines = make("div", { className: "words lines" });
    const times = count == 1 ? "once" : count + " times";
    lines.append(make("strong", { textContent: title }), make("span", { textContent: `${project.name}, ${times}` }));
    row.append(lines);
    if (mayWrite) {
      const button = make("button", { type: "button", textContent: "Resolve", ariaLabel: "Resolve " + title });
      button.dataset.issue = id;
      row.append(button);
    }
    return row;
  }
}
