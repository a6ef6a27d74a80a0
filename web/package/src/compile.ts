/** Fetches a file that has to be there. */
export async function fetched(url: URL): Promise<Response> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  return response;
}

/** Fetches and compiles a wasm file. */
export async function compile(url: URL): Promise<WebAssembly.Module> {
  const response = await fetched(url);
  // Streaming takes one content type only, which not every static server gives.
  const streamable = response.headers.get('content-type') === 'application/wasm';
  return streamable ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
}
