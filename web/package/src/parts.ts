// What a plain worker is made of: a small wasm, and a script beside it.

import { compile } from './compile.js';

export interface Parts {
  module: WebAssembly.Module;
  /** Leads to the script, from this page's own memory. */
  script: string;
}

/** Fetches the parts once, and anew after a failure. */
export class Supply {
  readonly #wasm: URL;
  readonly #script: URL;
  #parts: Promise<Parts> | undefined;

  constructor(wasm: URL, script: URL) {
    this.#wasm = wasm;
    this.#script = script;
  }

  /** To be asked early, while there is still somebody to fetch them from. Starts nothing. */
  async parts(): Promise<Parts> {
    this.#parts ??= this.#fetch();
    try {
      return await this.#parts;
    } catch (cause) {
      this.#parts = undefined;
      throw cause;
    }
  }

  /** The script stands alone, so that it can be kept at hand: a thread can be started when every server is gone. */
  async #fetch(): Promise<Parts> {
    const [module, script] = await Promise.all([
      compile(this.#wasm),
      fetch(this.#script).then((response) => response.text()),
    ]);
    return { module, script: URL.createObjectURL(new Blob([script], { type: 'text/javascript' })) };
  }
}
