import { Node } from 'tabchain';
import { LiveNode } from './node.svelte';
import { optionsFrom } from './options';
import { preferences } from './preferences';
import { KEPT_BLOCKS } from './room';

declare global {
  interface Window {
    /** The open node, for the console. */
    tabchain?: Node;
  }
}

type Phase =
  { name: 'away' } | { name: 'opening' } | { name: 'open'; live: LiveNode } | { name: 'failed'; error: unknown };

/** Whether this tab takes part. Joining is asked for once in a profile; a reload comes back by itself. */
class Session {
  readonly options = optionsFrom(location.search);
  #phase = $state.raw<Phase>({ name: 'away' });
  #opening = new AbortController();

  constructor() {
    if (preferences.joined) void this.join();
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** While a person reads what joining means, the program comes. Should it fail, joining tries again and says so. */
  prepare(): void {
    Node.prepare().catch(() => undefined);
  }

  async join(): Promise<void> {
    if (this.#phase.name === 'opening' || this.#phase.name === 'open') return;
    this.#phase = { name: 'opening' };
    preferences.joined = true;
    this.#opening = new AbortController();
    const { signal } = this.#opening;
    try {
      const prune = preferences.pruned ? { prune: KEPT_BLOCKS } : {};
      const live = await LiveNode.open({ ...prune, ...this.options, signal }, (error) => this.#stopped(error));
      if (signal.aborted) {
        await live.close();
        return;
      }
      this.#phase = { name: 'open', live };
      window.tabchain = live.node;
    } catch (error) {
      if (!signal.aborted) this.#stopped(error);
    }
  }

  /** Stops the node and stays away at the next visit. What is stored stays stored. */
  async leave(): Promise<void> {
    const phase = this.#phase;
    preferences.joined = false;
    this.#phase = { name: 'away' };
    delete window.tabchain;
    this.#opening.abort();
    if (phase.name === 'open') await phase.live.close();
  }

  /** Lets go of old blocks, from now on: the node is opened anew, and keeps the last ones in full. */
  async makeRoom(): Promise<void> {
    preferences.pruned = true;
    await this.leave();
    await this.join();
  }

  #stopped(error: unknown): void {
    delete window.tabchain;
    this.#phase = { name: 'failed', error };
  }
}

export const session = new Session();
