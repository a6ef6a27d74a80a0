import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const binary = process.env['TABCHAIN_RELAY'] ?? resolve(import.meta.dirname, '../../../target/debug/tabchain-relay');

/** A real relay on free ports, with a folder of its own. */
export class Relay {
  /** Its libp2p address: a multiaddress that ends in its peer id. */
  address = '';

  private constructor(
    private readonly folder: string,
    private ports: { http: number; ws: number; stun: number },
    private process: ChildProcess | undefined,
  ) {}

  static async start(): Promise<Relay> {
    const folder = await mkdtemp(join(tmpdir(), 'tabchain-relay-'));
    const relay = new Relay(folder, { http: 0, ws: 0, stun: 0 }, undefined);
    await relay.startAgain();
    return relay;
  }

  /** Starts on the same ports and with the same identity as before. */
  async startAgain(): Promise<void> {
    const { http, ws, stun } = this.ports;
    const flags = ['--http-port', http, '--ws-port', ws, '--stun-port', stun, '--data-dir', this.folder].map(String);
    const child = spawn(binary, ['run', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.process = child;
    for await (const line of createInterface({ input: child.stdout })) {
      const ready = /^ready http=http:\/\/[^ ]*:(\d+) ws=([^ ]*\/tcp\/(\d+)\/[^ ]*) stun=[^ ]*:(\d+)$/.exec(line);
      if (ready) {
        this.ports = { http: Number(ready[1]), ws: Number(ready[3]), stun: Number(ready[4]) };
        this.address = ready[2] ?? '';
        child.stdout.resume();
        return;
      }
    }
    throw new Error('the relay ended before it was ready');
  }

  get url(): string {
    return `http://127.0.0.1:${this.ports.http}/`;
  }

  /** Its libp2p socket, as browsers open it. */
  get websocket(): RegExp {
    return new RegExp(`^ws://[^/]*:${this.ports.ws}(/|$)`);
  }

  /** One of the relay's own counters or gauges; 0 if it has not been set yet. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(new URL('metrics', this.url))).text();
    const lines = text.split('\n').filter((line) => line.startsWith(name) && /^[ {]/.test(line.slice(name.length)));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  /** Kills it: no farewell to anybody. */
  async kill(): Promise<void> {
    const child = this.process;
    this.process = undefined;
    if (child && child.exitCode === null && child.signalCode === null) {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }
}
