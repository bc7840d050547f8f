// One picture, or two to compare: side by side, with a slider between them, or in turns. Both are
// zoomed and moved together.

const FLICKER_MS = 700;
const MOST = 16; // device pixels a picture's pixel
const STEP = 1.25;

export class Viewer {
  constructor(element) {
    this.element = element;
    this.panes = [pane(), pane()];
    this.slider = document.createElement("input");
    Object.assign(this.slider, { type: "range", min: 0, max: 100, value: 50, className: "slide" });
    this.slider.setAttribute("aria-label", "Where the two pictures meet");
    this.slider.addEventListener("input", () => this.layout());
    element.append(...this.panes.map((one) => one.figure), this.slider);
    this.scale = null; // CSS pixels a picture's pixel; null fits the picture in
    this.centre = [0.5, 0.5];
    this.pointers = new Map();
    for (const one of this.panes) one.image.addEventListener("load", () => { one.figure.dataset.loaded = "yes"; this.layout(); });
    new ResizeObserver(() => this.layout()).observe(element);
    this.listen();
  }

  // Pictures as {src, low, label, alt}; without `other` there is one.
  show(picture, other = null, mode = "side") {
    this.mode = other ? mode : "single";
    this.element.dataset.mode = this.mode;
    [picture, other].forEach((shown, k) => put(this.panes[k], shown));
    this.slider.hidden = this.mode !== "slider";
    clearInterval(this.turns);
    this.element.dataset.turn = "0";
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (this.mode === "flicker" && !isStill) this.turns = setInterval(() => this.turn(), FLICKER_MS);
    this.layout();
  }

  turn() { this.element.dataset.turn = this.element.dataset.turn === "0" ? "1" : "0"; }

  // --- zoom ---

  get one() { return 1 / devicePixelRatio; } // 1:1 on this screen

  get fit() {
    const [width, height] = this.size(), frame = this.frame();
    return Math.min(frame.width / width, frame.height / height);
  }

  toggle() { this.zoomTo(this.scale === null ? this.one : null); }

  zoomBy(factor, at = null) {
    const scale = Math.min(Math.max((this.scale ?? this.fit) * factor, this.one / 8), MOST * this.one);
    this.zoomTo(scale, at);
  }

  // `at` is the place on the frame, from its middle in CSS pixels, that stays where it is.
  zoomTo(scale, at = null) {
    const before = this.scale ?? this.fit, [width, height] = this.size();
    if (scale === null) this.centre = [0.5, 0.5];
    else if (at) {
      this.centre[0] += at[0] * (1 / before - 1 / scale) / width;
      this.centre[1] += at[1] * (1 / before - 1 / scale) / height;
    }
    this.scale = scale;
    this.layout();
  }

  pan(dx, dy) {
    const scale = this.scale ?? this.fit, [width, height] = this.size();
    this.centre[0] -= dx / (scale * width);
    this.centre[1] -= dy / (scale * height);
    this.layout();
  }

  // Pixels of the larger picture: the other is shown as large, in its own shape (object-fit).
  size() {
    const widest = Math.max(1, ...this.panes.map(({ image }) => image.naturalWidth));
    const own = this.panes.find(({ image }) => image.naturalWidth === widest)?.image;
    return own ? [own.naturalWidth, own.naturalHeight] : [1, 1];
  }

  frame() { return this.panes[0].frame.getBoundingClientRect(); }

  layout() {
    const frame = this.frame(), [width, height] = this.size();
    if (!frame.width || width === 1) return;
    const scale = this.scale ?? this.fit;
    for (const k of [0, 1]) {
      const room = [frame.width, frame.height][k] / (2 * scale * [width, height][k]);
      this.centre[k] = room >= 0.5 ? 0.5 : Math.min(Math.max(this.centre[k], room), 1 - room);
    }
    const left = frame.width / 2 - this.centre[0] * width * scale;
    const top = frame.height / 2 - this.centre[1] * height * scale;
    for (const { image } of this.panes) {
      Object.assign(image.style, {
        width: `${width * scale}px`, height: `${height * scale}px`,
        transform: `translate(${Math.round(left)}px, ${Math.round(top)}px)`,
        imageRendering: scale * devicePixelRatio >= 3 ? "pixelated" : "auto",
      });
    }
    const meet = Number(this.slider.value);
    this.panes[1].frame.style.clipPath = this.mode === "slider" ? `inset(0 0 0 ${meet}%)` : "";
    this.element.dataset.zoomed = this.scale === null ? "no" : "yes";
    this.element.dataset.scale = `${Math.round(scale * devicePixelRatio * 100)} %`;
  }

  listen() {
    const { element, pointers } = this;
    element.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomBy(STEP ** (-Math.sign(event.deltaY)), this.fromMiddle(event));
    }, { passive: false });
    element.addEventListener("dblclick", (event) => {
      if (event.target === this.slider) return;
      this.zoomTo(this.scale === null ? this.one : null, this.fromMiddle(event));
    });
    element.addEventListener("pointerdown", (event) => {
      if (event.target === this.slider || event.button) return;
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
    });
    element.addEventListener("pointermove", (event) => this.moved(event));
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
      element.addEventListener(end, (event) => pointers.delete(event.pointerId));
    }
  }

  moved(event) {
    const { pointers } = this, before = pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) this.zoomBy(distance(now, other) / (distance(before, other) || 1), this.fromMiddle(event));
    else if (this.scale !== null) this.pan(now[0] - before[0], now[1] - before[1]);
    pointers.set(event.pointerId, now);
  }

  fromMiddle(event) {
    const frame = (event.target.closest?.(".frame") ?? this.panes[0].frame).getBoundingClientRect();
    return [event.clientX - frame.left - frame.width / 2, event.clientY - frame.top - frame.height / 2];
  }
}

function pane() {
  const figure = document.createElement("figure"), frame = document.createElement("div");
  const image = document.createElement("img"), caption = document.createElement("figcaption");
  Object.assign(figure, { className: "pane" });
  Object.assign(frame, { className: "frame" });
  Object.assign(image, { alt: "", draggable: false, decoding: "async" });
  frame.append(image);
  figure.append(frame, caption);
  return { figure, frame, image, caption };
}

function put(one, shown) {
  one.figure.hidden = !shown;
  if (!shown) { one.image.removeAttribute("src"); return; }
  one.caption.textContent = shown.label ?? "";
  one.image.alt = shown.alt ?? shown.label ?? "";
  if (one.image.getAttribute("src") === shown.src) return;
  one.figure.dataset.loaded = "no";
  one.image.src = shown.src;
}

function distance(a, b) { return Math.hypot(a[0] - b[0], a[1] - b[1]); }
