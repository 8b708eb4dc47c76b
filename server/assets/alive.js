// Tells whoever opened this window that it is there. From then on a window that looks closed was closed by somebody;
// one that never says so may have been cut off from its opener on the way, and looks closed from the beginning.
//
// It is tied to no request, and need not be. It goes to an opener of that one site, which knows that it opened a window
// here, or to a page of the platform's own, and tells no more than that somebody has to be asked. Who hears it believes
// it of the window that it opened itself alone, and for nothing but the words in which a closed window is reported.
"use strict";
{
  // The site that the sign-in was asked from: the server wrote it here.
  const { site } = document.currentScript.dataset;
  // The opener is that site, or the platform's own frame on it, whose address only a page of the platform's can read.
  const isOwn = () => {
    try {
      return opener.location.origin === location.origin;
    } catch {
      return false;
    }
  };
  opener?.postMessage({ type: "latchkey.alive", version: 1 }, isOwn() ? location.origin : site);
}
