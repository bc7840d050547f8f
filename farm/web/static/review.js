// Reviewing: one picture after another, or a light table, decided with keys or buttons.

import { CampaignData } from "./campaign_data.js";
import { Decisions } from "./decisions.js";
import { byId, counted, grouped, h } from "./dom.js";
import { follow, isConnected } from "./events.js";
import { facts } from "./facts.js";
import { Grid } from "./grid.js";
import { Order } from "./order.js";
import { fill } from "./thumbs.js";
import { Viewer } from "./viewer.js";

const page = byId("review"), { project, campaign, person } = page.dataset;
const HAS_PROOFS = page.dataset.proofs === "yes", MAY = page.dataset.may === "yes", MAY_REDO = page.dataset.redo === "yes";
const HELD_KEY_MS = 95; // a held key decides ten times a second
const LOOK_MS = [3000, 12000]; // between looks at the farm, for a few pictures and for very many
const MANY = 200_000;
const STRIP = 72; // pixels of a tile in the strip of seeds, as look.css has it
const AHEAD = 6; // pictures that are fetched before somebody comes to them
const WORDS = ["undecided", "approved", "rejected"];

const data = new CampaignData(project, campaign);
const chosen = readAddress();
const pending = new Map(); // by number, the verdicts under way: the last one is shown
let order = new Order([]);
let counts = { undecided: 0, approved: 0, rejected: 0 };
let focus = -1, compared = null, answers = 0, looked = false;

const viewer = new Viewer(byId("viewer"));
const grid = new Grid(byId("table"), {
  tile: fillTile,
  seen: (numbers) => learn(numbers),
  chosen: (number) => { if (number !== focus) show(number); },
  opened: (number) => { show(number); setView("single", true); },
});
const decisions = new Decisions({ project, campaign, person, on: { change: tellUnsent, answered, refused } });

// --- what is shown ---

function readAddress() {
  const query = new URLSearchParams(location.search);
  const one = (name, known, usual) => (known.includes(query.get(name)) ? query.get(name) : usual);
  return {
    stage: HAS_PROOFS ? one("stage", ["proof", "final"], "proof") : "final",
    show: one("show", ["undecided", "all", "approved", "rejected", "held"], "undecided"),
    view: one("view", ["table", "single", "compare"], "single"),
    mode: one("mode", ["side", "slider", "flicker"], "side"),
    number: /^\d{1,15}$/.test(query.get("n") ?? "") ? Number(query.get("n")) : -1,
  };
}

function saveAddress() {
  const query = new URLSearchParams({ stage: chosen.stage, show: chosen.show, view: chosen.view });
  if (chosen.view === "compare") query.set("mode", chosen.mode);
  if (focus >= 0) query.set("n", focus);
  history.replaceState(null, "", `?${query}`);
}

function review(number) { return pending.get(number)?.at(-1) ?? data.code(number).review; }

function hasPicture(number) {
  const { state } = data.code(number);
  return state === "done" || state === "held" || (state === "rejected" && !HAS_PROOFS);
}

function fits(number) {
  if (!hasPicture(number)) return false;
  if (chosen.show === "all") return true;
  return chosen.show === "held" ? data.code(number).state === "held" : review(number) === chosen.show;
}

// The list of those to look at. What was in it stays until another list is asked for: nothing moves
// under somebody who decides.
function list(isNew) {
  const found = [];
  for (let number = 0; number < data.codes.length; number += 1) {
    if (fits(number) || (!isNew && order.has(number) && hasPicture(number))) found.push(number);
  }
  order = new Order(found);
  layTable();
}

function layTable() {
  const box = byId("table"), room = box.clientWidth || page.clientWidth;
  const side = room < 640 ? 108 : 168, columns = Math.max(1, Math.floor((room - 12) / side));
  order.columns = columns;
  if (!box.clientWidth) return;
  const isSame = grid.places && grid.places.columns === columns;
  grid.focus = focus;
  grid.show(order, { rowHeight: side, columnWidth: side, tileWidth: side - 6, tileHeight: side - 6, headHeight: 0, headWidth: 0, captionHeight: 0 });
  if (!isSame) grid.reveal();
}

async function learn(numbers) {
  const missing = numbers.filter((number) => data.file(number, chosen.stage) === undefined);
  if (!missing.length) return;
  await data.learn(missing, chosen.stage).catch(() => {});
  grid.redraw(missing);
}

function fillTile(tile, number) {
  const verdict = review(number), { state } = data.code(number);
  tile.className = `tile v-${verdict}${state === "held" ? " t-held" : ""}${number === focus ? " at" : ""}`;
  tile.setAttribute("aria-label", `Render ${number}, ${state === "held" ? "held, " : ""}${verdict}`);
  tile.setAttribute("aria-selected", number === focus);
  if (!data.file(number, chosen.stage)) { tile.replaceChildren(); return; }
  fill(tile, { ...data.small(number, chosen.stage), width: grid.tileWidth, height: grid.tileHeight });
}

// --- one picture ---

function show(number) {
  const before = focus;
  focus = number;
  grid.focus = number;
  tellPlace();
  grid.redraw([before, number]);
  saveAddress();
  drawOver();
  if (number < 0) return;
  if (chosen.view === "table") grid.reveal();
  clearTimeout(show.timer);
  if (data.known(number)) drawPicture();
  else show.timer = setTimeout(async () => {
    const wasHere = () => focus === number;
    await data.details(number).catch((error) => { if (wasHere()) say(error.message); });
    if (wasHere()) drawPicture();
  }, before < 0 ? 0 : 50);
}

function tellPlace() {
  byId("place").textContent = order.has(focus) ? `${grouped(order.rank(focus) + 1)} of ${grouped(order.size)}` : "";
}

function drawPicture() {
  const details = data.known(focus);
  if (!details) return;
  const picture = details.pictures.find((one) => one.stage === chosen.stage);
  byId("about").replaceChildren(h("h2", {}, h("a", { href: `/campaigns/${project}/${campaign}/renders/${focus}` }, `Render ${focus}`), badge(focus)), ...facts(details, picture));
  drawStrip(details);
  drawOthers(details);
  if (chosen.view === "table") return;
  const other = chosen.view === "compare" ? otherOf(details) : null;
  viewer.show(shownOf(details, chosen.stage), other, chosen.mode);
  fetchAhead();
}

function badge(number) {
  const verdict = review(number);
  return h("span", { class: `pill s-${verdict === "undecided" ? "awaiting_review" : verdict}` }, verdict[0].toUpperCase() + verdict.slice(1));
}

// A picture of a render for the viewer; of one that was stopped, the last look at it.
function shownOf(details, stage) {
  const { number, seed } = details.render, picture = details.pictures.find((one) => one.stage === stage);
  const label = `${stage === "proof" ? "Proof" : "Final"} ${number} · seed ${seed}`;
  if (picture?.version) return { src: data.picture(number, stage), label, alt: `${label}: ${details.render.prompt}` };
  const step = picture?.steps.at(-1);
  return step ? { src: data.look(number, stage, step), label: `${label} · stopped after step ${step}`, alt: label } : null;
}

function fetchAhead() {
  const from = order.rank(focus);
  const next = order.some(from + 1, AHEAD);
  data.learn(next, chosen.stage).then(() => {
    next.slice(0, 3).forEach((number) => {
      data.details(number).catch(() => {});
      if (data.file(number, chosen.stage)) new Image().src = data.picture(number, chosen.stage);
    });
  }).catch(() => {});
}

function drawStrip(details) {
  const strip = byId("strip"), numbers = details.same_shot.map((one) => one.number);
  strip.hidden = numbers.length < 2;
  strip.dataset.shot = details.render.shot;
  data.learn(numbers.filter(hasPicture), chosen.stage).catch(() => {}).finally(() => {
    if (strip.dataset.shot !== details.render.shot) return;
    const hadFocus = strip.contains(document.activeElement);
    strip.replaceChildren(...details.same_shot.map((one) => seedOf(one)));
    const here = strip.querySelector("[aria-current]");
    if (here) strip.scrollLeft = here.offsetLeft - strip.offsetLeft - strip.clientWidth / 2; // the page stays
    if (hadFocus) strip.querySelector("[aria-current]")?.focus();
  });
}

function seedOf({ number, seed, version }) {
  const file = data.file(number, chosen.stage), isThere = hasPicture(number) && file;
  const button = h("button", {
    type: "button", class: `tile v-${review(number)}`, "aria-current": number === focus && "true",
    "aria-label": `Seed ${seed}${version > 1 ? `, version ${version}` : ""}, ${isThere ? review(number) : "not painted"}`,
    disabled: !isThere, onclick: () => show(number),
  });
  if (isThere) fill(button, { ...data.small(number, chosen.stage), width: STRIP, height: STRIP });
  return button;
}

// --- comparing ---

// What a picture can be held against: the anchor first, then a picture that was chosen, then the
// other seeds of the shot.
function others(details) {
  const { render, pictures, same_shot: seeds } = details, { number } = render;
  const found = [];
  if (chosen.stage === "final" && pictures.some((one) => one.stage === "proof" && one.version)) found.push(["proof", "Its proof"]);
  if (render.reference) found.push(["reference", "The picture it begins from"]);
  else if (render.edit.length) found.push(["reference", "The picture it is an edit of"]);
  else if (render.likeness_image) found.push(["reference", "The picture it is to be like"]);
  if (chosen.stage === "proof" && pictures.some((one) => one.stage === "final" && one.version)) found.push(["final", "Its final"]);
  if (compared !== null && compared !== number) found.push([`n${compared}`, `Render ${compared}, chosen with B`]);
  for (const one of seeds) if (one.number !== number && hasPicture(one.number) && one.number !== compared) found.push([`n${one.number}`, `Seed ${one.seed}${one.version > 1 ? ` (version ${one.version})` : ""}`]);
  return found;
}

function drawOthers(details) {
  byId("against").hidden = chosen.view !== "compare";
  const select = byId("other"), found = others(details), wanted = select.value;
  select.replaceChildren(...found.map(([value, word]) => h("option", { value }, word)));
  if (!found.length) select.replaceChildren(h("option", { value: "" }, "Nothing yet: choose one with B"));
  if (found.some(([value]) => value === wanted && !value.startsWith("n"))) select.value = wanted;
  if (compared !== null && found.some(([value]) => value === `n${compared}`)) select.value = `n${compared}`;
}

function referenceWord(render) {
  if (render.reference) return "Begins from";
  return render.edit.length ? "Edit of" : "Like";
}

function otherOf(details) {
  const { value } = byId("other");
  if (value === "reference") return { src: data.reference(focus), label: referenceWord(details.render) };
  if (value === "proof" || value === "final") return shownOf(details, value);
  if (!value) return null;
  const number = Number(value.slice(1)), known = data.known(number);
  if (known) return shownOf(known, chosen.stage);
  data.details(number).then(() => { if (byId("other").value === value) drawPicture(); }).catch(() => {});
  return null;
}

// --- deciding ---

function decide(parts, words) {
  if (!MAY) { say("You may look at this campaign, and not decide."); return; }
  const real = parts.filter((part) => part.numbers.length);
  if (!real.length) return;
  for (const part of real) part.before = part.numbers.map((number) => [number, review(number)]);
  for (const part of real) for (const number of part.numbers) expect(number, part.verdict);
  decisions.decide(real);
  refresh(real.flatMap((part) => part.numbers));
  advance();
  say(`${words}. ${counted(counts.undecided, "picture")} undecided.`);
}

function expect(number, verdict) { pending.set(number, [...(pending.get(number) ?? []), verdict]); }

const acts = {
  approve() { if (focus >= 0) decide([{ verdict: "approved", numbers: [focus] }], `Render ${focus} approved`); },
  reject() { if (focus >= 0 && MAY) byId("reasons").showModal(); },
  redo() {
    if (!MAY_REDO) { say("Your link decides about pictures that are there, and paints none."); return; }
    if (focus >= 0) decide([{ verdict: "rejected", numbers: [focus], reroll: true }], `Render ${focus} rejected; the next seed is painted`);
  },
  keep() {
    const details = data.known(focus);
    if (!details) return;
    const rest = details.same_shot.map((one) => one.number).filter((number) => number !== focus && hasPicture(number) && review(number) !== "rejected");
    decide([{ verdict: "approved", numbers: review(focus) === "approved" ? [] : [focus] }, { verdict: "rejected", numbers: rest }],
      `Render ${focus} kept, ${counted(rest.length, "other seed")} rejected`);
  },
  undo() {
    const before = MAY ? decisions.undo() : null;
    if (!before) { say("There is no decision of yours to take back."); return; }
    for (const [number, verdict] of before) expect(number, verdict);
    refresh(before.map(([number]) => number));
    show(before[0][0]);
    say(`Taken back: render ${before[0][0]} is ${before[0][1]} again.`);
  },
  previous() { step(-1); },
  next() { step(1); },
};

function rejectFor(reason) {
  byId("reasons").close();
  decide([{ verdict: "rejected", numbers: [focus], reason }], `Render ${focus} rejected${reason ? ` for ${reason}` : ""}`);
}

// To the next picture that nobody has decided about, or if there is none, to the end of the list.
function advance() {
  const from = order.rank(focus);
  const isOpen = (number) => review(number) === "undecided";
  const to = order.find(isOpen, from + 1, order.size) ?? order.find(isOpen, 0, from);
  if (to !== undefined) show(to); else { drawOver(); drawPicture(); }
  if (chosen.view === "table" && grid.box.contains(document.activeElement)) grid.takeFocus();
}

function step(by) {
  const place = order.rank(focus) + by;
  if (place >= 0 && place < order.size) show(order.at(place));
}

function refresh(numbers) {
  data.forget(numbers);
  grid.redraw(numbers);
  drawCounts();
  if (numbers.includes(focus)) show(focus);
}

// The farm has answered: its map shows the verdict from now on.
function answered(item, told) {
  answers += 1;
  for (const [number, verdict] of item.changes) {
    const rest = (pending.get(number) ?? []).slice(1);
    if (rest.length) pending.set(number, rest); else pending.delete(number);
    if (told) setReview(number, verdict);
  }
  if (told?.redone?.length) say(`${counted(told.redone.length, "picture")} will be painted with the next seed.`);
  const numbers = item.changes.map(([number]) => number);
  data.forget(numbers);
  if (!told) refresh(numbers); // it was refused: they are as they were
  clearTimeout(answered.timer);
  answered.timer = setTimeout(look, 400);
}

function setReview(number, verdict) {
  const code = data.codes[number], before = WORDS.indexOf(data.code(number).review);
  data.codes[number] = code - before + WORDS.indexOf(verdict); // verdicts lie side by side
}

function refused(item, sentence) {
  say(sentence);
  const note = byId("unsent");
  note.hidden = false;
  note.dataset.kind = "refused";
  note.replaceChildren(h("span", {}, `${sentence} Nothing was changed.`), h("button", { type: "button", onclick: () => { delete note.dataset.kind; tellUnsent(); } }, "Close"));
}

function tellUnsent() {
  const note = byId("unsent");
  page.dataset.unsent = decisions.unsent;
  if (note.dataset.kind === "refused") return;
  note.hidden = !decisions.unsent || (!decisions.trouble && decisions.unsent < 3);
  if (note.hidden) { note.replaceChildren(); return; }
  const words = [h("b", {}, `${grouped(decisions.unsent)} unsent`)];
  if (decisions.trouble) words.push(` ${decisions.trouble} `, h("button", { type: "button", onclick: () => decisions.send() }, "Try now"));
  note.replaceChildren(...words);
}

// --- following the farm ---

async function look() {
  clearTimeout(look.timer);
  const before = answers;
  try {
    const codes = await data.readMap(chosen.stage);
    if (before === answers) take(codes);
    else look.again = true;
  } catch (error) {
    tellLive("late", "The farm does not answer");
    if (!looked) say(error.message);
  }
  const usual = LOOK_MS[Number(data.codes.length > MANY)], wait = look.again ? 0 : usual * (isConnected() ? 6 : 1);
  look.again = false;
  look.timer = setTimeout(() => { if (!document.hidden) look(); }, wait);
}

// Events come in bursts: one look for many.
function heard() {
  heard.timer ||= setTimeout(() => { heard.timer = 0; if (!document.hidden) look(); }, LOOK_MS[Number(data.codes.length > MANY)] / 4);
}

function take(codes) {
  const others = [], fresh = [];
  const size = Math.max(codes.length, data.codes.length), before = data.codes;
  for (let number = 0; number < size; number += 1) {
    if (codes[number] === before[number]) continue;
    fresh.push(number);
    if (looked && !pending.has(number) && number < before.length) others.push(number);
  }
  const decided = others.filter((number) => data.code(number).review !== reviewIn(codes, number));
  data.codes = codes;
  tellLive("on", "Live");
  if (looked && !fresh.length) return;
  data.forgetFiles(looked ? fresh.filter((number) => data.file(number, chosen.stage) === null || before[number] === undefined || !data.file(number, chosen.stage)) : []);
  data.forget(fresh);
  const isFirst = !looked;
  looked = true;
  list(isFirst);
  grid.redraw(fresh);
  drawCounts();
  if (isFirst) begin();
  else if (fresh.includes(focus) || focus < 0) show(focus < 0 ? firstOpen() : focus);
  else tellPlace();
  if (decided.length) say(`${counted(decided.length, "picture")} decided by somebody else.`);
}

function reviewIn(codes, number) { const held = data.codes; data.codes = codes; const found = data.code(number).review; data.codes = held; return found; }

function firstOpen() { return order.find((number) => review(number) === "undecided", 0, order.size) ?? (order.size ? order.at(0) : -1); }

function begin() {
  const wanted = chosen.number >= 0 && chosen.number < data.codes.length && hasPicture(chosen.number) ? chosen.number : firstOpen();
  setView(chosen.view, false);
  show(wanted);
  if (document.activeElement === document.body) focusPicture();
}

// Counting a million takes some hundredths of a second: then not for each of ten decisions a second.
function drawCounts() {
  const wait = data.codes.length > MANY ? 500 - (performance.now() - (drawCounts.at ?? 0)) : 0;
  clearTimeout(drawCounts.timer);
  if (wait > 0) { drawCounts.timer = setTimeout(drawCounts, wait); return; }
  drawCounts.at = performance.now();
  counts = { undecided: 0, approved: 0, rejected: 0 };
  for (let number = 0; number < data.codes.length; number += 1) if (hasPicture(number)) counts[review(number)] += 1;
  const whole = counts.undecided + counts.approved + counts.rejected;
  byId("counts").replaceChildren(
    h("span", {}, h("b", {}, grouped(whole - counts.undecided)), ` of ${grouped(whole)} decided`),
    h("span", { class: "pill s-approved" }, `${grouped(counts.approved)} approved`),
    h("span", { class: "pill s-rejected" }, `${grouped(counts.rejected)} rejected`));
  drawOver();
}

// A sentence in place of pictures, if there are none or all are decided.
function drawOver() {
  const over = byId("over"), isEmpty = looked && !order.size;
  const isDone = looked && order.size > 0 && chosen.show === "undecided" && !counts.undecided;
  over.hidden = !isEmpty && !isDone;
  byId("table").hidden = chosen.view !== "table" || !order.size;
  over.dataset.kind = isEmpty ? "empty" : "done";
  if (over.hidden) return;
  const words = isDone ? ["All decided", "Nothing is left here to decide about."]
    : chosen.show === "undecided" ? ["Nothing to decide", chosen.stage === "proof" ? "Every proof that is painted is decided about." : "No final waits for a decision."]
      : ["No such picture", "None of the pictures fits."];
  over.replaceChildren(h("h2", {}, words[0]), h("p", { class: "soft" }, words[1]), h("p", { class: "row" },
    chosen.show !== "all" && h("button", { type: "button", onclick: () => { byId("show").value = "all"; setShow("all"); } }, "Show all pictures"),
    HAS_PROOFS && chosen.stage === "proof" && h("button", { type: "button", onclick: () => setStage("final") }, "Show finals"),
    h("a", { class: "button", href: `/campaigns/${project}/${campaign}` }, "Back to the campaign")));
}

// --- controls ---

function setView(view, takes) {
  chosen.view = view;
  page.dataset.view = view;
  document.querySelector(`[name=view][value=${view}]`).checked = true;
  byId("table").hidden = view !== "table" || !order.size;
  byId("viewer").hidden = view === "table";
  byId("against").hidden = view !== "compare";
  if (view === "table") { layTable(); if (focus >= 0) grid.reveal(); }
  saveAddress();
  drawPicture();
  if (takes) focusPicture();
}

function focusPicture() {
  if (chosen.view === "table") grid.takeFocus(); else byId("viewer").focus({ preventScroll: true });
}

function setShow(value) {
  chosen.show = value;
  list(true);
  show(order.has(focus) ? focus : firstOpen());
}

async function setStage(stage) {
  chosen.stage = stage;
  document.querySelector(`[name=stage][value=${stage}]`).checked = true;
  looked = false;
  data.codes = new Uint8Array(0);
  focus = -1;
  await look();
}

function setMode(mode) {
  chosen.mode = mode;
  document.querySelector(`[name=mode][value=${mode}]`).checked = true;
  saveAddress();
  drawPicture();
}

const MODES = ["side", "slider", "flicker"];
const KEYS = {
  p: acts.approve, a: acts.approve, x: acts.reject, r: acts.reject, n: acts.redo, u: acts.undo,
  g: () => setView("table", true), e: () => setView("single", true), c: () => setView("compare", true),
  z: () => viewer.toggle(), "+": () => viewer.zoomBy(1.5), "=": () => viewer.zoomBy(1.5), "-": () => viewer.zoomBy(1 / 1.5),
  m: () => { setView("compare", true); setMode(MODES[(MODES.indexOf(chosen.mode) + 1) % 3]); },
  b: () => { compared = focus; say(`Pictures are compared with render ${focus}.`); drawPicture(); },
  "?": () => byId("keys").showModal(),
};
const MOVES = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
const REPEATED = new Set(["p", "a", "n", "u"]);

function areKeysOn() { return localStorage.getItem("farm keys") !== "off"; }

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  if (chosen.view !== "table" && moved(event)) return;
  const key = event.key.toLowerCase();
  if (!areKeysOn() || (!KEYS[key] && key !== "?")) return;
  event.preventDefault();
  if (event.repeat) {
    if (!REPEATED.has(key) || event.timeStamp - (pressed.at ?? 0) < HELD_KEY_MS) return;
  }
  pressed.at = event.timeStamp;
  if (key === "p" && event.shiftKey) acts.keep(); else KEYS[key]();
}

function moved(event) {
  if (event.key === "Home" || event.key === "End") { if (order.size) show(order.at(event.key === "Home" ? 0 : order.size - 1)); }
  else if (MOVES[event.key]) step(MOVES[event.key]);
  else return false;
  event.preventDefault();
  return true;
}

function say(words) {
  const line = byId("said");
  line.textContent = line.textContent === words ? `${words}\u00a0` : words;
}

function tellLive(state, words) {
  const sign = byId("live");
  if (sign.dataset.on !== state) { sign.dataset.on = state; sign.textContent = words; }
}

function watch() {
  byId("stage").addEventListener("keydown", pressed);
  page.addEventListener("click", (event) => { const act = event.target.closest("[data-do]")?.dataset.do; if (act) acts[act](); });
  page.addEventListener("change", ({ target }) => {
    if (target.name === "view") setView(target.value, false);
    else if (target.name === "stage") setStage(target.value);
    else if (target.name === "mode") setMode(target.value);
    else if (target.id === "show") setShow(target.value);
    else if (target.id === "other") { compared = target.value.startsWith("n") ? Number(target.value.slice(1)) : null; drawPicture(); }
  });
  byId("help").addEventListener("click", () => byId("keys").showModal());
  byId("reasons").addEventListener("click", (event) => { const button = event.target.closest("[data-reason]"); if (button) rejectFor(button.dataset.reason); });
  byId("reasons").addEventListener("keydown", (event) => {
    const button = /^[1-9]$/.test(event.key) ? byId("reasons").querySelectorAll("[data-reason]")[event.key - 1] : null;
    if (event.repeat) return;
    if (event.key.toLowerCase() === "x") { event.preventDefault(); rejectFor(""); }
    else if (button?.dataset.reason) { event.preventDefault(); rejectFor(button.dataset.reason); }
  });
  const keysOn = byId("keys-on");
  keysOn.checked = areKeysOn();
  keysOn.addEventListener("change", () => localStorage.setItem("farm keys", keysOn.checked ? "on" : "off"));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  follow(heard, heard);
  new ResizeObserver(() => { if (chosen.view === "table") layTable(); }).observe(byId("table"));
  for (const button of page.querySelectorAll(".decide button")) button.disabled = !MAY;
  if (HAS_PROOFS) document.querySelector(`[name=stage][value=${chosen.stage}]`).checked = true;
  byId("show").value = chosen.show;
}

watch();
decisions.send();
look();
