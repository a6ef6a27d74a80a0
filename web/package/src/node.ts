import { Introduction } from './bootstrap.js';
import { fetchCore } from './core.js';
import { TabchainError, aborted, unlessAborted } from './error.js';
import type { NodeEventMap } from './events.js';
import { keepingOf } from './keeping.js';
import { MAX_THREADS } from './miner.js';
import { Session, type Holder } from './session.js';
import type { Told } from './service.js';
import { keepStored } from './storage.js';
import { checkSupport } from './support.js';
import type {
  Account,
  AccountProof,
  Block,
  BlockProof,
  BlockSummary,
  Network,
  NodeRole,
  OpenOptions,
  PeerInfo,
  Status,
  Transaction,
  Workload,
} from './types.js';
import { NodeWallet, type Wallet } from './wallet.js';

const LIMIT = 20;
/** How many adopted blocks wait for a reader of `blocks()`; a slower one loses the oldest. */
const MAX_UNREAD = 1_000;

/** Makes this tab a node: it keeps and checks the whole ledger, and serves it to others. */
export class Node extends EventTarget implements AsyncDisposable {
  readonly network: Network;
  readonly wallet: Wallet;
  readonly #session: Session;
  readonly #holder: Holder;
  readonly #closing: AbortController;

  /**
   * Fetches and compiles the node's program ahead of time, so that `open` takes less. Nothing is stored, nobody is
   * connected to, and a failure matters only if it is still one when a node is opened.
   */
  static async prepare(): Promise<void> {
    checkSupport();
    await fetchCore();
  }

  /**
   * Opens a node. It opens without relays and without network too, and goes on looking for them.
   *
   * All tabs of a browser share one node of a name, and all `Node` objects of a page: each of them can be closed by
   * itself, and the node stops with the last. The options of the first hold.
   */
  static async open(options: OpenOptions = {}): Promise<Node> {
    checkSupport();
    const { signal } = options;
    const keeping = keepingOf(options);
    const introduction = new Introduction(options.relays, options.iceServers);
    const bootstrap = await unlessAborted(introduction.first(signal), signal);
    const network = options.network ?? bootstrap.network ?? 'dev';
    const name = options.name ?? `tabchain-${network}`;

    // What is told before there is a node to tell it to was not asked for by anyone.
    let node: Node | undefined;
    const holder: Holder = {
      onTold: (told) => node && node.#onTold(told),
      onRole: (role) => node && node.#emit('role', { role }),
      onFatal: (error) => node && node.#onFatal(error),
    };
    const opening = Session.hold({ network, name, introduction, bootstrap, keeping, log: options.log }, holder);
    try {
      return (node = new Node(await unlessAborted(opening, signal), holder, network));
    } catch (error) {
      void opening.then((session) => session.letGo(holder)).catch(() => undefined);
      throw error;
    }
  }

  private constructor(session: Session, holder: Holder, network: Network) {
    super();
    this.#session = session;
    this.#holder = holder;
    this.#closing = new AbortController();
    this.network = network;
    this.wallet = new NodeWallet(session);
  }

  async status(): Promise<Status> {
    return this.#withRole(await this.#session.ask({ type: 'status' }));
  }

  peers(): Promise<PeerInfo[]> {
    return this.#session.ask({ type: 'peers' });
  }

  /** How the time of this node went by since it was opened: what holds it up, and what it got done. */
  workload(): Promise<Workload> {
    return this.#session.ask({ type: 'workload' });
  }

  getBlock(hash: string): Promise<Block | null> {
    return this.#session.ask({ type: 'block', hash });
  }

  getBlockAt(height: number): Promise<Block | null> {
    return this.#session.ask({ type: 'blockAt', height });
  }

  /** Blocks of the active chain, newest first; `before`: only those below this height. */
  getLatestBlocks({ limit = LIMIT, before }: { limit?: number; before?: number } = {}): Promise<BlockSummary[]> {
    return this.#session.ask({ type: 'latestBlocks', limit, before });
  }

  getAccount(address: string): Promise<Account> {
    return this.#session.ask({ type: 'account', address });
  }

  /** What an account holds, as proof for somebody who has no more than the header: see `verifyAccountProof`. */
  getAccountProof(address: string): Promise<AccountProof> {
    return this.#session.ask({ type: 'accountProof', address });
  }

  /** That the block at this height is in the chain of the tip, as proof; null at the tip itself and above. */
  getBlockProof(height: number): Promise<BlockProof | null> {
    return this.#session.ask({ type: 'blockProof', height });
  }

  getTransaction(id: string): Promise<Transaction | null> {
    return this.#session.ask({ type: 'transaction', id });
  }

  /** Pending ones first, then newest first; `before`: only those older than the transaction with this id. */
  getTransactionsByAddress(
    address: string,
    { limit = LIMIT, before }: { limit?: number; before?: string } = {},
  ): Promise<Transaction[]> {
    return this.#session.ask({ type: 'transactionsOf', address, limit, before });
  }

  getMempool({ limit = LIMIT }: { limit?: number } = {}): Promise<Transaction[]> {
    return this.#session.ask({ type: 'mempool', limit });
  }

  /** Takes a signed transaction, in its byte form, into the memory pool, and tells the peers. */
  sendTransaction(bytes: Uint8Array): Promise<Transaction> {
    return this.#session.ask({ type: 'sendTransaction', bytes });
  }

  /**
   * Resolves when the node stands at the tip of the best chain that its peers know, and is of use. It may then still be
   * checking the blocks below where it joined: see `past` of `status()`.
   *
   * A node that is alone agrees with nobody, so as long as it has no peer this waits, even while it mines. Whoever wants to
   * wait no longer than so long passes a signal, such as `AbortSignal.timeout(60_000)`.
   */
  async waitForConsensus({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    await this.#until(['sync', 'status'], signal, async () => (await this.status()).sync === 'synced' || undefined);
  }

  /** Resolves when so many blocks hold the transaction and stand on it. Throws `expired` when it was dropped. */
  waitForConfirmations(
    id: string,
    confirmations = 1,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<Transaction> {
    let dropped = false;
    const onDropped = ({ detail }: NodeEventMap['dropped']) => (dropped ||= detail.id === id);
    this.addEventListener('dropped', onDropped);
    const found = this.#until(['head', 'transaction', 'dropped'], signal, async () => {
      const transaction = await this.getTransaction(id);
      if (!transaction && dropped) throw new TabchainError('expired', 'the transaction was dropped', { id });
      const { status } = transaction ?? {};
      return status?.state === 'confirmed' && status.confirmations >= confirmations ? (transaction ?? undefined) : undefined;
    });
    return found.finally(() => this.removeEventListener('dropped', onDropped));
  }

  /** Every block from now on that joins the active chain. */
  async *blocks({ signal }: { signal?: AbortSignal } = {}): AsyncIterable<BlockSummary> {
    const unread: string[] = [];
    const onHead = ({ detail }: NodeEventMap['head']) => {
      unread.push(...detail.adopted);
      unread.splice(0, unread.length - MAX_UNREAD);
    };
    this.addEventListener('head', onHead);
    try {
      for (;;) {
        const hash = await this.#until(['head'], signal, () => Promise.resolve(unread.shift()));
        const block = await this.getBlock(hash);
        if (block) yield summaryOf(block);
      }
    } catch (error) {
      // A reader that stops, or a node that is closed, ends the sequence.
      if (!(error instanceof TabchainError) || (error.code !== 'aborted' && error.code !== 'closed')) throw error;
    } finally {
      this.removeEventListener('head', onHead);
    }
  }

  /** Mines until told to stop, with half of the processor's threads unless told otherwise. */
  async startMining({ threads, to }: { threads?: number; to?: string } = {}): Promise<void> {
    keepStored();
    const count = threads ?? Math.max(1, Math.floor(navigator.hardwareConcurrency / 2));
    if (!Number.isInteger(count) || count < 1 || count > MAX_THREADS)
      throw new TabchainError('invalid-argument', `mining takes 1 to ${MAX_THREADS} threads`);
    await this.#session.ask({ type: 'startMining', threads: count, to: to ?? (await this.#firstAddress()) });
  }

  async stopMining(): Promise<void> {
    await this.#session.ask({ type: 'stopMining' });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#session.letGo(this.#holder);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  override addEventListener<K extends keyof NodeEventMap>(
    type: K,
    listener: (event: NodeEventMap[K]) => void,
    options?: AddEventListenerOptions | boolean,
  ): void;
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: AddEventListenerOptions | boolean,
  ): void;
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: AddEventListenerOptions | boolean,
  ): void {
    super.addEventListener(type, listener, options);
  }

  override removeEventListener<K extends keyof NodeEventMap>(
    type: K,
    listener: (event: NodeEventMap[K]) => void,
    options?: EventListenerOptions | boolean,
  ): void;
  override removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: EventListenerOptions | boolean,
  ): void;
  override removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: EventListenerOptions | boolean,
  ): void {
    super.removeEventListener(type, listener, options);
  }

  #onTold(told: Told): void {
    if (told.type === 'status') this.#emit('status', this.#withRole(told.detail));
    else this.#emit(told.type, told.detail);
  }

  #onFatal(error: TabchainError): void {
    this.#emit('fatal', error);
    this.#closing.abort();
  }

  #emit(type: keyof NodeEventMap, detail: unknown): void {
    if (!this.#closing.signal.aborted) this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #withRole(status: Omit<Status, 'role'>): Status {
    const role: NodeRole = this.#session.role;
    return { ...status, role };
  }

  async #firstAddress(): Promise<string> {
    const { exists, accounts } = await this.wallet.state();
    if (accounts[0]) return accounts[0].address;
    throw exists
      ? new TabchainError('wallet-locked', 'the wallet is locked')
      : new TabchainError('no-wallet', 'there is no wallet to mine for');
  }

  /** Looks now and after each of these events, until `look` finds something. */
  async #until<T>(
    events: (keyof NodeEventMap)[],
    signal: AbortSignal | undefined,
    look: () => Promise<T | undefined>,
  ): Promise<T> {
    const over = new AbortController();
    const stop = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
    try {
      for (;;) {
        const next = new Promise<void>((resolve) => {
          for (const event of events) this.addEventListener(event, () => resolve(), { once: true, signal: over.signal });
        });
        const found = await unlessAborted(look(), stop);
        if (found !== undefined) return found;
        await unlessAborted(next, stop);
      }
    } catch (error) {
      if (this.#closing.signal.aborted && !signal?.aborted) throw new TabchainError('closed', 'the node is closed');
      throw signal?.aborted ? aborted(signal) : error;
    } finally {
      over.abort();
    }
  }
}

function summaryOf(block: Block): BlockSummary {
  const { hash, height, time, miner, transactions, size, reward, fees, difficulty } = block;
  return { hash, height, time, miner, transactions, size, reward, fees, difficulty };
}
