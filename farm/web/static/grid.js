// A grid of very many tiles: rows of one height are placed by arithmetic, and only those in sight
// are in the page. Browsers end a scroll box at some 16 million pixels, so that it is never made
// higher than 8 million, and its position stands for a place in a higher one.

export const HIGHEST = 8_000_000;
const BESIDE = 2; // rows and columns that are kept beyond those in sight

export class Grid {
  // `tile(element, number)` fills a tile, `seen(numbers)` hears which are in sight, `chosen(number)`
  // which one has the focus, and `opened(number)` which one somebody wants to look at.
  constructor(box, { tile, seen, chosen, opened }) {
    Object.assign(this, { box, tile, seen, chosen, opened });
    this.sizer = box.querySelector(".sizer");
    this.layer = box.querySelector(".layer");
    this.top = 0; // in pixels of the whole
    this.focus = -1;
    this.tiles = new Map();
    this.heads = new Map();
    this.rowElements = new Map();
    this.expected = -1;
    box.addEventListener("scroll", () => this.scrolled(), { passive: true });
    box.addEventListener("wheel", (event) => this.wheeled(event), { passive: false });
    box.addEventListener("keydown", (event) => this.pressed(event));
    box.addEventListener("click", (event) => this.clicked(event));
    box.addEventListener("focusin", (event) => {
      const number = Number(event.target.dataset?.number ?? -1);
      if (number >= 0) this.setFocus(number, false);
    });
    new ResizeObserver(() => this.resized?.()).observe(box);
  }

  // Shows other places, and goes on looking at the same one as far as it is among them.
  show(places, sizes) {
    Object.assign(this, { places, ...sizes });
    this.whole = places.rows * this.rowHeight + this.headHeight;
    this.sizer.style.height = `${Math.min(this.whole, HIGHEST)}px`;
    this.sizer.style.width = `${this.headWidth + places.columns * this.columnWidth}px`;
    this.box.setAttribute("aria-rowcount", places.rows + (this.headHeight ? 1 : 0));
    this.box.setAttribute("aria-colcount", places.columns + (this.headWidth ? 1 : 0));
    const hadFocus = this.layer.contains(document.activeElement);
    this.layer.replaceChildren();
    this.tiles.clear();
    this.heads.clear();
    this.rowElements.clear();
    if (this.focus < 0 || !places.place(this.focus)) this.focus = places.rows ? places.number(0, 0) : -1;
    this.goTo(this.top);
    if (hadFocus) this.takeFocus(); // its tile was made anew
  }

  get viewHeight() { return this.box.clientHeight; }
  get farthest() { return Math.max(0, this.whole - this.viewHeight); }
  get factor() {
    const room = Math.min(this.whole, HIGHEST) - this.viewHeight;
    return room > 0 ? this.farthest / room : 1;
  }

  goTo(top) {
    this.top = Math.max(0, Math.min(top, this.farthest));
    this.expected = Math.round(this.top / this.factor);
    this.box.scrollTop = this.expected;
    this.draw();
  }

  goToRow(row) { this.goTo(row * this.rowHeight); }

  get firstRow() { return Math.floor(this.top / this.rowHeight); }

  scrolled() {
    // The place that this grid has set itself stands for more pixels than the box has.
    if (Math.abs(this.box.scrollTop - this.expected) > 1) this.top = Math.min(this.box.scrollTop * this.factor, this.farthest);
    this.expected = this.box.scrollTop;
    this.draw();
  }

  wheeled(event) {
    if (this.factor === 1 || event.ctrlKey || !event.deltaY) return;
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? this.viewHeight : 1;
    this.goTo(this.top + event.deltaY * unit);
  }

  // --- drawing ---

  draw() {
    if (!this.places) return;
    const left = this.box.scrollLeft;
    const rows = this.span(this.top, this.viewHeight - this.headHeight, this.rowHeight, this.places.rows);
    const columns = this.span(left, this.box.clientWidth - this.headWidth, this.columnWidth, this.places.columns);
    const wanted = new Set();
    const numbers = [];
    const add = (row, column) => {
      const number = this.places.number(row, column);
      if (number < 0) return;
      const key = row * this.places.columns + column;
      if (wanted.has(key)) return;
      wanted.add(key);
      numbers.push(number);
      this.putTile(key, number, row, column, left);
    };
    for (let row = rows.first; row < rows.last; row++)
      for (let column = columns.first; column < columns.last; column++) add(row, column);
    const focused = this.focus < 0 ? null : this.places.place(this.focus);
    if (focused) add(focused.row, focused.column); // it must be there to have the focus
    for (const [key, element] of this.tiles)
      if (!wanted.has(key)) { element.remove(); this.tiles.delete(key); }
    this.drawHeads(rows, columns, left);
    for (const [row, element] of this.rowElements)
      if (!element.childElementCount) { element.remove(); this.rowElements.delete(row); }
    this.seen(numbers, rows);
  }

  span(from, room, size, count) {
    return {
      first: Math.max(0, Math.floor(from / size) - BESIDE),
      last: Math.min(count, Math.ceil((from + room) / size) + BESIDE),
    };
  }

  rowElement(row) {
    let element = this.rowElements.get(row);
    if (!element) {
      element = document.createElement("div");
      element.setAttribute("role", "row");
      element.setAttribute("aria-rowindex", row + (this.headHeight ? 2 : 1));
      this.rowElements.set(row, element);
      this.layer.append(element);
    }
    return element;
  }

  putTile(key, number, row, column, left) {
    let element = this.tiles.get(key);
    if (!element) {
      element = document.createElement("div");
      element.className = "tile";
      element.setAttribute("role", "gridcell");
      element.setAttribute("aria-colindex", column + (this.headWidth ? 2 : 1));
      element.dataset.number = number;
      element.style.width = `${this.tileWidth}px`;
      element.style.height = `${this.tileHeight}px`;
      this.tiles.set(key, element);
      this.rowElement(row).append(element);
      this.tile(element, number);
    }
    element.tabIndex = number === this.focus ? 0 : -1;
    const x = this.headWidth + column * this.columnWidth - left;
    const y = this.headHeight + row * this.rowHeight + this.captionHeight - this.top;
    element.style.transform = `translate(${x}px, ${y}px)`;
  }

  drawHeads(rows, columns, left) {
    const wanted = new Set();
    if (this.headHeight) {
      for (let column = columns.first; column < columns.last; column++)
        this.putHead(wanted, `c${column}`, -1, column, this.headWidth + column * this.columnWidth - left, 0);
    }
    if (this.headWidth || this.captionHeight) {
      for (let row = rows.first; row < rows.last; row++)
        this.putHead(wanted, `r${row}`, row, -1, 0, this.headHeight + row * this.rowHeight - this.top);
    }
    for (const [key, element] of this.heads)
      if (!wanted.has(key)) { element.remove(); this.heads.delete(key); }
  }

  putHead(wanted, key, row, column, x, y) {
    wanted.add(key);
    let element = this.heads.get(key);
    if (!element) {
      element = document.createElement("div");
      const isColumn = row < 0;
      element.className = isColumn ? "head-column" : this.captionHeight ? "head-row caption" : "head-row";
      element.setAttribute("role", isColumn ? "columnheader" : "rowheader");
      const words = isColumn ? this.places.columnWords(column) : this.places.rowWords(row);
      for (const word of words) {
        const part = document.createElement("span");
        part.textContent = part.title = word;
        element.append(part);
      }
      element.setAttribute("aria-colindex", isColumn ? column + (this.headWidth ? 2 : 1) : 1);
      element.style.width = `${isColumn ? this.tileWidth : this.headWidth || this.box.clientWidth}px`;
      element.style.height = `${isColumn ? this.headHeight : this.captionHeight || this.tileHeight}px`;
      this.heads.set(key, element);
      const parent = this.rowElement(row);
      if (isColumn) { parent.setAttribute("aria-rowindex", 1); parent.className = "heads"; }
      parent.prepend(element);
    }
    element.style.transform = `translate(${x}px, ${y}px)`;
  }

  redraw(numbers) {
    const some = new Set(numbers);
    for (const element of this.tiles.values()) {
      const number = Number(element.dataset.number);
      if (some.has(number)) this.tile(element, number);
    }
  }

  // --- the focus ---

  setFocus(number, isMoved = true) {
    const before = this.focus;
    this.focus = number;
    for (const element of this.tiles.values()) element.tabIndex = Number(element.dataset.number) === number ? 0 : -1;
    if (isMoved) this.reveal();
    if (before !== number) this.chosen(number);
  }

  reveal() {
    const place = this.places.place(this.focus);
    if (!place) return;
    const y = place.row * this.rowHeight;
    const room = this.viewHeight - this.headHeight;
    let top = this.top;
    if (y < top) top = y;
    else if (y + this.rowHeight > top + room) top = y + this.rowHeight - room;
    const x = place.column * this.columnWidth;
    const wide = this.box.clientWidth - this.headWidth;
    if (x < this.box.scrollLeft) this.box.scrollLeft = x;
    else if (x + this.columnWidth > this.box.scrollLeft + wide) this.box.scrollLeft = x + this.columnWidth - wide;
    this.goTo(top);
  }

  takeFocus() {
    const place = this.places.place(this.focus);
    if (place) this.tiles.get(place.row * this.places.columns + place.column)?.focus({ preventScroll: true });
  }

  pressed(event) {
    if (event.altKey || event.metaKey || !this.places.rows) return;
    const at = this.places.place(this.focus) ?? { row: 0, column: 0 };
    const page = Math.max(1, Math.floor((this.viewHeight - this.headHeight) / this.rowHeight));
    const last = this.places.columns - 1;
    const to = {
      ArrowLeft: [at.row, at.column - 1], ArrowRight: [at.row, at.column + 1],
      ArrowUp: [at.row - 1, at.column], ArrowDown: [at.row + 1, at.column],
      PageUp: [at.row - page, at.column], PageDown: [at.row + page, at.column],
      Home: [event.ctrlKey ? 0 : at.row, 0], End: [event.ctrlKey ? this.places.rows - 1 : at.row, last],
    }[event.key];
    if (event.key === "Enter" && !event.ctrlKey) { event.preventDefault(); this.opened(this.focus); return; }
    if (!to || (event.ctrlKey && !["Home", "End"].includes(event.key))) return;
    event.preventDefault();
    this.move(...to);
  }

  move(row, column) {
    if (column < 0 && row > 0) [row, column] = [row - 1, this.places.columns - 1];
    else if (column >= this.places.columns && row + 1 < this.places.rows) [row, column] = [row + 1, 0];
    row = Math.max(0, Math.min(row, this.places.rows - 1));
    column = Math.max(0, Math.min(column, this.places.columns - 1));
    let number = this.places.number(row, column);
    while (number < 0 && column > 0) number = this.places.number(row, --column);
    if (number < 0) return;
    this.setFocus(number);
    this.takeFocus();
  }

  clicked(event) {
    const tile = event.target.closest(".tile");
    if (!tile || event.ctrlKey || event.metaKey || event.shiftKey) return;
    this.opened(Number(tile.dataset.number));
  }
}
