import { createReadStream } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Page } from '@playwright/test';

import type { Relay } from '../support/relay.ts';

/** The database of a node on `dev`, as `crates/store` lays it out. */
const LAYOUT = {
  name: 'tabchain-dev',
  version: 4,
  columns: [
    'headers',
    'bodies',
    'undo',
    'state',
    'index',
    'meta',
    'wallet',
    'peers',
    'snapshots',
    'header-pages',
    'body-pages',
  ],
  facts: 'tabchain',
};

/** Gives the rows that a node would have, made by that very node natively, to pages of any origin. */
export class RowServer {
  private constructor(private readonly server: Server) {}

  static async start(file: string): Promise<RowServer> {
    const server = createServer((_, response) => {
      response.setHeader('access-control-allow-origin', '*');
      createReadStream(file).pipe(response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new RowServer(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** A page of the relay's origin without a node, for a script that fills its storage. Its context must bypass the page's CSP. */
export async function blankPage(page: Page, relay: Relay): Promise<void> {
  await page.goto(new URL('healthz', relay.url).href);
}

/** Writes the rows into this page's origin, so that the node that opens there next stands at the tip of the long chain. */
export function loadRows(page: Page, url: string): Promise<void> {
  return page.evaluate(
    async ([url, layout]) => {
      const opening = indexedDB.open(layout.name, layout.version);
      opening.onupgradeneeded = () => {
        for (const store of [...layout.columns, layout.facts]) opening.result.createObjectStore(store);
      };
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        opening.onsuccess = () => resolve(opening.result);
        opening.onerror = () => reject(opening.error ?? new Error('no database'));
      });
      const { body } = await fetch(url);
      if (!body) throw new Error('no rows came');
      const reader = body.getReader();
      let buffer = new Uint8Array();
      for (;;) {
        const { done, value } = await reader.read();
        if (value) {
          const joined = new Uint8Array(buffer.length + value.length);
          joined.set(buffer);
          joined.set(value, buffer.length);
          buffer = joined;
        }
        if (done || buffer.length > 8 << 20) buffer = await write(buffer);
        if (done) break;
      }
      if (buffer.length > 0) throw new Error('the last row is cut short');
      database.close();

      /** Writes the whole rows in it, and gives back what is left. */
      async function write(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        const transaction = database.transaction(layout.columns, 'readwrite', { durability: 'relaxed' });
        const stores = layout.columns.map((name) => transaction.objectStore(name));
        let at = 0;
        for (;;) {
          if (at + 5 > bytes.length) break;
          const key = view.getUint32(at + 1, true);
          if (at + 9 + key > bytes.length) break;
          const value = view.getUint32(at + 5 + key, true);
          const end = at + 9 + key + value;
          if (end > bytes.length) break;
          stores[view.getUint8(at)]?.put(bytes.slice(at + 9 + key, end), bytes.slice(at + 5, at + 5 + key));
          at = end;
        }
        await new Promise<void>((resolve, reject) => {
          transaction.oncomplete = () => resolve();
          transaction.onabort = () => reject(transaction.error ?? new Error('not written'));
        });
        return bytes.slice(at);
      }
    },
    [url, LAYOUT] as const,
  );
}
