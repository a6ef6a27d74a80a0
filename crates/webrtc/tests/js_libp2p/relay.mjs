// A relay made of js-libp2p: WebSocket and circuit relay v2. Prints the address to reach it at, as ours does.

import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { circuitRelayServer } from "@libp2p/circuit-relay-v2";
import { identify } from "@libp2p/identify";
import { webSockets } from "@libp2p/websockets";

// js-libp2p uses it, and Node has it from version 22.
Promise.withResolvers ??= () => {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
};

/** How long something may take that must happen, in milliseconds: defaults are ten seconds. */
const LIMIT = 60_000;

const { createLibp2p } = await import("libp2p");
const node = await createLibp2p({
  addresses: { listen: ["/ip4/127.0.0.1/tcp/0/ws"] },
  transports: [webSockets()],
  connectionManager: {
    inboundUpgradeTimeout: LIMIT,
    inboundStreamProtocolNegotiationTimeout: LIMIT,
    outboundStreamProtocolNegotiationTimeout: LIMIT,
  },
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionGater: { denyDialMultiaddr: () => false },
  services: { identify: identify(), relay: circuitRelayServer() },
});
console.log(String(node.getMultiaddrs()[0]));
