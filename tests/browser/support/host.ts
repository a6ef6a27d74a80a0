import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { extname, join } from 'node:path';

const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript' };

/** A static host as plain as they come: files, and a content policy if one is wanted. It doesn't know what wasm is. */
export class Host {
  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async of(folder: string, policy?: string): Promise<Host> {
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://host');
      const path = pathname.endsWith('/') ? `${pathname}index.html` : pathname;
      readFile(join(folder, path)).then(
        (bytes) => {
          response.setHeader('content-type', TYPES[extname(path)] ?? 'application/octet-stream');
          if (policy) response.setHeader('content-security-policy', policy);
          response.end(bytes);
        },
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the host has no port');
    return new Host(server, `http://127.0.0.1:${address.port}/`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }
}
