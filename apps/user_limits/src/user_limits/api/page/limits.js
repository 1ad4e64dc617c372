/** Reads a user's limits, and what happened to one of them. What has not changed is not sent again. */

const CHANGES_AT_ONCE = 10;

export class UserLimits {
  #api;
  #base;
  #pages = new Map(); // address → its entity tag, its limits, the cursor of the next

  constructor(api, user) {
    this.#api = api;
    this.#base = `/api/v1/users/${encodeURIComponent(user)}/limits`;
  }

  /**
   * Return all limits. Those of a page that has not changed are the very objects of the last time.
   *
   * Throws ProblemError or OfflineError.
   */
  async read(signal) {
    const pages = new Map();
    let cursor = null;
    do {
      const address = `${this.#base}?limit=100${following(cursor)}`;
      const page = await this.#readPage(address, signal);
      pages.set(address, page);
      cursor = page.nextCursor;
    } while (cursor !== null);
    this.#pages = pages; // forgets the pages that are no more
    return [...pages.values()].flatMap((page) => page.limits);
  }

  /** Return a page of what happened to a limit, newest first. Throws as `read` does. */
  async readActivity(limitId, cursor, signal) {
    const address = `${this.#base}/${encodeURIComponent(limitId)}/activity?limit=${CHANGES_AT_ONCE}${following(cursor)}`;
    const { document } = await this.#api.read(address, signal);
    return document;
  }

  async #readPage(address, signal) {
    const known = this.#pages.get(address);
    const answer = await this.#api.read(address, signal, known?.tag);
    if (answer === null) return known;
    const { data, meta } = answer.document;
    return { tag: answer.tag, limits: data, nextCursor: meta.nextCursor };
  }
}

function following(cursor) {
  return cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
}
