// The dialog in which people make links to a campaign for people outside, and take them back.

import { askJson, post } from "./api.js";

const dialog = document.getElementById("share");
const { project, name } = document.getElementById("campaign").dataset;
const form = dialog.querySelector("form");
const list = dialog.querySelector(".links");
const made = dialog.querySelector(".made");
const wrong = dialog.querySelector(".wrong");
const days = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

function say(words) {
  wrong.textContent = words;
  wrong.hidden = !words;
}

// The end of a day, as the reader counts days, in seconds since 1970.
export function endOf(day) {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + 1).getTime() / 1000;
}

function item(link) {
  const row = document.createElement("li");
  const what = document.createElement("span");
  const kind = link.may_review ? "may decide" : "may look";
  const lock = link.has_passphrase ? ", with a passphrase" : "";
  const opened = link.opened_at ? `opened ${days.format(link.opened_at * 1000)}` : "not opened yet";
  what.textContent = `${link.name}: ${kind}${lock}, until ${days.format(link.expires_at * 1000 - 1)}, ${opened}`;
  const button = document.createElement("button");
  Object.assign(button, { type: "button", textContent: "Take back" });
  button.setAttribute("aria-label", `Take back the link for ${link.name}`);
  button.addEventListener("click", () => act(async () => {
    await post(`/api/v1/links/${link.id}/revoke`, {}, { project });
    await show();
  }));
  row.append(what, button);
  return row;
}

async function show() {
  const links = await askJson("/api/v1/links", { project, campaign: name });
  list.replaceChildren(...links.filter((link) => link.state === "valid").map(item));
  list.hidden = !list.childElementCount;
}

async function act(what) {
  say("");
  try { await what(); } catch (error) { say(error.message); }
}

async function make() {
  const given = new FormData(form);
  const body = { may_review: given.get("may_review") === "on", until: endOf(given.get("until")) };
  for (const key of ["name", "passphrase"]) if (given.get(key)) body[key] = given.get(key);
  const link = await post(`/api/v1/campaigns/${name}/links`, body, { project });
  made.hidden = false;
  made.querySelector("input").value = location.origin + link.path;
  made.querySelector("input").select();
  form.elements.passphrase.value = "";
  await show();
}

form.addEventListener("submit", (event) => { event.preventDefault(); act(make); });
made.querySelector("button").addEventListener("click", () => navigator.clipboard.writeText(made.querySelector("input").value));
dialog.querySelector(".close").addEventListener("click", () => dialog.close());
// The button is made anew whenever the page is refreshed.
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-share]")) return;
  made.hidden = true;
  const week = new Date(Date.now() + 7 * 86400e3);
  form.elements.until.value ||= [week.getFullYear(), week.getMonth() + 1, week.getDate()]
    .map((part) => String(part).padStart(2, "0")).join("-");
  dialog.showModal();
  act(show);
});
