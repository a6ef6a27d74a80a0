// One node a browser: the tabs that use a node of the same name agree on who runs it.
//
// A Web Lock elects: whoever holds it runs the node, the others wait for it, so when the runner closes or crashes the next
// takes over at once. Those who wait attach: each has a channel of its own to the runner, made when it says hello on the
// common one. A lock of its own, held as long as it lives, lets the runner notice that it is gone.

import { Caller, Gone, Server } from './rpc.js';
import type { AskOf, Kind, Replies, Service, Told } from './service.js';
import type { Network } from './types.js';

/** On the common channel: a tab looks for the runner; a runner is there. */
type Call = { hello: string } | { running: true };
/** The first words of the runner on a tab's own channel. */
interface Welcome {
  welcome: { network: Network };
}

/** Waits until this tab is the one to run the node, then holds on until `release` is called. */
export async function elect(name: string, signal: AbortSignal): Promise<{ release: () => void }> {
  return new Promise((resolve, reject) => {
    const held = (): Promise<void> => new Promise((release) => resolve({ release }));
    navigator.locks.request(common(name), { signal }, held).catch(reject);
  });
}

/** The runner's side: serves the other tabs. */
export class Reception {
  readonly #name: string;
  readonly #network: Network;
  readonly #service: Service;
  readonly #channel: BroadcastChannel;
  readonly #guests = new Map<string, { server: Server; channel: BroadcastChannel }>();

  constructor(name: string, network: Network, service: Service) {
    this.#name = name;
    this.#network = network;
    this.#service = service;
    this.#channel = new BroadcastChannel(common(name));
    this.#channel.onmessage = ({ data }: MessageEvent<Call>) => {
      if ('hello' in data) this.#welcome(data.hello);
    };
    this.#channel.postMessage({ running: true } satisfies Call);
  }

  tell(told: Told): void {
    for (const { server } of this.#guests.values()) server.tell(told);
  }

  close(): void {
    this.#channel.close();
    for (const guest of this.#guests.keys()) this.#forget(guest);
  }

  #welcome(guest: string): void {
    if (!this.#guests.has(guest)) {
      const channel = new BroadcastChannel(own(this.#name, guest));
      const server = new Server(channel, (request) => this.#service.ask(request as AskOf<Kind>));
      this.#guests.set(guest, { server, channel });
      void navigator.locks.request(own(this.#name, guest), () => this.#forget(guest));
    }
    const welcome: Welcome = { welcome: { network: this.#network } };
    this.#guests.get(guest)?.server.tell(welcome);
  }

  #forget(guest: string): void {
    const { server, channel } = this.#guests.get(guest) ?? {};
    this.#guests.delete(guest);
    server?.end();
    channel?.close();
  }
}

/** What an attached tab hears of the runner. */
export interface GuestListener {
  onTold(told: Told): void;
  /** There is a runner, and this is how to ask it. */
  onWelcome(service: Service, network: Network): void;
}

/** The attached side. */
export class Guest {
  readonly #id = crypto.randomUUID();
  readonly #listener: GuestListener;
  readonly #common: BroadcastChannel;
  readonly #own: BroadcastChannel;
  readonly #leaving = new AbortController();
  #caller: Caller;

  constructor(name: string, listener: GuestListener) {
    this.#listener = listener;
    this.#common = new BroadcastChannel(common(name));
    this.#own = new BroadcastChannel(own(name, this.#id));
    this.#caller = this.#call();
    this.#common.onmessage = ({ data }: MessageEvent<Call>) => {
      if ('running' in data) this.#hello();
    };
    const alive = () => new Promise<void>((resolve) => this.#leaving.signal.addEventListener('abort', () => resolve()));
    void navigator.locks.request(own(name, this.#id), async () => {
      this.#hello();
      await alive();
    });
  }

  leave(): void {
    this.#leaving.abort();
    this.#caller.end();
    this.#common.close();
    this.#own.close();
  }

  /** What the last runner did not answer, it never will. */
  #hello(): void {
    if (this.#leaving.signal.aborted) return;
    this.#caller.end(new Gone());
    this.#caller = this.#call();
    this.#common.postMessage({ hello: this.#id } satisfies Call);
  }

  #call(): Caller {
    const caller: Caller = new Caller(this.#own, (news) => {
      const heard = news as Told | Welcome;
      if (!('welcome' in heard)) {
        this.#listener.onTold(heard);
        return;
      }
      const service: Service = {
        ask: async <K extends Kind>(request: AskOf<K>) => (await caller.ask(request)) as Replies[K],
      };
      this.#listener.onWelcome(service, heard.welcome.network);
    });
    return caller;
  }
}

function common(name: string): string {
  return `tabchain/${name}`;
}

function own(name: string, guest: string): string {
  return `tabchain/${name}/${guest}`;
}
