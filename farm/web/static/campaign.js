// The page of a campaign: its grid of axes, filters with counts, and all of that in the address.

import { address, ask, askJson, post } from "./api.js";
import { Before } from "./before.js";
import { follow, isConnected } from "./events.js";
import { Bitmap, CODES, WORDS } from "./mapcode.js";
import { Axes, Matrix, Wall } from "./places.js";
import { Grid } from "./grid.js";
import { fill } from "./thumbs.js";

const SIZES = { small: 76, medium: 132, large: 212 };
const GAP = 6;
const KINDS = ["state", "review", "reason", "drift", "rule"];
const FRESH_MS = 3000; // how long tiles in sight are believed while the campaign is painted
const SETTLE_MS = 70; // of scrolling, before tiles are asked for
const MOST_KEPT = 20000;
const FEW = 8; // values of an axis that are shown at first
const page = document.getElementById("campaign");
const { project, name, version, stage } = page.dataset;
const PATH = `/api/v1/campaigns/${name}`;
const WHICH = { project, version, stage: stage === "final" ? null : stage };

const cells = new Map(); // by number: code, file, and when that was read
const before = page.dataset.before ? new Before(PATH, WHICH, Number(page.dataset.before)) : null;
let axes, grid, shown, bitmap, timer, asking, laid, layings = 0;
const query = new URLSearchParams(location.search);
const chosen = {
  view: query.get("view"),
  size: query.get("size") ?? "medium",
  columns: query.get("columns")?.split(",") ?? null,
  filters: new Map(KINDS.map((kind) => [kind, new Set(query.get(kind)?.split(",").filter(Boolean))])),
  at: readAt(query.get("at")),
  i: Number(query.get("i") ?? -1),
  row: Number(query.get("row") ?? 0),
};

function readAt(text) {
  const found = new Map();
  for (const part of text?.split(";") ?? []) {
    const [axis, values] = part.split(":");
    if (values) found.set(Number(axis), values.split(",").map(Number));
  }
  return found;
}

function writeAt() {
  return [...chosen.at].map(([axis, values]) => `${axis}:${values.join(",")}`).join(";");
}

function filterParameters() {
  const found = { at: writeAt() };
  for (const kind of KINDS) found[kind] = [...chosen.filters.get(kind)].join(",");
  return found;
}

// Scrolling waits, as browsers refuse many changes of the address; what somebody chose does not.
let saving = 0;
function saveAddress(delay = 150) {
  clearTimeout(saving);
  if (delay) { saving = setTimeout(saveAddress, delay, 0); return; }
  const query = {
    version, stage: WHICH.stage, view: chosen.view, size: chosen.size === "medium" ? null : chosen.size,
    columns: chosen.columns?.join(","), ...filterParameters(),
    i: chosen.i < 0 ? null : chosen.i, row: chosen.row || null, before: before?.isShown ? 1 : null,
  };
  history.replaceState(null, "", address(location.pathname, query));
}

// --- what is shown ---

function tileSize() {
  const height = SIZES[chosen.size] ?? SIZES.medium;
  const aspect = Math.max(0.4, Math.min(2.5, axes.layout.aspect));
  return { tileHeight: height, tileWidth: Math.round(height * aspect) };
}

// Seeds first, then from the last axis on all those with which the columns still fit.
function fittingColumns(room, width) {
  const most = Math.max(1, Math.floor(room / width));
  const found = [];
  let count = 1;
  for (let axis = axes.sizes.length - 1; axis >= 0; axis--) {
    const size = chosen.at.get(axis)?.length ?? axes.sizes[axis];
    if (count * size > most && !(axis === axes.sizes.length - 1 && size <= most * 3)) continue;
    found.unshift(axis);
    count *= size;
  }
  return found;
}

function columnAxes(room, width) {
  if (!chosen.columns) return fittingColumns(room, width);
  return chosen.columns.map((one) => axes.names.indexOf(one)).filter((axis) => axis >= 0).sort((a, b) => a - b);
}

function isFiltered() { return KINDS.some((kind) => chosen.filters.get(kind).size); }

async function loadBitmap() {
  const { size, total } = axes.layout;
  const isWhole = !isFiltered() && !chosen.at.size;
  if (isWhole && size === total) {
    const bytes = new Uint8Array(Math.ceil(size / 8)).fill(255);
    if (size & 7) bytes[bytes.length - 1] = (1 << (size & 7)) - 1;
    return new Bitmap(bytes);
  }
  const answer = await ask(`${PATH}/map/matches`, { ...WHICH, ...filterParameters() });
  return new Bitmap(new Uint8Array(await answer.arrayBuffer()));
}

// If another filter is chosen before the farm has answered, its answer counts, in whichever order
// the two come.
function layOut() {
  const mine = ++layings;
  laid = (async () => {
    const needs = chosen.view === "wall" || isFiltered(), told = needs ? await loadBitmap() : null;
    if (mine !== layings) return laid;
    bitmap = told;
    arrange();
  })();
  return laid;
}

function arrange() {
  const view = chosen.view ?? "matrix";
  const sizes = tileSize();
  const width = sizes.tileWidth + GAP;
  const isNarrow = grid.box.clientWidth < 640;
  const room = grid.box.clientWidth - (isNarrow ? 0 : 168) - 4;
  if (view === "wall") {
    shown = new Wall(bitmap, Math.floor((grid.box.clientWidth - 4) / width));
    grid.show(shown, { ...sizes, columnWidth: width, rowHeight: sizes.tileHeight + GAP, headWidth: 0, headHeight: 0, captionHeight: 0 });
  } else {
    shown = new Matrix(axes, columnAxes(room, width), chosen.at);
    const headHeight = shown.columnAxes.length ? 12 + 15 * shown.columnAxes.length : 0;
    const captionHeight = isNarrow && shown.rowAxes.length ? 22 : 0;
    const headWidth = isNarrow || !shown.rowAxes.length ? 0 : 168;
    grid.show(shown, { ...sizes, columnWidth: width, rowHeight: sizes.tileHeight + GAP + captionHeight, headWidth, headHeight, captionHeight });
  }
  page.querySelector(".nothing").hidden = shown.rows > 0;
  drawControls();
}

// --- tiles ---

function fillTile(element, number) {
  const cell = cells.get(number);
  const code = cell ? CODES[cell.code] : null;
  const dims = bitmap && chosen.view !== "wall" && !bitmap.has(number);
  element.className = `tile t-${code?.state ?? "unknown"}${code?.review && code.review !== "undecided" ? ` v-${code.review}` : ""}${dims ? " dim" : ""}`;
  element.dataset.drift = code?.decile || "";
  if (code?.state === "none") { element.setAttribute("aria-label", "left out"); element.replaceChildren(); return; }
  const words = axes.words(number).join(", ");
  if (before?.isShown) { fillBefore(element, number, words); return; }
  element.setAttribute("aria-label", code ? `${words}: ${tell(code)}` : words);
  if (!cell?.file) { element.replaceChildren(); return; }
  const alone = address(`${PATH}/renders/${number}/picture`, { ...WHICH, size: "small", of: cell.file });
  fill(element, { ...cell, path: PATH, project, alone, width: grid.tileWidth, height: grid.tileHeight });
}

function fillBefore(element, number, words) {
  const was = before.get(number);
  element.className = `tile t-before${was?.isSame ? " same" : ""}`;
  element.dataset.drift = "";
  element.setAttribute("aria-label", `${words}: ${before.words(number)}`);
  if (!was?.file) { element.replaceChildren(); return; }
  fill(element, { ...was, path: PATH, project, alone: before.alone(was), width: grid.tileWidth, height: grid.tileHeight });
}

// Shows the version before in the same places, or the present one again.
async function showBefore(isShown) {
  if (!before) return;
  before.isShown = isShown;
  page.querySelector("[data-before]").setAttribute("aria-pressed", isShown);
  saveAddress();
  const numbers = numbersInSight();
  if (isShown) await before.learn(numbers);
  grid.redraw(numbers);
  drawFocus();
}

function numbersInSight() { return [...grid.tiles.values()].map((element) => Number(element.dataset.number)); }

function tell(code) {
  const parts = [WORDS[code.state]];
  if (code.review !== "undecided" && code.review !== code.state) parts.push(code.review);
  if (code.decile) parts.push(`drift ${code.decile - 1}0 to ${code.decile}0 %`.replace("00 to", "0 to"));
  return parts.join(", ");
}

function seen(numbers, rows) {
  chosen.row = grid.firstRow;
  saveAddress();
  page.querySelector(".where").textContent = place(rows);
  clearTimeout(timer);
  timer = setTimeout(() => {
    load(numbers);
    if (before?.isShown) before.learn(numbers).then(() => grid.redraw(numbers)).catch((error) => say(error.message));
  }, SETTLE_MS);
}

function place() {
  if (!shown.rows) return "";
  const first = grid.firstRow + 1;
  const last = Math.min(shown.rows, Math.ceil((grid.top + grid.viewHeight - grid.headHeight) / grid.rowHeight));
  const numbers = new Intl.NumberFormat("en");
  return `Rows ${numbers.format(first)} to ${numbers.format(last)} of ${numbers.format(shown.rows)}`;
}

async function load(numbers, isAgain = false) {
  const now = performance.now();
  const wanted = numbers.filter((number) => {
    const cell = cells.get(number);
    return !cell || (isActive() && now - cell.at > FRESH_MS) || isAgain;
  });
  if (!wanted.length) return;
  asking?.abort();
  asking = new AbortController();
  try {
    const told = await askJson(`${PATH}/map/cells`, { ...WHICH, numbers: wanted.slice(0, 2000).join(",") }, { signal: asking.signal });
    const at = performance.now();
    for (const number of wanted) if (!told.numbers.includes(number)) cells.set(number, { code: 0, file: null, at });
    told.numbers.forEach((number, k) => cells.set(number, { code: told.codes[k], file: told.files[k], thumbnail: told.thumbnails[k], at }));
    while (cells.size > MOST_KEPT) cells.delete(cells.keys().next().value);
    grid.redraw(wanted);
    drawFocus();
  } catch (error) {
    if (error.name !== "AbortError") say(error.message);
  }
}

function isActive() { return page.dataset.over !== "true"; }

// --- controls ---

const cards = page.querySelector(".facets");

function drawControls() {
  for (const button of page.querySelectorAll("[data-view]"))
    button.setAttribute("aria-pressed", (chosen.view ?? "matrix") === button.dataset.view);
  for (const button of page.querySelectorAll("[data-size]"))
    button.setAttribute("aria-pressed", chosen.size === button.dataset.size);
  const picker = page.querySelector(".columns");
  picker.hidden = chosen.view === "wall";
  picker.replaceChildren(picker.firstElementChild);
  const columns = shown.columnAxes ?? [];
  axes.names.forEach((axis, k) => {
    if (axes.sizes[k] < 2) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "toggle";
    button.textContent = axis;
    button.setAttribute("aria-pressed", columns.includes(k));
    button.addEventListener("click", () => toggleColumn(axis));
    picker.append(button);
  });
}

function toggleColumn(axis) {
  const columns = new Set(shown.columnAxes.map((k) => axes.names[k]));
  if (!columns.delete(axis)) columns.add(axis);
  chosen.columns = [...columns];
  change();
}

function change() { changed().catch((error) => say(error.message)); }

async function changed() {
  saveAddress(0);
  const focus = grid.focus;
  grid.top = 0;
  await layOut();
  if (focus >= 0 && shown.place(focus)) { grid.focus = focus; grid.reveal(); }
  saveAddress();
  drawFocus();
  await drawFacets();
}

const TITLES = { state: "State", review: "Review", reason: "Why it did not end well", drift: "Drift", rule: "Rules that fail" };
const OPEN = new Set(["state", "review"]);

let counting = 0;
async function drawFacets() {
  const mine = ++counting;
  const told = await askJson(`${PATH}/map/counts`, { ...WHICH, ...filterParameters() });
  if (mine !== counting) return;
  const format = new Intl.NumberFormat("en");
  page.querySelector(".matches").textContent = told.matches === told.total
    ? `${format.format(told.total)} renders` : `${format.format(told.matches)} of ${format.format(told.total)} renders`;
  page.querySelector(".clear").hidden = told.matches === told.total && !isFiltered() && !chosen.at.size;
  const groups = [
    ["state", Object.entries(told.states)], ["review", Object.entries(told.reviews)],
    ["reason", Object.entries(told.reasons)],
    ["drift", told.drift.map((count, k) => [String(k + 1), count]).filter(([, count]) => count)],
    ["rule", Object.entries(told.rules)],
  ].map(([kind, values]) => facet(kind, TITLES[kind], values.map(([value, count]) => ({
    value, count, word: kind === "drift" ? `${(value - 1) * 10} to ${value * 10} %` : (kind === "state" ? WORDS[value] : value).replaceAll("_", " "),
  })), chosen.filters.get(kind)));
  told.axes.forEach((counts, axis) => {
    if (axes.sizes[axis] < 2) return;
    const values = counts.map((count, k) => ({ value: k, count, word: axes.label(axis, k) }));
    groups.push(facet(`axis ${axis}`, axes.names[axis], values, new Set(chosen.at.get(axis))));
  });
  const open = new Map([...cards.querySelectorAll("details")].map((one) => [one.dataset.kind, [one.open, one.classList.contains("all")]]));
  const focused = document.activeElement?.closest(".facets") ? document.activeElement.dataset.key : null;
  cards.replaceChildren(...groups.filter(Boolean));
  for (const one of cards.querySelectorAll("details")) {
    const before = open.get(one.dataset.kind);
    if (before) { one.open = before[0]; one.classList.toggle("all", before[1]); }
  }
  if (focused) cards.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function facet(kind, title, values, picked) {
  const some = values.filter((one) => one.count || picked.has(one.value));
  if (some.length < 2 && !picked.size) return null; // there is nothing to choose
  const card = document.createElement("details");
  card.dataset.kind = kind;
  card.open = OPEN.has(kind) || kind.startsWith("axis") || picked.size > 0;
  const head = document.createElement("summary");
  head.textContent = title;
  card.append(head);
  const most = Math.max(...some.map((one) => one.count), 1);
  some.forEach((one, k) => card.append(line(kind, one, picked, most, k >= FEW)));
  if (some.length > FEW) {
    const more = document.createElement("button");
    more.type = "button";
    more.className = "quiet more-values";
    more.textContent = `${some.length - FEW} more`;
    more.addEventListener("click", () => card.classList.add("all"));
    card.append(more);
  }
  return card;
}

function line(kind, one, picked, most, isBeyond) {
  const label = document.createElement("label");
  label.className = `value${isBeyond && !picked.has(one.value) ? " beyond" : ""}`;
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = picked.has(one.value);
  box.dataset.key = `${kind} ${one.value}`;
  box.addEventListener("change", () => pick(kind, one.value, box.checked));
  const word = document.createElement("span");
  if (kind === "state") { const dot = document.createElement("i"); dot.className = `dot s-${one.value}`; word.append(dot); }
  word.append(one.word);
  word.title = one.word;
  const count = document.createElement("b");
  count.textContent = new Intl.NumberFormat("en").format(one.count);
  const bar = document.createElement("u");
  bar.style.width = `${Math.round(100 * one.count / most)}%`;
  label.append(box, word, count, bar);
  return label;
}

function pick(kind, value, isPicked) {
  if (kind.startsWith("axis ")) {
    const axis = Number(kind.slice(5));
    const values = new Set(chosen.at.get(axis));
    if (isPicked) values.add(value); else values.delete(value);
    if (values.size) chosen.at.set(axis, [...values].sort((a, b) => a - b)); else chosen.at.delete(axis);
  } else if (isPicked) chosen.filters.get(kind).add(value);
  else chosen.filters.get(kind).delete(value);
  change();
}

// --- the focused render ---

function drawFocus() {
  const bar = page.querySelector(".focused");
  bar.hidden = grid.focus < 0;
  if (grid.focus < 0) return;
  const cell = cells.get(grid.focus);
  bar.querySelector(".what").textContent = axes.words(grid.focus).join(" · ");
  const told = before?.isShown ? before.words(grid.focus) : cell && tell(CODES[cell.code]);
  bar.querySelector(".told").textContent = `No. ${grid.focus}${told ? ` · ${told}` : ""}`;
  bar.querySelector(".open").href = pathOf(grid.focus);
}

function pathOf(number) {
  return address(`/campaigns/${project}/${name}/renders/${number}`, { version, stage: WHICH.stage });
}

function strip(isShot) {
  const seed = axes.sizes.length - 1;
  chosen.at = new Map();
  axes.sizes.forEach((size, axis) => {
    if (size > 1 && (axis === seed) !== isShot) chosen.at.set(axis, [axes.index(grid.focus, axis)]);
  });
  for (const kind of KINDS) chosen.filters.get(kind).clear();
  chosen.view = "wall";
  change();
}

function say(words) {
  const note = page.querySelector(".note");
  note.textContent = words;
  note.hidden = !words;
}

async function order(button) {
  button.disabled = true;
  try {
    await post(`${PATH}/${button.dataset.order}`, {}, { project });
    (await import("./page.js")).refresh();
  } catch (error) { say(error.message); } finally { button.disabled = false; }
}

// --- start ---

function watchControls() {
  page.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.view) { chosen.view = button.dataset.view === "matrix" ? null : button.dataset.view; change(); }
    else if (button.dataset.size) { chosen.size = button.dataset.size; change(); }
    else if (button.dataset.before) showBefore(!before.isShown).catch((error) => say(error.message));
    else if (button.dataset.strip) strip(button.dataset.strip === "shot");
    else if (button.dataset.order) order(button);
    else if (button.classList.contains("clear")) {
      chosen.at = new Map();
      for (const kind of KINDS) chosen.filters.get(kind).clear();
      change();
    }
  });
  grid.box.addEventListener("keydown", (event) => {
    if (event.key !== "b" || event.ctrlKey || event.altKey || event.metaKey) return;
    showBefore(!before?.isShown).catch((error) => say(error.message));
  });
  page.querySelector(".jump").addEventListener("submit", (event) => {
    event.preventDefault();
    const number = Number(event.target.elements.number.value);
    if (!Number.isInteger(number) || number < 0 || number >= axes.layout.size || !shown.place(number)) {
      say(`No render ${event.target.elements.number.value} is shown here.`);
      return;
    }
    say("");
    grid.setFocus(number);
    grid.takeFocus();
  });
}

async function start() {
  axes = new Axes(await askJson(`${PATH}/map/layout`, WHICH));
  grid = new Grid(page.querySelector(".grid"), {
    tile: fillTile,
    seen,
    chosen: (number) => { chosen.i = number; drawFocus(); saveAddress(); },
    opened: (number) => { location.href = pathOf(number); },
  });
  grid.focus = chosen.i;
  const row = chosen.row;
  watchControls();
  await layOut();
  grid.goToRow(row);
  if (query.has("before")) await showBefore(true);
  drawFocus();
  let width = grid.box.clientWidth;
  grid.resized = () => {
    if (grid.box.clientWidth === width) { grid.draw(); return; }
    width = grid.box.clientWidth;
    layOut().catch((error) => say(error.message));
  };
  page.dataset.ready = "true";
  await drawFacets();
  let news = true, looked = 0, counted = 0, wasActive = isActive();
  follow(() => { news = true; }, () => { news = true; });
  const isDue = (last, apart) => !document.hidden && (news || isActive()) && Date.now() - last > (news || !isConnected() ? 0 : 5) * apart;
  setInterval(() => {
    news ||= wasActive !== isActive(); // its last pictures are there, whether events were heard or not
    wasActive = isActive();
    if (!isDue(looked, FRESH_MS)) return;
    looked = Date.now();
    const isNews = news;
    news = false;
    load(numbersInSight(), isNews);
  }, FRESH_MS);
  setInterval(() => {
    if (looked <= counted || document.hidden) return; // no tile was looked at since
    counted = Date.now();
    drawFacets().catch(() => {});
  }, 5 * FRESH_MS);
}

start().catch((error) => say(error.message));
