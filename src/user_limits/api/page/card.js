/** A limit as a card. What has not changed is not touched: transitions run on, screen readers stay silent. */

import { ago, amount, countdown, day, moment, percentage } from "/format.js";
import { LEVEL_WORDS, kind, level, status, title } from "/limit.js";

const FLASH_MS = 1_600;
const LONG = 14; // characters that an amount may have at full size

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
      this.#showRemark();
      if (moved) this.#flash();
    }
    this.tick(now);
  }

  /** Show what depends on the time. */
  tick(now) {
    const limit = this.#limit;
    this.#showLevel(level(limit, now));
    const [label, text, at] = nextTurn(limit, now);
    this.#write(".reset dt", label);
    this.#write(".countdown", text);
    this.#writeTime(".moment", at, at && moment(at));
    this.#write(".state", status(limit, now));
    const updated = new Date(limit.lastUpdated);
    this.#writeTime(".updated", updated, `Updated ${ago(now - updated)}`);
  }

  #showUse() {
    const limit = this.#limit;
    const bar = this.#find(".bar");
    const [progress, value] = [amount(limit.progress, limit), amount(limit.amount, limit)];
    const over = Math.max(limit.progress - limit.amount, 0);
    const used = Math.min(Math.max(limit.percentage, 0), 100);
    this.#write(".label", over > 0 ? "Over the limit by" : "Left");
    this.#writeFigure(amount(over > 0 ? over : limit.remainingAmount, limit));
    this.#write(".used", `${progress} of ${value}`);
    this.#write(".percentage", percentage(limit.percentage));
    bar.style.setProperty("--used", `${used}%`);
    bar.style.setProperty("--least", used > 0 ? "0.625rem" : "0rem");
    bar.style.setProperty("--limit-at", `${over > 0 ? (100 * limit.amount) / limit.progress : 100}%`);
    bar.setAttribute("aria-valuenow", String(used));
    const rest = over > 0 ? `${amount(over, limit)} over` : `${amount(limit.remainingAmount, limit)} left`;
    bar.setAttribute("aria-valuetext", `${progress} of ${value} used, ${rest}`);
  }

  #showLevel(name) {
    const article = this.#find("article");
    if (article.dataset.level === name) return;
    article.dataset.level = name;
    this.#find(".pill").hidden = !LEVEL_WORDS.has(name);
    this.#write(".pill span", LEVEL_WORDS.get(name) ?? "");
  }

  #showRemark() {
    const { activeUntil, driftedAt, previousAmount, rebuilt } = this.#limit;
    const remarks = [
      ...(activeUntil === null ? [] : [`Until ${day(new Date(activeUntil))}`]),
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

/** Return what comes next for a limit: a label, in words when, and the time itself if there is one. */
function nextTurn(limit, now) {
  if (limit.status === "FUTURE") return ["Starts", ...until(limit.activeFrom, now)];
  if (limit.status === "CANCELED") return ["Resets", "No longer", null];
  if (limit.expiresAt !== null) return ["Resets", ...until(limit.expiresAt, now)];
  const text = { INDEFINITE: "Never", INSTANCE: "Each time" }[limit.periodType] ?? "Not known";
  return ["Resets", text, null];
}

function until(time, now) {
  const at = new Date(time);
  return [at > now ? `in ${countdown(at - now)}` : "Due", at];
}
