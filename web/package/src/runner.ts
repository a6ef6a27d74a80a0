// Runs the node in this tab: the swarm on the window, the rest in a worker, and both joined by a port.

import { log, Swarm } from '../wasm/tabchain.js';
import type { Bootstrap, Introduction } from './bootstrap.js';
import { loadCore, onCorePanic } from './core.js';
import { TabchainError, type Failure } from './error.js';
import type { Keeping } from './keeping.js';
import { identity } from './profile.js';
import { Progress, stretchOf } from './progress.js';
import { Relays } from './relays.js';
import { Caller } from './rpc.js';
import type { AskOf, Kind, Replies, Service, Told } from './service.js';
import type { LogLevel, Network, PeerInfo, Status } from './types.js';
import type { FromWorker, Open } from './worker.js';

export interface RunnerOptions {
  network: Network;
  name: string;
  introduction: Introduction;
  bootstrap: Bootstrap;
  keeping: Keeping;
  log: LogLevel | undefined;
}

/** Who is told what happens. */
export interface Listener {
  onTold(told: Told): void;
  /** The node stopped by itself. */
  onFatal(error: TabchainError): void;
}

/** Between two `status` events, in milliseconds. */
const STATUS_PAUSE = 300;
/** A `status` event comes as often at least: how much room the browser leaves may change while nothing happens to the node. */
const STATUS_AT_LEAST = 60_000;
/** How long the browser's word on the storage that is used holds, in milliseconds: finding it out takes the browser a while. */
const USAGE_HOLDS = 3_000;
/** How long a node may take to write everything down before its worker is ended. */
const LAST_WORDS = 3_000;

export class Runner implements Service {
  readonly #listener: Listener;
  readonly #swarm: Swarm;
  readonly #relays: Relays;
  readonly #worker: Worker;
  readonly #caller: Caller;
  readonly #progress = new Progress();
  readonly #closing = new AbortController();
  #usage: { at: number; said: Promise<StorageEstimate> } | undefined;
  #statusDue: ReturnType<typeof setTimeout> | undefined;

  static async start(options: RunnerOptions, listener: Listener): Promise<Runner> {
    const [module, seed] = await Promise.all([loadCore(), identity(options.name)]);
    const { port1, port2 } = new MessageChannel();
    const { network, name, keeping, log: level } = options;
    if (level) log(level);
    const swarm = new Swarm({ network, identity: seed }, port1);
    const runner = new Runner(options, swarm, listener);
    // Relays are dialled while the node reads what is stored.
    void runner.#relays.keep(options.bootstrap, runner.#closing.signal);
    try {
      const { peerId } = swarm;
      const open: Open = { type: 'open', module, network, name, peerId, keeping, port: port2, log: level };
      await runner.#caller.ask(open, [port2]);
    } catch (error) {
      runner.#end();
      throw error;
    }
    return runner;
  }

  private constructor(options: RunnerOptions, swarm: Swarm, listener: Listener) {
    this.#listener = listener;
    this.#swarm = swarm;
    this.#relays = new Relays(swarm, options.introduction);
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
    this.#caller = new Caller(this.#worker, (news) => this.#onNews(news as FromWorker));
    const { signal } = this.#closing;
    const died = (event: ErrorEvent) => this.#crash(event.message || 'the worker could not run');
    this.#worker.addEventListener('error', died, { signal });
    signal.addEventListener('abort', onCorePanic((message) => this.#crash(message)));
    const quiet = setInterval(() => this.#statusSoon(), STATUS_AT_LEAST);
    signal.addEventListener('abort', () => clearInterval(quiet));
    // After sleep, timers are late: a question makes the node look at the clock, and who was out of reach is tried at once.
    const rouse = () => {
      if (document.visibilityState === 'visible') this.#swarm.wake();
      this.#relays.rouse();
      this.#statusSoon();
    };
    window.addEventListener('online', rouse, { signal });
    window.addEventListener('pageshow', rouse, { signal });
    document.addEventListener('visibilitychange', rouse, { signal });
    document.addEventListener('resume', rouse, { signal });
  }

  async ask<K extends Kind>(request: AskOf<K>): Promise<Replies[K]> {
    // The browser may take its time. It is asked first, so that what the node answers is not old by the time it is told.
    const room = request.type === 'status' ? await this.#estimate() : undefined;
    const reply = await this.#caller.ask(request);
    if (room) this.#addSurroundings(reply as Status, room);
    if (request.type === 'peers') await Promise.all((reply as PeerInfo[]).map((peer) => this.#addPath(peer)));
    return reply as Replies[K];
  }

  async close(): Promise<void> {
    const patience = new Promise((resolve) => setTimeout(resolve, LAST_WORDS));
    await Promise.race([this.#caller.ask({ type: 'close' }).catch(() => undefined), patience]);
    this.#end();
  }

  #end(): void {
    this.#closing.abort();
    clearTimeout(this.#statusDue);
    this.#caller.end(new TabchainError('closed', 'the node is closed'));
    this.#worker.terminate();
    // After a panic there is nothing left to close.
    this.#swarm.close().then(() => this.#swarm.free(), () => undefined);
  }

  #fail(error: TabchainError): void {
    if (this.#closing.signal.aborted) return;
    this.#caller.end(error);
    this.#end();
    this.#listener.onFatal(error);
  }

  #crash(message: string): void {
    this.#fail(new TabchainError('internal', message));
  }

  #onNews(news: FromWorker): void {
    switch (news.type) {
      case 'panic':
        this.#crash(news.message);
        return;
      case 'ended':
        if (news.error) this.#fail(TabchainError.from(news.error as Failure));
        return;
      case 'relay':
        if (this.#relays.note(news.address, news.connected))
          this.#tell({ type: 'warning', detail: { code: 'relay-lost', message: 'no relay is connected any more' } });
        break;
      case 'ready':
      case 'listening':
        break;
      default: {
        const told = toldOf(news);
        if (told.type === 'sync') this.#addPace(told.detail);
        this.#tell(told);
      }
    }
    this.#statusSoon();
  }

  #tell(told: Told): void {
    this.#listener.onTold(told);
  }

  #statusSoon(): void {
    this.#statusDue ??= setTimeout(() => void this.#tellStatus(), STATUS_PAUSE);
  }

  async #tellStatus(): Promise<void> {
    // A node that is going down gives no status.
    const status = await this.ask({ type: 'status' }).catch(() => undefined);
    this.#statusDue = undefined;
    if (status && !this.#closing.signal.aborted) this.#tell({ type: 'status', detail: status });
  }

  #addSurroundings(status: Omit<Status, 'role'>, { usage, quota }: StorageEstimate): void {
    Object.assign(status, {
      peerId: this.#swarm.peerId,
      relays: this.#relays.list,
      connections: this.#swarm.counts(),
    });
    if (usage !== undefined) status.storageBytes = usage;
    if (quota !== undefined) status.storageQuota = quota;
  }

  #estimate(): Promise<StorageEstimate> {
    const at = performance.now();
    if (!this.#usage || at - this.#usage.at > USAGE_HOLDS) {
      const said: Promise<StorageEstimate> = navigator.storage.estimate().catch(() => ({}));
      this.#usage = { at, said };
    }
    return this.#usage.said;
  }

  /** What the browser itself says about the direct connection, from `RTCPeerConnection.getStats()`. */
  async #addPath(peer: PeerInfo): Promise<void> {
    const path = await this.#swarm.path(peer.id);
    if (!path) return;
    const { bytesSent, bytesReceived, localCandidate, remoteCandidate } = path;
    Object.assign(peer, { bytesSent, bytesReceived, localCandidate, remoteCandidate });
  }

  #addPace(sync: Extract<Told, { type: 'sync' }>['detail']): void {
    const stretch = stretchOf(sync);
    const seconds = stretch && this.#progress.secondsLeft(stretch, performance.now());
    if (seconds !== undefined) sync.secondsLeft = seconds;
  }
}

type NodeNews = Exclude<FromWorker, { type: 'panic' | 'ended' | 'relay' | 'ready' | 'listening' }>;

/** The node's news in the words of the package's events. */
function toldOf(news: NodeNews): Told {
  switch (news.type) {
    case 'mining':
      return { type: 'mining', detail: news.mining };
    case 'wallet':
      return { type: 'wallet', detail: news.wallet };
    case 'transaction': {
      const { id, status } = news.transaction;
      if (status.state === 'dropped') return { type: 'dropped', detail: { id } };
      return { type: 'transaction', detail: { ...news.transaction, status } };
    }
    case 'head': {
      const { hash, height, adopted, reverted } = news;
      return { type: 'head', detail: { hash, height, adopted, reverted } };
    }
    case 'sync': {
      const { state, height, bestHeight, snapshot, past, sources, peers } = news;
      const joining = { ...(snapshot && { snapshot }), ...(past && { past }) };
      return { type: 'sync', detail: { state, height, bestHeight, ...joining, sources, peers } };
    }
    case 'peer':
      return { type: 'peer', detail: { change: news.change, peer: news.peer } };
    case 'warning':
      return { type: 'warning', detail: { code: news.code, message: news.message } };
  }
}
