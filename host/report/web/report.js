// The page of a report with scripts on: its pictures can be played with, its tables sort and go
// into files. Without scripts the page stands as it was written: with still pictures.
"use strict";

const states = {}; // what a reader chose, by network: it outlives rows that come later

function stateOf(network) {
  states[network] ??= { x: "rate", y: "accuracy", off: new Set(), zoom: null, sort: null };
  return states[network];
}

// A cell of CSV: numbers so that they read back the same, several of them with spaces between.
function csvCell(value) {
  const text = Array.isArray(value) ? value.join(" ") : String(value ?? "");
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csvOf(columns, rows) {
  return [columns, ...rows].map((cells) => `${cells.map(csvCell).join(",")}\n`).join("");
}

function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = element("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60e3);
}

// Sort a table's body by a field of the points; rows of equal fields stay in the order they have.
function sortBy(table, data, field, down) {
  const column = data.columns.indexOf(field);
  const key = (row) => {
    const number = Number(row.dataset.point);
    return column < 0 ? data.drawn[number][field] : data.points[number][column];
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number"
    ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
  const body = table.tBodies[0];
  body.append(...[...body.rows].sort((one, other) => (down ? -1 : 1) * compare(key(one), key(other))));
  for (const head of table.tHead.rows[0].cells) {
    head.removeAttribute("aria-sort");
    if (head.dataset.sort === field) head.setAttribute("aria-sort", down ? "descending" : "ascending");
  }
}

function enhanceTable(section, data, state) {
  const table = section.querySelector("table.points");
  for (const head of table.tHead.rows[0].cells) {
    const button = element("button", { type: "button", title: "sort by this column" }, head.textContent);
    button.addEventListener("click", () => {
      const field = head.dataset.sort;
      state.sort = { field, down: state.sort?.field === field && !state.sort.down };
      sortBy(table, data, state.sort.field, state.sort.down);
    });
    head.replaceChildren(button);
  }
  if (state.sort) sortBy(table, data, state.sort.field, state.sort.down);
  const save = element("button", { type: "button", class: "save" }, "Save these points as CSV");
  save.addEventListener("click", () => {
    const rows = [...table.tBodies[0].rows].map((row) => data.points[Number(row.dataset.point)]);
    download(`${data.network}-points.csv`, csvOf(data.columns, rows));
  });
  table.parentElement.before(element("div", { class: "tools" }, save));
}

function enhance(section, data) {
  const state = stateOf(data.network);
  const place = element("div", { class: "chart" });
  const figure = element("figure", { class: "played" }, place, element("figcaption", {},
    "Lines join the means, bars are 95 % intervals over repeats, small dots the single repeats, the " +
    "pale band is the 95 % interval for the choice of images (of many curves, of the one pointed at). " +
    "Draw a rectangle to zoom in, click twice to see all again."));
  section.querySelector(".pictures").before(figure);
  state.chart = new Chart(place, data, state);
  section.querySelector(".pictures").hidden = true;
  enhanceTable(section, data, state);
}

function begin() {
  const networks = JSON.parse(document.getElementById("points")?.textContent ?? "[]");
  for (const section of document.querySelectorAll("section[data-network]")) {
    enhance(section, networks[Number(section.dataset.network)]);
  }
}

begin();
