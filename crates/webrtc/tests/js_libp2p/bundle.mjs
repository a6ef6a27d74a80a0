// Bundles the js-libp2p node for a page. As a script it prints where the bundle is, for ../two_tabs/bench.mjs.

import { join } from "node:path";
import { build } from "esbuild";

/** Writes the bundle beside the bindings and returns its path. */
export async function bundle() {
  const outfile = join(process.env.BINDINGS, "js_libp2p.js");
  await build({ entryPoints: [join(import.meta.dirname, "node.js")], bundle: true, format: "esm", outfile });
  return outfile;
}

if (process.argv[1] === import.meta.filename) console.log(await bundle());
