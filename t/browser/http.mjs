// SPDX-License-Identifier: Apache-2.0
// Requests without a browser: the path and the headers go out exactly as given.
import http from 'node:http';
import https from 'node:https';

import { tls } from './certificates.mjs';
import { backendPort } from './environment.mjs';

function send(module, options, body) {
  return new Promise((resolve, reject) => {
    const request = module.request(options, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({
          status: response.statusCode,
          headers: response.headers,
          text,
          json: () => JSON.parse(text),
        });
      });
    });
    request.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode, headers: response.headers, text: '' });
    });
    request.on('error', reject);
    request.end(body);
  });
}

// At the site, through nginx with the module.
export function fetchSite(origin, path, { method = 'GET', headers = {}, body } = {}) {
  const { hostname, port } = new URL(origin);
  return send(https, {
    host: '127.0.0.1',
    servername: hostname,
    port,
    path,
    method,
    agent: false,
    ca: tls.ca,
    headers: { Host: `${hostname}:${port}`, ...headers },
  }, body);
}

export const basic = (user, password) => Buffer.from(`${user}:${password}`).toString('base64');

export const cookieHeader = (cookies) => cookies.map((c) => `${c.name}=${c.value}`).join('; ');

// At EspoCRM itself, beside the module: what an administrator sees and sets.
export async function direct(method, path, data, headers = {}) {
  return send(http, {
    host: '127.0.0.1',
    port: backendPort,
    path,
    method,
    agent: false,
    headers: { 'Content-Type': 'application/json', ...headers },
  }, data === undefined ? undefined : JSON.stringify(data));
}
