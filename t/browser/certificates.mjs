// SPDX-License-Identifier: Apache-2.0
// An authority for this run and one certificate for all hosts.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { folder, HOSTS } from './environment.mjs';

const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-sha256'];
const names = Object.values(HOSTS).map((host) => `DNS:${host}`).join(',');

fs.writeFileSync(path.join(folder, 'names.ext'),
  `subjectAltName=${names}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n`);
openssl('req', '-x509', ...key, '-days', '7', '-keyout', 'ca.key', '-out', 'ca.crt',
  '-subj', '/CN=auth_oidc browser tests', '-addext', 'keyUsage=critical,keyCertSign,cRLSign');
openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', `/CN=${HOSTS.site}`);
openssl('x509', '-req', '-in', 'server.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key',
  '-CAcreateserial', '-days', '7', '-sha256', '-extfile', 'names.ext', '-out', 'server.crt');

export const caFile = path.join(folder, 'ca.crt');
export const certFile = path.join(folder, 'server.crt');
export const keyFile = path.join(folder, 'server.key');
export const tls = {
  key: fs.readFileSync(keyFile),
  cert: fs.readFileSync(certFile),
  ca: fs.readFileSync(caFile),
};
