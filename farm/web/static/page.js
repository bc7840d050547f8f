// What every page does: times in the reader's zone, filters without a button, and parts that
// follow the farm while somebody looks.

import { follow, isConnected } from "./events.js";
import { logInAgain } from "./login.js";

const QUIET_MS = 400; // events come in bursts: one look for many
const APART_MS = 2500; // between looks while events go on
const POLL_MS = 4000; // between looks without events
const SLOW_MS = 20000; // between looks beside them: that a farm has died is no event
const LONGEST_MS = 30000; // between looks while the farm does not answer
const PRESS_MS = 1000; // a button may be held down before what it is in is made anew

const formats = {
  time: new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }),
  ago: new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "narrow" }),
};
const STEPS = [[60, "second", 1], [3600, "minute", 60], [86400, "hour", 3600], [604800, "day", 86400]];

export function ago(seconds) {
  const size = Math.abs(seconds);
  const step = STEPS.find(([limit]) => size < limit);
  return step ? formats.ago.format(-Math.round(seconds / step[2]), step[1]) : null;
}

export function tellTimes(root = document) {
  for (const element of root.querySelectorAll("time[data-at]")) {
    const at = Number(element.dataset.at) * 1000;
    element.title = formats.time.format(at);
    element.textContent = ago((Date.now() - at) / 1000) ?? formats.time.format(at);
  }
}

// --- parts that follow the farm ---

let waiting = 0, polling = 0, looked = 0;
let failed = 0;
let underWay = false;
let again = false;

// Fetches this page once more and puts its [data-live] parts in the places of ours. A form that
// somebody has begun to fill stays as it is, and what they have opened stays open.
export async function refresh() {
  if (underWay) { again = true; return; }
  underWay = true;
  looked = Date.now();
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected && new URL(answer.url).pathname === "/login") { logInAgain(); return; }
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    await pressed;
    replaceParts(page);
    failed = 0;
    tell("on", "Live");
  } catch {
    failed += 1;
    tell("late", "The farm does not answer");
  } finally {
    underWay = false;
    if (again) { again = false; soon(); }
  }
}

// A click is lost if its button is replaced between its press and its release.
let pressed = Promise.resolve();
addEventListener("pointerdown", () => {
  pressed = new Promise((settle) => {
    for (const name of ["pointerup", "pointercancel"]) addEventListener(name, () => setTimeout(settle), { once: true });
    setTimeout(settle, PRESS_MS);
  });
}, true);

function replaceParts(page) {
  for (const part of document.querySelectorAll("[data-live][id]")) {
    const fresh = page.getElementById(part.id);
    if (!fresh || fresh.isEqualNode(part.fresh ?? part)) continue;
    const copy = fresh.cloneNode(true);
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    keepBegun(part, fresh);
    const next = focused && (fresh.contains(focused) ? focused : counterpart(fresh, focused));
    part.replaceChildren(...fresh.childNodes);
    part.fresh = copy; // as it was sent: times are rewritten in the page
    tellTimes(part);
    if (next) focusAgain(next, focused);
  }
}

// Puts the forms that somebody has begun to fill in the places of those that came.
function keepBegun(part, fresh) {
  for (const form of [...part.querySelectorAll("form")]) {
    const place = sameForm(fresh, form);
    if (!place) continue; // what it was about is gone
    const details = place.closest("details");
    if (details) details.open = form.closest("details").open;
    if ([...form.elements].some(isChanged)) place.replaceWith(form);
  }
}

function sameForm(fresh, form) {
  const name = nameOf(form);
  return [...fresh.querySelectorAll("form")].find((one) => nameOf(one) === name);
}

const nameOf = (form) => JSON.stringify([form.id, { ...form.dataset }]);

function isChanged(field) {
  if (field.localName === "button") return false;
  if (field.localName !== "select") return field.value !== field.defaultValue || field.checked !== field.defaultChecked;
  const sent = [...field.options].findIndex((option) => option.defaultSelected);
  return field.selectedIndex !== Math.max(0, sent);
}

// An element is found again by its address or its name, and not by its place: others come and go.
function counterpart(fresh, element) {
  const form = element.closest("form");
  for (const name of ["id", "href", "value", "name"]) {
    const value = element.getAttribute(name);
    if (value) return (form ? sameForm(fresh, form) : fresh)?.querySelector(`${element.localName}[${name}="${CSS.escape(value)}"]`);
  }
  return form && sameForm(fresh, form)?.querySelector(element.localName);
}

// Letters go on where they went: a field that is moved or made anew has lost the focus.
function focusAgain(element, before) {
  const { selectionStart, selectionEnd } = before;
  element.focus({ preventScroll: true });
  if (element === before && typeof selectionStart === "number") element.setSelectionRange(selectionStart, selectionEnd);
}

function tell(state, words) {
  const sign = document.getElementById("live");
  if (sign.dataset.on === state) return;
  sign.dataset.on = state;
  sign.textContent = words;
}

// Looks once for all that comes until then: at once after a quiet time, else a little later.
export function soon() {
  waiting ||= setTimeout(() => { waiting = 0; refresh(); }, Math.max(QUIET_MS, looked + APART_MS - Date.now()));
}

function poll() {
  const delay = Math.min((isConnected() ? SLOW_MS : POLL_MS) * 2 ** failed, LONGEST_MS);
  clearTimeout(polling);
  polling = setTimeout(async () => {
    if (!document.hidden) await refresh();
    poll();
  }, delay);
}

function heardState(state, isNew) {
  if (state === "late") tell("late", "The farm does not answer");
  else if (isNew) soon();
  poll();
}

// --- filters ---

async function filter(form) {
  const chosen = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value) chosen.set(name, value);
  const query = chosen.toString();
  history.replaceState(null, "", query ? `?${query}` : location.pathname);
  await refresh();
}

function watchFilters() {
  for (const form of document.querySelectorAll("form[data-filters]")) {
    let typing = 0;
    form.addEventListener("submit", (event) => { event.preventDefault(); filter(form); });
    form.addEventListener("input", (event) => {
      clearTimeout(typing);
      typing = setTimeout(() => filter(form), event.target.type === "search" ? 200 : 0);
    });
  }
}

// A narrow window shows a part of the navigation: that in which the reader is.
document.querySelector("nav.main [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
tellTimes();
setInterval(tellTimes, 30000);
watchFilters();
if (document.querySelector("[data-live]")) {
  tell("on", "Live");
  poll();
  follow(soon, heardState);
  // A page that was asleep catches up at once.
  document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });
  addEventListener("pageshow", (event) => { if (event.persisted) soon(); });
}
