// The same beats from Node.js: `ws` for the sockets, `prom-client` for the same histogram.
//
//     node beats.js URL CONNECTIONS INTERVAL_SECONDS
//
// Prints the port of its metrics, and `up` once all are connected. Says how many echoes came so far
// for each line on stdin.
"use strict";

const http = require("node:http");
const readline = require("node:readline");
const prometheus = require("prom-client");
const { WebSocket } = require("ws");

const SLOT = 10; // milliseconds between two looks at who is due
const AT_ONCE = 200;
const LOST = 1; // exit code

const [url, count, interval] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];

const rtt = new prometheus.Histogram({
  name: "rtt_seconds",
  help: "Round-trip time.",
  labelNames: ["probe"],
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
});
let echoes = 0;

function open(number) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    const child = rtt.labels(`p${number}`); // the look-up is made once, as anybody would who cares
    const beat = { socket, sentAt: 0 };
    socket.once("open", () => resolve(beat));
    socket.once("error", reject);
    socket.once("close", () => process.exit(LOST));
    socket.on("message", () => {
      child.observe((performance.now() - beat.sentAt) / 1000);
      echoes += 1;
    });
  });
}

async function openAll() {
  const beats = [];
  while (beats.length < count) {
    const some = Math.min(AT_ONCE, count - beats.length);
    const numbers = Array.from({ length: some }, (_, i) => beats.length + i);
    beats.push(...(await Promise.all(numbers.map(open))));
  }
  return beats;
}

function beatAll(beats) {
  const slots = Math.max(Math.round((interval * 1000) / SLOT), 1);
  const groups = Array.from({ length: slots }, (_, slot) => beats.filter((_, i) => i % slots === slot));
  let slot = 0;
  let due = performance.now();
  const turn = () => {
    const now = performance.now();
    for (; due <= now; due += SLOT, slot += 1) {
      for (const beat of groups[slot % slots]) {
        beat.sentAt = performance.now();
        beat.socket.send(`hb-${slot}`);
      }
    }
    setTimeout(turn, due - performance.now());
  };
  turn();
}

async function serveMetrics() {
  const server = http.createServer(async (_, response) => response.end(await prometheus.register.metrics()));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  console.log(String(server.address().port));
}

serveMetrics().then(openAll).then((beats) => {
  beatAll(beats);
  console.log("up");
  readline.createInterface({ input: process.stdin }).on("line", () => console.log(String(echoes)));
});
