// Decisions on their way to the farm. Each has a number, is kept in this browser until the farm has
// answered, and is sent again until then. The farm counts one that comes twice once.

const LONGEST_MS = 30000;
const KEPT = 100; // gestures that can be taken back

export class Decisions {
  // `on.change` is called when something was added or answered, `on.answered` with each answer,
  // `on.refused` with a decision that the farm does not take, and its sentence.
  constructor({ project, campaign, person, on }) {
    this.at = `/api/v1/campaigns/${campaign}/reviews`;
    this.query = `?project=${project}`;
    this.place = `farm decisions ${project}/${campaign} `;
    this.person = person;
    this.on = on;
    this.client = random();
    this.next = 0;
    this.waiting = [];
    this.gestures = []; // what was decided, the last one last: each is undone as a whole
    this.entries = {}; // by client and number, the farm's entry for each decision of a gesture
    this.trouble = null;
    this.failed = 0;
    this.adopt();
    addEventListener("online", () => this.send());
    addEventListener("beforeunload", (event) => { if (this.waiting.length) event.preventDefault(); });
  }

  get unsent() { return this.waiting.length; }

  // One gesture of a person: decisions about some renders each, as {verdict, numbers, reason,
  // reroll, before}. `before` has the verdicts that they had.
  decide(parts) {
    const ids = parts.map((part) => this.add("", {
      verdict: part.verdict, numbers: part.numbers,
      ...(part.reason ? { reason: part.reason } : {}), ...(part.reroll ? { reroll: true } : {}),
    }, part.numbers.map((number) => [number, part.verdict])));
    this.gestures.push(parts.map((part, k) => ({ id: ids[k], before: part.before })));
    this.gestures = this.gestures.slice(-KEPT);
    this.changed();
  }

  // Takes the last gesture back; gives the numbers with the verdicts they had, or null.
  undo() {
    const gesture = this.gestures.pop();
    if (!gesture) return null;
    for (const { id, before } of [...gesture].reverse()) this.add("/undo", { of: id }, before);
    this.changed();
    return gesture.flatMap(({ before }) => before);
  }

  add(path, body, changes) {
    const sequence = this.next++;
    this.waiting.push({ client: this.client, sequence, path, body, changes });
    return `${this.client} ${sequence}`;
  }

  changed() {
    this.save();
    this.on.change();
    this.send();
  }

  // --- sending ---

  async send() {
    if (this.sending) return;
    this.sending = true;
    clearTimeout(this.timer);
    try {
      while (this.waiting.length && (await this.settle(this.waiting[0]))) this.failed = 0;
    } finally {
      this.sending = false;
    }
    this.on.change();
    if (this.waiting.length) {
      this.timer = setTimeout(() => this.send(), Math.min(1000 * 2 ** this.failed++, LONGEST_MS));
    }
  }

  // Sends the first decision; whether it is dealt with.
  async settle(item) {
    const body = { client: item.client, sequence: item.sequence, ...item.body };
    if (this.person) body.by = this.person;
    if (item.path === "/undo") {
      delete body.of;
      body.entry = this.entries[item.body.of];
      if (body.entry === undefined) return this.done(item, null); // it had changed nothing
    }
    let answer;
    try {
      answer = await fetch(this.at + item.path + this.query, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
      });
    } catch {
      this.trouble = "The farm does not answer. They are kept here and sent as soon as it does.";
      return false;
    }
    if (answer.ok) {
      const told = await answer.json().catch(() => null);
      if (!told) return false;
      if (told.entry !== undefined) this.entries[`${item.client} ${item.sequence}`] = told.entry;
      return this.done(item, told);
    }
    return this.refused(item, answer);
  }

  async refused(item, answer) {
    const { detail } = await answer.json().catch(() => ({}));
    if (answer.status === 401) {
      this.trouble = "You are not logged in any more. Log in again in another tab: they are kept here.";
      return false;
    }
    if (answer.status >= 500 || answer.status === 408 || answer.status === 429) {
      this.trouble = detail ?? "The farm cannot take them now. They are sent again soon.";
      return false;
    }
    this.on.refused(item, detail ?? `The farm refused this (${answer.status}).`);
    return this.done(item, null);
  }

  done(item, told) {
    const place = this.waiting.indexOf(item);
    if (place >= 0) this.waiting.splice(place, 1);
    this.trouble = null;
    this.save();
    this.on.answered(item, told);
    this.on.change();
    return true;
  }

  // --- what this browser keeps ---

  save() {
    const known = new Set(this.gestures.flat().map(({ id }) => id));
    for (const { body } of this.waiting) known.add(body.of);
    for (const id of Object.keys(this.entries)) if (!known.has(id)) delete this.entries[id];
    const { waiting, gestures, entries } = this;
    try {
      localStorage.setItem(this.place + this.client, JSON.stringify({ waiting, gestures, entries }));
    } catch { /* full or forbidden: they are in memory, and leaving is guarded */ }
  }

  // Takes over what earlier pages of this campaign have kept. If one of them is still open, it
  // sends the same decisions too: that changes nothing.
  adopt() {
    let kept = [];
    try {
      kept = Object.keys(localStorage).filter((key) => key.startsWith(this.place));
      for (const key of kept) {
        const { waiting, gestures, entries } = JSON.parse(localStorage.getItem(key));
        this.waiting.push(...waiting);
        this.gestures.push(...gestures);
        Object.assign(this.entries, entries);
      }
      this.gestures = this.gestures.slice(-KEPT);
      if (this.waiting.length || this.gestures.length) this.save();
      for (const key of kept) localStorage.removeItem(key);
    } catch { /* nothing is kept, or it is not ours */ }
  }
}

function random() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
