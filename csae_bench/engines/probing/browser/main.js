"use strict";
// From the fragment to the page, and back.

const detail = document.getElementById("detail");
const find = document.getElementById("find");
const factorFilter = document.getElementById("factor");
const metricChoice = document.getElementById("metric");
const covers = matchMedia("(max-width: 1099px)");
let shownTables = null;
let shownDetail = "";

function show() {
  const state = currentState();
  const {latent, value, ...rest} = state;
  const key = JSON.stringify([rest, shownRows]);
  if (key !== shownTables) {
    shownTables = key;
    factorFilter.value = state.factor;
    metricChoice.value = state.metric;
    if (find.value !== state.q) find.value = state.q;
    const q = lower(state.q.trim());
    const [nValues, nLatents] = [showValues(state, q), showLatents(state, q)];
    showAbsorption(state, q);
    document.getElementById("found").value = q || state.factor
      ? `${nValues} of ${values.length} values, ${nLatents} of ${data.latents.length} latents` : "";
  }
  markCurrent(state);
  showDetail(state);
  markLinks(state);
}

/** Links say where they lead from here: to the same filters and order, with another detail. */
function markLinks(state) {
  for (const link of document.querySelectorAll("a[data-latent]")) {
    link.hash = fragment(opensLatent(link.dataset.latent), state);
  }
  for (const link of document.querySelectorAll("a[data-value]")) {
    link.hash = fragment(opensValue(link.dataset.value), state);
  }
}

function markCurrent(state) {
  const opened = state.latent ? `#latents th a[data-latent="${CSS.escape(state.latent)}"]`
    : `#values th a[data-value="${values.findIndex(value => value.label === state.value)}"]`;
  for (const line of document.querySelectorAll("tr[aria-current]")) line.removeAttribute("aria-current");
  document.querySelector(opened)?.closest("tr").setAttribute("aria-current", "true");
}

function showDetail(state) {
  const wanted = state.latent ? `latent ${state.latent}` : state.value;
  if (wanted === shownDetail) return;
  const wasOpen = shownDetail !== "";
  shownDetail = wanted;
  detail.hidden = !wanted;
  document.body.classList.toggle("has-detail", Boolean(wanted));
  setReach();
  if (!wanted) return detail.replaceChildren();
  const title = element("h2", {tabindex: -1}, wanted);
  detail.replaceChildren(
    element("header", {}, title, element("button", {type: "button", id: "close", "aria-label": "close",
      title: "close (Escape)", click: close}, "×")),
    ...detailOf(state));
  detail.scrollTop = 0;
  if (wasOpen || hasActed) title.focus({preventScroll: true});
}

/** Where the detail covers the page, the page is out of a keyboard's reach. */
function setReach() {
  document.querySelector("main").inert = covers.matches && !detail.hidden;
}

function detailOf(state) {
  if (state.latent) {
    const latent = latentByIndex.get(Number(state.latent));
    return latent ? latentDetail(latent) : [element("p", {}, `Latent ${state.latent} is not on this page, which has ${
      data.latents.length} of ${data.d_sae}: the most informative ones of each value.`)];
  }
  const value = values.find(one => one.label === state.value);
  return value ? valueDetail(value) : [element("p", {}, `There is no value '${state.value}'.`)];
}

function close() {
  const opener = document.querySelector("tr[aria-current] a");
  go(closesDetail);
  opener?.focus({preventScroll: true});
}

let hasActed = false;
for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => { hasActed = true }, {once: true});

addEventListener("keydown", event => {
  const isTyping = event.target.closest?.("input, select");
  if (event.key === "Escape" && !detail.hidden && !(isTyping && find.value)) close();
  else if (event.key === "/" && !isTyping) { event.preventDefault(); find.focus() }
  else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && event.target.matches?.("tbody th a")) {
    const links = [...event.target.closest("tbody").querySelectorAll("th a")];
    const next = links[links.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1)];
    if (next) { event.preventDefault(); next.focus() }
  }
});
// a row leads where its first link does
document.querySelector("main").addEventListener("click", event => {
  const line = event.target.closest("tbody tr");
  if (line && !event.target.closest("a, button") && getSelection().isCollapsed) line.querySelector("th a")?.click();
});
factorFilter.append(...data.factors.map(factor => element("option", {value: factor.name}, factor.name)));
factorFilter.addEventListener("change", () => go({factor: factorFilter.value}));
metricChoice.addEventListener("change", () => go({metric: metricChoice.value}));
find.addEventListener("input", () => go({q: find.value}, {replace: true}));
document.querySelector("form").addEventListener("submit", event => event.preventDefault());
addEventListener("hashchange", show);
covers.addEventListener("change", setReach);
show();
