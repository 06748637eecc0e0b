"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const STEP = 100;

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// A cell is text, a number, null, or [what to sort by, what to show].
const sortKey = cell => Array.isArray(cell) ? cell[0] : cell;
const withMinus = text => text.replace(/-(?=[\d.])/g, "−");
const searchText = cell => (Array.isArray(cell) ? cell.join(" ") : String(cell ?? "")).toLowerCase();

// As many decimals as the column's most precise number has, so that points stand below each other.
function setDecimals(column, cells) {
  const numbers = cells.filter(cell => typeof cell === "number").map(String);
  column.decimals = numbers.some(text => text.includes("e")) ? null
    : Math.max(0, ...numbers.map(text => (text.split(".")[1] || "").length));
}

function numberText(cell, column) {
  if (Array.isArray(cell)) return withMinus(cell[1]);
  return withMinus(column.decimals === null ? String(cell) : cell.toFixed(column.decimals));
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}

function buildTable(place) {
  const { columns, rows } = data[place.dataset.table];
  columns.forEach((column, i) => setDecimals(column, rows.map(row => row[i])));
  const groups = [...new Set(columns.flatMap(column => column.group ? [column.group.split(" ")[0]] : []))];
  const state = { text: "", verdict: "", group: "", sort: null, descending: false, n: STEP };
  const verdictColumn = columns.findIndex(column => column.kind === "verdict");
  const controls = make("div", { class: "controls" });
  const count = make("span", { class: "quiet", role: "status" });
  const head = make("tr");
  const body = make("tbody");
  const more = make("button", { type: "button" });
  const table = make("table", {}, make("thead", {}, head), body);

  const filter = make("input", { type: "search", "aria-label": "Filter rows", placeholder: "filter rows" });
  filter.addEventListener("input", () => { state.text = filter.value.toLowerCase(); state.n = STEP; drawRows(); });
  controls.append(filter);
  if (verdictColumn >= 0) {
    const there = new Set(rows.map(row => row[verdictColumn]));
    addSelect("verdict", [["", "all"], ...Object.keys(data.symbols).filter(v => there.has(v)).map(v => [v, v])],
      value => { state.verdict = value; state.n = STEP; drawRows(); });
  }
  if (groups.length) {
    addSelect("metrics", [["", "those that say most"], ...groups.map(group => [group, `all of ${group}`])],
      value => { state.group = value; drawHead(); drawRows(); });
  }
  controls.append(count);
  more.addEventListener("click", () => { state.n += 5 * STEP; drawRows(); });
  place.append(controls,
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": place.dataset.label }, table), more);
  drawHead();
  drawRows();

  function addSelect(name, options, onChange) {
    const select = make("select", {});
    for (const [value, text] of options) select.append(make("option", { value }, text));
    select.addEventListener("change", () => onChange(select.value));
    controls.append(make("label", {}, `${name} `, select));
  }

  function visible() {
    return columns.map((column, i) => i).filter(i => {
      if (columns[i].kind === "prose") return false;  // stands below its row, where there is room
      const [group, first] = columns[i].group.split(" ");
      return !group || (state.group ? group === state.group : first === "shown");
    });
  }

  function drawHead() {
    head.replaceChildren(...visible().map(i => {
      const column = columns[i];
      const cell = make("th", { class: column.kind === "number" ? "number" : "", scope: "col" });
      const button = make("button", { type: "button", title: column.hint }, column.title);
      button.addEventListener("click", () => {
        state.descending = state.sort === i ? !state.descending : column.kind === "number";
        state.sort = i;
        for (const other of head.children) other.removeAttribute("aria-sort");
        cell.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
        drawRows();
      });
      if (state.sort === i) cell.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
      cell.append(button);
      return cell;
    }));
  }

  function drawRows() {
    const filtered = rows.filter(row => (!state.verdict || row[verdictColumn] === state.verdict)
      && (!state.text || row.some(cell => searchText(cell).includes(state.text))));
    if (state.sort !== null) {
      const sign = state.descending ? -1 : 1;
      const isEmpty = row => sortKey(row[state.sort]) === null || sortKey(row[state.sort]) === "";
      filtered.sort((a, b) => isEmpty(a) - isEmpty(b)  // what is undefined stands last either way
        || sign * compare(sortKey(a[state.sort]), sortKey(b[state.sort])));
    }
    const indices = visible();
    body.replaceChildren(...filtered.slice(0, state.n).flatMap(row => [
      make("tr", {}, ...indices.map(i => drawCell(row[i], columns[i]))), ...drawProse(row, columns, indices.length)]));
    count.textContent = filtered.length === rows.length ? `${rows.length} rows` : `${filtered.length} of ${rows.length} rows`;
    more.hidden = filtered.length <= state.n;
    more.textContent = `show more of ${filtered.length - state.n}`;
  }
}

function drawCell(cell, column) {
  if (column.kind === "verdict") {
    return make("td", {}, make("span", { class: `verdict ${cell}` },
      make("b", { "aria-hidden": "true" }, data.symbols[cell]), ` ${cell}`));
  }
  // [title, name] of a metric: the name stands in a hint
  if (column.kind === "text" && Array.isArray(cell)) return make("td", { class: "text", title: cell[1] }, cell[0]);
  if (column.kind === "number" && cell === null) return make("td", { class: "number absent" }, "–");
  return make("td", { class: column.kind }, column.kind === "number" ? numberText(cell, column) : cell ?? "");
}

function drawProse(row, columns, width) {
  return columns.flatMap((column, i) => column.kind === "prose" && row[i]
    ? [make("tr", { class: "prose" }, make("td", { colspan: width }, make("p", { title: column.title }, row[i])))] : []);
}

function explore(chart) {
  const tip = document.getElementById("tip");
  let near = null;
  const marks = () => [...chart.querySelectorAll("g:not(.off) use")];
  const middle = mark => {
    const box = mark.getBoundingClientRect();
    return [box.left + box.width / 2, box.top + box.height / 2];
  };

  function show(mark) {
    if (near) near.classList.remove("near");
    near = mark;
    tip.hidden = !mark;
    if (!mark) return;
    mark.classList.add("near");
    tip.textContent = mark.dataset.t;
    const [x, y] = middle(mark);
    tip.style.left = `${Math.max(4, Math.min(x + 12, innerWidth - tip.offsetWidth - 4))}px`;
    tip.style.top = `${y - tip.offsetHeight - 12 < 0 ? y + 14 : y - tip.offsetHeight - 12}px`;
  }

  chart.addEventListener("pointermove", event => {
    let best = null, least = 24;
    for (const mark of marks()) {
      const [x, y] = middle(mark);
      const distance = Math.hypot(x - event.clientX, y - event.clientY);
      if (distance < least) [best, least] = [mark, distance];
    }
    if (best !== near) show(best);
  });
  chart.addEventListener("pointerleave", () => show(null));
  chart.addEventListener("blur", () => show(null));
  chart.addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") show(null);
    if (!step) return;
    event.preventDefault();
    const all = marks();
    if (!all.length) return;
    const at = all.indexOf(near);
    show(all[at < 0 ? (step > 0 ? 0 : all.length - 1) : (at + step + all.length) % all.length]);
  });
}

// The leaderboard is there without scripts; its headings become buttons that sort.
function makeSortable(table) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, i) => {
    const label = heading.querySelector(".label");
    if (!label) return;
    const button = make("button", { type: "button" }, label.textContent);
    label.replaceChildren(button);
    button.addEventListener("click", () => {
      const first = heading.dataset.first === "up" ? "ascending" : "descending";
      const other = first === "ascending" ? "descending" : "ascending";
      sortBoard(table, headings, i, heading.getAttribute("aria-sort") === first ? other : first);
    });
  });
}

function sortBoard(table, headings, i, order) {
  headings.forEach((heading, at) => at === i ? heading.setAttribute("aria-sort", order) : heading.removeAttribute("aria-sort"));
  const sign = order === "descending" ? -1 : 1;
  const key = row => row.cells[i].dataset.s;
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter(row => row.cells.length > 1);
    rows.sort((a, b) => (key(a) === undefined) - (key(b) === undefined)  // without a value: last either way
      || sign * (Number(key(a)) - Number(key(b))));
    body.append(...rows);
  }
}

// What a reader has opened and sorted outlives the page's loading itself again.
const STATE = `csae-bench ${location.pathname}`;
function keepState() {
  const sorted = [...document.querySelectorAll("table.board")].map(table =>
    [...table.tHead.rows[0].cells].map(cell => cell.getAttribute("aria-sort")));
  const open = [...document.querySelectorAll("details")].map(one => [one.querySelector("summary").textContent, one.open]);
  try { sessionStorage.setItem(STATE, JSON.stringify({ sorted, open, y: scrollY })); } catch { /* no storage here */ }
}
function restoreState() {
  let state = null;
  try { state = JSON.parse(sessionStorage.getItem(STATE)); } catch { /* no storage here */ }
  if (!state) return;
  const open = new Map(state.open);
  for (const one of document.querySelectorAll("details")) {
    const was = open.get(one.querySelector("summary").textContent);
    if (was !== undefined) one.open = was;
  }
  document.querySelectorAll("table.board").forEach((table, n) => {
    const headings = [...table.tHead.rows[0].cells];
    const i = (state.sorted[n] || []).findIndex(order => order);
    if (i > 0 && i < headings.length) sortBoard(table, headings, i, state.sorted[n][i]);
  });
  scrollTo(0, state.y);
}

// A page of a run that is not done loads itself again, until the run has been silent for too long.
function follow(place) {
  const written = Number(place.dataset.written), silence = 1000 * Number(place.dataset.silence);
  for (const time of place.querySelectorAll("time")) {
    time.textContent = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  }
  restoreState();
  if (Date.now() - written > silence) {
    place.classList.add("silent");
    document.getElementById("reloads").textContent =
      "It has been silent since, and was probably killed: the page no longer reloads itself. The same command goes on with what is left.";
    return;
  }
  const reload = () => {
    // not under the hands of someone who types
    if (document.activeElement && document.activeElement.matches("input, select")) { setTimeout(reload, 1000); return; }
    keepState();
    location.reload();
  };
  setTimeout(reload, 1000 * Number(place.dataset.reload));
}

for (const place of document.querySelectorAll("[data-table]")) buildTable(place);
for (const table of document.querySelectorAll("table.board")) makeSortable(table);
for (const chart of document.querySelectorAll(".pareto")) explore(chart);
for (const button of document.querySelectorAll(".legend button")) {
  button.addEventListener("click", () => {
    const isOn = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", isOn);
    for (const group of document.querySelectorAll(`.pareto g[data-curve="${button.dataset.curve}"]`)) {
      group.classList.toggle("off", !isOn);
    }
  });
}
const live = document.getElementById("live");
if (live) follow(live);
