/** The filters above many limits: by type, by brand where there are several, by a part of the title. */

import { arrange } from "/arrange.js";
import { choices } from "/groups.js";
import { TYPE_NAMES, typeWord } from "/limit.js";
import { shownId } from "/names.js";

const ALL = "";
const NONE = "none";
const SEARCHED = 12; // limits from which on a title is searched for

export class Filters {
  #form;
  #chips = new Map(); // value → its chip
  #changed;

  /**
   * @param form its elements.
   * @param changed is called when another choice was made.
   */
  constructor(form, changed) {
    this.#form = form;
    this.#changed = changed;
    form.addEventListener("input", () => changed());
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  /** What is chosen; a type or a brand of undefined is any. */
  get chosen() {
    const { type, brand, text } = this.#form.elements;
    const wanted = type?.value ?? ALL;
    return {
      type: wanted === ALL ? undefined : wanted === NONE ? null : wanted,
      brand: brand.value === ALL ? undefined : JSON.parse(brand.value),
      text: text.value,
    };
  }

  /** Choose all again. */
  clear() {
    this.#form.reset();
    this.#changed();
  }

  /** Offer what the limits can be filtered by; what was chosen and is no more gives way to all. */
  offer(limits) {
    const { types, brands } = choices(limits);
    const names = TYPE_NAMES.filter((type) => types.has(type));
    const offered = [[ALL, "All", limits.length], ...names.map((type) => [type ?? NONE, typeWord(type), types.get(type)])];
    const chosen = this.#form.elements.type?.value ?? ALL;
    const chips = offered.map(([value, word, count]) => this.#chip(value, word, count));
    arrange(this.#form.querySelector(".chips"), chips, this.#form.elements.text);
    const isOffered = offered.some(([value]) => value === chosen);
    this.#chips.get(isOffered ? chosen : ALL).querySelector("input").checked = true;
    this.#form.querySelector(".chips").hidden = names.length < 2;
    this.#offerBrands(brands);
    this.#form.querySelector(".searched").hidden = limits.length < SEARCHED;
  }

  #chip(value, word, count) {
    const chip = this.#chips.get(value) ?? newChip(value);
    this.#chips.set(value, chip);
    const text = `${word} ${count}`;
    const label = chip.querySelector("span");
    if (label.textContent !== text) label.textContent = text;
    return chip;
  }

  #offerBrands(brands) {
    const { brand } = this.#form.elements;
    const offered = [...brands.keys()].map((id) => [JSON.stringify(id), id === null ? "No brand" : shownId(id)]);
    offered.sort(([, one], [, other]) => one.localeCompare(other));
    const all = [[ALL, "All brands"], ...offered];
    if ([...brand.options].map((each) => each.value).join() !== all.map(([value]) => value).join()) {
      const { value } = brand;
      brand.replaceChildren(...all.map(([each, text]) => new Option(text, each, false, each === value)));
    }
    this.#form.querySelector(".branded").hidden = brands.size < 2;
  }
}

function newChip(value) {
  const chip = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "radio", name: "type", value, className: "unseen" });
  chip.append(input, document.createElement("span"));
  return chip;
}
