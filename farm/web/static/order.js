// Numbers of renders in their order, as a list and as rows of a grid. Nothing here touches the page.

export class Order {
  constructor(numbers) {
    this.numbers = Float64Array.from(numbers);
    this.columns = 1;
  }

  get size() { return this.numbers.length; }
  get rows() { return Math.ceil(this.size / this.columns); }

  at(place) { return this.numbers[place]; }

  // How many are before a number: its place, if it is among them.
  rank(number) {
    let low = 0, high = this.size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.numbers[middle] < number) low = middle + 1; else high = middle;
    }
    return low;
  }

  has(number) { return this.numbers[this.rank(number)] === number; }

  some(from, count) { return [...this.numbers.subarray(from, from + count)]; }

  // The first number between two places for which something holds.
  find(holds, from, to) {
    for (let place = from; place < to; place += 1) if (holds(this.numbers[place])) return this.numbers[place];
    return undefined;
  }

  // --- as a grid ---

  number(row, column) { return this.numbers[row * this.columns + column] ?? -1; }

  place(number) {
    const place = this.rank(number);
    return this.numbers[place] === number ? { row: Math.floor(place / this.columns), column: place % this.columns } : null;
  }
}
