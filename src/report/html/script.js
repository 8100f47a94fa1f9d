"use strict";
for (const list of document.querySelectorAll("[data-filter]")) {
  const rows = list.tBodies ? [...list.tBodies[0].rows] : [...list.children];
  if (rows.length < 6) continue;
  const box = document.createElement("input");
  box.type = "search";
  box.className = "filter";
  box.placeholder = "Filter " + rows.length + " " + list.dataset.filter;
  box.setAttribute("aria-label", box.placeholder);
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
  const place = list.closest(".scroll") || list;
  place.before(box);
}
for (const item of document.querySelectorAll("[data-copy]")) {
  item.addEventListener("click", async () => {
    await navigator.clipboard.writeText(item.title || item.textContent);
    item.classList.add("copied");
    setTimeout(() => item.classList.remove("copied"), 800);
  });
}
const reveal = () => {
  const target = document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
};
addEventListener("hashchange", reveal);
reveal();
