// SPDX-License-Identifier: Apache-2.0
// Signs users in through nginx and the stub provider, as browsers would, on kept-alive connections.
//   node logins.mjs NGINX_PORT COUNT CONCURRENCY [PREFIX [all]]
// Prints one JSON line: logins, failures, seconds, and the first and the last session cookie; with
// "all" those of all.
import http from 'node:http';

const [port, count, concurrency] = process.argv.slice(2, 5).map(Number);
const prefix = process.argv[5] ?? 'user';
const agent = new http.Agent({ keepAlive: true, maxSockets: concurrency });

function get(path, headers) {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path, headers: { host: 'bench.example', ...headers }, agent }, (response) => {
      response.on('data', () => {});
      response.on('end', () => resolve(response));
    });
    request.on('error', reject);
  });
}

const cookies = (response) => (response.headers['set-cookie'] ?? []).map((line) => line.split(';')[0]);

async function login(number) {
  const start = await get('/', { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' });
  if (start.statusCode !== 302) throw new Error(`start: ${start.statusCode}`);
  const query = new URL(start.headers.location).searchParams;
  const code = Buffer.from(`${prefix}${number} ${query.get('nonce')}`).toString('base64url');
  const answer = await get(`/oidc_callback?code=${code}&state=${encodeURIComponent(query.get('state'))}`,
    { cookie: cookies(start).join('; '), accept: 'text/html' });
  const session = cookies(answer).find((cookie) => /^NGX_OIDC_SESSION=./.test(cookie));
  if (answer.statusCode !== 303 || session === undefined) throw new Error(`callback: ${answer.statusCode}`);
  return session;
}

let next = 0;
let failures = 0;
let first = null;
let last = null;
const all = process.argv[6] === 'all' ? [] : undefined;
const began = process.hrtime.bigint();
async function worker() {
  while (next < count) {
    const number = next;
    next += 1;
    try {
      const session = await login(number);
      all?.push(session);
      if (number === 0) first = session;
      if (number === count - 1) last = session;
    } catch (error) {
      failures += 1;
      if (failures < 4) console.error(String(error));
    }
  }
}
await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker));
const seconds = Number(process.hrtime.bigint() - began) / 1e9;
console.log(JSON.stringify({ logins: count - failures, failures, seconds, first, last, all }));
agent.destroy();
