// What pages can do better with a little JavaScript; without it they do the same by themselves.

// A button that copies what it stands beside.
for (const snippet of document.querySelectorAll(".snippet")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy: ${snippet.dataset.label ?? "the text"}`);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(snippet.querySelector("pre").textContent);
      button.textContent = "Copied";
    } catch {
      // The browser does not let a page write there: the text is marked, to be copied by hand.
      getSelection().selectAllChildren(snippet.querySelector("pre"));
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  snippet.append(button);
}

// Whoever was told what is wrong goes on typing where it is.
const wrong = document.querySelector("[aria-invalid='true']");
// A group has no focus of its own: its first box has.
(wrong?.matches("fieldset") ? wrong.querySelector("input") : wrong)?.focus();
