/** The server's clock: countdowns run by it, however wrong the reader's own clock is. */

const TOLERANCE_MS = 2_000; // the server says whole seconds, and an answer is on its way for a moment

export class ServerClock {
  #ahead = 0; // milliseconds by which the server's clock is ahead of the reader's

  /** Return the time by the server's clock, as far as it is known. */
  now() {
    return Date.now() + this.#ahead;
  }

  /**
   * Compare the clocks by an answer.
   *
   * @param response the answer: its `Date` header says when it was made.
   * @param askedAt when it was asked for, by the reader's clock.
   */
  compare(response, askedAt) {
    const told = Date.parse(response.headers.get("Date"));
    if (Number.isNaN(told)) return;
    const ahead = told + 500 - (askedAt + Date.now()) / 2;
    if (Math.abs(ahead - this.#ahead) > TOLERANCE_MS) this.#ahead = Math.abs(ahead) > TOLERANCE_MS ? ahead : 0;
  }
}
