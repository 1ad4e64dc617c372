/** A limit as a card. What has not changed is not touched: transitions run on, screen readers stay silent. */

import { compare, minus } from "/decimal.js";
import { Details } from "/details.js";
import { ago, amount, countdown, moment, percentage } from "/format.js";
import { LEVEL_WORDS, kind, level, next, shownPercentage, status, title } from "/limit.js";
import { pace } from "/pace.js";
import { remarks, warning } from "/words.js";

const FLASH_MS = 1_600;
const LIVELY_MS = 1_000;
const LONG = 14; // characters that an amount may have at full size
const TURNS = { start: "Starts", reset: "Resets", end: "Ends", ended: "Ended", none: "Resets" };
const NEVER = { INDEFINITE: "Never", INSTANCE: "Each time" };
const BARE = "a, button, summary, input, .details"; // what a click on the card means nothing for

let made = 0;

export class Card {
  #find;
  #readActivity;
  #limit = null;
  #shownAt = 0;
  #more = "";
  #level = null;
  #details = null;
  #written = new Map(); // selector → the text that was written there

  /**
   * @param template its elements.
   * @param readActivity reads a page of what happened: `(cursor, signal) => document`.
   */
  constructor(template, readActivity) {
    this.element = template.content.firstElementChild.cloneNode(true);
    const found = new Map();
    this.#find = (selector) => {
      if (!found.has(selector)) found.set(selector, this.element.querySelector(selector));
      return found.get(selector);
    };
    this.#readActivity = readActivity;
    const id = `card-${++made}`; // a limit's own id may hold spaces, of which a list of ids is made
    const article = this.#find("article");
    article.id = id;
    article.setAttribute("aria-labelledby", `${id}-title`);
    this.#find("h3").id = `${id}-title`;
    this.#find(".bar").setAttribute("aria-labelledby", `${id}-title`);
    this.#find(".open").id = `${id}-open`;
    this.#find(".open").setAttribute("aria-labelledby", `${id}-open ${id}-title`);
    this.#find(".open").addEventListener("click", () => this.#toggle());
    article.addEventListener("click", (event) => {
      if (!event.target.closest(BARE) && document.getSelection().isCollapsed) this.#toggle();
    });
  }

  /** What a link to the card leads to. */
  get id() {
    return this.#find("article").id;
  }

  focus() {
    this.#find("h3").focus({ preventScroll: true });
    this.element.scrollIntoView({ block: "center" });
  }

  /** Show a limit. If it is another version than the one shown, the card lights up for a moment. */
  show(limit, now, areSeveralBrands) {
    const { type, more } = kind(limit, areSeveralBrands);
    if (limit !== this.#limit || more !== this.#more) {
      const moved = this.#limit !== null && this.#limit.version !== limit.version;
      this.#limit = limit;
      this.#more = more;
      this.#write("h3", title(limit));
      this.#write(".kind .what", more ? `${type} · ` : type);
      this.#write(".kind .more", more);
      this.#find(".type use").setAttribute("href", `#icon-${limit.type ?? "none"}`);
      this.#showUse();
      if (moved) this.#flash();
      this.#shownAt = now;
      this.#details?.show(limit, now);
    } else if (now - this.#shownAt < LIVELY_MS) return; // the page shows it again, and a second has not gone
    this.tick(now);
  }

  /** Show what depends on the time. */
  tick(now) {
    const limit = this.#limit;
    this.#shownAt = now;
    this.#showLevel(level(limit, now));
    const { turn, at } = next(limit, now);
    this.#write(".reset dt", TURNS[turn]);
    this.#write(".countdown", when(limit, turn, at, now));
    this.#writeTime(".moment", at, at && moment(new Date(at)));
    this.#showRemark(remarks(limit, turn));
    this.#write(".state", status(limit, now));
    this.#writeTime(".updated", limit.lastUpdated, `Updated ${ago(now - Date.parse(limit.lastUpdated))}`);
    this.#showPace(now);
    this.#details?.tick(now);
  }

  /** Ask for nothing more. */
  close() {
    this.#details?.close();
  }

  #toggle() {
    const isOpen = this.#details === null;
    this.#find(".open").setAttribute("aria-expanded", String(isOpen));
    this.#find("article").classList.toggle("opened", isOpen);
    if (isOpen) {
      this.#details = new Details(document.querySelector("template#details"), this.#readActivity);
      this.#find(".details").append(this.#details.element);
      this.#details.show(this.#limit, this.#shownAt);
    } else {
      this.#details.close();
      this.#details.element.remove();
      this.#details = null;
    }
    this.#find(".details").hidden = !isOpen;
  }

  #showUse() {
    const limit = this.#limit;
    const bar = this.#find(".bar");
    const [progress, value] = [amount(limit.progress, limit), amount(limit.amount, limit)];
    const isOver = compare(limit.progress, limit.amount) > 0;
    const rest = amount(isOver ? minus(limit.progress, limit.amount) : limit.remainingAmount, limit);
    const shown = shownPercentage(limit);
    const used = Math.min(Math.max(shown, 0), 100);
    this.#write(".label", isOver ? "Over by" : "Left");
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

  /** Show how far the period has gone, by a tick at the bar, and whether the limit is used up before its end. */
  #showPace(now) {
    const found = pace(this.#limit, now);
    const tick = this.#find(".tick");
    tick.hidden = found === null || found.share >= 1; // of what is used up, the time says nothing more
    if (!tick.hidden) tick.style.setProperty("--gone", `${(100 * found.gone).toFixed(1)}%`);
    const text = warning(this.#limit, now);
    this.#find(".warning").hidden = text === "";
    this.#write(".warning", text);
  }

  #showLevel(name) {
    if (name === this.#level) return;
    this.#level = name;
    this.#find("article").dataset.level = name;
    this.#find(".pill").hidden = !LEVEL_WORDS.has(name);
    this.#write(".pill span", LEVEL_WORDS.get(name) ?? "");
  }

  #showRemark(texts) {
    this.#find(".remark").hidden = texts.length === 0;
    this.#write(".remark", texts.join(" · "));
  }

  #flash() {
    const article = this.#find("article");
    article.classList.add("moved");
    setTimeout(() => article.classList.remove("moved"), FLASH_MS);
  }

  #write(selector, text) {
    if (this.#written.get(selector) === text) return;
    this.#written.set(selector, text);
    this.#find(selector).textContent = text;
  }

  /** Write an amount large, the letters of its currency or units smaller. */
  #writeFigure(text) {
    if (this.#written.get("strong") === text) return;
    this.#written.set("strong", text);
    const figure = this.#find("strong");
    const parts = text.split(/(\p{Letter}\w*)/u).map((part, index) => {
      if (index % 2 === 0) return part;
      const unit = document.createElement("small");
      unit.textContent = part;
      return unit;
    });
    figure.replaceChildren(...parts);
    figure.classList.toggle("long", text.length > LONG);
  }

  #writeTime(selector, at, text) {
    this.#find(selector).hidden = at === null;
    if (at === null) return;
    const time = this.#find(`${selector} time`);
    if (time.dateTime !== at) time.dateTime = at;
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
