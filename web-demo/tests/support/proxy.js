// A TCP relay in front of the server, for a test to cut the signaling of one page and mend it again.

import { connect, createServer } from "node:net";

/** @param {number} port of the server on loopback */
export async function startProxy(port) {
  /** @type {Set<import("node:net").Socket>} */
  const sockets = new Set();
  let isCut = false;
  const relay = createServer((client) => {
    if (isCut) return client.destroy();
    const server = connect(port, "127.0.0.1");
    for (const [socket, other] of [[client, server], [server, client]]) {
      if (!socket || !other) continue;
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => (sockets.delete(socket), other.destroy()));
      socket.pipe(other);
    }
  });
  await new Promise((resolve) => relay.listen(0, "127.0.0.1", () => resolve(undefined)));
  const address = /** @type {import("node:net").AddressInfo} */ (relay.address());
  const drop = () => sockets.forEach((socket) => socket.destroy());
  return {
    origin: `http://127.0.0.1:${address.port}`,
    cut() {
      isCut = true;
      drop();
    },
    mend() {
      isCut = false;
    },
    /** From now on to another server. @param {number} other */
    lead(other) {
      port = other;
    },
    async stop() {
      drop();
      await new Promise((resolve) => relay.close(resolve));
    },
  };
}
