// The dedicated worker: the node over IndexedDB, the miners and the checkers.

import { Host, initSync, log, onPanic, type News } from '../wasm/tabchain.js';
import { Checkers, checkersFor } from './checker.js';
import { TabchainError } from './error.js';
import type { Keeping } from './keeping.js';
import { Miner } from './miner.js';
import { Server, type Endpoint } from './rpc.js';
import type { Ask } from './service.js';
import type { LogLevel, MiningStatus } from './types.js';

/** What the window asks of the worker: first to open, then what tabs ask. */
export type ToWorker = Ask | Open | { type: 'close' };

export interface Open {
  type: 'open';
  module: WebAssembly.Module;
  network: string;
  name: string;
  peerId: string;
  keeping: Keeping;
  /** Leads to the swarm. */
  port: MessagePort;
  log: LogLevel | undefined;
}

/** The node's news, what the miners make of it, and the last words of a panic. */
export type FromWorker =
  | Exclude<News, { type: 'mine' | 'rest' | 'mining' | 'check' }>
  | { type: 'mining'; mining: MiningStatus }
  | { type: 'panic'; message: string };

/** Between two reports of the hash rate, in milliseconds, however many threads there are. */
const RATE_PAUSE = 500;

const server = new Server(globalThis as unknown as Endpoint, (request) => carryOut(request as ToWorker));
const miner = new Miner(
  (job, nonce) => host?.solved(job, nonce),
  () => {
    rateDue ??= setTimeout(tellMining, RATE_PAUSE);
  },
);
const checkers = new Checkers(
  checkersFor(navigator.hardwareConcurrency),
  ({ number, verdicts, took }) => tellHost((host) => host.checked(number, verdicts, took)),
  (why) => tellHost((host) => host.lostCheckers(why)),
);
/** What checkers said of the first orders before the node could be told. */
const early: ((host: Host) => void)[] = [];
let host: Host | undefined;
let rateDue: ReturnType<typeof setTimeout> | undefined;
let mined: { to?: string; blocksFound: number } = { blocksFound: 0 };

async function carryOut(request: ToWorker): Promise<unknown> {
  if (request.type === 'open') return open(request);
  if (!host) throw new TabchainError('closed', 'the node is not open');
  switch (request.type) {
    case 'startMining':
      await miner.use(request.threads);
      return host.call({ type: 'startMining', to: request.to });
    case 'status': {
      const status = (await host.call(request)) as { mining: typeof mined };
      mined = status.mining;
      return { ...status, mining: mining() };
    }
    case 'workload':
      return host.workload();
    default:
      return host.call(request);
  }
}

async function open({ module, network, name, peerId, keeping, port, log: level }: Open): Promise<void> {
  initSync({ module });
  if (level) log(level);
  onPanic((message) => tell({ type: 'panic', message }));
  // A failure now is no failure yet: whoever starts mining later hears of it if it is still there.
  miner.prepare().catch(() => undefined);
  checkers.prepare().catch(() => undefined);
  host = await Host.open({ network, name, peerId, checkers: checkers.count, ...keeping }, port, onNews);
  for (const say of early.splice(0)) say(host);
}

/** A node has work for its checkers while it opens, and waits for every answer. */
function tellHost(say: (host: Host) => void): void {
  if (host) say(host);
  else early.push(say);
}

function onNews(news: News): void {
  switch (news.type) {
    case 'mine':
      miner.work(news);
      break;
    case 'rest':
      miner.rest();
      tellMining();
      break;
    case 'check':
      void checkers.check(news);
      break;
    case 'mining':
      mined = news.mining;
      tellMining();
      break;
    default:
      tell(news);
  }
}

function mining(): MiningStatus {
  return { ...miner.status, ...mined };
}

function tellMining(): void {
  clearTimeout(rateDue);
  rateDue = undefined;
  tell({ type: 'mining', mining: mining() });
}

function tell(news: FromWorker): void {
  server.tell(news);
}
