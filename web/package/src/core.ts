import { initSync, onPanic } from '../wasm/tabchain.js';
import { compile } from './compile.js';
import { TabchainError } from './error.js';
import { once } from './once.js';

const core = once(() => compile(new URL('../wasm/tabchain_bg.wasm', import.meta.url)));
let panicked: string | undefined;
const listeners = new Set<(message: string) => void>();

/** Fetches and compiles the one wasm file, once a page. */
export async function fetchCore(): Promise<WebAssembly.Module> {
  try {
    return await core();
  } catch (cause) {
    throw notLoaded(cause);
  }
}

/** Loads the program into the window, and gives it for its worker. */
export async function loadCore(): Promise<WebAssembly.Module> {
  if (panicked !== undefined)
    throw new TabchainError('internal', `the network part of this page has crashed: reload the page (${panicked})`);
  const compiled = await fetchCore();
  try {
    initSync({ module: compiled });
    onPanic((message) => {
      panicked = message;
      for (const listener of listeners) listener(message);
    });
    return compiled;
  } catch (cause) {
    throw notLoaded(cause);
  }
}

/** Tells of a panic of the window's instance. Returns how to be told no more. */
export function onCorePanic(listener: (message: string) => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function notLoaded(cause: unknown): TabchainError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new TabchainError('internal', `the node's program could not be loaded: ${reason}`, undefined, { cause });
}
