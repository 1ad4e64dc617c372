/** Reads a user's limits from the API. What has not changed is not sent again. */

const PATIENCE_MS = 10_000;
const AMOUNTS = new Set(["amount", "progress", "remainingAmount", "previousAmount"]);

/** The API answered that it cannot give the limits. The message is its detail. */
export class ProblemError extends Error {
  constructor(status, detail, retryAfter) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter; // milliseconds, 0 if the answer does not say
  }
}

/** The API did not answer. */
export class OfflineError extends Error {}

export class UserLimits {
  #base;
  #pages = new Map(); // address → its entity tag, its limits, the cursor of the next

  constructor(user) {
    this.#base = `/api/v1/users/${encodeURIComponent(user)}/limits?limit=100`;
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
      const address = cursor === null ? this.#base : `${this.#base}&cursor=${encodeURIComponent(cursor)}`;
      const page = await this.#readPage(address, signal);
      pages.set(address, page);
      cursor = page.nextCursor;
    } while (cursor !== null);
    this.#pages = pages; // forgets the pages that are no more
    return [...pages.values()].flatMap((page) => page.limits);
  }

  async #readPage(address, signal) {
    const known = this.#pages.get(address);
    const headers = { Accept: "application/json", ...(known?.etag && { "If-None-Match": known.etag }) };
    let response;
    try {
      // The browser's own cache would answer in between, and hide a 304 from us.
      const bounded = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
      response = await fetch(address, { headers, cache: "no-store", signal: bounded });
      if (response.status === 304 && known) return known;
      const body = await response.text();
      if (!response.ok) throw problem(response, body);
      const { data, meta } = JSON.parse(body, exactly);
      return { etag: response.headers.get("ETag"), limits: data, nextCursor: meta.nextCursor };
    } catch (error) {
      signal.throwIfAborted(); // we gave up, the API did not
      if (error instanceof ProblemError) throw error;
      if (response?.ok) throw new ProblemError(response.status, "The answer could not be read.", 0);
      throw new OfflineError("The limits cannot be reached.");
    }
  }
}

/** Take amounts as they are written: as the browser's numbers they would lose digits. */
function exactly(name, value, context) {
  return AMOUNTS.has(name) && typeof value === "number" ? (context?.source ?? String(value)) : value;
}

function problem(response, body) {
  const seconds = Number(response.headers.get("Retry-After"));
  const retryAfter = Number.isFinite(seconds) ? seconds * 1000 : 0; // it may be a date, too
  let detail;
  try {
    detail = JSON.parse(body).detail;
  } catch {
    detail = undefined; // something in between answered, not the API
  }
  return new ProblemError(response.status, detail ?? `The answer was ${response.status}.`, retryAfter);
}
