/** Asks the API. What it refuses, and what does not arrive, are errors; amounts keep all their digits. */

const PATIENCE_MS = 10_000;
const AMOUNTS = new Set(["amount", "progress", "remainingAmount", "previousAmount", "limitAmount"]);

/** The API answered that it cannot give what was asked for. The message is its detail. */
export class ProblemError extends Error {
  constructor(status, detail, retryAfter) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter; // milliseconds, 0 if the answer does not say
  }
}

/** The API did not answer. */
export class OfflineError extends Error {}

export class Api {
  #clock;
  #signIn;

  /**
   * @param clock compares itself with the server's by each answer.
   * @param signIn has the token that is sent; it forgets one that is no longer accepted.
   */
  constructor(clock, signIn) {
    this.#clock = clock;
    this.#signIn = signIn;
  }

  /**
   * Return a document and its entity tag; null if it is still the one with the given tag.
   *
   * Throws ProblemError or OfflineError, or the signal's reason if it was aborted.
   */
  async read(address, signal, tag = undefined) {
    const headers = { Accept: "application/json", ...this.#signIn.headers, ...(tag && { "If-None-Match": tag }) };
    const askedAt = Date.now();
    let response;
    try {
      // The browser's own cache would answer in between, and hide a 304 from us.
      const bounded = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
      response = await fetch(address, { headers, cache: "no-store", signal: bounded });
      this.#clock.compare(response, askedAt);
      if (response.status === 304 && tag) return null;
      if (response.status === 401) this.#signIn.forget();
      const body = await response.text();
      if (!response.ok) throw problem(response, body);
      return { document: JSON.parse(body, exactly), tag: response.headers.get("ETag") };
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
