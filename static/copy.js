"use strict";

// Buttons that copy the text of the element named in data-copy. Hidden where there is nothing to copy or no way to.
document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    const source = document.getElementById(button.dataset.copy);
    button.hidden = !source.textContent;
    button.addEventListener("click", async () => {
      const label = button.innerHTML;
      try {
        await navigator.clipboard.writeText(source.textContent);
      } catch {
        // Without https there is no clipboard to write to: select the text, so that one key press copies it.
        window.getSelection().selectAllChildren(source);
        return;
      }
      button.textContent = button.dataset.done;
      setTimeout(() => { button.innerHTML = label; }, 2000);
    });
  }
});
