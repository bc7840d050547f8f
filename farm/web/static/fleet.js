// Orders to the fleet: drain a worker or a node, and take that back.

import { post } from "./api.js";
import { byId } from "./dom.js";
import { refresh } from "./page.js";

const ask = byId("ask");

async function order(target, undo) {
  byId("said").textContent = "";
  try {
    await post("/api/v1/drains", { target, undo });
    byId("said").textContent = undo ? `${target} stays.` : `${target} gets nothing more, and goes once it has nothing left.`;
  } catch (error) {
    byId("said").textContent = error.message;
  }
  await refresh();
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest?.("button[data-drain], button[data-undo]");
  if (!button) return;
  if (button.dataset.undo) { order(button.dataset.undo, true); return; }
  byId("ask-title").textContent = `Drain ${button.dataset.what}?`;
  ask.onclose = () => { if (ask.returnValue === "yes") order(button.dataset.drain, false); };
  ask.returnValue = "";
  ask.showModal();
});
