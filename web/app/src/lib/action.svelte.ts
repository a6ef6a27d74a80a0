/** Something the person asked for: whether it is under way, and what went wrong the last time. */
export class Action {
  #busy = $state(false);
  #error = $state.raw<unknown>();

  get busy(): boolean {
    return this.#busy;
  }

  get error(): unknown {
    return this.#error;
  }

  clear(): void {
    this.#error = undefined;
  }

  /** Runs `work` unless it is running already; true when it went well. */
  async run(work: () => Promise<void>): Promise<boolean> {
    if (this.#busy) return false;
    this.#busy = true;
    this.#error = undefined;
    try {
      await work();
      return true;
    } catch (error) {
      this.#error = error;
      return false;
    } finally {
      this.#busy = false;
    }
  }
}
