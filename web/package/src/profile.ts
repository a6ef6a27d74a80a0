// What this browser remembers beside the ledger: the seed of each node's network identity, and what the relays said last.
//
// A database of its own, since the ledger's belongs to the node in the worker, and the seed is needed on the window before
// there is a worker. It is not localStorage, which some browsers clear earlier than databases.

import { TabchainError } from './error.js';

const DATABASE = 'tabchain';
const STORE = 'profile';

export function recall(key: string): Promise<unknown> {
  return inStore('readonly', (store) => store.get(key));
}

export async function remember(key: string, value: unknown): Promise<void> {
  await inStore('readwrite', (store) => store.put(value, key));
}

/** The seed of the identity by which peers know the node of this name: 32 bytes, drawn at its first use. */
export async function identity(name: string): Promise<Uint8Array> {
  const key = `identity/${name}`;
  const found = await recall(key);
  if (found instanceof Uint8Array && found.length === 32) return found;
  const seed = crypto.getRandomValues(new Uint8Array(32));
  await remember(key, seed);
  return seed;
}

async function inStore<T>(mode: IDBTransactionMode, use: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  try {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    const database = await settled(opening);
    try {
      return await settled(use(database.transaction(STORE, mode).objectStore(STORE)));
    } finally {
      database.close();
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TabchainError('storage', `the browser refuses to store data: ${reason}`, undefined, { cause });
  }
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('no reason given'));
  });
}
