// Questions and answers over anything that posts messages: a worker, or a channel between tabs. Each side may also tell
// the other something unasked.

import { TabchainError, failureOf, type Failure } from './error.js';

/** A Worker, a worker's own global scope, or a BroadcastChannel. */
export interface Endpoint {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<unknown>) => void): void;
  removeEventListener(type: 'message', listener: (event: MessageEvent<unknown>) => void): void;
}

type Message =
  | { ask: number; request: unknown }
  | { answer: number; value: unknown }
  | { answer: number; failure: Failure }
  | { tell: unknown };

/** The other side is gone, and with it the answer. Whether the request was carried out is not known. */
export class Gone extends TabchainError {
  constructor() {
    super('closed', 'the tab that ran the node is gone: whether this was done is not known');
  }
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: TabchainError): void;
}

/** Asks at an endpoint. */
export class Caller {
  readonly #endpoint: Endpoint;
  readonly #onTold: (news: unknown) => void;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  #ended: TabchainError | undefined;

  constructor(endpoint: Endpoint, onTold: (news: unknown) => void) {
    this.#endpoint = endpoint;
    this.#onTold = onTold;
    endpoint.addEventListener('message', this.#onMessage);
  }

  ask(request: unknown, transfer: Transferable[] = []): Promise<unknown> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const ask = this.#next++;
      this.#waiting.set(ask, { resolve, reject });
      // A BroadcastChannel takes no second argument.
      if (transfer.length > 0) this.#endpoint.postMessage({ ask, request }, transfer);
      else this.#endpoint.postMessage({ ask, request });
    });
  }

  /** Answers everything that waits, and all that is asked from now on, with `error`. */
  end(error: TabchainError = new Gone()): void {
    this.#ended ??= error;
    this.#endpoint.removeEventListener('message', this.#onMessage);
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }

  readonly #onMessage = ({ data }: MessageEvent<unknown>): void => {
    const message = data as Message;
    if ('tell' in message) this.#onTold(message.tell);
    if (!('answer' in message)) return;
    const waiting = this.#waiting.get(message.answer);
    this.#waiting.delete(message.answer);
    if ('failure' in message) waiting?.reject(TabchainError.from(message.failure));
    else waiting?.resolve(message.value);
  };
}

/** Answers at an endpoint. */
export class Server {
  readonly #endpoint: Endpoint;
  readonly #carryOut: (request: unknown) => Promise<unknown>;

  constructor(endpoint: Endpoint, carryOut: (request: unknown) => Promise<unknown>) {
    this.#endpoint = endpoint;
    this.#carryOut = carryOut;
    endpoint.addEventListener('message', this.#onMessage);
  }

  tell(news: unknown): void {
    this.#endpoint.postMessage({ tell: news });
  }

  end(): void {
    this.#endpoint.removeEventListener('message', this.#onMessage);
  }

  readonly #onMessage = ({ data }: MessageEvent<unknown>): void => {
    const message = data as Message;
    if ('ask' in message) void this.#answer(message.ask, message.request);
  };

  async #answer(answer: number, request: unknown): Promise<void> {
    try {
      this.#endpoint.postMessage({ answer, value: await this.#carryOut(request) });
    } catch (error) {
      this.#endpoint.postMessage({ answer, failure: failureOf(error) });
    }
  }
}
