// A js-libp2p node in a tab, with the same surface as the example's.

import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { circuitRelayTransport } from "@libp2p/circuit-relay-v2";
import { identify } from "@libp2p/identify";
import { ping } from "@libp2p/ping";
import { webRTC } from "@libp2p/webrtc";
import { webSockets } from "@libp2p/websockets";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";

const ECHO = "/echo/1";
const ECHO_SUM = "/echo-sum/1";
/** How many streams of one protocol may be alive at once: 32 and 64 are the defaults. */
const STREAMS = { maxInboundStreams: 2_000, maxOutboundStreams: 2_000 };
/**
 * How long something may take that must happen, in milliseconds: the last of a thousand streams is late on a slow machine. Defaults
 * are five and ten seconds.
 */
const LIMIT = 60_000;
/** How many bytes may be under way through an echo. */
const WINDOW = 1 << 20;
const byteAt = (index) => (index ^ (index >> 8) ^ (index >> 16)) & 255;

class Node {
  constructor(node) {
    this.node = node;
    this.peer = node.peerId.toString();
    this.resetCount = 0;
    this.pingCount = 0;
  }

  /** How many echo streams the other side has reset. */
  resets() {
    return this.resetCount;
  }

  /** The `/webrtc` address, once the relay has reserved a place. */
  address() {
    return this.node.getMultiaddrs().map(String).find((address) => address.includes("/p2p-circuit/webrtc/"));
  }

  async connect(address) {
    await this.node.dial(multiaddr(address));
  }

  paths(peer) {
    const connections = this.node.getConnections().filter(({ remotePeer }) => remotePeer.toString() === peer);
    return connections.map(({ remoteAddr }) => (remoteAddr.toString().includes("/webrtc") ? "WebRtc" : "Circuit"));
  }

  /** Pings, and returns how many pings were answered. */
  async pings(peer) {
    await this.node.services.ping.ping(this.#direct(peer).remotePeer);
    this.pingCount += 1;
    return this.pingCount;
  }

  async echo(peer, size) {
    const rest = await this.#roundTrip(peer, ECHO, size);
    if (rest.length > 0) throw new Error(`${rest.length} bytes too many`);
  }

  /** The same, and compares the SHA-256 of what the peer received with that of what was sent; returns it. */
  async echo_sum(peer, size) {
    const sent = [];
    const theirs = hex(await this.#roundTrip(peer, ECHO_SUM, size, sent));
    const ours = hex(await sha256(sent));
    if (theirs !== ours) throw new Error(`they received ${theirs}, sent was ${ours}`);
    return ours;
  }

  /** Sends a pattern, checks that it comes back, and returns what comes after. */
  async #roundTrip(peer, protocol, size, kept) {
    const stream = await this.#direct(peer).newStream(protocol, STREAMS);
    let [count, more] = [0, () => {}];
    const rest = [];
    const reading = (async () => {
      for await (const buffer of stream) {
        for (const byte of buffer.subarray()) {
          if (count === size) {
            rest.push(byte);
            continue;
          }
          if (byte !== byteAt(count)) throw new Error(`another byte came back at ${count}`);
          count += 1;
        }
        more();
      }
      if (count !== size) throw new Error(`${count} of ${size} bytes came back`);
    })();
    for (let sent = 0; sent < size; ) {
      const start = sent;
      const chunk = Uint8Array.from({ length: Math.min(16_000, size - sent) }, (_, index) => byteAt(start + index));
      sent += chunk.length;
      kept?.push(chunk);
      if (!stream.send(chunk)) await stream.onDrain();
      // Without flow control, who sends more than comes back fills the other side's buffer until it gives up.
      while (sent - count >= WINDOW) await new Promise((done) => (more = done));
    }
    await stream.close();
    await reading;
    return Uint8Array.from(rest);
  }

  /** Ends our half of a stream and reads what the peer still sends. */
  async half_close(peer, text) {
    const stream = await this.#direct(peer).newStream(ECHO, STREAMS);
    const reading = (async () => {
      const decoder = new TextDecoder();
      let rest = "";
      for await (const buffer of stream) rest += decoder.decode(buffer.subarray(), { stream: true });
      return rest;
    })();
    stream.send(new TextEncoder().encode(text));
    await stream.close();
    return reading;
  }

  /** Begins an echo and gives it up. */
  async reset(peer) {
    const stream = await this.#direct(peer).newStream(ECHO);
    stream.send(new TextEncoder().encode("unfinished"));
    await new Promise((done) => stream.addEventListener("message", done, { once: true }));
    stream.abort(new Error("given up"));
  }

  /** Echoes on many streams at once; returns how many, or why one failed. */
  async echo_parallel(peer, streams, size) {
    return (await Promise.all(Array.from({ length: streams }, () => this.echo(peer, size)))).length;
  }

  /** Echoes on many streams, each lane one after another; returns how many, or why one failed. */
  async echo_in_lanes(peer, lanes, streams, size) {
    let left = streams;
    const lane = async () => {
      let done = 0;
      for (; left > 0; done += 1) {
        left -= 1;
        await this.echo(peer, size);
      }
      return done;
    };
    const done = await Promise.all(Array.from({ length: lanes }, lane));
    return done.reduce((sum, count) => sum + count, 0);
  }

  #direct(peer) {
    return this.node.getConnections().find(
      ({ remotePeer, remoteAddr }) => remotePeer.toString() === peer && remoteAddr.toString().includes("/webrtc"),
    );
  }
}

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** The SHA-256 of chunks together. */
async function sha256(chunks) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", await new Blob(chunks).arrayBuffer()));
}

export async function startNode(relay) {
  const node = await createLibp2p({
    addresses: { listen: ["/webrtc"] },
    transports: [
      webSockets(),
      circuitRelayTransport({ reservationCompletionTimeout: LIMIT }),
      webRTC({ rtcConfiguration: { iceServers: [] }, dataChannel: { finAckTimeout: LIMIT } }),
    ],
    connectionManager: {
      dialTimeout: LIMIT,
      addressDialTimeout: LIMIT,
      inboundUpgradeTimeout: LIMIT,
      inboundStreamProtocolNegotiationTimeout: LIMIT,
      outboundStreamProtocolNegotiationTimeout: LIMIT,
    },
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify({ timeout: LIMIT }), ping: ping({ timeout: LIMIT }) },
  });
  // To listen at a relay is given up after five seconds, in which it would be dialled too.
  await node.dial(multiaddr(relay));
  await node.components.transportManager.listen([multiaddr(`${relay}/p2p-circuit`)]);
  const made = new Node(node);
  const echo = async (stream) => {
    try {
      for await (const buffer of stream) {
        if (!stream.send(buffer)) await stream.onDrain();
      }
      await stream.close();
    } catch (error) {
      made.resetCount += 1;
      console.warn(String(error));
      stream.abort(error);
    }
  };
  /** Sends back what comes, and after its end the SHA-256 of it all. */
  const echoSum = async (stream) => {
    const received = [];
    for await (const buffer of stream) {
      const chunk = buffer.slice();
      received.push(chunk);
      if (!stream.send(chunk)) await stream.onDrain();
    }
    stream.send(await sha256(received));
    await stream.close();
  };
  await node.handle(ECHO, echo, STREAMS);
  await node.handle(ECHO_SUM, echoSum, STREAMS);
  return made;
}
