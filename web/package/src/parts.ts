// What a plain worker is made of: a small wasm, and a script beside it.

import { compile } from './compile.js';
import { fetched } from './file.js';
import { once } from './once.js';

export interface Parts {
  module: WebAssembly.Module;
  /** Leads to the script, from this page's own memory. */
  script: string;
}

/**
 * Fetches the parts, once, when they are first asked for: early, while there is still somebody to fetch them from. The
 * script stands alone, so that it can be kept at hand: a thread can be started when every server is gone.
 */
export function partsOf(wasm: URL, script: URL): () => Promise<Parts> {
  return once(async () => {
    const [module, text] = await Promise.all([compile(wasm), fetched(script).then((response) => response.text())]);
    return { module, script: URL.createObjectURL(new Blob([text], { type: 'text/javascript' })) };
  });
}
