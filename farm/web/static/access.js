// Orders about access: projects with their quotas and people, and tokens. A secret is on the page
// for as long as its dialog is open.

import { post } from "./api.js";
import { byId } from "./dom.js";
import { refresh } from "./page.js";

const API = "/api/v1", DAY_S = 86_400;

async function order(path, body, words) {
  byId("said").textContent = "";
  try {
    const told = await post(`${API}${path}`, body);
    if (words) byId("said").textContent = words;
    return told;
  } catch (error) {
    byId("said").textContent = error.message;
    return null;
  }
}

const fields = (form) => Object.fromEntries(new FormData(form));

// --- projects ---

const roleIn = (project, person, role) => order(project ? `/projects/${project}` : "/roles", { roles: { [person]: role } },
  role ? `${person} is ${role} ${project ? `in ${project}` : "in all projects"}.` : `${person} has no role ${project ? `in ${project}` : "in all projects"} any more.`);

const FORMS = {
  create: (form) => order("/projects", { name: fields(form).name }, `${fields(form).name} is known now: set its quota below.`),
  give: (form) => roleIn(form.dataset.give, fields(form).person, fields(form).role),
  quota: (form) => {
    const limits = Object.fromEntries(Object.entries(fields(form)).map(([name, value]) => [name, value === "" ? null : Number(value)]));
    return order(`/projects/${form.dataset.quota}`, limits, `The quota of ${form.dataset.quota} is changed.`);
  },
  make: async (form) => {
    const { person, role, project, days } = fields(form);
    const told = await order("/tokens", {
      person, role: role || null, project: role && role !== "admin" ? project || null : null, expires_in_s: days ? Number(days) * DAY_S : null,
    });
    if (told) show(told);
    return told;
  },
};

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const kind = ["give", "quota"].find((name) => name in form.dataset) ?? form.id;
  if (!FORMS[kind]) return;
  event.preventDefault();
  if (await FORMS[kind](form)) form.reset(); // what was refused stays to be mended
  await refresh();
});

// --- tokens ---

function show({ secret, person }) {
  byId("secret-title").textContent = `The new token of ${person}`;
  byId("secret-text").textContent = secret;
  byId("copied").textContent = "";
  byId("secret").onclose = () => { byId("secret-text").textContent = ""; };
  byId("secret").showModal();
}

function asked(title, words, yes) {
  const ask = byId("ask");
  byId("ask-title").textContent = title;
  byId("ask-words").textContent = words;
  byId("ask-yes").textContent = yes;
  ask.returnValue = "";
  ask.showModal();
  return new Promise((settle) => { ask.onclose = () => settle(ask.returnValue === "yes"); });
}

async function revoke({ revoke: id, person }) {
  if (await asked(`Revoke ${id}?`, `${person} is not known by it from now on, in browsers neither.`, "Revoke"))
    await order(`/tokens/${id}/revoke`, {}, `${id} of ${person} is revoked.`);
}

async function rotate({ rotate: id, person }) {
  if (!await asked(`Rotate ${id}?`, `It ends at once, and ${person} gets another one in its place.`, "Rotate")) return;
  const told = await order(`/tokens/${id}/rotate`, {});
  if (told) show(told);
}

async function copy() {
  try {
    await navigator.clipboard.writeText(byId("secret-text").textContent);
    byId("copied").textContent = "Copied.";
  } catch {
    getSelection().selectAllChildren(byId("secret-text")); // not allowed here: it is marked for copying by hand
    byId("copied").textContent = "It is marked: copy it with Ctrl and C.";
  }
}

document.addEventListener("click", async ({ target }) => {
  const button = target.closest?.("button");
  if (!button) return;
  const { revoke: ended, rotate: renewed, take, know, project } = button.dataset;
  if (button.id === "copy") return copy();
  if (ended) await revoke(button.dataset);
  else if (renewed) await rotate(button.dataset);
  else if (take) await roleIn(project ?? "", take, null);
  else if (know) await order("/projects", { name: know }, `${know} is known now: set its quota below.`);
  else return;
  await refresh();
});
