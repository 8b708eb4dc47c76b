// Hands the authorization response to whoever asked for it, and to nobody else.
"use strict";
(() => {
  // First of all: from here on the response is in this script alone, not in the address or the history. A token comes in
  // the fragment, a code in the query.
  const response = (location.hash || location.search).slice(1);
  history.replaceState(null, "", location.pathname);

  const VERSION = 1;
  const { clientId, tokens } = document.documentElement.dataset;
  const framePath = `/toolbar/${clientId}/`;

  // The frames of this application, among the opener and its frames: as many as the page has of them, and only the one
  // that asked takes the response. Only a frame of the platform's own origin lets its path be read; its name would prove
  // nothing, the page chooses it.
  const isOwnFrame = (candidate) => {
    try {
      return candidate.location.origin === location.origin && candidate.location.pathname === framePath;
    } catch {
      return false;
    }
  };
  const findFrames = () => [opener, ...Array.from({ length: opener.length }, (_, i) => opener[i])].filter(isOwnFrame);

  // Without a frame it is for the page itself: for the one site that the server wrote into the response. What a frame is
  // to keep is for no page.
  const findPage = () => {
    if (tokens === "frame") return null;
    const origin = new URLSearchParams(response).get("origin") ?? "";
    return /^https?:\/\/[^/]+$/.test(origin) ? origin : null;
  };

  // What the frame's own session is made of is the frame's alone: no page gets it, under whatever spelling.
  const withoutHandle = () =>
    response
      .split("&")
      .filter((pair) => !new URLSearchParams(pair).has("handle"))
      .join("&");

  const say = (text) => {
    document.getElementById("status").textContent = text;
  };

  const deliver = () => {
    if (!opener || !response) {
      return say("There is nothing to do here. Close this window, go back to the site you came from, and start the sign-in there.");
    }
    const frames = findFrames();
    const isFramed = frames.length > 0;
    const targets = isFramed ? frames : [opener];
    const origin = isFramed ? location.origin : findPage();
    if (!origin) return say("The site you came from could not be reached. You can close this window and start the sign-in again.");
    addEventListener("message", (event) => {
      const { data } = event;
      if (!targets.includes(event.source) || event.origin !== origin) return;
      if (data?.type === "latchkey.received" && data.version === VERSION) close();
    });
    const message = { type: "latchkey.response", version: VERSION, response: isFramed ? response : withoutHandle() };
    for (const target of targets) target.postMessage(message, origin);
    setTimeout(() => say("The site you came from did not answer. You can close this window and start the sign-in again there."), 3000);
  };

  addEventListener("DOMContentLoaded", deliver);
})();
