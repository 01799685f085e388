// A WebSocket server made with `ws`: echoes data, answers pings, and keeps books of its own.
//
//   node server.mjs [certificate.pem key.pem]
//
// It listens on a free port of 127.0.0.1 and writes that to standard output. `GET /books` gives the
// books as JSON, by the path that clients connect to. On /half every second message gets no echo.

import { readFileSync } from "node:fs";
import { createServer as createPlainServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { WebSocketServer } from "ws";

const [certificate, key] = process.argv.slice(2);
const books = {};

function bookOf(path) {
  books[path] ??= { connections: 0, messages: 0, echoes: 0, pings: 0, protocols: [], closes: [] };
  return books[path];
}

function answer(request, response) {
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify(books));
}

const server = certificate
  ? createTlsServer({ cert: readFileSync(certificate), key: readFileSync(key) }, answer)
  : createPlainServer(answer);

const sockets = new WebSocketServer({ server, perMessageDeflate: true });

sockets.on("connection", (socket, request) => {
  const path = request.url;
  const book = bookOf(path);
  book.connections += 1;
  book.protocols.push(socket.protocol);
  socket.on("message", (data, isBinary) => {
    book.messages += 1;
    if (path === "/half" && book.messages % 2 === 0) return;
    book.echoes += 1;
    socket.send(data, { binary: isBinary });
  });
  socket.on("ping", () => {
    book.pings += 1;
  });
  socket.on("close", (code) => {
    book.closes.push(code);
  });
});

server.listen(0, "127.0.0.1", () => console.log(server.address().port));

process.on("SIGTERM", () => process.exit(0));
