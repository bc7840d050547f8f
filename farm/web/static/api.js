// Speaking to the farm's API: sentences of its refusals, and addresses with their parameters.

import { logInAgain } from "./login.js";

export class Refused extends Error {
  constructor(status, detail, code) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

export function address(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    if (value !== null && value !== undefined && value !== "") query.set(name, value);
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

export async function ask(path, parameters, options) {
  const answer = await fetch(address(path, parameters), options);
  if (answer.status === 401) logInAgain();
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

export async function askJson(path, parameters, options) {
  return (await ask(path, parameters, options)).json();
}

export async function post(path, body = {}, parameters = {}) {
  const answer = await ask(path, parameters, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return answer.json();
}

async function refusal(answer) {
  try {
    const told = await answer.json();
    return new Refused(answer.status, told.detail ?? String(answer.status), told.code);
  } catch {
    return new Refused(answer.status, `The farm answered ${answer.status}.`);
  }
}
