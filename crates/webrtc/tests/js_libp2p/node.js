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
/** How many streams of one protocol may be alive at once: 32 and 64 are the defaults. */
const STREAMS = { maxInboundStreams: 2_000, maxOutboundStreams: 2_000 };
/** How many bytes may be under way through an echo. */
const WINDOW = 1 << 20;
const byteAt = (index) => (index ^ (index >> 8) ^ (index >> 16)) & 255;

class Node {
  constructor(node) {
    this.node = node;
    this.peer = node.peerId.toString();
    this.resetCount = 0;
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

  async ping(peer) {
    return this.node.services.ping.ping(this.#direct(peer).remotePeer);
  }

  async echo(peer, size) {
    const stream = await this.#direct(peer).newStream(ECHO, STREAMS);
    let [count, more] = [0, () => {}];
    const reading = (async () => {
      for await (const buffer of stream) {
        for (const byte of buffer.subarray()) {
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
      if (!stream.send(chunk)) await stream.onDrain();
      // Without flow control, who sends more than comes back fills the other side's buffer until it gives up.
      while (sent - count >= WINDOW) await new Promise((done) => (more = done));
    }
    await stream.close();
    await reading;
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

  #direct(peer) {
    return this.node.getConnections().find(
      ({ remotePeer, remoteAddr }) => remotePeer.toString() === peer && remoteAddr.toString().includes("/webrtc"),
    );
  }
}

export async function startNode(relay) {
  const node = await createLibp2p({
    addresses: { listen: [`${relay}/p2p-circuit`, "/webrtc"] },
    transports: [webSockets(), circuitRelayTransport(), webRTC({ rtcConfiguration: { iceServers: [] } })],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify(), ping: ping() },
  });
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
  await node.handle(ECHO, echo, STREAMS);
  return made;
}
