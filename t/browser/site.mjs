// SPDX-License-Identifier: Apache-2.0
// nginx with the module in front of EspoCRM, configured as an operator would.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';

import { caFile, certFile, keyFile } from './certificates.mjs';
import {
  backendPort, folder, freePort, HOSTS, lab, moduleFile, nginxBinary, root, secrets,
} from './environment.mjs';

const port = await freePort();
export const origin = `https://${HOSTS.site}:${port}`;

const file = (name) => path.join(folder, name);
const listening = (to) => new Promise((resolve) => {
  const socket = net.connect(to, '127.0.0.1');
  socket.once('connect', () => { socket.destroy(); resolve(true); });
  socket.once('error', () => resolve(false));
});

for (const [name, text] of Object.entries(secrets)) {
  fs.writeFileSync(file(`${name}.secret`), text, { mode: 0o600 });
}

fs.symlinkSync(path.join(root, 'ops/nginx/espocrm'), file('espocrm'));

// nginx.conf as Debian has it, with the site file in it; paths of this run.
const main = () => `
load_module ${moduleFile};
${process.getuid() === 0 ? 'user www-data;' : ''}
daemon off;
worker_processes 1;
pid ${file('nginx.pid')};
error_log ${file('error.log')} info;
events { }
http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    log_format all '$status $request_method $request_uri';
    access_log ${file('access.log')} all;
    ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${file(`temp-${name}`)};`).join('\n    ')}
    include site.conf;
}
`;

const websocketPort = await freePort();
const httpPort = await freePort();
export { httpPort, websocketPort };

const FPM = {
  '/var/www/espocrm': `${lab}/espo`,
  'unix:/run/php/php-fpm.sock': `unix:${lab}/run/php.sock`,
  '127.0.0.1:8080': `127.0.0.1:${websocketPort}`,
};
const PROXY = {
  '127.0.0.1:8080': `127.0.0.1:${backendPort}`,
  '127.0.0.1:8081': `127.0.0.1:${websocketPort}`,
};

// The public features, as the example names them.
export const SWITCHES = fs.readdirSync(path.join(root, 'ops/nginx/espocrm/public'))
  .map((name) => path.basename(name, '.conf'));

// A file of ops/ with the edits that its operator makes. An edit that finds nothing to change is an
// error: then the file is another one.
function edited(name, edits) {
  let text = fs.readFileSync(path.join(root, 'ops', name), 'utf8');
  for (const [from, to] of edits) {
    if (!text.includes(from)) throw new Error(`ops/${name} has no "${from}"`);
    text = text.replaceAll(from, to);
  }
  return text;
}

const escaped = (text) => encodeURIComponent(text);

function providerBlock(provider, { timeout = '12h', idle = '2h' }) {
  const { persona, issuer } = provider;
  const edits = {
    authelia: [
      ['issuer                     https://auth.example.com;', `issuer ${issuer};`],
      ['https://auth.example.com/', `${provider.origin}/`],
      [escaped('https://crm.example.com'), escaped(origin)],
      ['openid profile email offline_access;', 'openid profile email groups offline_access;'],
    ],
    authentik: [
      ['https://auth.example.com/application/o/espocrm/;', `${issuer};`],
    ],
  };
  return edited(`${persona}/nginx-provider.conf`, [
    ...edits[persona],
    ['/etc/nginx/secrets/espocrm-client', file('client.secret')],
    ['# ssl_trusted_certificate  /etc/nginx/espocrm/ca.crt;', `ssl_trusted_certificate ${caFile};`],
    ['session_timeout            12h;', `session_timeout ${timeout};`],
    ['session_idle_timeout       2h;', `session_idle_timeout ${idle};`],
  ]);
}

// What an administrator may add for himself: a list of the sessions, to end them.
const SESSIONS = `location = /oidc/sessions {
        auth_oidc off;
        allow 127.0.0.1;
        deny all;
        oidc_sessions;
    }

    include espocrm/`;

function siteFile({ variant = 'fpm', provider, open = [], ...rest }) {
  return edited(`nginx/site-${variant}.conf.example`, [
    ['/etc/nginx/secrets/espocrm-assertion', file('assertion.secret')],
    ['    listen      [::]:80;\n', ''],
    ['    listen              [::]:443 ssl http2;\n', ''],
    ['listen      80;', `listen 127.0.0.1:${httpPort};`],
    ['443 ssl', `127.0.0.1:${port} ssl`],
    ['/etc/ssl/certs/crm.example.com.pem', certFile],
    ['/etc/ssl/private/crm.example.com.key', keyFile],
    ['crm.example.com;', `${HOSTS.site};`],
    ...Object.entries(variant === 'fpm' ? FPM : PROXY),
    [`    include espocrm/${variant}.conf;`, `    ${SESSIONS}${variant}.conf;`],
    ...open.map((name) => `include espocrm/public/${name}.conf;`)
      .map((line) => [`# ${line}`, line]),
  ]).replace(/^oidc_provider espocrm \{\n(.*\n)*?\}\n/m, () => providerBlock(provider, rest));
}

let running;
let current;

export async function stop() {
  if (!running) return;
  const ended = new Promise((resolve) => running.once('exit', resolve));
  if (running.exitCode === null) {
    running.kill('SIGTERM');
    await ended;
  }
  running = undefined;
  current = undefined;
}

// Starts nginx anew, without any session, unless it already runs so.
export async function serve(options) {
  const text = siteFile(options);
  if (text === current) return;
  await stop();
  fs.writeFileSync(file('nginx.conf'), main());
  fs.writeFileSync(file('site.conf'), text);
  running = spawn(nginxBinary, ['-p', folder, '-c', file('nginx.conf'), '-e', file('error.log')],
    { stdio: 'inherit' });
  for (let i = 0; i < 200; i++) {
    if (running.exitCode !== null) throw new Error(`nginx does not start:\n${log()}`);
    if (await listening(port)) {
      current = text;
      return;
    }
    await new Promise((resolve) => { setTimeout(resolve, 25); });
  }
  throw new Error(`nginx does not listen:\n${log()}`);
}

const read = (name) => (fs.existsSync(file(name)) ? fs.readFileSync(file(name), 'utf8') : '');
export const log = () => read('error.log');
export const accessLog = () => read('access.log');

export function keepLogs(to) {
  for (const name of ['error.log', 'access.log', 'site.conf']) {
    if (fs.existsSync(file(name))) fs.copyFileSync(file(name), path.join(to, name));
  }
}
