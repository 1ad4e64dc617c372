/** What a card opens to: how fast the limit is used, its periods, and what happened to it, newest first. */

import { OfflineError, ProblemError } from "/api.js";
import { chart } from "/chart.js";
import { moment, sentence } from "/format.js";
import { explanations, forecast, happening, standing } from "/words.js";

export class Details {
  #read;
  #find;
  #limit = null;
  #changes = new Map(); // number → change
  #version = 0; // of the activity that is shown
  #running = null; // the period that runs
  #next = null; // cursor of the page behind the last one that was read
  #stopped = new AbortController();

  /**
   * @param template its elements.
   * @param read reads a page of the limit's activity by its cursor: `(cursor, signal) => document`.
   */
  constructor(template, read) {
    this.element = template.content.firstElementChild.cloneNode(true);
    this.#find = (selector) => this.element.querySelector(selector);
    this.#read = read;
    this.#find(".more").addEventListener("click", () => this.#load(this.#next));
    this.#find(".again").addEventListener("click", () => this.#load(null));
  }

  /** Show a limit; read its activity if that has changed since. */
  show(limit, now) {
    const isNew = this.#limit?.version !== limit.version;
    this.#limit = limit;
    const list = this.#find(".explanations");
    const texts = explanations(limit);
    if (list.children.length !== texts.length) list.replaceChildren(...texts.map((text) => withText("li", text)));
    this.tick(now);
    if (isNew) this.#load(null);
  }

  /** Show what depends on the time. */
  tick(now) {
    const text = forecast(this.#limit, now, this.#running?.changes ?? null);
    const line = this.#find(".pace");
    line.hidden = text === "";
    if (line.textContent !== text) line.textContent = text;
  }

  /** Ask for nothing more. */
  close() {
    this.#stopped.abort();
  }

  async #load(cursor) {
    try {
      const { data, meta } = await this.#read(cursor, this.#stopped.signal);
      this.#take(data, meta, cursor);
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      if (!(error instanceof ProblemError || error instanceof OfflineError)) throw error;
      this.#say(error);
    }
  }

  #take(data, meta, cursor) {
    if (cursor === null && this.#isApart(data.changes, meta.version)) this.#changes.clear();
    const isFirst = this.#changes.size === 0;
    for (const change of data.changes) this.#changes.set(change.number, change);
    this.#version = meta.version;
    this.#running = data.periods[0] ?? null;
    if (isFirst || cursor !== null) this.#next = meta.nextCursor;
    this.#find(".failed").hidden = true;
    this.#find(".periods").replaceChildren(...[chart(data.periods, this.#limit)].filter(Boolean));
    this.#showChanges();
  }

  /** Tell whether the newest changes do not join those that are known: there are many, or numbers began again. */
  #isApart(changes, version) {
    const oldest = Math.min(...changes.map((change) => change.number));
    return version < this.#version || oldest > Math.max(...this.#changes.keys()) + 1;
  }

  #showChanges() {
    const newest = [...this.#changes.values()].sort((one, other) => other.number - one.number);
    const gone = this.#find(".timeline").contains(document.activeElement);
    this.#find(".timeline").replaceChildren(...newest.map((change) => entry(change, this.#limit)));
    if (gone) this.#find(".timeline").focus();
    this.#find(".none").hidden = newest.length > 0;
    const more = this.#find(".more");
    if (this.#next === null && document.activeElement === more) this.#find(".timeline").focus();
    more.hidden = this.#next === null;
  }

  #say(error) {
    this.#find(".failed").hidden = false;
    this.#find(".failed span").textContent = `What happened cannot be shown now. ${sentence(error.message)}`;
  }
}

function entry(change, limit) {
  const item = document.createElement("li");
  item.dataset.kind = change.kind;
  const time = withText("time", moment(new Date(change.at)));
  time.dateTime = change.at;
  item.append(time, withText("span", happening(change, limit)), withText("span", standing(change, limit)));
  item.lastChild.className = "standing";
  return item;
}

function withText(name, text) {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}
