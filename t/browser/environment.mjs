// SPDX-License-Identifier: Apache-2.0
// Where everything is. tools/checks.sh sets the variables; all hosts are names of the loopback.
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

function need(name) {
  const value = process.env[name];
  if (!value) {
    console.error(`t/browser: ${name} is not set; run ./build.sh browser ESPOCRM_DIR=/path`);
    process.exit(2);
  }
  return value;
}

export const root = path.resolve(fileURLToPath(import.meta.url), '../../..');
export const lab = need('ESPOCRM_LAB');
export const backendPort = Number(need('ESPOCRM_PORT'));
export const nginxBinary = need('NGINX_BIN');
export const moduleFile = need('OIDC_MODULE');
export const chromium = process.env.CHROMIUM || '/usr/bin/chromium';
// How many times longer everything may take: on a machine that does other work as well.
export const patience = Number(process.env.BROWSER_PATIENCE || 1);
// Screenshots and, after a failure, logs.
export const results = need('BROWSER_RESULTS');

export const folder = path.join(lab, 'browser');
fs.rmSync(folder, { recursive: true, force: true });
fs.mkdirSync(folder, { recursive: true, mode: 0o755 });
fs.mkdirSync(results, { recursive: true });

// Below the ephemeral range, so that no outgoing connection takes one meanwhile.
const given = new Set([backendPort]);
export async function freePort() {
  for (;;) {
    const port = 20000 + Math.floor(Math.random() * 12000);
    if (given.has(port)) continue;
    given.add(port);
    const free = await new Promise((resolve) => {
      const probe = net.createServer();
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

// Of three sites, as far as cookies are concerned.
export const HOSTS = {
  site: 'crm.localhost',
  authelia: 'authelia.localhost',
  authentik: 'authentik.localhost',
  accounts: 'accounts.localhost',
};

// What must not be in any log.
export const secrets = {
  client: 'client-secret-of-the-browser-tests-0123456789',
  assertion: 'assertion-secret-of-the-browser-tests-0123456789',
};
