// SPDX-License-Identifier: Apache-2.0
// Starts one OpenID provider on 127.0.0.1: node main.mjs SETTINGS.json
//
// SETTINGS.json is described in settings.mjs. Standard output gets one line of JSON when the
// provider is ready ({"ready":true,"issuer":...,"origin":...,"discovery":...}), standard error one
// line per answered request ("POST /token 200"). With --until-stdin-closes the process ends with
// whoever started it. SIGHUP reads the settings again and makes new keys; sessions, grants and tokens
// stay. Then the line comes once more.
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';

import { createApplication, randomHex } from './application.mjs';
import { readSettings } from './settings.mjs';

function fail(message) {
  console.error(`op: ${message}`);
  process.exit(2);
}

const [file, ...flags] = process.argv.slice(2);
if (!file || flags.some((flag) => flag !== '--until-stdin-closes')) {
  fail('usage: node main.mjs SETTINGS.json [--until-stdin-closes]');
}

function settingsOfFile() {
  try {
    return readSettings(JSON.parse(fs.readFileSync(file, 'utf8')));
  } catch (error) {
    return fail(`${file}: ${error.message}`);
  }
}

const settings = settingsOfFile();
const cookieKey = randomHex();

// The issuer holds the port, so the socket is bound first and the application made for its port.
let application;
const onRequest = (req, res) => {
  const { method } = req;
  const path = req.url.split('?')[0];
  res.on('finish', () => process.stderr.write(`${method} ${path} ${res.statusCode}\n`));
  application(req, res);
};
const server = settings.tls
  ? https.createServer(
      { key: fs.readFileSync(settings.tls.key), cert: fs.readFileSync(settings.tls.cert) },
      onRequest,
    )
  : http.createServer(onRequest);

server.on('error', (error) => fail(error.message));
function begin(current) {
  const scheme = settings.tls ? 'https' : 'http';
  const origin = `${scheme}://${settings.host}:${server.address().port}`;
  const made = createApplication(origin, current, cookieKey);
  application = made.handler;
  process.stdout.write(
    `${JSON.stringify({ ready: true, issuer: made.issuer, origin, discovery: made.discovery })}\n`,
  );
}
server.listen(settings.port, '127.0.0.1', () => begin(settings));
process.on('SIGHUP', () => begin(settingsOfFile()));

const stop = () => process.exit(0);
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
if (flags.includes('--until-stdin-closes')) {
  process.stdin.on('end', stop).on('error', stop).resume();
}
