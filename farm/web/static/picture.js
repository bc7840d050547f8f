// One picture: zoom, its steps with a slider, and the pictures around it.

import { askJson } from "./api.js";
import { CampaignData } from "./campaign_data.js";
import { byId } from "./dom.js";
import { Viewer } from "./viewer.js";

const page = byId("picture"), { project, campaign, version } = page.dataset, number = Number(page.dataset.number);
const SVG = "http://www.w3.org/2000/svg";
const data = new CampaignData(project, campaign, version);
const viewer = byId("viewer") ? new Viewer(byId("viewer")) : null;
let stage = page.dataset.stage, details = null, looks = [], earlier = null, shows = 0;

function showPicture() {
  const picture = details.pictures.find((one) => one.stage === stage);
  if (!viewer || !picture) return;
  const label = `${stage === "proof" ? "Proof" : "Final"} ${number}`, alt = `${label}: ${details.render.prompt}`;
  if (picture.version) compare({ src: data.picture(number, stage), label, alt });
  else if (picture.steps.length) showStep(picture.steps.at(-1), `${label}, stopped after step ${picture.steps.at(-1)}`);
}

function showStep(step, label) { shows += 1; viewer.show({ src: data.look(number, "final", step), label, alt: label }); }

// Shows a picture alone, or with that of the version before.
async function compare(picture) {
  const mode = page.querySelector("[name=compare]:checked")?.value ?? "none", { before } = details, turn = ++shows;
  viewer.show(picture);
  if (mode === "none") return;
  earlier ??= new CampaignData(project, campaign, before.version);
  const of = stage;
  await earlier.learn([before.number], of).catch(() => {});
  const found = earlier.file(before.number, of);
  byId("compared").textContent = found ? "" : `It has no ${of} in version ${before.version}.`;
  if (!found || turn !== shows) return; // something else is shown meanwhile
  const label = `Version ${before.version}`;
  viewer.show({ src: earlier.picture(before.number, of), label, alt: `${label}: render ${before.number}` }, picture, mode);
}

// --- denoising ---

async function readSteps() {
  const final = details.pictures.find((one) => one.stage === "final");
  if (!viewer || !final?.steps.length) return;
  const told = await askJson(`${data.path}/renders/${number}/steps`, { project, version });
  looks = told.looks;
  if (looks.length < 2 && looks[0]?.step === null) return;
  const slider = byId("step");
  slider.max = looks.length - 1;
  slider.value = looks.length - 1;
  slider.addEventListener("input", () => chooseStep(Number(slider.value)));
  byId("film").hidden = false;
  drawCurve();
  tellStep(looks.length - 1);
}

function chooseStep(place) {
  const { step } = looks[place];
  if (stage !== "final") chooseStage("final");
  if (step === null) showPicture(); else showStep(step, `After step ${step}`);
  tellStep(place);
}

function tellStep(place) {
  const { step, drift } = looks[place];
  const words = `${step === null ? "finished" : `step ${step}`}${drift === null ? "" : ` · drift ${drift.toFixed(2)}`}`;
  byId("at-step").textContent = words;
  byId("step").setAttribute("aria-valuetext", words);
  byId("curve").querySelector(".mark")?.setAttribute("x1", across(place));
  byId("curve").querySelector(".mark")?.setAttribute("x2", across(place));
}

const across = (place) => 20 + (960 * place) / Math.max(1, looks.length - 1);

function drawCurve() {
  const curve = byId("curve");
  if (looks.some(({ drift }) => drift === null)) return;
  const most = Math.max(0.1, ...looks.map(({ drift }) => drift));
  const line = document.createElementNS(SVG, "polyline"), mark = document.createElementNS(SVG, "line");
  line.setAttribute("points", looks.map(({ drift }, place) => `${across(place)},${92 - 84 * (drift / most)}`).join(" "));
  mark.setAttribute("class", "mark");
  mark.setAttribute("y1", 0);
  mark.setAttribute("y2", 100);
  curve.append(mark, line);
  curve.removeAttribute("hidden");
}

// --- around it ---

async function fillAround() {
  const links = [...page.querySelectorAll(".around a")];
  const numbers = [...new Set(links.map((link) => Number(link.dataset.number)))];
  for (const one of details.has_proofs ? ["final", "proof"] : ["final"]) await data.learn(numbers, one).catch(() => {});
  for (const link of links) {
    const other = Number(link.dataset.number), from = ["final", "proof"].find((one) => data.file(other, one));
    if (!from) continue;
    const image = new Image();
    Object.assign(image, { alt: "", loading: "lazy", src: data.picture(other, from, "small") });
    link.querySelector(".thumb").append(image);
  }
  for (const here of page.querySelectorAll(".around [aria-current]")) here.parentElement.scrollLeft = here.offsetLeft - here.parentElement.offsetLeft - 120;
}

function chooseStage(value) {
  stage = value;
  const input = page.querySelector(`[name=stage][value=${value}]`);
  if (input) input.checked = true;
}

async function copy(id) {
  const text = byId(id).textContent;
  try { await navigator.clipboard.writeText(text); } catch {
    getSelection().selectAllChildren(byId(id)); // not allowed here: it is marked for copying by hand
    byId("said").textContent = "It is marked: copy it with Ctrl and C.";
    return;
  }
  byId("said").textContent = "Copied.";
  const button = page.querySelector(`[data-copy=${id}]`);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

page.addEventListener("click", ({ target }) => { if (target.dataset.copy) copy(target.dataset.copy); });
page.addEventListener("change", ({ target }) => {
  if (target.name === "compare") showPicture();
  if (target.name !== "stage") return;
  stage = target.value;
  showPicture();
  const address = new URL(location.href);
  address.searchParams.set("stage", stage);
  history.replaceState(null, "", address);
});
byId("show").addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || localStorage.getItem("farm keys") === "off") return;
  if (event.key.toLowerCase() === "z") viewer?.toggle();
  else if (event.key === "+" || event.key === "=") viewer?.zoomBy(1.5);
  else if (event.key === "-") viewer?.zoomBy(1 / 1.5);
  else if (event.key === "ArrowLeft") page.querySelector("[rel=prev]")?.click();
  else if (event.key === "ArrowRight") page.querySelector("[rel=next]")?.click();
});

details = await data.details(number);
showPicture();
await Promise.all([readSteps(), fillAround()]);
