// All that there is to say of a render beside its picture, as a list of terms.

import { h } from "./dom.js";

const VERDICTS = { approved: "Approved", rejected: "Rejected" };

// `details` are those of the API; `picture` is one of its pictures, or undefined.
export function facts(details, picture) {
  const { render } = details;
  return [
    h("dl", { class: "facts" },
      ...Object.entries(render.coordinates).flatMap(([axis, value]) => term(axis, text(value))),
      ...term("Seed", String(render.seed)),
      ...(render.redo ? term("Version", `${render.redo.version}, of no. ${render.redo.of}`) : []),
      ...drift(picture), ...rules(picture), ...verdict(details)),
    h("details", { class: "prompt", open: true }, h("summary", {}, "Prompt"), h("p", {}, render.prompt || "—"),
      render.negative ? h("p", { class: "soft" }, h("b", {}, "Negative "), render.negative) : null),
  ];
}

function term(name, ...value) { return [h("dt", {}, name), h("dd", {}, ...value)]; }

function text(value) { return typeof value === "object" && value !== null ? Object.values(value).join(", ") : String(value); }

function drift(picture) {
  if (picture?.drift === null || picture?.drift === undefined) return [];
  const share = Math.round(picture.drift * 100);
  const meter = h("span", { class: "meter", role: "img", "aria-label": `${share} of 100` }, h("i", {}));
  meter.firstChild.style.width = `${share}%`;
  return term("Drift", meter, ` ${picture.drift.toFixed(2)}`);
}

function rules(picture) {
  if (!picture?.rules) return [];
  const { passed, tested, failed } = picture.rules;
  return term("Rules", `${passed} of ${tested} passed`, ...failed.map((name) => h("span", { class: "tag bad" }, name.split("@")[0].replaceAll("_", " "))));
}

function verdict({ verdict: told }) {
  if (!told) return [];
  return term(VERDICTS[told.verdict] ?? told.verdict,
    [told.by && `by ${told.by}`, told.reason && `for ${told.reason}`].filter(Boolean).join(" ") || "—",
    told.note ? h("span", { class: "note-text" }, told.note) : null);
}
