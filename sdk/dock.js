/** Every part is important, so that no rule of the page reaches the frame. */
const style = (parts) => parts.map((part) => part + "!important").join(";");

const FRAME = ["all:initial", "border:0", "border-radius:14px"];
const DOCKED = [
  "position:fixed",
  "right:16px",
  "bottom:16px",
  "max-width:calc(100vw - 32px)",
  "max-height:calc(100vh - 32px)",
  "z-index:2147483647",
  "box-shadow:0 1px 2px rgba(0,0,0,.16),0 8px 32px rgba(0,0,0,.2)",
];

export class Dock {
  #frame;
  #container;

  constructor(frame, container) {
    this.#frame = frame;
    this.#container = container;
    // Until it answers it is there but not seen: a frame that is refused shows a broken page.
    this.#dress(360, 56, ["opacity:0"]);
    (container ?? document.body).append(frame);
  }

  resize(width, height) {
    this.#dress(width, height, []);
  }

  #dress(width, height, more) {
    const place = this.#container ? ["display:block", "width:100%"] : [...DOCKED, `width:${width}px`];
    this.#frame.style.cssText = style([...FRAME, ...place, `height:${height}px`, ...more]);
  }

  place() {}
  move() {}
  drop() {}

  remove() {
    this.#frame.remove();
  }
}
