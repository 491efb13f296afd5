// A picture of curves to play with: hover or arrow keys, curves on and off, zoom, a choice of axes.
//
// new Chart(place, data, state) draws into an element. `data` is that of one network as
// host/report/page_data.py gives it. `state` keeps what a reader chose, so that a picture of
// further rows goes on where the last one was: {x, y, off: Set of labels, zoom: null or
// {x: [low, high], y: [low, high]}} in the units in which an axis is divided.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const ZERO_LEFT = 0.7; // decades that 0 stands left of the smallest value of a logarithmic axis
const SPREAD = 30; // a linear axis whose values differ by more becomes logarithmic
const NEAR = 40; // pixels within which the pointer is at a point

const X_AXES = {
  rate: { name: "bit-error rate of a write", unit: "", of: (p) => p.mean_rate, log: true },
  energy: { name: "write energy", unit: "J", of: (p) => p.basis_energy_j },
  bit: { name: "write energy a bit", unit: "J", of: (p) => p.energy_per_bit_j },
  pulse: { name: "pulse", unit: "s", of: (p) => p.pulse_s },
  saving: { name: "saved write energy", unit: "%", of: (p) => 100 * p.saving, linear: true },
};
const percent = (numbers) => numbers && numbers.map((number) => 100 * number);
const Y_AXES = {
  accuracy: {
    name: "accuracy [%]",
    of: (p) => percent([p.accuracy, p.low, p.high]),
    images: (p) => percent([p.images_low, p.images_high]),
    single: (p) => percent(p.accuracies),
  },
  lost: { name: "lost accuracy [points]", of: (p) => percent(p.loss) },
};

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawing(parent, name, attributes = {}, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  parent.append(made);
  return made;
}

function prefixOf(value) {
  for (const [scale, prefix] of [[1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"]]) {
    if (Math.abs(value) >= scale) return [scale, prefix];
  }
  return [1e-12, "p"];
}

function short(value, digits = 3) {
  return String(Number(value.toPrecision(digits)));
}

function withUnit(value, unit) {
  const [scale, prefix] = prefixOf(value);
  return `${short(value / scale)} ${prefix}${unit}`;
}

// How the values of an axis become places from 0 to 1, and where its ticks are.
class Scale {
  constructor(values, log, zoom) {
    this.log = log;
    const positive = values.filter((value) => value > 0);
    this.zero = log && positive.length ? Math.log10(Math.min(...positive)) - ZERO_LEFT : 0;
    this.hasZero = log && values.some((value) => value === 0);
    const divided = values.map((value) => this.divided(value));
    let [low, high] = [Math.min(...divided), Math.max(...divided)];
    const size = Math.max(Math.abs(low), Math.abs(high));
    if (high - low <= 1e-9 * size) [low, high] = [low - 0.1 * (size || 1), high + 0.1 * (size || 1)];
    const room = 0.04 * (high - low);
    [this.low, this.high] = zoom || [low - room, high + room];
  }

  divided(value) {
    if (!this.log) return value;
    return value > 0 ? Math.log10(value) : this.zero;
  }

  place(value) {
    return (this.divided(value) - this.low) / (this.high - this.low);
  }

  at(place) {
    return this.low + place * (this.high - this.low);
  }

  ticks(most) {
    const span = this.high - this.low;
    const inside = (at) => at >= this.low - 1e-9 && at <= this.high + 1e-9;
    if (!this.log) {
      const rough = span / most;
      const power = 10 ** Math.floor(Math.log10(rough));
      const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
      const found = [];
      for (let n = Math.ceil(this.low / step - 1e-9); n * step <= this.high + step * 1e-9; n++) {
        found.push({ at: n * step, value: n * step });
      }
      return found;
    }
    const lowest = this.hasZero ? this.zero + ZERO_LEFT / 2 : -Infinity;
    const found = this.hasZero && inside(this.zero) ? [{ at: this.zero, value: 0 }] : [];
    const factors = span < 1.2 ? [1, 2, 3, 5, 7] : span < 2.5 ? [1, 2, 5] : [1];
    const stride = Math.max(1, Math.ceil(span / most));
    for (let power = Math.floor(this.low); power <= Math.ceil(this.high); power++) {
      for (const factor of power % stride ? [] : factors) {
        const at = power + Math.log10(factor);
        if (inside(at) && at > lowest) found.push({ at, value: factor * 10 ** power });
      }
    }
    return found;
  }
}

const MARKERS = {
  s: "M-4-4H4V4H-4Z", D: "M0-5L5 0L0 5L-5 0Z", "^": "M0-5L5 4H-5Z", v: "M0 5L5-4H-5Z",
  P: "M-1.5-5H1.5V-1.5H5V1.5H1.5V5H-1.5V1.5H-5V-1.5H-1.5Z",
  X: "M-5-3L-3-5L0-2L3-5L5-3L2 0L5 3L3 5L0 2L-3 5L-5 3L-2 0Z",
  "*": "M0-6L1.7-2L6-2L2.6 1L4 5L0 2.6L-4 5L-2.6 1L-6-2L-1.7-2Z", "<": "M-5 0L4-5V5Z",
  ">": "M5 0L-4-5V5Z",
};
const CIRCLE = "M-4 0A4 4 0 1 0 4 0A4 4 0 1 0-4 0Z";
const DASHES = { "-": "", "--": "7 4", ":": "2 3", "-.": "7 3 2 3" };
const colourOf = (curve) => (curve.colour === "#000000" ? "var(--ink)" : curve.colour);
let charts = 0; // for names of clip paths, which must differ on a page

class Chart {
  constructor(place, data, state) {
    this.state = state;
    this.id = `clip${++charts}`;
    this.at = null; // the number of the point that is looked at
    this.take(data);
    this.svg = document.createElementNS(SVG, "svg");
    for (const [name, value] of Object.entries({
      tabindex: 0, role: "group",
      "aria-label": `Accuracy of ${data.network}; arrow keys go from point to point, + - 0 zoom`,
    })) this.svg.setAttribute(name, value);
    this.tip = element("div", { class: "tip", role: "status" });
    this.tip.hidden = true;
    this.tools = this.makeTools();
    place.replaceChildren(this.tools, element("div", { class: "canvas" }, this.svg, this.tip));
    this.listen();
    // A page may have gone on to a next picture before the size of this one is known.
    new ResizeObserver(() => this.svg.isConnected && this.draw()).observe(place);
    this.draw();
  }

  take(data) {
    const named = (values) => Object.fromEntries(data.columns.map((name, n) => [name, values[n]]));
    this.points = data.points.map((values, n) => ({ ...named(values), ...data.drawn[n] }));
    this.data = data;
  }

  // Go on with further points of the same network.
  update(data) {
    const labels = ({ curves }) => curves.map(({ label }) => label).join("\n");
    const hasLost = ({ drawn }) => drawn.some(({ loss }) => loss);
    const old = this.data;
    this.take(data);
    if (labels(old) !== labels(data) || hasLost(old) !== hasLost(data)) {
      const tools = this.makeTools();
      this.tools.replaceWith(tools);
      this.tools = tools;
    }
    this.at = null; // numbers of points have changed
    this.draw();
  }

  makeTools() {
    const choice = (label, axes, key) => {
      const select = element("select", { "data-axis": key });
      for (const [name, axis] of Object.entries(axes)) {
        select.append(new Option(axis.name.replace(/ \[.*/, ""), name, false, name === this.state[key]));
      }
      select.addEventListener("change", () => {
        this.state[key] = select.value;
        this.state.zoom = null;
        this.draw();
      });
      return element("label", {}, `${label} `, select);
    };
    const button = (text, title, act) => {
      const made = element("button", { type: "button", title, "aria-label": title }, text);
      made.addEventListener("click", act);
      return made;
    };
    const lost = this.points.some((point) => point.loss);
    const yAxes = lost ? Y_AXES : { accuracy: Y_AXES.accuracy };
    const axes = element("div", { class: "controls" }, choice("across", X_AXES, "x"), choice("up", yAxes, "y"),
      button("+", "zoom in", () => this.zoomBy(0.5)),
      button("−", "zoom out", () => this.zoomBy(2)),
      button("all", "show all", () => this.zoomTo(null)));
    const legend = element("div", { class: "legend" }, ...this.data.curves.map((curve) => {
      const sample = document.createElementNS(SVG, "svg");
      sample.setAttribute("width", 30);
      sample.setAttribute("height", 14);
      this.stroke(drawing(sample, "path", { d: "M0 7H30" }), curve);
      drawing(sample, "path", {
        d: MARKERS[curve.marker] || CIRCLE, transform: "translate(15 7)", style: `fill:${colourOf(curve)}`,
      });
      const toggle = button("", `errors in ${curve.label}`, () => {
        if (!this.state.off.delete(curve.label)) this.state.off.add(curve.label);
        toggle.setAttribute("aria-pressed", !this.state.off.has(curve.label));
        this.draw();
      });
      toggle.setAttribute("aria-pressed", !this.state.off.has(curve.label));
      toggle.append(sample, curve.label);
      return toggle;
    }));
    return element("div", { class: "tools" }, axes, legend);
  }

  stroke(path, curve) {
    path.setAttribute("style", `fill:none;stroke:${colourOf(curve)};stroke-width:1.8`);
    path.setAttribute("stroke-dasharray", DASHES[curve.line]);
  }

  // The curves that are shown, with the values of their points: {curve, n, points: [{x, y, ...}]}.
  shown() {
    const [xAxis, yAxis] = [X_AXES[this.state.x], Y_AXES[this.state.y]];
    return this.data.curves.map((curve, n) => ({
      curve, n,
      points: curve.points
        .map((number) => ({ number, point: this.points[number] }))
        .map(({ number, point }) => ({ number, point, x: xAxis.of(point), y: yAxis.of(point) }))
        .filter(({ y }) => y),
    })).filter(({ curve, points }) => points.length && !this.state.off.has(curve.label));
  }

  draw() {
    const width = Math.max(280, this.svg.parentElement.clientWidth || 700);
    const height = width < 500 ? 300 : 420;
    this.box = { left: 54, right: width - 14, top: 12, bottom: height - 46 };
    this.svg.replaceChildren();
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const shown = this.shown();
    const all = shown.flatMap(({ points }) => points);
    const xAxis = X_AXES[this.state.x];
    const xs = all.map(({ x }) => x);
    const positive = xs.filter((x) => x > 0);
    const wide = !xAxis.linear && Math.max(...positive) > SPREAD * Math.min(...positive);
    const zoom = this.state.zoom || {};
    const single = Y_AXES[this.state.y].single || (() => []);
    const ys = all.flatMap(({ y, point }) => [...y, ...single(point)]);
    this.x = new Scale(xs.length ? xs : [0, 1], positive.length > 0 && (xAxis.log || wide), zoom.x);
    this.y = new Scale(ys.length ? ys : [0, 1], false, zoom.y);
    this.axes(shown, xAxis, width, height);
    const { left, right, top, bottom } = this.box;
    const clip = drawing(drawing(this.svg, "clipPath", { id: this.id }), "rect", {});
    for (const [name, value] of Object.entries({
      x: left - 7, y: top - 7, width: right - left + 14, height: bottom - top + 14,
    })) clip.setAttribute(name, value);
    const inside = drawing(this.svg, "g", { "clip-path": `url(#${this.id})` });
    this.spots = []; // where the points are
    this.svg.setAttribute("class", shown.length > 2 ? "many" : "");
    for (const each of shown) this.curve(inside, each);
    if (!all.length) drawing(this.svg, "text", { x: left + 12, y: top + 24 }, "no curve is switched on");
    this.ring = drawing(inside, "circle", { r: 9, class: "ring", visibility: "hidden" });
    this.show(this.at && this.spots.find((s) => s.number === this.at) ? this.at : null);
  }

  px(x) { return this.box.left + this.x.place(x) * (this.box.right - this.box.left); }

  py(y) { return this.box.bottom - this.y.place(y) * (this.box.bottom - this.box.top); }

  axes(shown, xAxis, width, height) {
    const { left, right, top, bottom } = this.box;
    const [scale, prefix] = xAxis.unit && xAxis.unit !== "%"
      ? prefixOf(this.x.log ? 10 ** this.x.high : this.x.high) : [1, ""];
    const across = (at) => left + ((at - this.x.low) / (this.x.high - this.x.low)) * (right - left);
    const grid = drawing(this.svg, "g", { class: "grid" });
    for (const { at, value } of this.x.ticks(width < 500 ? 5 : 9)) {
      const x = across(at);
      drawing(grid, "path", { d: `M${x} ${top}V${bottom}` });
      const text = xAxis.unit
        ? short(value / scale) : value && value < 0.1 ? value.toExponential(0) : short(value);
      drawing(grid, "text", { x, y: bottom + 17, "text-anchor": "middle" }, text);
    }
    if (this.x.hasZero) { // 0 has a place of its own
      const x = across(this.x.zero + ZERO_LEFT / 2);
      if (x > left && x < right) drawing(grid, "path", { d: `M${x} ${top}V${bottom}`, class: "gap" });
    }
    for (const { value } of this.y.ticks(7)) {
      drawing(grid, "path", { d: `M${left} ${this.py(value)}H${right}` });
      drawing(grid, "text", { x: left - 7, y: this.py(value) + 4, "text-anchor": "end" }, short(value, 5));
    }
    const bases = [...new Set(shown.map(({ curve }) => curve.basis))];
    const of = this.state.x === "energy" && bases.length ? ` of ${bases.join(", of ")}` : "";
    const unit = xAxis.unit ? ` [${prefix}${xAxis.unit}]` : "";
    drawing(this.svg, "text", { x: (left + right) / 2, y: height - 8, "text-anchor": "middle", class: "title" },
      `${xAxis.name}${of}${unit}`);
    drawing(this.svg, "text", {
      transform: `translate(13 ${(top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle", class: "title",
    }, Y_AXES[this.state.y].name);
    drawing(this.svg, "path", { d: `M${left} ${top}V${bottom}H${right}`, class: "axis" });
  }

  curve(inside, { curve, n, points }) {
    const yAxis = Y_AXES[this.state.y];
    const group = drawing(inside, "g", { class: "curve", "data-label": curve.label });
    const colour = colourOf(curve);
    const at = ([x, y]) => `${this.px(x).toFixed(1)} ${this.py(y).toFixed(1)}`;
    const line = (pairs) => pairs.map(at).join("L");
    if (yAxis.images) {
      const band = [...points.map(({ x, point }) => [x, yAxis.images(point)[0]]),
        ...points.map(({ x, point }) => [x, yAxis.images(point)[1]]).reverse()];
      drawing(group, "path", { d: `M${line(band)}Z`, class: "band", style: `fill:${colour}` });
    }
    this.stroke(drawing(group, "path", { d: `M${line(points.map(({ x, y }) => [x, y[0]]))}` }), curve);
    for (const { number, point, x, y } of points) {
      const [cx, cy] = [this.px(x), this.py(y[0])];
      const [low, high] = [this.py(y[1]), this.py(y[2])];
      const bar = `M${cx} ${low}V${high}M${cx - 4} ${low}h8M${cx - 4} ${high}h8`;
      drawing(group, "path", { d: bar, style: `fill:none;stroke:${colour};stroke-width:1.3` });
      for (const single of yAxis.single ? yAxis.single(point) : []) {
        drawing(group, "circle", { cx, cy: this.py(single), r: 2, style: `fill:${colour};opacity:.45` });
      }
      drawing(group, "path", {
        d: MARKERS[curve.marker] || CIRCLE, transform: `translate(${cx} ${cy})`, "data-point": number,
        style: `fill:${colour}`,
      });
      this.spots.push({ number, curve: n, label: curve.label, basis: curve.basis, point, x, y, cx, cy });
    }
  }

  listen() {
    const svg = this.svg;
    const where = (event) => {
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    };
    const showNear = (event) => {
      const [x, y] = where(event);
      const distance = (spot) => Math.hypot(spot.cx - x, spot.cy - y);
      const near = this.spots.filter((spot) => distance(spot) < NEAR)
        .sort((one, other) => distance(one) - distance(other))[0];
      this.show(near ? near.number : null);
    };
    let from = null;
    let rectangle = null;
    svg.addEventListener("pointermove", (event) => {
      if (from) {
        const [x, y] = where(event);
        rectangle = rectangle || drawing(svg, "rect", { class: "choice" });
        for (const [name, value] of Object.entries({
          x: Math.min(x, from[0]), y: Math.min(y, from[1]),
          width: Math.abs(x - from[0]), height: Math.abs(y - from[1]),
        })) rectangle.setAttribute(name, value);
        return;
      }
      showNear(event);
    });
    const isFinger = (event) => event.pointerType === "touch"; // it scrolls; a tap points
    svg.addEventListener("pointerleave", (event) => from || isFinger(event) || this.show(null));
    svg.addEventListener("pointerdown", (event) => {
      if (isFinger(event)) showNear(event);
      if (event.button || isFinger(event)) return;
      from = where(event);
      svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointerup", (event) => {
      if (rectangle) rectangle.remove();
      const to = where(event);
      const [start, large] = [from, from && Math.abs(to[0] - from[0]) > 8 && Math.abs(to[1] - from[1]) > 8];
      from = rectangle = null;
      if (large) this.zoomInto(start, to);
    });
    svg.addEventListener("pointercancel", () => { from = rectangle = null; });
    svg.addEventListener("dblclick", () => this.zoomTo(null));
    svg.addEventListener("blur", () => this.show(null));
    svg.addEventListener("keydown", (event) => this.key(event));
  }

  zoomInto(one, other) {
    const { left, right, top, bottom } = this.box;
    const part = (a, b, low, high) => [a, b].sort((p, q) => p - q)
      .map((at) => Math.min(1, Math.max(0, (at - low) / (high - low))));
    const [x0, x1] = part(one[0], other[0], left, right);
    const [y0, y1] = part(one[1], other[1], top, bottom);
    if (x0 === x1 || y0 === y1) return; // all of it beside the axes
    this.zoomTo({ x: [this.x.at(x0), this.x.at(x1)], y: [this.y.at(1 - y1), this.y.at(1 - y0)] });
  }

  zoomBy(factor) {
    const spot = this.spots.find(({ number }) => number === this.at);
    const around = (scale, value) => {
      const middle = value === undefined ? (scale.low + scale.high) / 2 : scale.divided(value);
      const half = (factor / 2) * (scale.high - scale.low);
      return [middle - half, middle + half];
    };
    this.zoomTo({ x: around(this.x, spot?.x), y: around(this.y, spot?.y[0]) });
  }

  zoomTo(zoom) {
    this.state.zoom = zoom;
    this.draw();
  }

  key(event) {
    const zooms = { "+": 0.5, "-": 2 };
    const spot = this.spots.find(({ number }) => number === this.at);
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const turn = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (zooms[event.key]) this.zoomBy(zooms[event.key]);
    else if (event.key === "0") this.zoomTo(null);
    else if (event.key === "Escape") this.show(null);
    else if ((step || turn) && this.spots.length) {
      const sorted = [...this.spots].sort((a, b) => a.curve - b.curve || a.cx - b.cx);
      const curves = [...new Set(sorted.map(({ curve }) => curve))];
      const next = turn
        ? curves[(curves.indexOf(spot?.curve) + turn + curves.length) % curves.length]
        : spot?.curve ?? curves[0];
      const along = sorted.filter(({ curve }) => curve === next);
      const place = spot ? along.findIndex(({ number }) => number === this.at) : -step;
      const far = (each) => Math.abs(each.cx - spot.cx);
      const chosen = turn && spot
        ? along.reduce((a, b) => (far(b) < far(a) ? b : a))
        : along[Math.min(along.length - 1, Math.max(0, place + (step || 0)))];
      this.show(chosen.number);
    } else return;
    event.preventDefault();
  }

  show(number) {
    const spot = number === null ? null : this.spots.find((each) => each.number === number);
    this.at = spot ? number : null;
    this.ring.setAttribute("visibility", spot ? "visible" : "hidden");
    this.tip.hidden = !spot;
    for (const group of this.svg.querySelectorAll(".curve")) {
      group.classList.toggle("near", spot?.label === group.dataset.label);
    }
    if (!spot) return;
    this.ring.setAttribute("cx", spot.cx);
    this.ring.setAttribute("cy", spot.cy);
    this.tip.replaceChildren(...wordsOf(spot).map((line, n) => element(n ? "div" : "b", {}, line)));
    const scale = this.svg.clientWidth / this.svg.viewBox.baseVal.width || 1;
    const wide = this.svg.clientWidth;
    const left = Math.min(spot.cx * scale + 14, wide - this.tip.offsetWidth - 4);
    const above = spot.cy * scale - this.tip.offsetHeight - 12;
    this.tip.style.left = `${Math.max(0, left)}px`;
    this.tip.style.top = `${above > 0 ? above : spot.cy * scale + 14}px`;
  }
}

function wordsOf({ label, basis, point }) {
  const points = (loss) => loss.map((value) => (100 * value + 0).toFixed(2));
  const number = (value) => (100 * value).toFixed(2);
  const rates = point.rate === point.rate0 ? [point.rate] : [point.rate, point.rate0];
  const rate = rates.map((value) => short(value, 4)).join(" / ");
  const lines = [`errors in ${label}`, `rate ${rate}, pulse ${withUnit(point.pulse_s, "s")}`,
    `accuracy ${number(point.accuracy)} % (${number(point.low)} to ${number(point.high)}, ${point.interval})`];
  if (point.loss) {
    const [mean, low, high] = points(point.loss);
    lines.push(`lost ${mean} points${low === high ? "" : ` (${low} to ${high})`}`);
  }
  const energy = withUnit(point.basis_energy_j, "J");
  const isOff = point.basis_bound_j > 5e-4 * point.basis_energy_j;
  const bound = isOff ? ` ± ${withUnit(point.basis_bound_j, "J")}` : "";
  lines.push(`${energy}${bound} for ${basis}, ${withUnit(point.energy_per_bit_j, "J")} a bit`,
    `${(100 * point.saving).toFixed(1)} % below the conventional write`);
  return lines;
}
