// A node as one page uses it: run by this tab, or by another that this one is attached to. All `Node` objects of a page
// with the same name share one session; it ends with the last of them.

import { TabchainError, failureOf } from './error.js';
import { Gone } from './rpc.js';
import { Runner, type RunnerOptions } from './runner.js';
import { isQuestion, type AskOf, type Kind, type Replies, type Service, type Told } from './service.js';
import { elect, Guest, Reception } from './tabs.js';
import type { Network, NodeRole } from './types.js';

/** A `Node`, as its session sees it. */
export interface Holder {
  onTold(told: Told): void;
  onRole(role: NodeRole): void;
  onFatal(error: TabchainError): void;
}

const sessions = new Map<string, Session>();

export class Session {
  /** The session of this name, open; `holder` is told what happens until it lets go. */
  static async hold(options: RunnerOptions, holder: Holder): Promise<Session> {
    const session = sessions.get(options.name) ?? new Session(options);
    sessions.set(options.name, session);
    session.#holders.add(holder);
    try {
      await session.#opened;
      if (session.#network === options.network) return session;
      throw new TabchainError('invalid-argument', `"${options.name}" is a node of the network "${session.#network}"`);
    } catch (error) {
      await session.letGo(holder);
      throw error;
    }
  }

  readonly #options: RunnerOptions;
  readonly #holders = new Set<Holder>();
  readonly #leaving = new AbortController();
  readonly #opened: Promise<void>;
  #open: () => void = () => undefined;
  #failOpen: (error: unknown) => void = () => undefined;
  #network: Network;
  #role: NodeRole | undefined;
  #guest: Guest | undefined;
  #runner: Runner | undefined;
  #reception: Reception | undefined;
  #release: () => void = () => undefined;
  /** Who answers, if anybody does now. */
  #service: Service | undefined;
  #waiting: ((service: Service | Error) => void)[] = [];

  private constructor(options: RunnerOptions) {
    this.#options = options;
    this.#network = options.network;
    this.#opened = new Promise((resolve, reject) => {
      this.#open = resolve;
      this.#failOpen = reject;
    });
    this.#guest = new Guest(options.name, {
      onTold: (told) => this.#tell(told),
      onWelcome: (service, network) => {
        this.#network = network;
        this.#answeredBy(service, 'attached');
      },
    });
    void this.#takeOver();
  }

  get role(): NodeRole {
    return this.#role ?? 'attached';
  }

  async ask<K extends Kind>(request: AskOf<K>): Promise<Replies[K]> {
    for (;;) {
      const service = this.#service ?? (await this.#nextService());
      try {
        return await service.ask(request);
      } catch (error) {
        if (this.#service === service && error instanceof Gone) this.#service = undefined;
        if (!(error instanceof Gone) || !isQuestion(request)) throw error;
      }
    }
  }

  /** The holder is done. The node stops when nobody holds it any more, and another tab that uses it takes over. */
  async letGo(holder: Holder): Promise<void> {
    this.#holders.delete(holder);
    if (this.#holders.size === 0) await this.#end(new TabchainError('closed', 'the node is closed'));
  }

  /** Waits for its turn to run the node, and runs it. */
  async #takeOver(): Promise<void> {
    try {
      const { release } = await elect(this.#options.name, this.#leaving.signal);
      this.#release = release;
      if (this.#left()) {
        release();
        return;
      }
      this.#guest?.leave();
      this.#guest = undefined;
      this.#service = undefined;
      const runner = await Runner.start({ ...this.#options, network: this.#network }, {
        onTold: (told) => this.#tell(told),
        onFatal: (error) => void this.#fail(error),
      });
      this.#runner = runner;
      if (this.#left()) {
        await this.#stop();
        return;
      }
      this.#reception = new Reception(this.#options.name, this.#network, runner);
      this.#answeredBy(runner, 'node');
    } catch (error) {
      if (this.#left()) return;
      await this.#fail(error instanceof TabchainError ? error : TabchainError.from(failureOf(error)));
    }
  }

  #left(): boolean {
    return this.#leaving.signal.aborted;
  }

  #answeredBy(service: Service, role: NodeRole): void {
    this.#service = service;
    for (const waiting of this.#waiting.splice(0)) waiting(service);
    this.#open();
    if (this.#role !== undefined && this.#role !== role) for (const holder of this.#holders) holder.onRole(role);
    this.#role = role;
  }

  #tell(told: Told): void {
    this.#reception?.tell(told);
    for (const holder of this.#holders) holder.onTold(told);
  }

  async #fail(error: TabchainError): Promise<void> {
    const holders = this.#role === undefined ? [] : [...this.#holders];
    this.#failOpen(error);
    this.#runner = undefined;
    await this.#end(error);
    for (const holder of holders) holder.onFatal(error);
  }

  async #end(error: TabchainError): Promise<void> {
    if (sessions.get(this.#options.name) === this) sessions.delete(this.#options.name);
    this.#failOpen(error);
    this.#leaving.abort();
    this.#service = { ask: () => Promise.reject(error) };
    for (const waiting of this.#waiting.splice(0)) waiting(error);
    this.#guest?.leave();
    this.#reception?.close();
    await this.#stop();
  }

  async #stop(): Promise<void> {
    await this.#runner?.close();
    this.#runner = undefined;
    this.#release();
  }

  #nextService(): Promise<Service> {
    return new Promise((resolve, reject) => {
      this.#waiting.push((service) => (service instanceof Error ? reject(service) : resolve(service)));
    });
  }
}
