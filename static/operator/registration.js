"use strict";

// Before it is saved, a registration's redirect URI follows the chosen cloud.
document.addEventListener("DOMContentLoaded", () => {
  const cloud = document.querySelector("select[name=cloud]");
  const holder = document.getElementById("redirect-uri-by-cloud");
  if (!cloud || !holder) {
    return;
  }
  const uris = JSON.parse(holder.dataset.uris);
  const show = () => {
    document.getElementById("redirect-uri").textContent = uris[cloud.value] || "";
    holder.querySelector("button[data-copy]").hidden = !uris[cloud.value];
    document.getElementById("redirect-uri-later")?.remove();
  };
  cloud.addEventListener("change", show);
  show();
});
