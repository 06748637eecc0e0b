"use strict";
// The three tables: values, latents, absorption.

const MORE_ROWS = 200;
let shownRows = 100;

const estimateColumn = (key, title, description, of) => ({
  key, title, description, kind: "number", first: "-", rank: row => valueOf(of(row)),
  cell: row => number(of(row)),
});

const EFFECT_PARTS = [["own", "change of the log-odds of the value's own word"],
  ["control", "the same of a matched random latent"], ["specificity", ""]];

function valueColumns(state) {
  const of = (row, k) => row.probes.find(probe => probe.k === k)?.[state.metric] ?? "not probed";
  const effect = (row, operation, part) => row.effects.length
    ? row.effects.find(one => one.operation === operation)?.[part] ?? "not done for this value" : row.no_effect_reason;
  const best = row => row.best[0];
  return [
    {key: "value", title: "value", rank: row => row.place, cell: row => valueLink(row.place, row.name || row.factor)},
    {key: "prompts", title: "prompts", kind: "number", first: "-", rank: row => row.n, cell: row => String(row.n)},
    ...ks.map(k => estimateColumn(`k${k}`, `k = ${k}`,
      `${METRICS[state.metric]} of a probe on the ${k} best latents`, row => of(row, k))),
    estimateColumn("dense", "dense", `${METRICS[state.metric]} of a probe on the activations: the ceiling`,
      row => row.dense?.[state.metric] ?? "no dense probe"),
    {key: "best", title: "best latent", kind: "number begins", rank: row => best(row)?.latent ?? null,
      cell: row => best(row) ? latentLink(best(row).latent) : none("no latent")},
    estimateColumn("information", "information", "of the best latent, in units of the value's entropy",
      row => best(row)?.information ?? "no latent"),
    ...operations.flatMap(operation => EFFECT_PARTS.map(([part, about], i) => ({
      ...estimateColumn(`${operation} ${part}`, part, about || data.descriptions.specificity,
        row => effect(row, operation, part)),
      kind: i ? "number" : "number begins", group: operation,
    }))),
  ];
}

function showValues(state, q) {
  const columns = valueColumns(state);
  const rows = shownPlaces(state).map(place => values[place]).filter(value => findsValue(value, q));
  let factor = null;
  const group = row => {
    if (state.values || row.factor === factor) return null;
    factor = row.factor;
    const about = data.factors.find(one => one.name === factor).description;
    return [factor, about ? element("span", {class: "quiet"}, ` ${about}`) : null];
  };
  replace("values", rows.length ? table(columns, sorted(rows, columns, state.values), {
    name: "Values", above: groupHeadings(columns), sort: state.values, onSort: key => go({values: key}), group,
    isCurrent: row => row.label === state.value && !state.latent,
  }) : nothing("value"));
  return rows.length;
}

function latentColumns(places) {
  const most = latent => bestKnown(latent, places);
  const plain = (key, title, description, kind, of, show) => ({key, title, description, kind, first: "-",
    rank: of, cell: row => show(of(row))});
  return [
    {key: "index", title: "latent", kind: "number", rank: row => row.index, cell: row => latentLink(row.index)},
    plain("fires", "fires", "share of the prompts in which its code is not 0", "number", row => row.fires, percent),
    plain("max", "max", "its largest activation", "number", row => row.max, brief),
    estimateColumn("selectivity", "selectivity", data.descriptions.selectivity, row => row.selectivity),
    estimateColumn("entropy", "entropy", data.descriptions.entropy, row => row.entropy),
    {key: "assigned", title: "stands for", description: "values that it is assigned to", rank: row => row.assigned[0] ?? null,
      cell: row => joined(row.assigned.map(place => valueLink(place)), ", ")},
    {key: "most", title: "most informative about", rank: row => { const best = most(row); return best && best.place + 1 - best.information },
      cell: row => { const best = most(row); return best ? values[best.place].label : none("none") }},
    ...places.map((place, i) => ({
      key: values[place].label, title: values[place].name || values[place].factor, upright: true, first: "-",
      description: values[place].label, group: values[place].factor,
      begins: i === 0 || values[place].factor !== values[places[i - 1]].factor,
      rank: row => row.information[place],
      attributes: row => row.information[place] === null ? {class: "undefined"} : heat(row.information[place]),
      cell: row => row.information[place] === null ? "" : fixed(row.information[place], 2),
    })),
  ];
}

function showLatents(state, q) {
  const places = shownPlaces(state);
  const columns = latentColumns(places);
  const rows = data.latents.filter(latent => findsLatent(latent, q, places));
  const sort = state.sort || "most";
  replace("latents", rows.length ? table(columns, sorted(rows, columns, sort).slice(0, shownRows), {
    name: "Latents", sort, onSort: key => go({sort: key}), above: groupHeadings(columns),
    isCurrent: row => String(row.index) === state.latent,
  }) : nothing("latent"));
  const left = rows.length - shownRows;
  replace("more", left <= 0 ? "" : element("button", {type: "button", id: "show-more",
    click: () => { shownRows += MORE_ROWS; show() }}, `Show ${Math.min(left, MORE_ROWS)} more of ${left}`));
  return rows.length;
}

function showAbsorption(state, q) {
  const isShown = place => (!state.factor || values[place].factor === state.factor) && findsValue(values[place], q);
  const rows = data.absorption.filter(row => isShown(row.parent) || isShown(row.child));
  const latent = index => index === null ? none("no latent") : latentLink(index);
  const columns = [
    {key: "parent", title: "parent", cell: row => valueLink(row.parent)},
    {key: "parent_latent", title: "latent", kind: "number", cell: row => latent(row.parent_latent)},
    {key: "child", title: "child", cell: row => valueLink(row.child)},
    {key: "child_latent", title: "latent", kind: "number", cell: row => latent(row.child_latent)},
    {key: "rate", title: "silent", kind: "number", cell: row => number(row.rate, {interval: true})},
    {key: "bar", title: "", kind: "", cell: row => bar(row.rate, 0, 1, {width: 100, name: "silent"})},
  ].map(column => ({rank: () => null, ...column}));
  const made = rows.length ? table(columns, rows, {name: "Absorption"})
    : data.absorption.length ? nothing("pair") : element("p", {class: "quiet"}, data.no_absorption_reason || "None was measured.");
  for (const button of made.querySelectorAll("thead button")) button.replaceWith(button.textContent);
  replace("absorption", made);
}

const nothing = what => element("p", {class: "quiet"}, `No ${what} is found.`);

/** Puts new content into a part of the page; what has the focus there keeps it. */
function replace(id, ...children) {
  const part = document.getElementById(id);
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const [name, key] = Object.entries(focused?.dataset ?? {})[0] ?? [];
  part.replaceChildren(...children);
  if (name) part.querySelector(`[data-${name}="${CSS.escape(key)}"]`)?.focus({preventScroll: true});
}
