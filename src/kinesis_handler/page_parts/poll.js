/** Does something every few seconds while somebody is looking, and less often while it fails. */

const INTERVAL_MS = 3_000;
const LONGEST_MS = 30_000;

export class Poll {
  #task;
  #delay = INTERVAL_MS;
  #timer;
  #running = null; // the AbortController of the task that is on its way
  #stopped = new AbortController();

  /**
   * @param task is given an AbortSignal, and returns the least number of milliseconds to wait for the next
   *   time: 0 if it went well, else more; the wait then doubles each time, up to half a minute.
   */
  constructor(task) {
    this.#task = task;
    const { signal } = this.#stopped;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#pause() : this.now()), { signal });
    window.addEventListener("online", () => this.now(), { signal });
    window.addEventListener("offline", () => this.now(), { signal }); // fails at once, and so says it at once
  }

  /** Do it now, and go on from there. */
  async now() {
    this.#pause();
    const running = (this.#running = new AbortController());
    const wait = await this.#task(running.signal);
    if (running.signal.aborted) return; // another one has begun, or none is wanted
    this.#running = null;
    this.#delay = wait === 0 ? INTERVAL_MS : Math.min(Math.max(this.#delay * 2, wait), LONGEST_MS);
    if (!document.hidden) this.#timer = setTimeout(() => this.now(), this.#delay);
  }

  /** End it for good. */
  stop() {
    this.#pause();
    this.#stopped.abort();
  }

  #pause() {
    clearTimeout(this.#timer);
    this.#running?.abort();
  }
}
