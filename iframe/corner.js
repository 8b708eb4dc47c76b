// Where the toolbar stands on the page and how much of it is shown, as the person wants it: dragged or sent to another
// corner, collapsed to a pill or whole.
//
// The frame cannot move itself. It tells the page, which moves it, and keeps what the page answers for the next time: in
// its own storage, which browsers keep apart for each site. A page that never answers has a place of its own for the
// toolbar, and then there is nothing to move or collapse.
import { write } from "./messages.js";
import { readNote, removeNote, writeNote } from "./notes.js";
import { find } from "./toolbar.js";

/** What a drag may begin on. */
const HANDLES = "#move, .mark, .words, .collapsed > #toggle";
/** The keys in the storage: of several applications on one page, each toolbar is where it was put. */
const OF = " " + globalThis.document?.documentElement.dataset.clientId;
const KEPT_CORNER = "corner" + OF;
const KEPT_COLLAPSED = "collapsed" + OF;
/** Less than this, in CSS pixels, is a click by an unsteady hand. */
const SLACK = 4;

/** Clockwise. */
export const CORNERS = ["bottom-right", "bottom-left", "top-left", "top-right"];

/** The next corner, clockwise: for who can neither drag nor press an arrow key (WCAG 2.2, 2.5.7). */
export const next = (corner) => CORNERS[(CORNERS.indexOf(corner) + 1) % 4];

/** The corner on the side of an arrow key; undefined for any other key. */
export function toward(corner, key) {
  const [row, side] = corner.split("-");
  return {
    __proto__: null,
    ArrowLeft: row + "-left",
    ArrowRight: row + "-right",
    ArrowUp: "top-" + side,
    ArrowDown: "bottom-" + side,
  }[key];
}

/** A drag, or a press that may become one. */
export class Drag {
  #start;
  /**
   * How many pixels of the page a pixel of the screen is, once it is a drag. A page that is zoomed has larger ones, and
   * nothing tells the frame but how far the pointer comes in each before the frame follows it.
   */
  #scale = 0;

  constructor(start) {
    this.#start = start;
    this.pointer = start.pointerId;
  }

  get isOne() {
    return this.#scale > 0;
  }

  /** How far the toolbar is dragged, if it is. On the screen the pointer is the same whatever the frame does. */
  to({ screenX, screenY, clientX, clientY }) {
    const start = this.#start;
    const [dx, dy] = [screenX - start.screenX, screenY - start.screenY];
    const inFrame = Math.hypot(clientX - start.clientX, clientY - start.clientY);
    if (!this.#scale && inFrame < SLACK) return;
    const measured = inFrame / Math.hypot(dx, dy);
    // Over such a short way, browsers round what is one to one by as much.
    const isZoomed = Number.isFinite(measured) && Math.abs(measured - 1) > 0.3;
    this.#scale ||= isZoomed ? measured : 1;
    // Adding nothing makes of the zero below zero, which no protocol needs, the other one.
    return [Math.trunc(dx * this.#scale) + 0, Math.trunc(dy * this.#scale) + 0];
  }
}

export class Stand {
  #toolbar = find("toolbar");
  #toggle = find("toggle");
  #spot = find("spot");
  #corner;
  #drag;
  /** The click at the end of a drag is none. */
  #isClick = true;
  #post;

  constructor() {
    const kept = readNote(KEPT_CORNER);
    this.#corner = CORNERS.includes(kept) ? kept : CORNERS[0];
    if (readNote(KEPT_COLLAPSED)) this.#collapse(true);
  }

  /** Listens to what the person does, and tells the page. */
  listen(post) {
    this.#post = post;
    const handle = find("move");
    this.#toggle.addEventListener("click", () => this.#takeClick() && this.#toggled());
    handle.addEventListener("click", () => this.#takeClick() && this.#send(next(this.#corner)));
    handle.addEventListener("keydown", (event) => {
      const corner = toward(this.#corner, event.key);
      if (!corner) return;
      event.preventDefault();
      if (this.#takeClick()) this.#send(corner);
    });
    this.#toolbar.addEventListener("pointerdown", (event) => this.#press(event));
    document.addEventListener("pointermove", (event) => this.#pull(event));
    for (const kind of ["pointerup", "pointercancel"]) document.addEventListener(kind, () => this.#letGo());
    document.addEventListener("keydown", ({ key }) => {
      if (key != "Escape" || !this.#drag?.isOne) return;
      post(write("move", 0, 0));
      this.#letGo();
    });
  }

  /** What a new page is told. */
  greeting() {
    this.#toolbar.classList.remove("docked");
    return write("place", this.#corner);
  }

  /** The page says where the toolbar stands. */
  placed(corner) {
    this.#toolbar.classList.add("docked");
    if (corner == this.#corner) return;
    this.#corner = corner;
    writeNote(KEPT_CORNER, corner);
    // What a screen reader says.
    this.#spot.textContent = `The toolbar is at the ${corner.replace("-", " ")}.`;
  }

  #takeClick() {
    const isClick = this.#isClick;
    this.#isClick = true;
    return isClick;
  }

  #toggled() {
    const isCollapsed = !this.#toolbar.classList.contains("collapsed");
    this.#collapse(isCollapsed);
    if (isCollapsed) writeNote(KEPT_COLLAPSED, "1");
    else removeNote(KEPT_COLLAPSED);
  }

  /** Only a toolbar that the page docked is shown collapsed. */
  #collapse(isCollapsed) {
    this.#toolbar.classList.toggle("collapsed", isCollapsed);
    this.#toggle.setAttribute("aria-expanded", !isCollapsed);
  }

  #send(corner) {
    if (corner != this.#corner) this.#post(write("place", corner));
  }

  #press(event) {
    this.#isClick = true;
    const handle = event.target.closest(HANDLES);
    if (!handle || !event.isPrimary || event.button || !this.#toolbar.classList.contains("docked")) return;
    // From here on all of this pointer comes to the handle, wherever it goes: it leaves the frame at once.
    try {
      handle.setPointerCapture(event.pointerId);
    } catch {}
    this.#drag = new Drag(event);
  }

  #pull(event) {
    if (this.#drag?.pointer !== event.pointerId) return;
    const way = this.#drag.to(event);
    if (!way) return;
    this.#isClick = false;
    this.#toolbar.classList.add("dragged");
    this.#post(write("move", ...way));
  }

  #letGo() {
    const wasOne = this.#drag?.isOne;
    this.#drag = undefined;
    if (!wasOne) return;
    this.#toolbar.classList.remove("dragged");
    this.#post(write("drop"));
  }
}
