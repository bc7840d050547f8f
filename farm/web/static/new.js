// Writing a campaign: as somebody types, the farm says what is wrong and on which line, and what the
// campaign would be. What was typed is kept in this browser until it is submitted.

import { post } from "./api.js";
import { byId, counted, grouped, h } from "./dom.js";
import { asText, cellsOf } from "./campaign_text.js";

const QUIET_MS = 300, KEPT = "farm new campaign";
const text = byId("text"), outcome = byId("outcome"), gutter = byId("gutter");
const files = new Map(); // by the name that the text has for it
let edits = 0, timer = 0, marks = new Map();

const project = () => byId("project").value.trim() || "default";
const body = () => ({ project: project(), text: text.value, files: Object.fromEntries(files), update: byId("update").checked });

// --- checking ---

// An answer counts for the text that it was asked about: what comes for an older one is dropped.
function changed() {
  edits += 1;
  clearTimeout(timer);
  keep();
  drawGutter();
  outcome.setAttribute("aria-busy", "true");
  byId("submit").disabled = true;
  timer = setTimeout(check, QUIET_MS);
}

async function check() {
  const mine = edits, written = body();
  try {
    const told = await post("/api/v1/texts/check", written);
    if (mine !== edits) return;
    show(told);
    if (told.plan) estimate(mine, written);
  } catch (error) {
    if (mine === edits) outcome.replaceChildren(h("p", { class: "said", role: "alert" }, error.message));
  } finally {
    if (mine === edits) outcome.setAttribute("aria-busy", "false");
  }
}

// What it would take is worked out after the check, which people wait for. An update is told without.
async function estimate(mine, { update, ...written }) {
  const place = byId("takes");
  try {
    const told = await post("/api/v1/estimates", written);
    if (mine === edits) place?.replaceChildren(...taken(told));
  } catch (error) {
    if (mine === edits) place?.replaceChildren(h("p", { class: "soft" }, `There is no estimate: ${error.message}`));
  }
}

function taken({ reused, planned, now, basis, bytes, binds }) {
  const fleet = planned ?? now, cell = (name, value, note) => h("div", {}, h("dt", {}, name), h("dd", {}, value, note ? h("small", {}, note) : null));
  const cells = [];
  if (fleet) {
    const left = (at) => span(Math.max(1, at - Date.now() / 1000));
    cells.push(cell("Done in", span(fleet.seconds), `${left(fleet.eta_low)} to ${left(fleet.eta_high)}, with ${counted(fleet.workers, "worker")}`));
    cells.push(cell("Money", fleet.money === null ? "—" : fleet.money.toLocaleString("en", { maximumFractionDigits: 2 }), fleet.money === null ? "no prices in the fleet file" : `for ${span(fleet.given_s)} of workers`));
  }
  if (bytes) cells.push(cell("Pictures", `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`, reused ? `${grouped(reused)} are there already` : null));
  const why = basis === "none" ? [h("p", { class: "soft" }, "Nothing was measured of this model yet, so the farm cannot say when it would be done.")]
    : fleet ? [] : [h("p", { class: "soft" }, "No worker that may paint it can be had, so the farm cannot say when it would be done.")];
  return [h("dl", { class: "figures-wide" }, ...cells), ...why, binds.length ? h("ul", { class: "binds" }, ...binds.map(({ text: words }) => h("li", {}, words))) : ""];
}

function show({ problems, warnings, plan }) {
  marks = new Map([...warnings.map((one) => [one.line, "odd"]), ...problems.map((one) => [one.line, "bad"])]);
  drawGutter();
  byId("submit").disabled = !plan;
  byId("sum").textContent = plan ? `${counted(plan.renders, "render")} to ${project()}` : counted(problems.length, "problem");
  outcome.replaceChildren(...[
    problems.length ? section(`${counted(problems.length, "problem")} to mend first`, troubles(problems, "")) : null,
    plan ? figures(plan) : null,
    plan ? h("div", { id: "takes" }, h("p", { class: "soft" }, "Working out money and time…")) : null,
    warnings.length ? section("Is this meant?", troubles(warnings, "odd")) : null,
    plan ? samples(plan) : null,
  ].filter(Boolean));
}

function section(title, ...children) { return h("section", {}, h("h2", {}, title), ...children); }

function troubles(some, kind) {
  return h("ul", { class: "troubles" }, ...some.map((one) => h("li", { class: kind },
    h("button", { type: "button", onclick: () => goTo(one.line) }, h("b", {}, one.row ?? (one.line ? `Line ${one.line}` : "")), h("span", {}, one.place && !one.line ? `${one.place}: ` : "", one.message)))));
}

function figures(plan) {
  const shots = plan.seeds ? Math.ceil(plan.renders / plan.seeds) : plan.renders;
  const cell = (name, value, note) => h("div", {}, h("dt", {}, name), h("dd", {}, value, note ? h("small", {}, note) : null));
  const changes = plan.updated ? `${grouped(plan.updated.kept)} kept, ${grouped(plan.updated.new)} new, ${grouped(plan.updated.retired)} retired` : null;
  return h("dl", { class: "figures-wide" },
    cell("Renders", grouped(plan.renders), changes ?? `${counted(shots, "shot")}, up to ${counted(plan.seeds, "seed")} each`),
    cell("Device time", span(plan.changes?.estimate_s ?? plan.estimate_s), plan.seconds_per_megapixel_step ? "as this farm has painted before" : "a rough guess: not measured yet"),
    cell("Model", plan.model.replace(/\/+$/, "").split("/").at(-1), plan.brand ? `brand ${plan.brand}` : null));
}

function samples(plan) {
  return section("The first pictures", h("ul", { class: "samples" }, ...plan.first.map((one) => h("li", {}, one.prompt,
    h("small", {}, one.negative ? `without ${one.negative} · ` : "", `${one.shot} · seed ${one.seed}`)))));
}

function span(seconds) {
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const at = parts.findIndex(([size]) => seconds >= size);
  if (at < 0) return `${seconds.toFixed(1)} s`;
  const [size, unit] = parts[at], whole = Math.floor(seconds / size), next = parts[at + 1];
  const rest = next ? Math.round((seconds - whole * size) / next[0]) : 0;
  return rest && next ? `${whole} ${unit} ${rest} ${next[1]}` : `${Math.round(seconds / size)} ${unit}`;
}

// --- the text ---

function drawGutter() {
  const lines = text.value.split("\n").length;
  gutter.replaceChildren(...Array.from({ length: Math.min(lines, 20_000) }, (_, k) => h("i", { class: marks.get(k + 1) ?? null }, String(k + 1))));
  gutter.scrollTop = text.scrollTop;
}

function goTo(line) {
  if (!line) return;
  choose("text");
  const before = text.value.split("\n").slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  text.focus();
  text.setSelectionRange(before, before + (text.value.split("\n")[line - 1]?.length ?? 0));
  text.scrollTop = Math.max(0, (line - 8) * 19);
}

function keep() { try { sessionStorage.setItem(KEPT, JSON.stringify(body())); } catch { /* too large: it is on the page */ } }

function restore() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
    if (!kept) return;
    text.value = kept.text;
    byId("update").checked = kept.update;
    for (const [name, contents] of Object.entries(kept.files)) files.set(name, contents);
  } catch { /* nothing was kept */ }
}

// --- files ---

// CSV files of spreadsheets are in UTF-8, in UTF-16 with a mark at their beginning, or in the
// letters of Western Windows.
async function decoded(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  try { return new TextDecoder("utf-8", { fatal: true }).decode(bytes); } catch { return new TextDecoder("windows-1252").decode(bytes); }
}

function drawFiles() {
  byId("files").replaceChildren(...[...files].map(([name, contents]) => h("li", {}, h("b", {}, name),
    h("span", {}, counted(contents.split("\n").filter((line) => line.trim()).length, "line")),
    h("button", { type: "button", class: "quiet", "aria-label": `Remove ${name}`, onclick: () => { files.delete(name); drawFiles(); changed(); } }, "Remove"))));
}

async function addFiles(list) {
  for (const file of list) files.set(file.name, await decoded(file));
  drawFiles();
  changed();
}

// --- the form ---

function addAxis(name = "", values = "") {
  const row = h("div", { class: "axis" },
    h("input", { type: "text", "aria-label": "Name of the axis", placeholder: "color", value: name, spellcheck: "false" }),
    h("input", { type: "text", "aria-label": "Its values, with commas between", placeholder: "red, blue", value: values }),
    h("button", { type: "button", class: "quiet", "aria-label": "Remove this axis", onclick: () => { row.remove(); fromForm(); } }, "×"));
  byId("axes").append(row);
  return row;
}

function fromForm() {
  const value = (id) => byId(id).value.trim(), axes = [...byId("axes").children].map((row) => [...row.querySelectorAll("input")].map((input) => input.value));
  text.value = asText({
    name: value("f-name"), model: value("f-model"), prompt: value("f-prompt"), negative: value("f-negative"),
    axes: axes.filter(([name]) => name.trim()).map(([name, values]) => [name.trim(), cellsOf(values)]),
    seeds: value("f-seeds"), steps: value("f-steps"), proofs: value("f-proofs"),
  });
  changed();
}

function choose(which) {
  for (const one of ["text", "form"]) {
    const tab = byId(`tab-${one}`);
    tab.setAttribute("aria-selected", one === which);
    tab.tabIndex = one === which ? 0 : -1;
    byId(`as-${one}`).hidden = one !== which;
  }
}

// --- submitting ---

async function submit() {
  const button = byId("submit");
  button.disabled = true;
  byId("sum").textContent = "Submitting…";
  try {
    const told = await post("/api/v1/texts", body());
    sessionStorage.removeItem(KEPT);
    location.href = `/campaigns/${told.project}/${told.campaign}`;
  } catch (error) {
    byId("sum").replaceChildren(h("span", { class: "said", role: "alert" }, error.message));
    button.disabled = false;
  }
}

function watch() {
  text.addEventListener("input", changed);
  text.addEventListener("scroll", () => { gutter.scrollTop = text.scrollTop; }, { passive: true });
  for (const id of ["project", "update"]) byId(id).addEventListener("input", changed);
  byId("upload").addEventListener("change", async ({ target }) => { if (target.files[0]) { text.value = await decoded(target.files[0]); target.value = ""; choose("text"); changed(); } });
  byId("add-files").addEventListener("change", ({ target }) => { addFiles([...target.files]).then(() => { target.value = ""; }); });
  byId("submit").addEventListener("click", submit);
  byId("add-axis").addEventListener("click", () => addAxis().querySelector("input").focus());
  byId("as-form").addEventListener("input", fromForm);
  for (const which of ["text", "form"]) {
    byId(`tab-${which}`).addEventListener("click", () => choose(which));
    byId(`tab-${which}`).addEventListener("keydown", (event) => {
      if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
      const other = which === "text" ? "form" : "text";
      choose(other);
      byId(`tab-${other}`).focus();
    });
  }
  const editor = text.parentElement;
  editor.addEventListener("dragover", (event) => event.preventDefault());
  editor.addEventListener("drop", async (event) => {
    const dropped = [...event.dataTransfer.files];
    if (!dropped.length) return;
    event.preventDefault();
    const main = dropped.find((file) => /\.(ya?ml|json)$/i.test(file.name));
    if (main) text.value = await decoded(main);
    await addFiles(dropped.filter((file) => file !== main));
  });
}

restore();
addAxis("color", "red, blue");
watch();
drawFiles();
changed();
