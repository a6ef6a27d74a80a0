import type { BrowserContext, Page } from '@playwright/test';

/** What the browser says of one direct connection. */
export interface Path {
  state: string;
  local: { type: string; protocol: string };
  remote: { type: string; protocol: string };
  bytesSent: number;
  bytesReceived: number;
}

/** So many bytes are much to say at once: more than a greeting has. */
const LONG = 1_000;

declare global {
  interface Window {
    peerConnections: RTCPeerConnection[];
    /** Set while no direct connection is possible from this page: see `blockDirect`. */
    directBlocked: boolean;
    /** Lets out what this page holds back, and holds nothing back any more: see `holdBack`. */
    letOut(): void;
  }
}

/**
 * Lets no page of this context connect directly, as behind a strict NAT: its connections may use TURN servers only, and there
 * are none. New connections are free again once the page's `directBlocked` is false.
 */
export async function blockDirect(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    const Original = window.RTCPeerConnection;
    window.directBlocked = true;
    window.RTCPeerConnection = class extends Original {
      constructor(configuration?: RTCConfiguration) {
        super(window.directBlocked ? { iceTransportPolicy: 'relay' } : configuration);
      }
    };
  });
}

/**
 * From now on what this page says at length on direct connections waits, headers and blocks for instance, until it is let out. What
 * peers say to each other to be connected is shorter.
 */
export async function holdBack(page: Page): Promise<void> {
  await page.evaluate((long) => {
    // The only way in which our transport says anything.
    type Send = (message: Uint8Array<ArrayBuffer>) => void;
    const prototype: { send: Send } = RTCDataChannel.prototype;
    const { send } = prototype;
    const held = new Map<RTCDataChannel, Uint8Array<ArrayBuffer>[]>();
    prototype.send = function (this: RTCDataChannel, message) {
      const waiting = held.get(this) ?? [];
      if (waiting.length === 0 && message.byteLength < long) return send.call(this, message);
      // It is a view of wasm's memory, where something else will be by then.
      held.set(this, [...waiting, message.slice()]);
    };
    window.letOut = () => {
      prototype.send = send;
      for (const [channel, messages] of held) {
        if (channel.readyState === 'open') for (const message of messages) channel.send(message);
      }
    };
  }, LONG);
}

/** Keeps every RTCPeerConnection that a page of this context makes, so that its own statistics can be read. */
export async function watchPeerConnections(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    const Original = window.RTCPeerConnection;
    window.peerConnections = [];
    window.RTCPeerConnection = class extends Original {
      constructor(configuration?: RTCConfiguration) {
        super(configuration);
        window.peerConnections.push(this);
      }
    };
  });
}

/** The selected candidate pair of every connection that is up now. */
export async function paths(page: Page): Promise<Path[]> {
  return page.evaluate(async () => {
    const up = window.peerConnections.filter((connection) => connection.connectionState === 'connected');
    const found: Path[] = [];
    for (const connection of up) {
      const stats = await connection.getStats();
      const all = new Map<string, Record<string, unknown>>();
      stats.forEach((report: { id: string } & Record<string, unknown>) => all.set(report.id, report));
      const transport = [...all.values()].find((report) => report['type'] === 'transport');
      const pair = all.get(String(transport?.['selectedCandidatePairId']));
      const candidate = (id: unknown): { type: string; protocol: string } => {
        const report = all.get(String(id));
        return { type: String(report?.['candidateType']), protocol: String(report?.['protocol']) };
      };
      if (pair) {
        found.push({
          state: String(pair['state']),
          local: candidate(pair['localCandidateId']),
          remote: candidate(pair['remoteCandidateId']),
          // The transport's bytes: the pair may have been another one before.
          bytesSent: Number(transport?.['bytesSent']),
          bytesReceived: Number(transport?.['bytesReceived']),
        });
      }
    }
    return found;
  });
}
