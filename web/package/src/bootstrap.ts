// What a node must know to join: relays, STUN servers, and which network. Relays tell it in `/bootstrap.json`; what they
// said last is remembered, so that a node opens, and finds them again, while they are away.

import { TabchainError } from './error.js';
import { recall, remember } from './profile.js';
import type { Network } from './types.js';

export interface Bootstrap {
  network?: Network;
  relays: string[];
  iceServers: RTCIceServer[];
}

const MAX_RELAYS = 8;
/** Browsers warn of five or more. */
const MAX_ICE_SERVERS = 4;
/** How long a page may take to answer: less where something is known already. */
const [PATIENCE, SHORT_PATIENCE] = [4_000, 1_000];

export class Introduction {
  readonly #pages: URL[];
  readonly #addresses: string[];
  readonly #iceServers: RTCIceServer[] | undefined;

  constructor(relays: string[] | undefined, iceServers: RTCIceServer[] | undefined) {
    const given = relays ?? (location.protocol.startsWith('http') ? [location.origin] : []);
    this.#addresses = given.filter((relay) => relay.startsWith('/'));
    this.#pages = given.filter((relay) => !relay.startsWith('/')).map(bootstrapUrl);
    this.#iceServers = iceServers;
  }

  /** Whether asking again may tell something new. */
  get canRead(): boolean {
    return this.#pages.length > 0;
  }

  /** What to open with: what the pages say now, or else what they said last. */
  async first(signal?: AbortSignal): Promise<Bootstrap> {
    const remembered = this.#pages.map((page) => recall(keyOf(page)).then(parse, () => undefined));
    const known = this.#joined(await Promise.all(remembered));
    return (await this.read(signal, known.relays.length > 0 ? SHORT_PATIENCE : PATIENCE)) ?? known;
  }

  /** Asks the pages. Undefined when none of them answers. */
  async read(signal?: AbortSignal, patience = PATIENCE): Promise<Bootstrap | undefined> {
    const limit = AbortSignal.timeout(patience);
    const stop = signal ? AbortSignal.any([signal, limit]) : limit;
    const pages = await Promise.all(this.#pages.map((page) => readPage(page, stop)));
    return pages.some((page) => page) ? this.#joined(pages) : undefined;
  }

  #joined(pages: (Bootstrap | undefined)[]): Bootstrap {
    const told = pages.filter((page) => page !== undefined);
    const relays = new Set([...this.#addresses, ...told.flatMap((page) => page.relays)]);
    const iceServers = this.#iceServers ?? told.flatMap((page) => page.iceServers).slice(0, MAX_ICE_SERVERS);
    const network = told.find((page) => page.network)?.network;
    return { relays: [...relays].slice(0, MAX_RELAYS), iceServers, ...(network && { network }) };
  }
}

async function readPage(page: URL, signal: AbortSignal): Promise<Bootstrap | undefined> {
  try {
    const response = await fetch(page, { cache: 'no-store', credentials: 'omit', signal });
    const told = response.ok ? parse(await response.json()) : undefined;
    // What can't be remembered is asked for again next time.
    if (told) await remember(keyOf(page), told).catch(() => undefined);
    return told;
  } catch {
    // Away, or no relay: a static host answers with its own page. The node opens all the same.
    return undefined;
  }
}

/** Takes what is well-formed out of what a page said; undefined when it is no bootstrap.json at all. */
export function parse(told: unknown): Bootstrap | undefined {
  if (typeof told !== 'object' || told === null || !('relays' in told) || !Array.isArray(told.relays)) return undefined;
  const given: unknown[] = told.relays;
  const relays = given.filter((relay): relay is string => typeof relay === 'string' && relay.startsWith('/'));
  const servers = 'iceServers' in told && Array.isArray(told.iceServers) ? told.iceServers : [];
  const network = 'network' in told && isNetwork(told.network) ? told.network : undefined;
  return { relays, iceServers: servers.filter(isIceServer), ...(network && { network }) };
}

export function isNetwork(value: unknown): value is Network {
  return value === 'dev' || value === 'test';
}

function isIceServer(value: unknown): value is RTCIceServer {
  if (typeof value !== 'object' || value === null || !('urls' in value)) return false;
  const urls: unknown[] = Array.isArray(value.urls) ? value.urls : [value.urls];
  return urls.length > 0 && urls.every((url) => typeof url === 'string' && /^(stun|turns?):/.test(url));
}

function bootstrapUrl(relay: string): URL {
  const folder = relay.endsWith('/') ? relay : `${relay}/`;
  const page = URL.canParse(folder) ? new URL('bootstrap.json', folder) : undefined;
  if (page && /^https?:$/.test(page.protocol)) return page;
  throw new TabchainError('invalid-argument', `"${relay}" is neither the URL of a relay nor a multiaddress`);
}

function keyOf(page: URL): string {
  return `bootstrap/${page.href}`;
}
