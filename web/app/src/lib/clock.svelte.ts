class Clock {
  #now = $state(Date.now());

  constructor() {
    setInterval(() => (this.#now = Date.now()), 1000);
  }

  /** Milliseconds since the epoch; whoever reads it is redrawn every second. */
  get now(): number {
    return this.#now;
  }
}

export const clock = new Clock();
