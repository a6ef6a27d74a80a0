import type { SyncProgress } from './service.js';

/** What is being worked through, how far it is, and where it ends. */
export interface Stretch {
  of: 'snapshot' | 'blocks' | 'past';
  done: number;
  goal: number;
}

/** What a node is working through now: on the way to the tip first, the past after that. */
export function stretchOf({ state, height, bestHeight, snapshot, past }: SyncProgress): Stretch | undefined {
  if (state === 'snapshot' && snapshot) return { of: 'snapshot', done: snapshot.parts, goal: snapshot.of };
  if (state === 'blocks') return { of: 'blocks', done: height, goal: bestHeight };
  if (state === 'synced' && past) return { of: 'past', done: past.checked, goal: past.joinedAt };
  return undefined;
}

/** How long a stretch still takes, from how fast it went lately. */
export class Progress {
  #of: Stretch['of'] | undefined;
  /** How far it was, by time: the last half minute. */
  #reached: { at: number; done: number }[] = [];

  /** Seconds until the end at the present pace; undefined while there is no pace yet. */
  secondsLeft({ of, done, goal }: Stretch, now: number): number | undefined {
    const last = this.#reached.at(-1);
    if (of !== this.#of || (last && done < last.done)) this.#reached = [];
    this.#of = of;
    this.#reached = [...this.#reached.filter(({ at }) => at >= now - 30_000), { at: now, done }];
    const first = this.#reached[0];
    if (!first || done <= first.done || now - first.at < 1_000) return undefined;
    return ((goal - done) * (now - first.at)) / (1_000 * (done - first.done));
  }
}
