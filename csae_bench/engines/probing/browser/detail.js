"use strict";
// What is known of one value or one latent.

const section = (title, ...children) => [element("h3", {}, title), ...children];
const facts = pairs => element("dl", {class: "pairs"}, pairs.flatMap(([name, shown, about]) =>
  [element("dt", {title: about || null}, name), element("dd", {}, shown)]));
const row = (...cells) => element("tr", {}, cells.map((cell, i) =>
  element(i ? "td" : "th", {class: i ? "number" : null, scope: i ? null : "row"}, cell)));
const heading = (...titles) => element("thead", {}, element("tr", {}, titles.map((title, i) =>
  element("th", {scope: "col", class: i ? "number" : null}, title))));

/** Detail of a value: probes, best latents, intervention, absorption. */
function valueDetail(value) {
  const absorbed = data.absorption.filter(one => one.parent === value.place || one.child === value.place);
  return [
    element("p", {class: "quiet"}, `${value.n} prompts`),
    ...section("Probes", ...probes(value)),
    ...section("Best latents", value.best.length ? element("table", {},
      heading("latent", "information", "", "fires"),
      element("tbody", {}, value.best.map(best => row(latentLink(best.latent), number(best.information),
        bar(best.information, 0, 1, {width: 100, name: "information"}), percent(best.fires))))) : nothing("latent")),
    ...section("Intervention", ...effects(value)),
    ...absorbed.length ? section("Absorption", element("table", {}, heading("parent", "child", "silent"),
      element("tbody", {}, absorbed.map(one => row(valueLink(one.parent), valueLink(one.child),
        number(one.rate, {interval: true})))))) : [],
  ];
}

function probes(value) {
  const rows = [...value.probes.map(probe => ({name: `k = ${probe.k}`, ...probe})),
    ...value.dense ? [{name: "dense", ...value.dense}] : []];
  if (!rows.length) return [element("p", {class: "quiet"}, "None was fitted.")];
  const names = Object.keys(METRICS);
  const scores = element("table", {}, heading("", ...names.map(name => METRICS[name])), element("tbody", {},
    rows.map(probe => row(probe.name, ...names.map(name => number(probe[name], {interval: true}))))));
  return [probeChart(value), element("div", {class: "scroll"}, scores)];
}

/** AUROC by k, with intervals; the dense probe's as a dashed line. */
function probeChart(value) {
  const [width, height, left, right, top, bottom] = [420, 150, 34, 48, 10, 22];
  const points = value.probes.filter(probe => valueOf(probe.auroc) !== null);
  const dense = valueOf(value.dense?.auroc);
  const all = [...points.flatMap(probe => [probe.auroc].flat()), ...dense === null ? [] : [dense]];
  if (!all.length) {
    const why = value.probes.map(probe => reasonOf(probe.auroc)).find(Boolean);
    return element("p", {class: "quiet"}, `No AUROC is defined here${why ? `: ${why}` : ""}.`);
  }
  const floor = Math.min(0.5, Math.floor(Math.min(...all) * 10) / 10);
  const y = score => top + (1 - score) / (1 - floor) * (height - top - bottom);
  const x = i => left + (i + 0.5) / value.probes.length * (width - left - right);
  const chart = svg("svg", {class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `AUROC by number of latents of ${value.label}; the table below has the numbers`});
  for (const tick of [floor, (floor + 1) / 2, 1]) {
    chart.append(svg("line", {class: "grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick)}),
      svg("text", {x: left - 6, y: y(tick) + 4, "text-anchor": "end"}, fixed(tick, 2)));
  }
  chart.append(svg("text", {x: 2, y: height - 5}, "k"));
  value.probes.forEach((probe, i) => chart.append(
    svg("text", {x: x(i), y: height - 5, "text-anchor": "middle"}, String(probe.k))));
  if (dense !== null) {
    chart.append(svg("line", {class: "ceiling", x1: left, x2: width - right, y1: y(dense), y2: y(dense)}),
      svg("text", {x: width - right + 6, y: y(dense) + 4}, "dense"));
  }
  const placed = points.map(probe => [x(value.probes.indexOf(probe)), probe.auroc]);
  chart.append(svg("polyline", {class: "curve", points: placed.map(([at, estimate]) => `${at},${y(valueOf(estimate))}`).join(" ")}));
  for (const [at, estimate] of placed) {
    const ends = intervalOf(estimate);
    if (ends) chart.append(svg("line", {class: "whisker", x1: at, x2: at, y1: y(ends[0]), y2: y(ends[1])}));
    chart.append(svg("circle", {cx: at, cy: y(valueOf(estimate)), r: 3.5}));
  }
  return element("figure", {}, chart, element("figcaption", {class: "quiet"}, "AUROC on held-out prompts; 1 is perfect, 0.5 chance"));
}

function effects(value) {
  if (!value.effects.length) return [element("p", {class: "quiet"}, value.no_effect_reason || "None was made.")];
  const parts = [["own", "own word"], ["others", "others' words"], ["control", "random latent"]];
  const ends = value.effects.flatMap(effect => parts.flatMap(([part]) => [effect[part]].flat()))
    .filter(end => typeof end === "number").map(Math.abs);
  const reach = Math.max(...ends, 1e-9);
  return [
    element("p", {class: "quiet"}, data.descriptions.effect),
    ...value.effects.flatMap(effect => [
      element("p", {class: "operation"}, `${effect.operation} latent `, latentLink(effect.latent)),
      element("table", {class: "effects"}, element("tbody", {},
        parts.map(([part, name]) => row(name, bar(effect[part], -reach, reach, {name}), number(effect[part], {interval: true}))),
        row(element("span", {title: data.descriptions.specificity || null}, "specificity"), "", number(effect.specificity, {interval: true})))),
    ]),
  ];
}

/** Detail of a latent: its value, its information, where it fires. */
function latentDetail(latent) {
  const known = values.map(value => [value, latent.information[value.place]])
    .filter(([, information]) => information !== null).sort((a, b) => b[1] - a[1]).slice(0, 6);
  return [
    facts([
      ["fires", `${percent(latent.fires)} of prompts`], ["largest activation", brief(latent.max)],
      ["selectivity", numberOrReason(latent.selectivity), data.descriptions.selectivity],
      ["entropy", numberOrReason(latent.entropy), data.descriptions.entropy],
      ["stands for", latent.assigned.length ? joined(latent.assigned.map(place => valueLink(place)), ", ") : "no one value"],
    ]),
    ...section("Knows most of", known.length ? element("table", {}, heading("value", "information", ""),
      element("tbody", {}, known.map(([value, information]) => row(valueLink(value.place), fixed(information),
        bar(information, 0, 1, {width: 100, name: "information"}))))) : nothing("value")),
    ...section("Most active prompts", latent.prompts.length
      ? element("ol", {class: "prompts"}, latent.prompts.map(prompt => promptItem(prompt, latent)))
      : element("p", {class: "quiet"}, "It is silent on every prompt.")),
  ];
}

function promptItem(prompt, latent) {
  const scale = Math.max(latent.max, ...prompt.codes.map(Math.abs)) || 1;
  return element("li", {}, element("span", {class: "pooled", title: "the prompt's one code"}, brief(prompt.pooled)),
    element("span", {class: "tokens"}, data.texts[prompt.text].map((text, i) => token(text, prompt.codes[i], scale))));
}

/** A token shaded by its activation; spaces and line ends are there, and marked quietly. */
function token(text, code, scale) {
  const parts = text.split(/([ \n\t])/).filter(Boolean).map(part =>
    part === " " ? element("span", {class: "space"}, " ")
      : part === "\n" ? element("span", {class: "line-end"}, "\n")
        : part === "\t" ? element("span", {class: "tab"}, "\t") : part);
  const shade = code === 0 ? {class: ""} : heat(code / scale);
  return element("span", {...shade, class: `token ${shade.class}`, title: brief(code)}, parts);
}
