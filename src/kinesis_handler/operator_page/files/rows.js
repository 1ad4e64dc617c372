/** Lists whose rows stay what they are while their contents change: nothing that is read or pressed moves away. */

import { arrange } from "/operator/arrange.js";

export class Rows {
  #list;
  #heir;
  #template;
  #make;
  #rows = new Map(); // id → its element

  /**
   * @param section has the list, and the heading that gets the focus of a row that is removed.
   * @param template of a row.
   * @param make is given a new row and a function that returns its item as it is by now.
   */
  constructor(section, template, make) {
    this.#list = section.querySelector(".rows");
    this.#heir = section.querySelector("h2");
    this.#template = template;
    this.#make = make;
  }

  /**
   * Show items.
   *
   * @param items what is shown.
   * @param idOf returns what identifies an item.
   * @param fill writes an item into its row.
   */
  show(items, idOf, fill) {
    const rows = items.map((item) => {
      const id = idOf(item);
      const row = this.#rows.get(id) ?? this.#newRow(id);
      row.item = item;
      fill(row.element, item);
      return row.element;
    });
    const ids = new Set(items.map(idOf));
    for (const id of [...this.#rows.keys()].filter((each) => !ids.has(each))) this.#rows.delete(id);
    arrange(this.#list, rows, this.#heir);
  }

  #newRow(id) {
    const row = { element: this.#template.content.firstElementChild.cloneNode(true), item: null };
    this.#rows.set(id, row);
    this.#make(row.element, () => row.item);
    return row;
  }
}

/** Write a text where it is another one: nothing is announced again, no selection is lost. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Let a row's `details` show records when it is opened, and again each time. */
export function showRecords(details, read) {
  details.addEventListener("toggle", async () => {
    if (!details.open) return;
    const list = details.querySelector("ol");
    list.replaceChildren(line("Reading…"));
    try {
      const records = await read();
      list.replaceChildren(...(records.length > 0 ? records.map(record) : [line("Nothing is waiting.")]));
    } catch (error) {
      list.replaceChildren(line(error.message));
    }
  });
}

function record(each) {
  const item = document.createElement("li");
  const position = document.createElement("p");
  position.className = "position";
  position.textContent = `${each.arrived}  ${each.position}`;
  const why = document.createElement("p");
  why.dir = "auto";
  why.textContent = `${each.error}: ${each.reason}`;
  const event = document.createElement("p");
  event.dir = "auto";
  event.textContent = each.event;
  const data = document.createElement("code");
  data.dir = "auto";
  data.textContent = each.data;
  item.append(position, why, event, data);
  return item;
}

function line(text) {
  const item = document.createElement("li");
  item.textContent = text;
  return item;
}
