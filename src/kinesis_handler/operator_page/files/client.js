/** Asks the operator's API. What it refuses, and what does not arrive, are errors. */

const PATIENCE_MS = 15_000;

/** The API refused. The message is its detail. */
export class ProblemError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** The API did not answer. */
export class OfflineError extends Error {}

export class Client {
  #signIn;

  /** @param signIn has the token that is sent; it forgets one that is no longer accepted. */
  constructor(signIn) {
    this.#signIn = signIn;
  }

  /** Return all that is to be shown. */
  state(signal) {
    return this.#ask("state", { signal });
  }

  /** Return the records of a group, or the events that wait for a key. */
  records(what) {
    return this.#ask(`records?${new URLSearchParams(what)}`);
  }

  /** Begin a redrive or a drop. The same id begins nothing again. */
  begin(kind, request) {
    const headers = { "Content-Type": "application/json" };
    return this.#ask(kind, { method: "POST", headers, body: JSON.stringify(request) });
  }

  async #ask(path, { signal, headers, ...options } = {}) {
    const signals = [AbortSignal.timeout(PATIENCE_MS), ...(signal ? [signal] : [])];
    try {
      const response = await fetch(`/operator/api/${path}`, {
        ...options,
        headers: { Accept: "application/json", ...headers, ...this.#signIn.headers },
        cache: "no-store",
        signal: AbortSignal.any(signals),
      });
      if (response.status === 401) this.#signIn.forget();
      const document = await response.json();
      if (!response.ok) throw new ProblemError(response.status, document.detail ?? `The answer was ${response.status}.`);
      return document;
    } catch (error) {
      signal?.throwIfAborted(); // we gave up, the API did not
      if (error instanceof ProblemError) throw error;
      throw new OfflineError("The server cannot be reached.");
    }
  }
}
