// The strip in the place of the toolbar that says why there is none. Loaded when it is needed.

/** Every part is important, so that no rule of the page reaches it. */
const style = (...parts) => parts.map((part) => part + "!important").join(";");

const DOCKED = [
  "position:fixed",
  "right:16px",
  "bottom:16px",
  "width:380px",
  "max-width:calc(100vw - 32px)",
  "max-height:calc(100vh - 32px)",
  "z-index:2147483647",
  "border-radius:14px",
  "box-shadow:0 1px 2px rgba(0,0,0,.16),0 8px 32px rgba(0,0,0,.2)",
];

/** Shows it, docked or in a container, and returns its element. */
export function show({ message, setupUrl }, container) {
  const element = (name, css, ...content) => {
    const made = document.createElement(name);
    made.style.cssText = css;
    made.append(...content);
    return made;
  };
  const close = element("button", "border:0;background:none;color:inherit;font-size:18px;cursor:pointer", "×");
  close.ariaLabel = "Dismiss";
  const link = [];
  if (setupUrl) {
    const setup = element("a", "display:block;color:inherit;margin-top:6px", "Are you an admin? Add this site to the application.");
    Object.assign(setup, { href: setupUrl, target: "_blank", rel: "noreferrer" });
    link.push(setup);
  }
  const notice = element(
    "div",
    "display:flex;gap:12px;padding:14px 16px;font:14px/1.4 system-ui,sans-serif;overflow-wrap:anywhere;color-scheme:light dark;background:Canvas;color:CanvasText;border-radius:14px",
    element("div", "flex:1", element("strong", "display:block", "Signing in is not possible here at the moment."), message, ...link),
    close,
  );
  notice.setAttribute("role", "alert");
  const inside = container instanceof Element;
  const strip = element("div", style("all:initial", ...(inside ? ["display:block", "width:100%"] : DOCKED)));
  strip.className = "latchkey-notice";
  strip.attachShadow({ mode: "open" }).append(notice);
  close.onclick = () => strip.remove();
  (inside ? container : document.body).append(strip);
  return strip;
}
