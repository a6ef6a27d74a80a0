/** How long syncing still takes, from how fast it went lately. */
export class Progress {
  /** Heights reached, by time: those of the last half minute. */
  #reached: { at: number; height: number }[] = [];

  /** Seconds until `goal` at the present pace; undefined while there is no pace yet. */
  secondsLeft(height: number, goal: number, now: number): number | undefined {
    const last = this.#reached.at(-1);
    if (last && height < last.height) this.#reached = [];
    this.#reached = [...this.#reached.filter(({ at }) => at >= now - 30_000), { at: now, height }];
    const first = this.#reached[0];
    if (!first || height <= first.height || now - first.at < 1_000) return undefined;
    return ((goal - height) * (now - first.at)) / (1_000 * (height - first.height));
  }

  reset(): void {
    this.#reached = [];
  }
}
