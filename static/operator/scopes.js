"use strict";

// Says while boxes are ticked what Microsoft will be asked for; the server says the same in scope_boxes.py.
document.addEventListener("DOMContentLoaded", () => {
  const boxes = document.getElementById("scopes");
  if (!boxes) {
    return;
  }
  const sum = boxes.querySelector(".scope-sum");
  const always = JSON.parse(sum.dataset.always);
  const contains = JSON.parse(sum.dataset.contains);

  const show = () => {
    const ticked = [...boxes.querySelectorAll("input:checked")];
    const families = new Set(ticked.map((box) => box.dataset.family));
    const byPermission = new Map();
    for (const box of ticked) {
      if (!byPermission.has(box.dataset.permission)) {
        byPermission.set(box.dataset.permission, box.value);
      }
    }
    const permissions = new Set([...byPermission.keys(), ...[...families].flatMap((family) => always[family])]);
    sum.querySelector(".scope-asked").hidden = families.size !== 1;
    sum.querySelector(".scope-asked strong").textContent = [...permissions].sort().join(", ");
    sum.querySelector(".scope-none").hidden = families.size !== 0;
    sum.querySelector(".scope-mixed").hidden = families.size < 2;
    sum.querySelector(".scope-redundant").replaceChildren(
      ...Object.entries(contains)
        .filter(([larger, smaller]) => families.size === 1 && byPermission.has(larger) && byPermission.has(smaller))
        .map(([larger, smaller]) => {
          const item = document.createElement("li");
          item.textContent = `${byPermission.get(smaller)} is contained in ${byPermission.get(larger)} and can go.`;
          return item;
        }),
    );
  };
  boxes.addEventListener("change", show);
  show();
});
