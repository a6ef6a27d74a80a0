// A network that loses packets: what one tab sends to another goes through here, and some of it no further.

import { createSocket } from "node:dgram";
import { isIPv4 } from "node:net";

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
