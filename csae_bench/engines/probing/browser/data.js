"use strict";
// What the page shows, and how its numbers read.

const data = JSON.parse(document.getElementById("data").textContent);
const values = data.values.map((value, place) => {
  const factor = data.factors[value.factor].name;
  return {...value, place, factor, label: value.name ? `${factor}: ${value.name}` : factor};
});
const latentByIndex = new Map(data.latents.map(latent => [latent.index, latent]));
const ks = [...new Set(values.flatMap(value => value.probes.map(probe => probe.k)))].sort((a, b) => a - b);
const operations = [...new Set(values.flatMap(value => value.effects.map(effect => effect.operation)))];
const METRICS = {auroc: "AUROC", balanced_accuracy: "Balanced accuracy", accuracy: "Accuracy"};

// An estimate is a number, [number, low, high], or the reason why there is none.
const valueOf = estimate => typeof estimate === "string" || estimate === null || estimate === undefined ? null
  : Array.isArray(estimate) ? estimate[0] : estimate;
const intervalOf = estimate => Array.isArray(estimate) && estimate[1] !== null && estimate[2] !== null
  ? [estimate[1], estimate[2]] : null;
const reasonOf = estimate => typeof estimate === "string" ? estimate : "";

const signed = text => text.replace("-", "\u2212").replace(/^\u2212(0(\.0*)?)$/, "$1");
const fixed = (value, digits = 3) => signed(value.toFixed(digits));
const brief = value => value === 0 ? "0" : signed(value.toPrecision(3));
const percent = share => {
  const value = share * 100;
  const digits = value >= 10 || value === 0 ? 0 : value >= 1 ? 1 : 2;
  return value > 0 && value < 0.005 ? "<0.01%" : `${value.toFixed(digits)}%`;
};

const lower = text => text.toLowerCase();
const lowerTexts = data.texts.map(tokens => tokens.map(lower));

/** The tokens that a latent is active on in its prompts, each once, in lower case. */
const activeTokens = (() => {
  const known = new Map();
  return latent => {
    if (!known.has(latent.index)) {
      const fired = new Set();
      for (const prompt of latent.prompts) {
        prompt.codes.forEach((code, i) => { if (code !== 0) fired.add(lowerTexts[prompt.text][i]) });
      }
      known.set(latent.index, [...fired]);
    }
    return known.get(latent.index);
  };
})();

// of two values of one factor a latent is equally informative about: the one that it stands for is meant
const TIE = 0.002;

/** The value of `places` that a latent is most informative about, with how much; null where it is informative about none. */
function bestKnown(latent, places) {
  let best = null;
  for (const place of places) {
    const information = latent.information[place];
    if (information !== null && (best === null || information > best.information)) {
      best = {place, information};
    }
  }
  const assigned = latent.assigned.find(place => places.includes(place)
    && latent.information[place] >= best.information - TIE);
  return assigned === undefined ? best : {place: assigned, information: latent.information[assigned]};
}
