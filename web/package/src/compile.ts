import { fetched } from './file.js';

/** Fetches and compiles a wasm file. */
export async function compile(url: URL): Promise<WebAssembly.Module> {
  const response = await fetched(url);
  // Streaming takes one content type only, which not every static server gives.
  const streamable = response.headers.get('content-type') === 'application/wasm';
  return streamable ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
}
