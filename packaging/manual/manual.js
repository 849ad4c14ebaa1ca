// The manual's own: search, theme, menu, where one is on the page. INDEX stands before this.
"use strict";
const $ = id => document.getElementById(id);
const root = document.documentElement, box = $("search"), found = $("found");

// ---- Search ----------------------------------------------------------------------------------------------------------------
function hits(words) {
  const all = [];
  for (const entry of INDEX) {
    const [name, kind, , text] = entry, low = name.toLowerCase();
    if (!words.every(word => low.includes(word) || kind.toLowerCase().includes(word) || text.toLowerCase().includes(word))) continue;
    // What is called so comes before what speaks of it, and a whole name before a part of one.
    const called = words.every(word => low.includes(word)), exact = low === words.join(" ") || low === "kvl_" + words.join("_");
    all.push([exact ? 0 : called ? (low.startsWith(words[0]) || low.startsWith("kvl_" + words[0]) ? 1 : 2) : 3, low.length, entry]);
  }
  return all.sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(each => each[2]);
}

// `text` as nodes, the words marked in it.
function marked(text, words) {
  const shape = new RegExp("(" + words.map(word => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|") + ")", "i");
  return text.split(shape).map((part, i) => {
    if (i % 2 === 0) return part;
    const mark = document.createElement("mark");
    mark.textContent = part;
    return mark;
  });
}

const make = (tag, ...inside) => { const made = document.createElement(tag); made.append(...inside); return made; };

function look() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  found.replaceChildren();
  found.hidden = !words.length;
  if (!words.length) return;
  const all = hits(words);
  for (const [name, kind, address, text] of all.slice(0, 40)) {
    const link = make("a", make("i", kind), make("b", ...marked(name, words)));
    link.href = address;
    link.role = "option";
    if (/^kvl_|^KVL_|\./.test(name) && !/\s/.test(name)) link.className = "code";
    if (text) link.append(make("span", ...marked(text.length > 130 ? text.slice(0, 130) + "…" : text, words)));
    link.addEventListener("click", () => { found.hidden = true; });
    found.append(link);
  }
  if (all.length) pick(0);
  else found.append(make("p", "Nothing is called so, or speaks of it."));
  if (all.length > 40) found.append(make("p", `and ${all.length - 40} more: another word narrows it down`));
}

function pick(nth) {
  const links = [...found.querySelectorAll("a")];
  links.forEach((link, i) => link.setAttribute("aria-selected", i === nth));
  links[nth]?.scrollIntoView({ block: "nearest" });
}

function move(by) {
  const links = [...found.querySelectorAll("a")], at = links.findIndex(link => link.getAttribute("aria-selected") === "true");
  if (links.length) pick((at + by + links.length) % links.length);
}

box.addEventListener("input", look);
box.addEventListener("focus", look);
document.addEventListener("click", event => { if (!event.target.closest(".search")) found.hidden = true; });
document.addEventListener("keydown", event => {
  if (event.key === "/" && document.activeElement !== box) { event.preventDefault(); box.focus(); box.select(); }
  if (event.key === "Escape") { found.hidden = true; box.blur(); root.classList.remove("open"); }
  if (document.activeElement !== box) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); move(event.key === "ArrowDown" ? 1 : -1); }
  if (event.key === "Enter") found.querySelector("a[aria-selected=true]")?.click();
});

// ---- Theme, menu, copying --------------------------------------------------------------------------------------------------
// A page opened from disk may have no storage; then the choice lasts as long as the page.
const kept = { get() { try { return localStorage.getItem("theme"); } catch { return null; } }, set(theme) { try { localStorage.setItem("theme", theme); } catch { /* see above */ } } };
if (kept.get()) root.dataset.theme = kept.get();
$("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  kept.set(root.dataset.theme);
});
$("menu").addEventListener("click", () => $("menu").setAttribute("aria-expanded", root.classList.toggle("open")));
for (const block of document.querySelectorAll(".block:not(.of)")) {
  const button = make("button", "Copy");
  button.className = "copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1200);
  });
  block.append(button);
}

// ---- Where one is ----------------------------------------------------------------------------------------------------------
const places = [...document.querySelectorAll("nav.page a")].map(link => [link, $(decodeURIComponent(link.hash.slice(1)))]).filter(([, place]) => place);
function here() {
  const above = places.filter(([, place]) => place.getBoundingClientRect().top < 120);
  const now = (above.at(-1) ?? places[0])?.[0];
  if (!now || now.classList.contains("here")) return;
  for (const old of document.querySelectorAll("nav.page .here")) old.classList.remove("here");
  now.classList.add("here");
  for (let item = now.closest("li"); item; item = item.parentElement.closest("li")) item.classList.add("here");
  const side = document.querySelector("nav.page"), top = now.offsetTop;
  if (top < side.scrollTop || top > side.scrollTop + side.clientHeight - 60) side.scrollTop = top - side.clientHeight / 2;
}
let asked = false;
addEventListener("scroll", () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; here(); }); } }, { passive: true });
here();
