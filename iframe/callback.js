// Hands the authorization response to whoever asked for it, and to nobody else.
"use strict";
(() => {
  // First of all: from here on the response is in this script alone, not in the address or the history. A token comes in
  // the fragment, a code in the query.
  const response = (location.hash || location.search).slice(1);
  history.replaceState(null, "", location.pathname);

  const VERSION = 1;
  const { clientId } = document.documentElement.dataset;
  const framePath = `/toolbar/${clientId}/`;

  // The frame of this application, among the opener and its frames. Only a frame of the platform's own origin lets
  // its path be read; its name would prove nothing, the page chooses it.
  const isOwnFrame = (candidate) => {
    try {
      return candidate.location.origin === location.origin && candidate.location.pathname === framePath;
    } catch {
      return false;
    }
  };
  const findFrame = () => {
    if (isOwnFrame(opener)) return opener;
    for (let i = 0; i < opener.length; i += 1) if (isOwnFrame(opener[i])) return opener[i];
    return null;
  };

  // Without a frame it is for the page itself: for the one site that the server wrote into the response.
  const findPage = () => {
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
    const frame = findFrame();
    const target = frame ?? opener;
    const origin = frame ? location.origin : findPage();
    if (!origin) return say("The site you came from could not be reached. You can close this window and start the sign-in again.");
    addEventListener("message", (event) => {
      const { data } = event;
      if (event.source !== target || event.origin !== origin) return;
      if (data?.type === "latchkey.received" && data.version === VERSION) close();
    });
    const text = frame ? response : withoutHandle();
    target.postMessage({ type: "latchkey.response", version: VERSION, response: text }, origin);
    setTimeout(() => say("The site you came from did not answer. You can close this window and start the sign-in again there."), 3000);
  };

  addEventListener("DOMContentLoaded", deliver);
})();
