"use strict";
// What is shown, as the fragment says it: a link to the page is a link to the place.

const DEFAULTS = {factor: "", q: "", metric: "auroc", sort: "", values: "", latent: "", value: ""};

/** The state that the fragment says; what it leaves out is as in DEFAULTS. */
function currentState() {
  const given = new URLSearchParams(location.hash.slice(1));
  const state = {...DEFAULTS};
  for (const name of Object.keys(DEFAULTS)) if (given.has(name)) state[name] = given.get(name);
  if (!data.factors.some(factor => factor.name === state.factor)) state.factor = "";
  if (!(state.metric in METRICS)) state.metric = DEFAULTS.metric;
  return state;
}

/** The fragment of a state with some changes. */
function fragment(changes, state = currentState()) {
  const changed = Object.entries({...state, ...changes}).filter(([name, value]) => value !== DEFAULTS[name]);
  return "#" + changed.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
}

/** Goes there; `replace` leaves no step to go back to, for what changes with every key. */
function go(changes, {replace = false} = {}) {
  const target = fragment(changes);
  if (target === (location.hash || "#")) return;
  if (replace) {
    history.replaceState(null, "", target);
    show();
  } else {
    location.hash = target;
  }
}

const opensLatent = index => ({latent: String(index), value: ""});
const opensValue = place => ({latent: "", value: values[place].label});
const closesDetail = {latent: "", value: ""};

/** Places of the values that the factor filter leaves. */
const shownPlaces = state =>
  values.filter(value => !state.factor || value.factor === state.factor).map(value => value.place);

/** Whether a value is found by what was typed. */
const findsValue = (value, q) => !q || lower(value.label).includes(q);

/** Whether a latent is: by its number, by a value that it stands for, by a token it fires on. */
function findsLatent(latent, q, places) {
  if (!q) return true;
  if (/^\d+$/.test(q) && String(latent.index).startsWith(q)) return true;
  const best = bestKnown(latent, places);
  const about = best === null ? latent.assigned : [best.place, ...latent.assigned];
  return about.some(place => findsValue(values[place], q))
    || activeTokens(latent).some(token => token.includes(q));
}
