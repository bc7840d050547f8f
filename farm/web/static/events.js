// The farm's events as they come: one connection for all of a page, for as long as somebody looks.
// It is made again when it breaks, and goes on after the event that was heard last.

import { logInAgain } from "./login.js";

const LONGEST_MS = 30_000; // between attempts while the farm does not answer
const SHORT_MS = 60_000; // after a longer break a page looks anew, and does not hear all that was

const heard = [], told = [];
let last = null, lostAt = 0, failed = 0, control = null, timer = 0;

// `onEvent` hears each event; `onState` hears "on" with true if the page has to look anew, and "late".
export function follow(onEvent, onState = () => {}) {
  heard.push(onEvent);
  told.push(onState);
  if (heard.length > 1 || "link" in document.body.dataset) return; // a link hears no events: its page looks by itself
  document.addEventListener("visibilitychange", () => { if (document.hidden) rest(); else begin(); });
  addEventListener("pagehide", rest);
  addEventListener("pageshow", (event) => { if (event.persisted) begin(); });
  if (!document.hidden) begin();
}

export const isConnected = () => control !== null && control.isOn;

function rest() {
  clearTimeout(timer);
  if (!control) return;
  if (control.isOn) lostAt = Date.now();
  control.abort();
  control = null;
}

async function begin() {
  rest();
  const mine = new AbortController();
  control = mine;
  try {
    await listen(mine);
  } catch { /* it broke off, or there is no farm: what follows is the same */ }
  if (control !== mine) return;
  if (mine.isOn) lostAt = Date.now(); else if (!mine.isRefused) tell("late");
  control = null;
  timer = setTimeout(begin, Math.min(1000 * 2 ** failed++, LONGEST_MS));
}

async function listen(mine) {
  if (Date.now() - lostAt > SHORT_MS) last = null;
  const answer = await fetch(`/api/v1/events?${document.body.dataset.events ?? ""}`, {
    signal: mine.signal, headers: { Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) },
  });
  if (answer.status === 401) logInAgain();
  mine.isRefused = answer.status >= 400 && answer.status < 500; // the farm is there: the page looks by itself
  if (!answer.ok) throw new Error(answer.status);
  mine.isOn = true;
  failed = 0;
  tell("on", last === null);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (text + value).split("\n");
    text = lines.pop();
    lines.forEach(read);
  }
}

// An event's data is one line; its id is in there too, and a comment says that the farm is there.
function read(line) {
  if (!line.startsWith("data: ")) return;
  const event = JSON.parse(line.slice(6));
  last = event.id;
  for (const hear of heard) hear(event);
}

function tell(state, isNew = false) { for (const hear of told) hear(state, isNew); }
