// Keeps the swarm told of relays: from bootstrap.json, read again and again while no relay is connected.

import type { Swarm } from '../wasm/tabchain.js';
import type { Bootstrap, Introduction } from './bootstrap.js';
import type { RelayInfo } from './types.js';

/** Between two readings, in milliseconds: it doubles from the first to the longest. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [2_000, 20_000];

export class Relays {
  readonly #swarm: Swarm;
  readonly #introduction: Introduction;
  readonly #connected = new Set<string>();
  #addresses: string[] = [];
  #rouse: () => void = () => undefined;

  constructor(swarm: Swarm, introduction: Introduction) {
    this.#swarm = swarm;
    this.#introduction = introduction;
  }

  get list(): RelayInfo[] {
    return this.#addresses.map((address) => ({ address, connected: this.#connected.has(address) }));
  }

  isConnected(): boolean {
    return this.list.some((relay) => relay.connected);
  }

  /** A relay keeps a place for us, or no longer does. Returns whether the last one was lost by it. */
  note(address: string, connected: boolean): boolean {
    const before = this.isConnected();
    if (connected) this.#connected.add(address);
    else this.#connected.delete(address);
    const lost = before && !this.isConnected();
    if (lost) this.rouse();
    return lost;
  }

  /** Looks again at once: a relay was lost, the machine woke up, or is online again. */
  rouse(): void {
    this.#rouse();
  }

  /** Uses what is known, and asks for news while no relay is connected. A page that answers has a relay to be tried. */
  async keep(bootstrap: Bootstrap, signal: AbortSignal): Promise<void> {
    await this.#use(bootstrap);
    if (!this.#introduction.canRead) return;
    signal.addEventListener('abort', () => this.rouse());
    let pause = FIRST_PAUSE;
    for (;;) {
      const roused = await this.#sleep(this.isConnected() ? LONGEST_PAUSE : pause);
      if (signal.aborted) return;
      if (this.isConnected()) continue;
      pause = roused ? FIRST_PAUSE : Math.min(2 * pause, LONGEST_PAUSE);
      const told = await this.#introduction.read(signal);
      if (told) await this.#use(told);
    }
  }

  async #use({ relays, iceServers }: Bootstrap): Promise<void> {
    const servers = iceServers.map(({ urls, username, credential }) => ({ urls: [urls].flat(), username, credential }));
    this.#swarm.useIceServers(servers);
    this.#addresses = relays;
    for (const address of this.#connected) if (!relays.includes(address)) this.#connected.delete(address);
    await this.#swarm.useRelays(relays);
  }

  /** Resolves with whether it was cut short. */
  #sleep(pause: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), pause);
      this.#rouse = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}
