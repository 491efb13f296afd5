// The page of `spinflow serve`: it asks for what is new once a second and goes on from there.
// Pictures stay in place, so that what a reader points at, has chosen or zoomed into stays, too.
"use strict";

const PERIOD_MS = 1000;
const live = document.getElementById("live");
const main = document.querySelector("main");
let version = live.dataset.version;

// Put new content around what stays in an element, in place of all else in it.
function around(parent, kept, fresh, isGap) {
  for (const child of [...parent.childNodes]) if (!kept.includes(child)) child.remove();
  let before = true;
  for (const child of [...fresh.childNodes]) {
    if (isGap(child)) before = false;
    else if (before) kept[0].before(child);
    else parent.append(child);
  }
}

function show(content) {
  const fresh = document.createElement("main");
  fresh.innerHTML = content;
  const of = (root) => JSON.parse(root.querySelector("#points")?.textContent ?? "[]");
  const names = (all) => all.map((data) => data.network).join("\n");
  const [old, found] = [of(main), of(fresh)];
  if (old.length === 0 || names(old) !== names(found)) {
    main.replaceChildren(...fresh.childNodes);
    begin();
    return;
  }
  const sections = [...main.querySelectorAll("section")];
  const others = [...fresh.querySelectorAll("section")];
  sections.forEach((section, n) => {
    const isPictures = (child) => child.classList?.contains("pictures");
    around(section, [section.querySelector("figure.played")], others[n], isPictures);
    const state = stateOf(found[n].network);
    state.chart.update(found[n]);
    enhanceTable(section, found[n], state);
  });
  around(main, sections, fresh, (child) => others.includes(child));
}

function tell(progress) {
  live.replaceChildren(...progress.map(({ words, done, planned }) => {
    const line = element("div", {}, words);
    if (planned) line.prepend(element("progress", { value: done, max: planned }), " ");
    return line;
  }));
}

async function follow() {
  try {
    const answer = await fetch(`/state?since=${version}`);
    const state = await answer.json();
    tell(state.progress);
    if (state.body !== null) {
      show(state.body);
      version = state.version;
    }
  } catch {
    live.textContent = "spinflow serve does not answer: what follows is as it was last";
  }
  setTimeout(follow, PERIOD_MS);
}

follow();
