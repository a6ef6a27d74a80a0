// What the browser itself can do on this machine, now: the limits that a node's figures are held against.

import { readFile } from 'node:fs/promises';

import type { Browser, Page } from '@playwright/test';

const PACKAGE = new URL('../../../web/package/', import.meta.url);

const MESSAGE = 16 * 1024;
const TRANSFER = 64 << 20;

declare global {
  interface Window {
    rawPeer: RTCPeerConnection;
    rawReceived: Promise<number>;
  }
}

/** What a late tab has to do at the very least. */
export interface Work {
  /** What comes over the network. */
  bytes: number;
  /** What is written: rows of so many bytes, so many in a transaction. */
  rows: number;
  rowBytes: number;
  rowsAtOnce: number;
  signatures: number;
}

/** Seconds in which the browser does all of it at the same time, with nothing of ours between. */
export async function atOnce(receiver: Page, senders: Page[], work: Work): Promise<number> {
  const begin = performance.now();
  await Promise.all([
    dataChannels(receiver, senders, work.bytes),
    indexedDb(receiver, work.rowsAtOnce, work.rowBytes, Math.ceil(work.rows / work.rowsAtOnce)),
    signatures(receiver, 'all', work.signatures),
  ]);
  return (performance.now() - begin) / 1_000;
}

/** Seconds of processor time that all processes of a browser have had so far. */
export async function processorTime(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0);
}

/** Bytes a second over plain data channels from all senders at once into one page, with messages of 16 KiB. */
export async function dataChannels(receiver: Page, senders: Page[], bytes = TRANSFER): Promise<number> {
  for (const sender of senders) await connect(sender, receiver);
  const begin = performance.now();
  const share = MESSAGE * Math.ceil(bytes / senders.length / MESSAGE);
  await Promise.all(senders.map((sender) => send(sender, share)));
  return (1_000 * share * senders.length) / (performance.now() - begin);
}

/** A connection of its own between two pages; the receiver answers once for every run of bytes. */
async function connect(sender: Page, receiver: Page): Promise<void> {
  const offer = await sender.evaluate(async () => {
    const peer = new RTCPeerConnection();
    window.rawPeer = peer;
    const channel = peer.createDataChannel('raw');
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = 256 * 1024;
    Object.assign(peer, { channel });
    await peer.setLocalDescription();
    await gathered(peer);
    return peer.localDescription?.sdp ?? '';

    function gathered(peer: RTCPeerConnection): Promise<void> {
      return new Promise((resolve) => {
        if (peer.iceGatheringState === 'complete') resolve();
        peer.onicegatheringstatechange = () => peer.iceGatheringState === 'complete' && resolve();
      });
    }
  });
  const answer = await receiver.evaluate(async (sdp) => {
    const peer = new RTCPeerConnection();
    peer.ondatachannel = ({ channel }) => {
      channel.binaryType = 'arraybuffer';
      let left = 0;
      channel.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) => {
        if (typeof data === 'string') left = Number(data);
        else left -= data.byteLength;
        if (left === 0) channel.send('all');
      };
      // Held, or the browser may collect it.
      Object.assign(peer, { channel });
    };
    await peer.setRemoteDescription({ type: 'offer', sdp });
    await peer.setLocalDescription();
    await new Promise<void>((resolve) => {
      if (peer.iceGatheringState === 'complete') resolve();
      peer.onicegatheringstatechange = () => peer.iceGatheringState === 'complete' && resolve();
    });
    (window as unknown as { held: RTCPeerConnection[] }).held ??= [];
    (window as unknown as { held: RTCPeerConnection[] }).held.push(peer);
    return peer.localDescription?.sdp ?? '';
  }, offer);
  await sender.evaluate(async (sdp) => {
    const peer = window.rawPeer as RTCPeerConnection & { channel: RTCDataChannel };
    await peer.setRemoteDescription({ type: 'answer', sdp });
    if (peer.channel.readyState !== 'open') await new Promise((resolve) => (peer.channel.onopen = resolve));
  }, answer);
}

/** Sends so many bytes and waits until the other side says that they are there. */
function send(sender: Page, bytes: number): Promise<void> {
  return sender.evaluate(
    async ([bytes, size]) => {
      const { channel } = window.rawPeer as RTCPeerConnection & { channel: RTCDataChannel };
      const there = new Promise((resolve) => (channel.onmessage = resolve));
      const message = crypto.getRandomValues(new Uint8Array(size));
      channel.send(String(bytes));
      for (let sent = 0; sent < bytes; sent += size) {
        if (channel.bufferedAmount > 1 << 20) await new Promise((resolve) => (channel.onbufferedamountlow = resolve));
        channel.send(message);
      }
      await there;
      window.rawPeer.close();
    },
    [bytes, MESSAGE] as const,
  );
}

/** Bytes a second that plain IndexedDB takes in a worker, in transactions of so many rows of so many bytes. */
export function indexedDb(
  page: Page,
  rows: number,
  bytes: number,
  rounds = Math.max(4, Math.min(64, Math.ceil((48 << 20) / (rows * bytes)))),
): Promise<number> {
  return page.evaluate(
    async ([rows, bytes, rounds]) => {
      const script = `onmessage = async ({ data: [rows, bytes, rounds] }) => {
        const opening = indexedDB.open('raw', 1);
        opening.onupgradeneeded = () => opening.result.createObjectStore('rows');
        const database = await new Promise((resolve) => (opening.onsuccess = () => resolve(opening.result)));
        const begin = performance.now();
        for (let round = 0; round < rounds; round++) {
          const transaction = database.transaction('rows', 'readwrite', { durability: 'relaxed' });
          const store = transaction.objectStore('rows');
          for (let row = 0; row < rows; row++) {
            const key = crypto.getRandomValues(new Uint8Array(32));
            const value = new Uint8Array(bytes);
            crypto.getRandomValues(value.subarray(0, Math.min(bytes, 65536)));
            store.put(value, key);
          }
          await new Promise((resolve) => (transaction.oncomplete = resolve));
        }
        const seconds = (performance.now() - begin) / 1000;
        database.close();
        indexedDB.deleteDatabase('raw').onsuccess = () => postMessage((rounds * rows * bytes) / seconds);
      };`;
      const url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
      const worker = new Worker(url);
      worker.postMessage([rows, bytes, rounds]);
      const rate = await new Promise<number>((resolve) => {
        worker.onmessage = ({ data }: MessageEvent<number>) => resolve(data);
      });
      worker.terminate();
      return rate;
    },
    [rows, bytes, rounds] as const,
  );
}

/** Signatures a second that one of the package's checkers checks in this page, or all that the package would start. */
export async function signatures(page: Page, workers: 'one' | 'all', least = 24 * 2_048): Promise<number> {
  const read = (file: string): Promise<Buffer> => readFile(new URL(file, PACKAGE));
  const [script, wasm] = await Promise.all([read('dist/checker-worker.js'), read('wasm/checker.wasm')]);
  return page.evaluate(
    async ([script, wasm, workers, least]) => {
      const BATCH = 2_048;
      const order = await ordered(BATCH);
      const module = await WebAssembly.compile(Uint8Array.from(atob(wasm), (char) => char.charCodeAt(0)));
      const url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
      const count = workers === 'all' && navigator.hardwareConcurrency > 1 ? 2 : 1;
      const rounds = Math.ceil(least / count / BATCH);
      const started = Array.from({ length: count }, () => new Worker(url, { type: 'module' }));
      for (const worker of started) worker.postMessage({ module });
      await Promise.all(started.map((worker) => check(worker, 4)));
      const begin = performance.now();
      await Promise.all(started.map((worker) => check(worker, rounds)));
      const seconds = (performance.now() - begin) / 1_000;
      for (const worker of started) worker.terminate();
      return (count * rounds * BATCH) / seconds;

      /** So many batches, one after the other, each of signatures that are valid. */
      async function check(worker: Worker, rounds: number): Promise<void> {
        for (let round = 0; round < rounds; round++) {
          const answer = new Promise<Uint8Array>((resolve) => {
            worker.onmessage = ({ data }: MessageEvent<{ verdicts: Uint8Array }>) => resolve(data.verdicts);
          });
          worker.postMessage({ number: BigInt(round), order });
          if ((await answer).join() !== '1,0') throw new Error('a valid signature was refused');
        }
      }

      /** The bytes of an order with one list, each signature of it by a key of its own. */
      async function ordered(count: number): Promise<Uint8Array<ArrayBuffer>> {
        const bytes = new Uint8Array(32 + 3 + 128 * count);
        bytes.set([1, (count & 127) | 128, count >> 7], 32);
        for (let index = 0; index < count; index++) {
          const { publicKey, privateKey } = (await crypto.subtle.generateKey('Ed25519', true, ['sign'])) as CryptoKeyPair;
          const digest = crypto.getRandomValues(new Uint8Array(32));
          const at = 35 + 128 * index;
          bytes.set(new Uint8Array(await crypto.subtle.exportKey('raw', publicKey)), at);
          bytes.set(digest, at + 32);
          bytes.set(new Uint8Array(await crypto.subtle.sign('Ed25519', privateKey, digest)), at + 64);
        }
        return bytes;
      }
    },
    [script.toString(), wasm.toString('base64'), workers, least] as const,
  );
}
