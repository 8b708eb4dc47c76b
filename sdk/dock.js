/** How far from the page's edges a docked toolbar stays, in CSS pixels. */
const GAP = 16;
/** By it the toolbars of a page hear that one of them has changed, whichever copy of this module docked it. */
const DOCKED = "latchkey.docked";
/** What is narrower has round ends. */
const PILL = 100;

/** Important, each part of it. */
const firm = (selector, parts) => `${selector}{${(parts + ";").replace(/;+/g, "!important;")}}`;

/**
 * The page's side of the toolbar: the element that holds its frame, docked to a corner of the page.
 *
 * All style is that of the element's shadow tree, where what is important wins over whatever the page says, however
 * important. The frame itself stays in the page's own tree: the platform's window looks for it among the page's
 * frames, and those of a shadow tree are not listed there.
 */
export class Dock {
  #element = document.createElement("latchkey-toolbar");
  #sheet;
  #headless;
  #placed;
  #width = 0;
  #height = 0;
  #right = true;
  #bottom = true;
  #moving = "";
  #dx = 0;
  #dy = 0;

  /**
   * Puts the frame into the site's container, or onto the page. It loads, and is not seen before it says how large it
   * wants to be; a headless one never is, nor reached by keyboard.
   */
  constructor(frame, container, headless) {
    const element = this.#element;
    const shadow = element.attachShadow({ mode: "open" });
    try {
      this.#sheet = new CSSStyleSheet();
      shadow.adoptedStyleSheets = [this.#sheet];
    } catch {
      // Older browsers have style elements alone, which a strict policy of the site's keeps out.
      const style = document.createElement("style");
      shadow.append(style);
      this.#sheet = { replaceSync: (text) => (style.textContent = text) };
    }
    shadow.append(document.createElement("slot"));
    this.#headless = headless;
    element.append(frame);
    this.put(container);
  }

  /** Puts the element there, for the first time or anew. */
  put(container) {
    this.#placed = this.#headless ? "display:none" : container && "display:block";
    this.#dress();
    (container ?? document.body).append(this.#element);
    this.raise();
  }

  /**
   * Above all that is on the page, and of its own size in whatever it stands, where the browser has popovers. Whoever
   * takes the element off the page and puts it back takes it out of there.
   */
  raise() {
    if (this.#placed) return;
    this.#element.popover = "manual";
    this.#element.togglePopover?.(true);
  }

  /** Takes the size that the frame asks for, where the page has the room. */
  resize(width, height) {
    this.#width = width;
    this.#height = height;
    this.#moving = "";
    this.#tell();
  }

  /**
   * Goes to "bottom-right", "bottom-left", "top-left" or "top-right", and returns where it is then, which the frame is
   * to be told: false where it is not docked, and cannot go.
   */
  place(corner) {
    this.#right = /right/.test(corner);
    this.#bottom = /bottom/.test(corner);
    this.#moving = "transition:left .2s,top .2s";
    this.#dx = this.#dy = 0;
    this.#tell();
    return !this.#placed && corner;
  }

  /** Stands that far from its corner, while it is dragged. */
  move(dx, dy) {
    this.#moving = "";
    this.#dx = dx;
    this.#dy = dy;
    this.#dress();
  }

  /** Goes to the nearest corner, as place() does. */
  drop() {
    const { x, y, width, height } = this.#element.getBoundingClientRect();
    return this.place(
      (2 * y + height < innerHeight ? "top-" : "bottom-") + (2 * x + width < innerWidth ? "left" : "right"),
    );
  }

  /** Takes the frame off the page. */
  remove() {
    this.#element.remove();
    this.#tell();
    removeEventListener(DOCKED, this.#dress);
  }

  /** Shows what changed, and lets the other toolbars make room. */
  #tell() {
    const { dataset } = this.#element;
    if (!this.#placed && this.#width) {
      dataset.corner = [this.#bottom, this.#right];
      dataset.height = this.#height;
      addEventListener(DOCKED, this.#dress);
    }
    this.#dress();
    dispatchEvent(new Event(DOCKED));
  }

  /** How much of its corner those take that came before it. */
  #taken() {
    let taken = 0;
    for (const other of document.querySelectorAll(`latchkey-toolbar[data-corner="${this.#element.dataset.corner}"]`)) {
      if (other == this.#element) break;
      taken += +other.dataset.height + GAP;
    }
    return taken;
  }

  #dress = () => {
    const width = this.#width;
    const height = this.#height;
    const from = (isFar, length, moved, gap) =>
      `calc(${isFar ? `max(${GAP}px,100% - ${length + gap}px)` : `${gap}px`} + ${moved}px)`;
    const docked = `position:fixed;left:${from(this.#right, width, this.#dx, GAP)};top:${from(this.#bottom, height, this.#dy, GAP + this.#taken())};width:${width}px;max-width:calc(100% - ${2 * GAP}px);max-height:calc(100% - ${2 * GAP}px);z-index:2147483647;box-shadow:0 1px 2px #0003,0 8px 32px #0003`;
    this.#sheet.replaceSync(
      firm(
        ":host",
        `all:initial;${this.#placed ?? docked};height:${height}px;overflow:hidden;border-radius:${width < PILL ? PILL : 14}px;${width ? this.#moving : "visibility:hidden"}`,
      ) +
        firm("::slotted(*)", "all:initial;display:block;width:100%;height:100%;visibility:inherit") +
        firm(":host::before,:host::after", "display:none") +
        `@media print{${firm(":host", "display:none")}}` +
        `@media(prefers-reduced-motion:reduce){${firm(":host", "transition:none")}}`,
    );
  };
}
