// The byte of a render, as farm.campaign.map_code packs it: state, verdict, decile of drift.

const PLAIN = ["none", "waiting", "undecided", "running", "failed", "cancelled"];
const PAINTED = ["done", "held", "rejected"];
const REVIEWS = ["undecided", "approved", "rejected"];
const FIRST = 3 * PLAIN.length;
const WIDTH = 3 * 11;

export const CODES = Array.from({ length: FIRST + WIDTH * PAINTED.length }, (_, code) => {
  if (code < FIRST) return { state: PLAIN[Math.floor(code / 3)], review: REVIEWS[code % 3], decile: 0 };
  const rest = (code - FIRST) % WIDTH;
  return {
    state: PAINTED[Math.floor((code - FIRST) / WIDTH)],
    review: REVIEWS[rest % 3],
    decile: Math.floor(rest / 3),
  };
});

export const WORDS = {
  none: "left out", waiting: "waiting", undecided: "not decided yet", running: "being painted",
  failed: "failed", cancelled: "cancelled", done: "done", held: "held", rejected: "rejected",
};

// The set bits of a bitmap, found by their order without a list of them: a count for each 1,024.
export class Bitmap {
  constructor(bytes) {
    this.bytes = bytes;
    this.counts = new Uint32Array((bytes.length >> 7) + 2);
    for (let block = 0; block * 128 < bytes.length; block++) {
      let found = 0;
      const end = Math.min(bytes.length, (block + 1) * 128);
      for (let k = block * 128; k < end; k++) found += BITS[bytes[k]];
      this.counts[block + 1] = this.counts[block] + found;
    }
    for (let k = Math.ceil(bytes.length / 128) + 1; k < this.counts.length; k++)
      this.counts[k] = this.counts[k - 1];
    this.size = this.counts[this.counts.length - 1];
  }

  has(number) { return (this.bytes[number >> 3] >> (number & 7)) & 1; }

  // The number of the bit that has `place` set bits before it.
  select(place) {
    let low = 0;
    let high = this.counts.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.counts[middle] <= place) low = middle; else high = middle;
    }
    let left = place - this.counts[low];
    for (let k = low * 128; k < this.bytes.length; k++) {
      const found = BITS[this.bytes[k]];
      if (left < found) {
        for (let bit = 0; ; bit++) if ((this.bytes[k] >> bit) & 1 && left-- === 0) return k * 8 + bit;
      }
      left -= found;
    }
    return -1;
  }

  // How many set bits are before a number: its place in the list.
  rank(number) {
    const byte = number >> 3;
    let found = this.counts[byte >> 7];
    for (let k = (byte >> 7) * 128; k < byte; k++) found += BITS[this.bytes[k]];
    return found + BITS[this.bytes[byte] & ((1 << (number & 7)) - 1)];
  }
}

const BITS = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest; rest &= rest - 1) count++;
  return count;
});
