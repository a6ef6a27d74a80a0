// A network that loses packets: what one tab sends to another goes through here, and some of it no further.

import { createSocket } from "node:dgram";
import { isIPv4 } from "node:net";

/** Streams side by side: so many that closes and opens meet all the time. */
export const LANES = 50;
/** How often a stream that failed is begun anew, as whoever needs it would. */
const TRIES = 4;

/** Has `streams` streams answered, `LANES` at a time. Returns how many failed on the way; one that keeps failing is an error. */
export async function echoInLanes(from, to, streams) {
  let [left, failed] = [streams, 0];
  const echo = async (tries) => {
    try {
      await from.call("echo", to.peer, 100);
    } catch (error) {
      if (tries === 1) throw error;
      failed += 1;
      await echo(tries - 1);
    }
  };
  const lane = async () => {
    for (; left > 0; ) {
      left -= 1;
      await echo(TRIES);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return failed;
}

/** What became of the packets and the streams, in words. */
export async function toldOf(loss, tabs, failed) {
  const anew = await Promise.all(tabs.map(async (tab) => JSON.parse(await tab.call("metrics")).anew));
  const unseen = anew.reduce((sum, count) => sum + count, 0);
  return `${loss.lost} of ${loss.lost + loss.passed} packets were lost, ${unseen} streams begun anew unseen, ${failed} failed`;
}

/**
 * Puts a lossy line between two pages for the connections that they make from now on. `dialer` is told of the line's end instead
 * of what the other side has found, `listener` of nothing: it learns where to answer from what comes. Returns how to end it;
 * `loss.part` says which part of the packets gets lost, from none (at first) to all, and may be changed at any time.
 */
export async function lossyLine(dialer, listener) {
  const loss = { part: 0, lost: 0, passed: 0 };
  const [front, back] = await Promise.all([open(), open()]);
  let [toDialer, toListener] = [undefined, undefined];
  const pass = (from, packet, to) => {
    if (Math.random() < loss.part) {
      loss.lost += 1;
    } else {
      loss.passed += 1;
      from.send(packet, to.port, to.address);
    }
  };
  front.on("message", (packet, from) => {
    toDialer = from;
    if (toListener) pass(back, packet, toListener);
  });
  back.on("message", (packet) => toDialer && pass(front, packet, toDialer));
  await dialer.exposeFunction("throughTheLine", (candidate) => {
    const [, , protocol, , address, port] = candidate.split(" ");
    if (toListener || protocol.toLowerCase() !== "udp" || !isIPv4(address)) return null;
    toListener = { address, port: Number(port) };
    return candidate.replace(`${address} ${port}`, `${address} ${front.address().port}`);
  });
  await dialer.evaluate(() => {
    const { addIceCandidate } = RTCPeerConnection.prototype;
    RTCPeerConnection.prototype.addIceCandidate = async function (init) {
      const candidate = await globalThis.throughTheLine(init.candidate);
      if (candidate) await addIceCandidate.call(this, { ...init, candidate, sdpMid: init.sdpMid, sdpMLineIndex: init.sdpMLineIndex });
    };
  });
  await listener.evaluate(() => {
    RTCPeerConnection.prototype.addIceCandidate = async () => {};
  });
  return { loss, end: () => [front, back].forEach((socket) => socket.close()) };
}

async function open() {
  const socket = createSocket("udp4");
  await new Promise((done) => socket.bind(0, done));
  return socket;
}
