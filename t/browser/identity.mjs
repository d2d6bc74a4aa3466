// SPDX-License-Identifier: Apache-2.0
// Assertions as the module makes them, and what EspoCRM's PHP was told: lab.sh records it.
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

import { lab } from './environment.mjs';

const encode = (data) => Buffer.from(JSON.stringify(data)).toString('base64url');

export function makeAssertion(origin, secret, user) {
  const now = Math.floor(Date.now() / 1000);
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({
    iss: origin, aud: origin, sub: user, iat: now, exp: now + 60, jti: crypto.randomUUID(),
    preferred_username: user, email: `${user}@example.com`, family_name: user, groups: ['sales'],
  })}`;
  return `${text}.${crypto.createHmac('sha256', secret).update(text).digest('base64url')}`;
}

export function readAssertion(text) {
  return JSON.parse(Buffer.from(text.split('.')[1], 'base64url').toString());
}

// The name of the session that the latest request of a user brought to EspoCRM.
export const latestSession = () => recorded().map(({ identity }) => identity.HTTP_X_OIDC_SESSION)
  .filter(Boolean).at(-1);

// [{ script, uri, scheme, identity: { HTTP_...: value } }]
export function recorded() {
  const file = path.join(lab, 'log/identity.log');
  if (!fs.existsSync(file)) return [];
  return fs.readFileSync(file, 'utf8').trim().split('\n').filter(Boolean)
    .map((line) => JSON.parse(line));
}
