/** Asks before anything is done. What it is asked about is begun once, however often the answer gets lost. */

import { ProblemError } from "/operator/client.js";

export class Confirmation {
  #dialog;
  #asked = null; // { begin, id, needsReason }
  #isBegun = () => undefined;

  /**
   * @param dialog the element.
   * @param isBegun is called when something has begun.
   */
  constructor(dialog, isBegun) {
    this.#dialog = dialog;
    this.#isBegun = isBegun;
    dialog.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#confirm();
    });
    this.#find("button.quiet").addEventListener("click", () => dialog.close());
    this.#find("textarea").addEventListener("input", (event) => event.target.setCustomValidity(""));
  }

  /**
   * Ask.
   *
   * @param question nodes or strings of the question.
   * @param explained what will happen, in a few words.
   * @param answer what the button says.
   * @param isDrop a reason is asked for, and what is done cannot be taken back.
   * @param begin is given an id and the reason, and begins it.
   */
  ask({ question, explained, answer, isDrop = false, begin }) {
    this.#asked = { id: crypto.randomUUID(), isDrop, begin };
    this.#find("h2").replaceChildren(...question);
    this.#find(".explained").textContent = explained;
    this.#find(".because").hidden = !isDrop;
    this.#find("textarea").value = "";
    this.#find(".problem").hidden = true;
    const button = this.#find("[type=submit]");
    button.textContent = answer;
    button.className = isDrop ? "danger" : "";
    this.#dialog.showModal();
    (isDrop ? this.#find("textarea") : this.#find("button.quiet")).focus();
  }

  /** Close it: there is nobody any more who could answer. */
  close() {
    this.#dialog.close();
  }

  async #confirm() {
    const asked = this.#asked;
    const because = this.#find("textarea");
    if (asked.isDrop && because.value.trim() === "") {
      because.setCustomValidity("Say why these events shall never be applied.");
      because.reportValidity();
      return;
    }
    const button = this.#find("[type=submit]");
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    try {
      await asked.begin(asked.id, because.value.trim());
      this.#dialog.close();
      this.#isBegun();
    } catch (error) {
      const isKnown = error instanceof ProblemError;
      this.#find(".problem").textContent = `${isKnown ? "Nothing was begun" : "It is not known whether it was begun"}: ${error.message}`;
      this.#find(".problem").hidden = false;
    } finally {
      button.removeAttribute("aria-disabled");
    }
  }

  #find(selector) {
    return this.#dialog.querySelector(selector);
  }
}
