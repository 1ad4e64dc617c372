/** Says how old the figures are: quietly in a line, and in a banner once they cannot be had. */

import { ago, clock, sentence } from "/format.js";
import { OfflineError } from "/api.js";

const STALE_MS = 10_000;

export class Freshness {
  #line;
  #banner;
  #checkedAt = null;
  #failedSince = null;

  constructor(line, banner) {
    this.#line = line;
    this.#banner = banner;
  }

  /** Forget what was known of another user. */
  clear() {
    this.#checkedAt = null;
    this.succeeded(null);
  }

  succeeded(now) {
    this.#checkedAt = now;
    this.#failedSince = null;
    this.#say("");
    this.tick(now);
  }

  failed(error, now) {
    this.#failedSince ??= this.#checkedAt ?? now;
    const since = clock(this.#failedSince);
    const last = "These are the last known figures.";
    this.#say(
      error instanceof OfflineError
        ? `Offline since ${since}. ${last}`
        : `No new figures since ${since}. ${sentence(error.message)} ${last}`,
    );
    this.tick(now);
  }

  tick(now) {
    const age = now - this.#checkedAt;
    const state = this.#failedSince !== null ? "offline" : age > STALE_MS ? "stale" : "live";
    const text = `Checked ${ago(age)}`;
    const words = this.#line.querySelector(".text");
    this.#line.hidden = this.#checkedAt === null;
    this.#line.dataset.state = state;
    if (words.textContent !== text) words.textContent = text;
  }

  /** Only what is new is written: the banner is read out. */
  #say(text) {
    if (this.#banner.textContent !== text) this.#banner.textContent = text;
  }
}
