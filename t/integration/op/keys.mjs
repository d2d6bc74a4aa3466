// SPDX-License-Identifier: Apache-2.0
// Signing keys, made anew at every start.
import crypto from 'node:crypto';

import { CompactSign, importJWK } from 'jose';

const KEY_TYPES = {
  RS: ['rsa', { modulusLength: 2048 }],
  PS: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  ES384: ['ec', { namedCurve: 'P-384' }],
  ES512: ['ec', { namedCurve: 'P-521' }],
  EdDSA: ['ed25519', {}],
};

// `generation`: what the names of keys end with, so that a new key has another name.
export function makeKey(alg, generation) {
  const type = KEY_TYPES[alg] ?? KEY_TYPES[alg.slice(0, 2)];
  if (!type) throw new Error(`no key type for algorithm "${alg}"`);
  const { privateKey } = crypto.generateKeyPairSync(...type);
  return { ...privateKey.export({ format: 'jwk' }), kid: `op-${alg}${generation}`, alg, use: 'sig' };
}

// The same token with some claims replaced, signed again by the key that signed it.
export async function resign(token, changes, keys, clientSecret) {
  const [head, body] = token.split('.').slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));
  const key = head.alg.startsWith('HS')
    ? new TextEncoder().encode(clientSecret)
    : await importJWK(keys.find((jwk) => jwk.kid === head.kid), head.alg);
  return new CompactSign(Buffer.from(JSON.stringify({ ...body, ...changes })))
    .setProtectedHeader(head)
    .sign(key);
}
