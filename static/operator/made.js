"use strict";

// The link stands on the answer to a form. Loading that again would post the form again and make a second link.
document.addEventListener("DOMContentLoaded", () => {
  history.replaceState(null, "", document.getElementById("content-main").dataset.ownAddress);
});
