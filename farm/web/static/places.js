// Where each render stands: rows and columns by arithmetic over the axes, or the list of all that
// fit. Nothing here touches the page.

export class Axes {
  constructor(layout) {
    this.layout = layout;
    this.names = [...layout.axes.map((axis) => axis.name), "seed"];
    this.sizes = [...layout.axes.map((axis) => axis.labels.length), layout.seeds_per_shot];
    this.strides = this.sizes.map((_, k) => this.sizes.slice(k + 1).reduce((a, b) => a * b, 1));
    this.last = new Map(layout.redos.map((of, k) => [of, layout.first_redo + k]));
  }

  // The render whose place a redo takes.
  origin(number) {
    const redo = number - this.layout.first_redo;
    return redo < 0 ? number : this.layout.redos[redo];
  }

  // Of the pictures of a place, the last one that was asked for.
  shown(number) { return this.last.get(number) ?? number; }

  index(number, axis) {
    return Math.floor(this.origin(number) / this.strides[axis]) % this.sizes[axis];
  }

  label(axis, index) {
    if (axis < this.layout.axes.length) return this.layout.axes[axis].labels[index];
    return this.layout.seeds.length ? `seed ${this.layout.seeds[index]}` : `seed no. ${index + 1}`;
  }

  words(number) { return this.names.map((_, axis) => this.label(axis, this.index(number, axis))); }
}

// Rows and columns of axes. `at` has for some axes the indices that are shown.
export class Matrix {
  constructor(axes, columns, at) {
    this.axes = axes;
    const all = axes.names.map((_, axis) => axis);
    this.columnAxes = columns;
    this.rowAxes = all.filter((axis) => !columns.includes(axis));
    this.values = all.map((axis) => at.get(axis) ?? null);
    const count = (axis) => this.values[axis]?.length ?? axes.sizes[axis];
    this.counts = all.map(count);
    this.rows = this.rowAxes.reduce((n, axis) => n * this.counts[axis], 1);
    this.columns = this.columnAxes.reduce((n, axis) => n * this.counts[axis], 1);
  }

  parts(place, axes) {
    const found = [];
    for (let k = axes.length - 1; k >= 0; k--) {
      const axis = axes[k];
      const index = place % this.counts[axis];
      found[k] = this.values[axis]?.[index] ?? index;
      place = Math.floor(place / this.counts[axis]);
    }
    return found;
  }

  number(row, column) {
    let number = 0;
    this.parts(row, this.rowAxes).forEach((index, k) => { number += index * this.axes.strides[this.rowAxes[k]]; });
    this.parts(column, this.columnAxes).forEach((index, k) => { number += index * this.axes.strides[this.columnAxes[k]]; });
    return this.axes.shown(number);
  }

  // Row and column of a render; null if its values are not shown.
  place(number) {
    const at = (axes) => {
      let place = 0;
      for (const axis of axes) {
        const index = this.axes.index(number, axis);
        const found = this.values[axis] ? this.values[axis].indexOf(index) : index;
        if (found < 0) return -1;
        place = place * this.counts[axis] + found;
      }
      return place;
    };
    const row = at(this.rowAxes);
    const column = at(this.columnAxes);
    return row < 0 || column < 0 ? null : { row, column };
  }

  rowWords(row) { return this.parts(row, this.rowAxes).map((index, k) => this.axes.label(this.rowAxes[k], index)); }

  columnWords(column) {
    return this.parts(column, this.columnAxes).map((index, k) => this.axes.label(this.columnAxes[k], index));
  }
}

// All renders that fit, one after another, as many in a row as there is room for.
export class Wall {
  constructor(bitmap, columns) {
    this.bitmap = bitmap;
    this.columns = Math.max(1, columns);
    this.rows = Math.ceil(bitmap.size / this.columns);
  }

  number(row, column) {
    const place = row * this.columns + column;
    return place < this.bitmap.size ? this.bitmap.select(place) : -1;
  }

  place(number) {
    if (!this.bitmap.has(number)) return null;
    const place = this.bitmap.rank(number);
    return { row: Math.floor(place / this.columns), column: place % this.columns };
  }
}
