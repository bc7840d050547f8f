// A campaign's text from the fields of a form. Texts are written as JSON writes them, which YAML
// reads the same: nothing that somebody types can become anything but a text.

export function asText({ name, model, prompt, negative, axes, seeds, steps, proofs }) {
  const lines = [`name: ${quoted(name)}`, `model: ${quoted(model)}`, `prompt: ${quoted(prompt)}`];
  if (negative) lines.push(`negative: ${quoted(negative)}`);
  if (axes.length) lines.push("vary:", ...axes.map(([axis, values]) => `  ${quoted(axis)}: [${values.map(quoted).join(", ")}]`));
  lines.push(`seeds: {count: ${whole(seeds, 1)}}`, "settings:", `  steps: ${whole(steps, 20)}`);
  if (proofs) lines.push("proof:", `  steps: ${whole(proofs, 4)}`);
  return `${lines.join("\n")}\n`;
}

// Values with commas between; a comma within one stands in quotes.
export function cellsOf(text) {
  return [...text.matchAll(/\s*"([^"]*)"\s*|[^,]+/g)].map(([all, inner]) => (inner ?? all).trim()).filter(Boolean);
}

function quoted(text) { return /^[a-z][a-z0-9-]*$/.test(text) && !/^(y|n|yes|no|on|off|true|false|null)$/.test(text) ? text : JSON.stringify(text); }

function whole(text, usual) { return /^\d{1,9}$/.test(text) ? Number(text) : usual; }
