/** The list of a user's limits: groups of cards, or of rows if they are many, and those not in force folded away. */

import { arrange } from "/arrange.js";
import { Card } from "/card.js";
import { amount } from "/format.js";
import { FEW, filtered, grouped, totals } from "/groups.js";
import { isInForce } from "/limit.js";

const MOST_TOTALS = 6;
const FIRST = 16; // cards that are made before the page is painted: as many as a screen has
const AT_ONCE = 24; // cards that are made at a time from then on

export class LimitList {
  #groups;
  #idle;
  #heir;
  #templates;
  #readActivity;
  #cards = new Map(); // limit id → its card
  #sections = new Map(); // name of a group → its element
  #isNew = true; // nothing of the user has been shown
  #shown = 0; // how often the list has been shown

  /**
   * @param groups is filled with the groups.
   * @param idle the `details` of limits that are not in force.
   * @param heir gets the focus if what has it is removed.
   * @param templates of a card and of a group.
   * @param readActivity reads a page of what happened to a limit: `(limitId, cursor, signal) => document`.
   */
  constructor({ groups, idle, heir, templates, readActivity }) {
    this.#groups = groups;
    this.#idle = idle;
    this.#heir = heir;
    this.#templates = templates;
    this.#readActivity = readActivity;
  }

  /** Return the card of a limit. */
  card(limitId) {
    return this.#cards.get(limitId);
  }

  /** Remove all cards. */
  clear() {
    for (const card of this.#cards.values()) card.close();
    this.#cards.clear();
    this.#groups.replaceChildren();
    this.#idle.querySelector("ul").replaceChildren();
    this.#idle.open = false;
    this.#isNew = true;
    this.#shown += 1;
  }

  /**
   * Show those limits that a filter lets pass; return how many these are.
   *
   * Of many, the first ones are there at once, and the others a few at a time: the page never stands still.
   */
  show(limits, now, filter) {
    const ids = new Set(limits.map((limit) => limit.limitId));
    for (const id of [...this.#cards.keys()].filter((each) => !ids.has(each))) {
      this.#cards.get(id).close();
      this.#cards.delete(id);
    }
    const passing = filtered(limits, filter);
    this.#showNext(passing, now, {
      areMany: isGrouped(limits, now),
      areSeveralBrands: new Set(limits.map((limit) => limit.brandId)).size > 1,
    });
    return passing.length;
  }

  /** Show the cards that there are, and some new ones; then go on, unless other limits are shown meanwhile. */
  async #showNext(limits, now, how) {
    const turn = ++this.#shown;
    const { groups, idle } = grouped(limits, now, how.areMany);
    const inOrder = [...groups.flatMap((group) => group.limits), ...idle];
    if (this.#isNew && groups.length === 0) this.#idle.open = true; // there is nothing else to be seen
    this.#isNew = false;
    for (const limit of limits) this.#cards.get(limit.limitId)?.show(limit, now, how.areSeveralBrands);
    let missing = inOrder.filter((limit) => !this.#cards.has(limit.limitId));
    let count = FIRST;
    do {
      for (const limit of missing.slice(0, count)) this.#addCard(limit, now, how.areSeveralBrands);
      missing = missing.slice(count);
      count = AT_ONCE;
      const focused = document.activeElement;
      arrange(this.#groups, groups.map((group) => this.#section(group, how.areMany)), this.#heir);
      this.#showIdle(idle, focused);
      if (focused.isConnected) focused.focus({ preventScroll: true }); // its card may have moved to another group
      if (missing.length > 0) await painted();
    } while (missing.length > 0 && turn === this.#shown);
  }

  tick(now) {
    for (const card of this.#cards.values()) card.tick(now);
  }

  #addCard(limit, now, areSeveralBrands) {
    const { limitId } = limit;
    const card = new Card(this.#templates.card, (cursor, signal) => this.#readActivity(limitId, cursor, signal));
    this.#cards.set(limitId, card);
    card.show(limit, now, areSeveralBrands);
  }

  #section(group, areMany) {
    const section = this.#sections.get(group.name) ?? this.#newSection(group);
    section.querySelector("h2").firstChild.textContent = group.title;
    section.querySelector("h2").className = areMany ? "" : "unseen";
    section.querySelector("h2 span").textContent = String(group.limits.length);
    section.querySelector("ul.cards").classList.toggle("rows", areMany);
    const sums = areMany && group.name !== "reached" ? totals(group.limits).slice(0, MOST_TOTALS) : [];
    const words = sums.map((sum) => `${sum.period}, ${sum.count} limits: ${amount(sum.progress, sum)} of ${amount(sum.amount, sum)}`);
    const list = section.querySelector(".totals");
    if (list.textContent !== words.join("")) list.replaceChildren(...words.map(item));
    list.hidden = words.length === 0;
    this.#fill(section.querySelector("ul.cards"), group.limits);
    return section;
  }

  #newSection({ name }) {
    const section = this.#templates.group.content.firstElementChild.cloneNode(true);
    const id = `group-${name}`;
    section.querySelector("h2").id = id;
    section.setAttribute("aria-labelledby", id);
    section.dataset.name = name;
    this.#sections.set(name, section);
    return section;
  }

  #showIdle(idle, focused) {
    this.#idle.hidden = idle.length === 0;
    this.#idle.querySelector("summary span").textContent = idle.length === 1 ? "One limit is not in force" : `${idle.length} limits are not in force`;
    const hasFocus = ({ limitId }) => this.#cards.get(limitId)?.element.contains(focused);
    if (idle.some(hasFocus)) this.#idle.open = true; // what is hidden cannot keep the focus
    this.#fill(this.#idle.querySelector("ul"), idle);
  }

  #fill(list, limits) {
    const cards = limits.map((limit) => this.#cards.get(limit.limitId)).filter(Boolean);
    arrange(list, cards.map((card) => card.element), this.#heir);
  }
}

/** Tell whether so many limits are in force that they are grouped and filtered. */
export function isGrouped(limits, now) {
  return limits.filter((limit) => isInForce(limit, now)).length > FEW;
}

/** Let the browser paint, and answer its reader, before more is done. */
function painted() {
  if ("scheduler" in window) return scheduler.postTask(() => undefined, { priority: "background" });
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = resolve;
    channel.port2.postMessage(null);
  });
}

function item(text) {
  const made = document.createElement("li");
  made.textContent = text;
  return made;
}
