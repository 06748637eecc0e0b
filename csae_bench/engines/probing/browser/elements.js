"use strict";
// Parts of the page. Text only ever goes in as text.

/** An element; an attribute that is null or false is left out, a function is a handler. */
function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false) continue;
    if (typeof value === "function") made.addEventListener(name, value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter(child => child !== null));
  return made;
}

const none = reason => element("abbr", {class: "none", title: reason || "not defined"}, "–");

/** An estimate as text: a dash with its reason as tooltip, the interval beside it if asked for. */
function number(estimate, {format = fixed, interval = false} = {}) {
  const value = valueOf(estimate);
  if (value === null) return none(reasonOf(estimate));
  const ends = intervalOf(estimate);
  const range = ends && `[${format(ends[0])}, ${format(ends[1])}]`;
  return element("span", {title: range && !interval ? `95% interval ${range}` : null}, format(value),
    interval && range ? element("span", {class: "interval"}, ` ${range}`) : null);
}

/** An estimate's number; the reason in words where there is none. */
const numberOrReason = (estimate, options) => valueOf(estimate) === null
  ? element("span", {class: "quiet"}, `– ${reasonOf(estimate) || "not defined"}`)
  : number(estimate, {interval: true, ...options});

// main.js says where links lead: that changes with the filters
const latentLink = index => latentByIndex.has(index)
  ? element("a", {"data-latent": index, href: "#"}, String(index))
  : element("span", {title: "not among the latents of this page"}, String(index));
const valueLink = (place, text) =>
  element("a", {"data-value": place, href: "#"}, text ?? values[place].label);
const joined = (parts, by) => parts.flatMap((part, i) => i ? [by, part] : [part]);

/** Class and style of something shaded by a number from -1 to 1. */
function heat(strength) {
  const size = Math.min(Math.abs(strength), 1);
  const from = strength < 0 ? data.white_from.red : data.white_from.blue;
  const names = ["heat", strength < 0 ? "negative" : "", size > from ? "strong" : ""];
  return {class: names.filter(Boolean).join(" "), style: `--heat:${size.toFixed(3)}`};
}

/** A bar from 0 to an estimate with its interval as a line, on an axis from `low` to `high`. */
function bar(estimate, low, high, {width = 120, name = ""} = {}) {
  const height = 14;
  const x = value => (Math.min(Math.max(value, low), high) - low) / (high - low) * (width - 2) + 1;
  const value = valueOf(estimate);
  const drawn = svg("svg", {class: "bar", width, height, role: "img", "aria-label": `${name} ${
    value === null ? "not defined" : fixed(value)}`});
  drawn.append(svg("line", {class: "axis", x1: x(0), x2: x(0), y1: 0, y2: height}));
  if (value === null) return drawn;
  drawn.append(svg("rect", {class: value < 0 ? "negative" : "positive", y: 3, height: height - 6,
    x: Math.min(x(0), x(value)), width: Math.abs(x(value) - x(0))}));
  const ends = intervalOf(estimate);
  if (ends) drawn.append(svg("line", {class: "whisker", x1: x(ends[0]), x2: x(ends[1]),
    y1: height / 2, y2: height / 2}));
  return drawn;
}
