import type { BrowserContext, Page } from '@playwright/test';

/** What the browser says of one direct connection. */
export interface Path {
  state: string;
  local: { type: string; protocol: string };
  remote: { type: string; protocol: string };
  bytesSent: number;
  bytesReceived: number;
}

declare global {
  interface Window {
    peerConnections: RTCPeerConnection[];
    /** Set while no direct connection is possible from this page: see `blockDirect`. */
    directBlocked: boolean;
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
