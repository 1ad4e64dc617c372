/** The outcomes by minute: a chart of bars, and the same as a table. */

import { ago, counted, minute, number, span } from "/operator/words.js";

/** From the bottom of a bar to its top: by what each outcome calls for. */
const ORDER = ["applied", "duplicate", "superseded", "ignored", "rejected", "parked", "failed"];
const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, GAP] = [600, 140, 3];

/**
 * Add up what several processes report.
 *
 * @returns the minutes, the oldest first: `{ minute, counts: { applied: 3, … }, total, age }`; age is -1 without any.
 */
export function added(sources) {
  if (sources.length === 0) return [];
  const length = sources[0].ages.length;
  const last = Math.max(...sources.map((each) => each.begin + length - 1));
  return Array.from({ length }, (_, index) => {
    const number = last - length + 1 + index;
    const counts = {};
    let age = -1;
    for (const { begin, outcomes, ages } of sources) {
      for (const [name, values] of Object.entries(outcomes)) counts[name] = (counts[name] ?? 0) + (values[number - begin] ?? 0);
      age = Math.max(age, ages[number - begin] ?? -1);
    }
    return { minute: number, counts, total: Object.values(counts).reduce((sum, each) => sum + each, 0), age };
  });
}

/** Say which processes report, and since when one does not. */
export function reporters(sources, now) {
  return sources.map((each) => {
    const when = each.isOver ? `, ended ${ago(now - each.reportedAt)}` : each.isSilent ? `, silent: reported ${ago(now - each.reportedAt)}` : `, ${ago(now - each.reportedAt)}`;
    return `${each.process}${each.process === "this process" ? "" : when}`;
  }).join(" · ");
}

export class Outcomes {
  #section;
  #drawn = "";

  constructor(section) {
    this.#section = section;
  }

  /** Show what is reported. */
  show(sources, now) {
    const find = (selector) => this.#section.querySelector(selector);
    find(".none").hidden = sources.length > 0;
    find(".chart").hidden = sources.length === 0;
    const line = sources.length === 0 ? "" : `Reported by ${reporters(sources, now)}`;
    if (find(".reporters").textContent !== line) find(".reporters").textContent = line;
    const minutes = added(sources);
    const drawn = JSON.stringify(minutes);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const names = ORDER.filter((name) => minutes.some((each) => each.counts[name] > 0));
    const sums = names.map((name) => [name, minutes.reduce((sum, each) => sum + (each.counts[name] ?? 0), 0)]);
    find(".legend").replaceChildren(...sums.map(([name, sum]) => legendItem(name, sum)));
    const said = sums.length === 0 ? "none" : sums.map(([name, sum]) => `${number(sum)} ${name}`).join(", ");
    find(".drawing").replaceChildren(drawing(minutes, names, `Outcomes of the last ${minutes.length} minutes: ${said}`));
    const [first, last] = find(".axis").children;
    first.textContent = minutes.length > 0 ? minute(minutes[0].minute) : "";
    last.textContent = minutes.length > 0 ? `${minute(minutes.at(-1).minute)} · at most ${counted(highest(minutes), "record")} a minute` : "";
    find(".scrolled").replaceChildren(table(minutes, names));
  }
}

function highest(minutes) {
  return Math.max(...minutes.map((each) => each.total));
}

function legendItem(name, sum) {
  const item = document.createElement("li");
  item.dataset.outcome = name;
  item.textContent = `${number(sum)} ${name}`;
  return item;
}

function drawing(minutes, names, label) {
  const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label });
  const width = WIDTH / minutes.length;
  const most = Math.max(1, highest(minutes));
  minutes.forEach((each, index) => {
    let top = HEIGHT - 1;
    const column = { x: index * width + GAP / 2, width: width - GAP };
    svg.append(element("rect", { ...column, y: HEIGHT - 1, height: 1, class: "ground" }));
    for (const name of names) {
      if (!each.counts[name]) continue;
      const height = Math.max(2, (each.counts[name] / most) * (HEIGHT - 16)); // the rarest is seen
      top -= height;
      svg.append(element("rect", { ...column, y: top, height, "data-outcome": name }));
    }
  });
  return svg;
}

function table(minutes, names) {
  const made = document.createElement("table");
  const heads = ["minute", ...names, "age"];
  const header = made.createTHead().insertRow();
  for (const name of heads) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = name;
    header.append(cell);
  }
  const body = made.createTBody();
  for (const each of minutes.toReversed()) {
    const row = body.insertRow();
    const cells = [minute(each.minute), ...names.map((name) => number(each.counts[name] ?? 0)), each.age < 0 ? "" : span(each.age)];
    for (const text of cells) row.insertCell().textContent = text;
  }
  return made;
}

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  return made;
}
