// Asks again and again, with short requests, and not while nobody looks. What takes the proxy or this page long is asked less
// often.

const after_an_error = 4000;  // milliseconds
const longest = 60_000;

export class poller {
  /** `work` is asynchronous, and told how long after the last time it is done, in milliseconds; `is_wanted` says whether its answer is of use at the moment. */
  constructor(work, {every, is_wanted = () => true, on_error}) {
    this.work = work;
    this.every = every;
    this.is_wanted = is_wanted;
    this.on_error = on_error;
    this.timer = null;
    this.pause = every;
    this.running = false;
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.now(); });
  }

  /** At once, or right after the request that is under way. */
  now() {
    if (this.running) {
      this.again = true;
      return;
    }
    clearTimeout(this.timer);
    this.run();
  }

  async run() {
    if (document.hidden) return;  // visibilitychange goes on
    this.again = false;
    let wait = this.every;
    if (this.is_wanted()) {
      this.running = true;
      const begun = performance.now();
      try {
        await this.work(this.pause);
        this.pause = wait = Math.min(longest, Math.max(wait, 5 * (performance.now() - begun)));
      } catch (error) {
        this.on_error(error);
        wait = Math.min(wait, after_an_error);
      }
      this.running = false;
    }
    this.timer = setTimeout(() => this.run(), this.again ? 0 : wait);
  }
}
