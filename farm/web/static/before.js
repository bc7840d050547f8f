// The version before, in the places of the present one: while it is shown, tiles have its pictures,
// so that going to and fro shows what changed.

import { address, askJson } from "./api.js";

const AT_ONCE = 200; // numbers in one question
const KEPT = 5000;

export class Before {
  constructor(path, which, version) {
    Object.assign(this, { path, which, version, isShown: false, known: new Map() });
  }

  get(number) { return this.known.get(number); }

  // Learns what these renders were, as far as that is not known.
  async learn(numbers) {
    const wanted = numbers.filter((number) => !this.known.has(number));
    for (let k = 0; k < wanted.length; k += AT_ONCE) {
      const some = wanted.slice(k, k + AT_ONCE);
      const told = await askJson(`${this.path}/map/before`, { ...this.which, numbers: some.join() });
      told.numbers.forEach((number, place) => this.known.set(number, {
        number: told.before[place], isSame: told.same[place], file: told.files[place], thumbnail: told.thumbnails[place],
      }));
    }
    while (this.known.size > KEPT) this.known.delete(this.known.keys().next().value);
  }

  words(number) {
    const was = this.get(number);
    if (!was) return `version ${this.version}`;
    if (was.number === null) return `not in version ${this.version}`;
    return was.isSame ? `the same in version ${this.version}` : `as it was in version ${this.version}`;
  }

  alone({ number, file }) {
    return address(`${this.path}/renders/${number}/picture`, { ...this.which, version: this.version, size: "small", of: file });
  }
}
