import { readFile } from 'node:fs/promises';

import type { Browser, BrowserContext, Page } from '@playwright/test';

import type { Relay } from './relay.ts';
import type { Tab } from './tab.ts';

const WASM = new URL('../../../web/package/wasm/', import.meta.url);

/** The package's transport, as its bindings have it. */
interface Transport {
  default(options: { module_or_path: string }): Promise<unknown>;
  Swarm: new (options: { network: string; identity: Uint8Array }, port: MessagePort) => {
    useRelays(relays: string[]): Promise<void>;
    close(): Promise<void>;
  };
}

declare global {
  interface Window {
    /** In the page of strangers only. */
    strangers: { flood(crowd: number): void; given: number };
  }
}

/**
 * A page that is no node: it has the package's transport, and says to one tab what it likes.
 *
 * It asks for an honest payment and makes as many others of it as there are numbers, each under the signature of the first. Whoever
 * pays has the money for every one of them, so nothing but the signature tells them from good ones. They are given as fast as they
 * are asked for, and who is sent away comes again as somebody new.
 */
export class Strangers {
  private constructor(
    private readonly context: BrowserContext,
    private readonly page: Page,
  ) {}

  /** One stranger is connected to this tab, in whose memory pool there is a payment, and has asked for that. */
  static async met(browser: Browser, relay: Relay, tab: Tab): Promise<Strangers> {
    const context = await browser.newContext({ bypassCSP: true });
    await context.route('**/stranger/*', async (route) => {
      const name = new URL(route.request().url()).pathname.split('/').at(-1) ?? '';
      const contentType = name.endsWith('.wasm') ? 'application/wasm' : 'text/javascript';
      await route.fulfill({ body: await readFile(new URL(name, WASM)), contentType });
    });
    const page = await context.newPage();
    await page.goto(new URL('healthz', relay.url).href);
    const { peerId } = await tab.status();
    const genesis = await tab.hashAt(0);
    await page.evaluate(meet, { relay: relay.address, peerId, genesis: genesis ?? '' });
    return new Strangers(context, page);
  }

  /** From now on so many flood the tab. */
  flood(crowd: number): Promise<void> {
    return this.page.evaluate((crowd) => window.strangers.flood(crowd), crowd);
  }

  /** How many transactions they have given by now, each of which the tab had asked for. */
  given(): Promise<number> {
    return this.page.evaluate(() => window.strangers.given);
  }

  async close(): Promise<void> {
    await this.context.close();
  }
}

/** Runs in the stranger's page. The bytes are those of `docs/protocol.md`, and of the commands and events of `crates/net`. */
async function meet(target: { relay: string; peerId: string; genesis: string }): Promise<void> {
  const VERSION = 2;
  const AT_ONCE = 256;
  const { default: load, Swarm } = (await import(new URL('/stranger/tabchain.js', location.href).href)) as Transport;
  await load({ module_or_path: '/stranger/tabchain_bg.wasm' });
  const tab = peerIdOf(target.peerId);
  const genesis = bytesOfHex(target.genesis);
  const tag = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode('tabchain/tx')));

  const forged = new Map<string, Uint8Array>();
  let payment: Uint8Array | undefined;
  let floods = false;
  let number = 0;
  await new Promise<void>((resolve) => {
    const flood = (crowd: number): void => {
      floods = true;
      for (let i = 0; i < crowd; i++) visit();
    };
    window.strangers = { flood, given: 0 };
    visit(resolve);
  });

  /** Comes to the tab as somebody new, and again when it is sent away. */
  function visit(learned?: () => void): void {
    const { port1: port, port2 } = new MessageChannel();
    const swarm = new Swarm({ network: 'dev', identity: crypto.getRandomValues(new Uint8Array(32)) }, port2);
    void swarm.useRelays([target.relay]);
    port.onmessage = ({ data }: MessageEvent<unknown>) => {
      // Both ends tell how many bytes they have taken; what is under way from here is never much.
      if (!(data instanceof ArrayBuffer)) return;
      port.postMessage(data.byteLength);
      void hear(new Uint8Array(data));
    };

    async function hear(event: Uint8Array): Promise<void> {
      let at = 1;
      const kind = event[0];
      if (kind === 9 && event.at(-1) === 1) return dial(); // The relay keeps a place for us.
      if (event.subarray(at + 1, (at += 1 + tab.length)).join() !== tab.join()) return;
      switch (kind) {
        case 0: // A session has begun.
          say(hello());
          if (floods) await offer();
          else say(Uint8Array.of(4)); // Which transactions do you have?
          break;
        case 1: // It is over.
          await swarm.close();
          visit();
          break;
        case 2: // It could not be begun.
          dial();
          break;
        case 3: // A frame: if it names transactions, the first is asked for.
          varint();
          if (event[at] !== 3 || floods) break;
          command(3, varintOf(0), bytesOf(concat([3, 1], event.subarray(at + 2, at + 34))));
          break;
        case 4: {
          // A question: for transactions, or one to which there is no answer.
          const id = varint();
          varint();
          if (event[at] === 3) await give(id, event.subarray(at + 1));
          else command(5, id);
          break;
        }
        case 5: // The answer: a list of one transaction.
          varint();
          varint();
          payment = event.slice(at + 2);
          learned?.();
      }

      function varint(): Uint8Array {
        const from = at;
        while ((event[at++] ?? 0) > 127);
        return event.subarray(from, at);
      }
    }

    async function give(question: Uint8Array, asked: Uint8Array): Promise<void> {
      const ids = asked.subarray(asked.length % 32);
      const given: Uint8Array[] = [];
      for (let at = 0; at < ids.length; at += 32) {
        const forgery = forged.get(ids.subarray(at, at + 32).join());
        if (forgery) given.push(forgery);
      }
      command(4, question, bytesOf(concat([3], varintOf(given.length), ...given)));
      window.strangers.given += given.length;
      await offer();
    }

    /** Announces as many as one frame names. */
    async function offer(): Promise<void> {
      const ids: Uint8Array[] = [];
      for (let i = 0; i < AT_ONCE; i++) ids.push(await forge());
      say(concat([3], varintOf(ids.length), ...ids));
    }

    function dial(): void {
      const address = new TextEncoder().encode(`${target.relay}/p2p-circuit/webrtc/p2p/${target.peerId}`);
      command(0, [1], bytesOf(address));
    }

    function say(frame: Uint8Array): void {
      command(2, bytesOf(frame));
    }

    function command(kind: number, ...fields: ArrayLike<number>[]): void {
      const { buffer } = concat([kind], bytesOf(tab), ...fields);
      port.postMessage(buffer, [buffer]);
    }
  }

  /** One more payment that was never signed, and its id. */
  async function forge(): Promise<Uint8Array> {
    const forgery = payment?.slice() ?? new Uint8Array();
    // The next nonce, as this one may be in a block by then, and another last height.
    forgery[33] = (forgery[33] ?? 0) + 1;
    new DataView(forgery.buffer).setUint32(34, 0xffff_ffff - number++, true);
    const id = new Uint8Array(await crypto.subtle.digest('SHA-256', concat(tag, tag, forgery.subarray(0, -64))));
    forged.set(id.join(), forgery);
    return id;
  }

  function hello(): Uint8Array {
    const frame = new DataView(new ArrayBuffer(1 + 4 + 32 + 8 + 68 + 8 + 8 + 1));
    const bytes = new Uint8Array(frame.buffer);
    frame.setUint32(1, VERSION, true);
    bytes.set(genesis, 5);
    bytes.set(crypto.getRandomValues(new Uint8Array(8)), 37);
    bytes.set(genesis, 45); // All it has is the genesis, with no work on it.
    frame.setBigUint64(121, BigInt(Date.now()), true);
    return bytes;
  }

  /** The 38 bytes of the peer id of an Ed25519 key. */
  function peerIdOf(text: string): Uint8Array {
    const digits = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
    let value = 0n;
    for (const digit of text) value = value * 58n + BigInt(digits.indexOf(digit));
    return bytesOfHex(value.toString(16).padStart(2 * 38, '0'));
  }

  function bytesOfHex(text: string): Uint8Array {
    return Uint8Array.from(text.match(/../g) ?? [], (byte) => parseInt(byte, 16));
  }

  function bytesOf(bytes: Uint8Array): Uint8Array {
    return concat(varintOf(bytes.length), bytes);
  }

  function varintOf(value: number): number[] {
    const bytes: number[] = [];
    for (; value > 127; value >>= 7) bytes.push((value & 127) | 128);
    return [...bytes, value];
  }

  function concat(...parts: ArrayLike<number>[]): Uint8Array<ArrayBuffer> {
    const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  }
}
