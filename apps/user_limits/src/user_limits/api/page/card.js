/** A limit as a card. What has not changed is not touched: transitions run on, screen readers stay silent. */

import { compare, minus } from "/decimal.js";
import { ago, amount, countdown, day, moment, percentage } from "/format.js";
import { LEVEL_WORDS, kind, level, next, shownPercentage, status, title } from "/limit.js";

const FLASH_MS = 1_600;
const LONG = 14; // characters that an amount may have at full size
const TURNS = { start: "Starts", reset: "Resets", end: "Ends", ended: "Ended", none: "Resets" };
const NEVER = { INDEFINITE: "Never", INSTANCE: "Each time" };

let made = 0;

export class Card {
  #find;
  #limit = null;

  constructor(template, limit, now) {
    this.element = template.content.firstElementChild.cloneNode(true);
    this.#find = (selector) => this.element.querySelector(selector);
    const id = `card-${++made}`; // a limit's own id may hold spaces, of which a list of ids is made
    this.#find("article").id = id;
    this.#find("article").setAttribute("aria-labelledby", `${id}-title`);
    this.#find("h2").id = `${id}-title`;
    this.#find("h2").tabIndex = -1; // the summary's links lead here
    this.#find(".bar").setAttribute("aria-labelledby", `${id}-title`);
    this.show(limit, now);
  }

  /** What a link to the card leads to. */
  get id() {
    return this.#find("article").id;
  }

  focus() {
    this.#find("h2").focus({ preventScroll: true });
    this.element.scrollIntoView({ block: "center" });
  }

  /** Show a limit. If it is another version than the one shown, the card lights up for a moment. */
  show(limit, now) {
    if (limit !== this.#limit) {
      const moved = this.#limit !== null && this.#limit.version !== limit.version;
      this.#limit = limit;
      this.#write("h2", title(limit));
      this.#write(".kind", kind(limit));
      this.#find(".type use").setAttribute("href", `#icon-${limit.type ?? "none"}`);
      this.#showUse();
      if (moved) this.#flash();
    }
    this.tick(now);
  }

  /** Show what depends on the time. */
  tick(now) {
    const limit = this.#limit;
    this.#showLevel(level(limit, now));
    const { turn, at } = next(limit, now);
    this.#write(".reset dt", TURNS[turn]);
    this.#write(".countdown", when(limit, turn, at, now));
    this.#writeTime(".moment", at && new Date(at), at && moment(new Date(at)));
    this.#showRemark(turn);
    this.#write(".state", status(limit, now));
    const updated = new Date(limit.lastUpdated);
    this.#writeTime(".updated", updated, `Updated ${ago(now - updated)}`);
  }

  #showUse() {
    const limit = this.#limit;
    const bar = this.#find(".bar");
    const [progress, value] = [amount(limit.progress, limit), amount(limit.amount, limit)];
    const isOver = compare(limit.progress, limit.amount) > 0;
    const rest = amount(isOver ? minus(limit.progress, limit.amount) : limit.remainingAmount, limit);
    const shown = shownPercentage(limit);
    const used = Math.min(Math.max(shown, 0), 100);
    this.#write(".label", isOver ? "Over the limit by" : "Left");
    this.#writeFigure(rest);
    this.#write(".used", `${progress} of ${value}`);
    this.#write(".percentage", percentage(shown));
    bar.style.setProperty("--used", `${used}%`);
    bar.style.setProperty("--least", used > 0 ? "0.625rem" : "0rem");
    bar.style.setProperty("--most", used < 100 ? "calc(100% - 0.25rem)" : "100%");
    bar.style.setProperty("--limit-at", `${isOver ? 100 * (limit.amount / limit.progress) : 100}%`);
    bar.setAttribute("aria-valuenow", String(used));
    bar.setAttribute("aria-valuetext", `${progress} of ${value} used, ${rest} ${isOver ? "over" : "left"}`);
  }

  #showLevel(name) {
    const article = this.#find("article");
    if (article.dataset.level === name) return;
    article.dataset.level = name;
    this.#find(".pill").hidden = !LEVEL_WORDS.has(name);
    this.#write(".pill span", LEVEL_WORDS.get(name) ?? "");
  }

  #showRemark(turn) {
    const { activeUntil, driftedAt, previousAmount, rebuilt } = this.#limit;
    const remarks = [
      ...(activeUntil === null || turn === "end" || turn === "ended" ? [] : [`Until ${day(new Date(activeUntil))}`]),
      ...(previousAmount === null ? [] : [`Was ${amount(previousAmount, this.#limit)} before`]),
      ...(rebuilt ? ["Rebuilt from its last reset"] : []),
      ...(driftedAt === null ? [] : [`Figures corrected on ${day(new Date(driftedAt))}`]),
    ];
    this.#write(".remark", remarks.join(" · "));
    this.#find(".remark").hidden = remarks.length === 0;
  }

  #flash() {
    const article = this.#find("article");
    article.classList.add("moved");
    setTimeout(() => article.classList.remove("moved"), FLASH_MS);
  }

  #write(selector, text) {
    const element = this.#find(selector);
    if (element.textContent !== text) element.textContent = text;
  }

  /** Write an amount large, the letters of its currency or units smaller. */
  #writeFigure(text) {
    const figure = this.#find("strong");
    if (figure.textContent === text) return;
    const parts = text.split(/(\p{Letter}\w*)/u).map((part, index) => {
      if (index % 2 === 0) return part;
      const unit = document.createElement("small");
      unit.textContent = part;
      return unit;
    });
    figure.replaceChildren(...parts);
    figure.classList.toggle("long", text.length > LONG);
  }

  #writeTime(selector, date, text) {
    this.#find(selector).hidden = date === null;
    if (date === null) return;
    const time = this.#find(`${selector} time`);
    if (time.dateTime !== date.toISOString()) time.dateTime = date.toISOString();
    this.#write(`${selector} time`, text);
  }
}

/** Say when a limit's next turn comes, or came. */
function when(limit, turn, at, now) {
  if (turn === "none") return "No longer";
  if (at === null) return NEVER[limit.periodType] ?? "Not known";
  const left = new Date(at) - now;
  if (turn === "ended") return ago(-left);
  return left > 0 ? `in ${countdown(left)}` : "Due";
}
