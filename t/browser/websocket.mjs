// SPDX-License-Identifier: Apache-2.0
// Stands in for EspoCRM's WebSocket server: accepts each handshake and says "hello".
import crypto from 'node:crypto';
import http from 'node:http';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export async function startWebSocket(port) {
  const handshakes = [];
  const sockets = new Set();
  const server = http.createServer((req, res) => res.writeHead(426).end());
  server.on('upgrade', (req, socket) => {
    handshakes.push({ url: req.url, headers: req.headers });
    sockets.add(socket);
    socket.on('error', () => {});
    const accept = crypto.createHash('sha1')
      .update(req.headers['sec-websocket-key'] + GUID).digest('base64');
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n'
      + `Connection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    socket.write(Buffer.concat([Buffer.from([0x81, 5]), Buffer.from('hello')]));
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    handshakes,
    stop() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
