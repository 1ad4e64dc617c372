/** Draws how much was used in each period: bars for those who see them, a table for those who listen. */

import { compare } from "/decimal.js";
import { amount, shortDay } from "/format.js";

const NAMESPACE = "http://www.w3.org/2000/svg";
const WIDTH = 320;
const HEIGHT = 96;
const LEAST = 6; // periods that fill the width: fewer leave room on the left
const GAP = 6;

/** Return the chart of a limit's periods, newest first as the API has them; null if there is nothing to compare. */
export function chart(periods, limit) {
  const known = periods.filter((period) => period.progress !== null).reverse();
  if (known.length < 2) return null;
  const figure = document.createElement("figure");
  figure.className = "chart";
  figure.append(bars(known, limit), dates(known), table(known, limit));
  return figure;
}

function bars(periods, limit) {
  const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true", preserveAspectRatio: "none" });
  const highest = Math.max(...periods.flatMap((each) => [Number(each.progress), Number(each.limitAmount ?? 0)]), 0);
  const scale = (value) => (highest > 0 ? (Math.max(Number(value), 0) / highest) * (HEIGHT - 2) : 0);
  const slots = Math.max(periods.length, LEAST);
  const slot = WIDTH / slots;
  periods.forEach((period, index) => {
    const x = (slots - periods.length + index) * slot + GAP / 2;
    const height = Math.max(scale(period.progress), 1.5);
    const isOver = period.limitAmount !== null && compare(period.progress, period.limitAmount) > 0;
    const state = isOver ? "over" : period.endedAt === null ? "running" : "past";
    const bar = element("rect", { x, y: HEIGHT - height, width: slot - GAP, height, rx: 2, class: state });
    bar.append(element("title", {}, described(period, limit)));
    svg.append(bar);
    if (period.limitAmount === null) return;
    const y = HEIGHT - scale(period.limitAmount);
    svg.append(element("line", { x1: x - GAP / 2, x2: x + slot - GAP / 2, y1: y, y2: y, class: "limit" }));
  });
  return svg;
}

/** Return the days below the first bar and the last. */
function dates(periods) {
  const caption = document.createElement("p");
  caption.setAttribute("aria-hidden", "true");
  const first = document.createElement("span");
  first.textContent = `${periods.length} periods since ${periods[0].startedAt === null ? "before " + shortDay(new Date(periods[0].endedAt)) : shortDay(new Date(periods[0].startedAt))}`;
  const last = document.createElement("span");
  last.textContent = "now";
  caption.append(first, last);
  return caption;
}

function table(periods, limit) {
  const made = document.createElement("table");
  made.className = "unseen";
  made.createCaption().textContent = "Used in each period";
  const head = made.createTHead().insertRow();
  for (const name of ["Period", "Used", "Limit"]) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = name;
    head.append(cell);
  }
  const body = made.createTBody();
  for (const period of periods) {
    const row = body.insertRow();
    for (const text of [span(period), amount(period.progress, limit), period.limitAmount === null ? "not known" : amount(period.limitAmount, limit)]) {
      row.insertCell().textContent = text;
    }
  }
  return made;
}

function described(period, limit) {
  const of = period.limitAmount === null ? "" : ` of ${amount(period.limitAmount, limit)}`;
  return `${span(period)}: ${amount(period.progress, limit)}${of}`;
}

function span({ startedAt, endedAt }) {
  const from = startedAt === null ? "" : shortDay(new Date(startedAt));
  if (endedAt === null) return from === "" ? "Now" : `Since ${from}`;
  const to = shortDay(new Date(endedAt));
  return from === "" ? `Until ${to}` : from === to ? from : `${from} to ${to}`;
}

function element(name, attributes, text = "") {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text) made.textContent = text;
  return made;
}
