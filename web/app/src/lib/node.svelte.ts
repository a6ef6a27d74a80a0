import { Node, type BlockSummary, type NodeEventMap, type OpenOptions, type PeerInfo, type Status } from 'tabchain';
import { coalesce } from './coalesce';
import { isBusy, type Progress } from './progress';
import { LiveWallet } from './wallet.svelte';

export type Warning = NodeEventMap['warning']['detail'];

const STRIP = 14;
const PAUSE = 250;
/** While the node catches up, the processor is for the node: blocks that are passed in a moment need not all be seen. */
const PAUSE_WHILE_BUSY = 1_000;

/**
 * The page's one store of truth: an open node, and what its events say, as state that views read. It asks the node;
 * it decides nothing.
 */
export class LiveNode {
  readonly node: Node;
  readonly wallet: LiveWallet;

  #status: Status;
  #progress: Progress;
  #latest = $state.raw<BlockSummary[]>([]);
  #peers = $state.raw<PeerInfo[]>([]);
  #warnings = $state.raw<Warning[]>([]);
  #activity = $state(0);

  readonly #refreshBlocks = coalesce(() => this.#readBlocks(), () => (this.busy ? PAUSE_WHILE_BUSY : PAUSE));
  readonly refreshPeers = coalesce(() => this.#readPeers(), () => PAUSE);
  readonly #listening = new AbortController();

  private constructor(node: Node, status: Status) {
    this.node = node;
    this.wallet = new LiveWallet(node);
    this.#status = $state.raw(status);
    this.#progress = $state.raw(progressOf(status));
  }

  static async open(options: OpenOptions, onFatal: (error: unknown) => void): Promise<LiveNode> {
    const node = await Node.open(options);
    try {
      const live = new LiveNode(node, await node.status());
      live.#listen(onFatal);
      live.wallet.state = await node.wallet.state();
      live.#refreshBlocks();
      live.refreshPeers();
      return live;
    } catch (error) {
      await node.close();
      throw error;
    }
  }

  get status(): Status {
    return this.#status;
  }

  get progress(): Progress {
    return this.#progress;
  }

  /** The newest blocks, newest first. */
  get latest(): readonly BlockSummary[] {
    return this.#latest;
  }

  get peers(): readonly PeerInfo[] {
    return this.#peers;
  }

  get warnings(): readonly Warning[] {
    return this.#warnings;
  }

  /** Grows whenever the chain or a transaction changed: what a view reads to be read again. */
  get activity(): number {
    return this.#activity;
  }

  /** Whether the node is at work that a person waits for: there is nothing to spare for what only looks nice. */
  get busy(): boolean {
    return isBusy(this.#progress);
  }

  get relayConnected(): boolean {
    return this.#status.relays.some((relay) => relay.connected);
  }

  dismiss(warning: Warning): void {
    this.#warnings = this.#warnings.filter((other) => other !== warning);
  }

  async close(): Promise<void> {
    this.#listening.abort();
    await this.node.close();
  }

  #listen(onFatal: (error: unknown) => void): void {
    const options = { signal: this.#listening.signal };
    const { node } = this;
    node.addEventListener('status', ({ detail }) => this.#take(detail), options);
    node.addEventListener('sync', ({ detail }) => this.#proceed(detail), options);
    node.addEventListener('mining', ({ detail }) => (this.#status = { ...this.#status, mining: detail }), options);
    node.addEventListener('role', ({ detail }) => (this.#status = { ...this.#status, role: detail.role }), options);
    node.addEventListener('peer', () => this.refreshPeers(), options);
    node.addEventListener('wallet', ({ detail }) => (this.wallet.state = detail), options);
    node.addEventListener('transaction', () => this.#changed(), options);
    node.addEventListener('dropped', () => this.#changed(), options);
    node.addEventListener('head', () => this.#headMoved(), options);
    node.addEventListener('warning', ({ detail }) => this.#warn(detail), options);
    node.addEventListener('fatal', ({ detail }) => onFatal(detail), options);
  }

  #proceed(progress: Progress): void {
    this.#progress = progress;
    const { state: sync, height, bestHeight, sources, peers } = progress;
    this.#status = { ...this.#status, sync, height, bestHeight, sources, peers };
  }

  #take(status: Status): void {
    this.#status = status;
    const { secondsLeft } = this.#progress;
    this.#progress = { ...progressOf(status), ...(secondsLeft !== undefined && { secondsLeft }) };
    if (this.relayConnected) this.#clear('relay-lost');
  }

  #headMoved(): void {
    this.#clear('stale-tip');
    this.#refreshBlocks();
    this.#changed();
  }

  #changed(): void {
    this.#refreshBlocks();
    this.wallet.refresh();
  }

  #warn(warning: Warning): void {
    this.#warnings = [...this.#warnings.filter((other) => other.code !== warning.code), warning];
  }

  #clear(code: Warning['code']): void {
    if (this.#warnings.some((warning) => warning.code === code))
      this.#warnings = this.#warnings.filter((warning) => warning.code !== code);
  }

  async #readBlocks(): Promise<void> {
    try {
      this.#latest = await this.node.getLatestBlocks({ limit: STRIP });
      this.#activity += 1;
    } catch {
      // The node is going down and says so itself.
    }
  }

  async #readPeers(): Promise<void> {
    try {
      this.#peers = await this.node.peers();
    } catch {
      // As above.
    }
  }
}

/** What a status says of sync. */
function progressOf(status: Status): Progress {
  const { sync: state, height, bestHeight, snapshot, past, sources, peers } = status;
  return { state, height, bestHeight, ...(snapshot && { snapshot }), ...(past && { past }), sources, peers };
}
