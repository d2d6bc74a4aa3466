// SPDX-License-Identifier: Apache-2.0
// Requests of many signed-in users, one after the other, on kept-alive connections.
//   node storm.mjs NGINX_PORT COUNT CONCURRENCY < cookies, one on each line
// Prints one JSON line: requests, failures (answers that are not 200), and latencies in microseconds.
import fs from 'node:fs';
import http from 'node:http';

const [port, count, concurrency] = process.argv.slice(2, 5).map(Number);
const cookies = fs.readFileSync(0, 'utf8').split('\n').filter(Boolean);
const agent = new http.Agent({ keepAlive: true, maxSockets: concurrency });
const times = [];
let failures = 0;
let next = 0;

function get(cookie) {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path: '/', headers: { host: 'bench.example', cookie }, agent }, (response) => {
      response.on('data', () => {});
      response.on('end', () => resolve(response.statusCode));
    });
    request.on('error', reject);
  });
}

async function worker() {
  while (next < count) {
    const cookie = cookies[next % cookies.length];
    next += 1;
    const began = process.hrtime.bigint();
    if (await get(cookie).catch(() => 0) !== 200) failures += 1;
    times.push(Number(process.hrtime.bigint() - began) / 1000);
  }
}

await Promise.all(Array.from({ length: concurrency }, worker));
times.sort((a, b) => a - b);
const at = (part) => Math.round(times[Math.min(times.length - 1, Math.floor(times.length * part))]);
console.log(JSON.stringify({ requests: times.length, failures, p50_us: at(0.5), p99_us: at(0.99) }));
agent.destroy();
