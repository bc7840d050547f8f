// A campaign's renders as a page of reviewing sees them: a byte for each, the files of those in
// sight, and all about the one that somebody looks at. Each is asked for once and kept.

import { address, askJson, ask } from "./api.js";
import { CODES } from "./mapcode.js";

const AT_ONCE = 200; // numbers in one question
const KEPT = 400; // renders of which all is known

export class CampaignData {
  constructor(project, campaign, version) {
    this.project = project;
    this.version = version; // none is the present one
    this.path = `/api/v1/campaigns/${campaign}`;
    this.codes = new Uint8Array(0);
    // By stage and number, the digits of its file, null if there is none, and its thumbnail.
    this.files = new Map();
    this.asked = new Map();
    this.about = new Map();
  }

  async readMap(stage) {
    const answer = await ask(`${this.path}/map`, { project: this.project, version: this.version, stage });
    return new Uint8Array(await answer.arrayBuffer());
  }

  code(number) { return CODES[this.codes[number]] ?? CODES[0]; }

  // --- pictures ---

  file(number, stage) { return this.files.get(`${stage} ${number}`)?.file; }

  // What fills a tile with a small picture.
  small(number, stage) {
    const alone = this.picture(number, stage, "small");
    return { path: this.path, project: this.project, alone, ...this.files.get(`${stage} ${number}`) };
  }

  picture(number, stage, size) {
    return address(`${this.path}/renders/${number}/picture`, {
      project: this.project, version: this.version, stage, size: size === "small" ? size : null, of: this.file(number, stage),
    });
  }

  look(number, stage, step) {
    return address(`${this.path}/renders/${number}/steps/${step}`, { project: this.project, version: this.version, stage });
  }

  reference(number) { return address(`${this.path}/renders/${number}/reference`, { project: this.project }); }

  // Learns the files of these renders, as far as they are not known.
  async learn(numbers, stage) {
    const wanted = numbers.filter((number) => this.file(number, stage) === undefined && !this.asked.has(`${stage} ${number}`));
    const questions = [];
    for (let k = 0; k < wanted.length; k += AT_ONCE) questions.push(this.learnSome(wanted.slice(k, k + AT_ONCE), stage));
    await Promise.all([...questions, ...new Set(numbers.map((number) => this.asked.get(`${stage} ${number}`)))]);
  }

  learnSome(numbers, stage) {
    const question = askJson(`${this.path}/map/cells`, { project: this.project, version: this.version, stage, numbers: numbers.join() })
      .then((told) => told.numbers.forEach((number, k) => {
        this.files.set(`${stage} ${number}`, { file: told.files[k], thumbnail: told.thumbnails[k] });
      }))
      .finally(() => { for (const number of numbers) this.asked.delete(`${stage} ${number}`); });
    for (const number of numbers) this.asked.set(`${stage} ${number}`, question);
    return question;
  }

  forgetFiles(numbers) {
    for (const number of numbers) for (const stage of ["proof", "final"]) this.files.delete(`${stage} ${number}`);
  }

  // --- all about one ---

  known(number) { return this.about.get(number); }

  async details(number) {
    if (!this.about.has(number)) {
      const told = await askJson(`${this.path}/renders/${number}/details`, { project: this.project, version: this.version });
      for (const { stage, version } of told.pictures)
        if (this.file(number, stage) !== version) this.files.set(`${stage} ${number}`, { file: version });
      this.about.set(number, told);
      if (this.about.size > KEPT) this.about.delete(this.about.keys().next().value);
    }
    return this.about.get(number);
  }

  forget(numbers) { for (const number of numbers) this.about.delete(number); }
}
