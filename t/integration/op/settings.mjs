// SPDX-License-Identifier: Apache-2.0
// The settings of one provider, checked and completed.
//
//   persona          "authelia" | "authentik" | "keycloak" | "plain"        (personas.mjs)
//   host, port       name in the issuer and port to bind; port 0: any free one
//   tls              { key, cert }: PEM files; absent: plain http
//   clients          OpenID client metadata, at least client_id and redirect_uris
//   users            { name: { password, name, given_name, family_name, email, groups, id } }
//   options          what differs from the persona, by the names of PERSONA_OPTIONS
//   generation       what the key IDs end with
//   ttl              { AuthorizationCode, AccessToken, IdToken, ... } in seconds
import crypto from 'node:crypto';

import { PERSONAS, PERSONA_OPTIONS } from './personas.mjs';

export const DEFAULT_USERS = {
  john: {
    id: 'd2fdc83d-d7ad-4ced-81d8-0bb87db4a127',
    password: 'password',
    name: 'John Doe',
    given_name: 'John',
    family_name: 'Doe',
    email: 'john.doe@example.com',
    groups: ['admins', 'sales'],
  },
  jane: {
    id: '5f0c2a6e-93ab-4c3c-8ee6-51dd1e5a7c02',
    password: 'password',
    name: 'Jane Müller',
    given_name: 'Jane',
    family_name: 'Müller',
    email: 'jane.mueller@example.com',
    groups: ['sales'],
  },
};

const DEFAULT_TTL = {
  AuthorizationCode: 60,
  AccessToken: 3600,
  IdToken: 3600,
  RefreshToken: 5400,
  Session: 3600,
  Grant: 3600,
  Interaction: 600,
};

const KNOWN = ['persona', 'host', 'port', 'tls', 'clients', 'users', 'options', 'generation',
  'ttl'];

function onlyKnown(what, object, known) {
  for (const name of Object.keys(object)) {
    if (!known.includes(name)) throw new Error(`unknown ${what} "${name}"`);
  }
}

// A stable, opaque identifier in the form of a version 4 UUID.
function opaqueId(userName) {
  const hex = crypto.createHash('sha256').update(userName).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`,
    hex.slice(20, 32)].join('-');
}

function readClient(client, options) {
  if (!client.client_id) throw new Error('a client needs a client_id');
  if (!Array.isArray(client.redirect_uris) || client.redirect_uris.length === 0) {
    throw new Error(`client "${client.client_id}" needs redirect_uris`);
  }
  const isPublic = ['none', 'private_key_jwt'].includes(client.token_endpoint_auth_method);
  if (!isPublic && !client.client_secret) {
    throw new Error(`client "${client.client_id}" needs a client_secret`);
  }
  return {
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    scope: 'openid profile email groups',
    require_auth_time: options.authTime,
    ...client,
  };
}

export function readSettings(given) {
  onlyKnown('setting', given, KNOWN);
  const persona = given.persona ?? 'plain';
  if (!Object.hasOwn(PERSONAS, persona)) throw new Error(`unknown persona "${persona}"`);
  onlyKnown('option', given.options ?? {}, PERSONA_OPTIONS);
  if (!Array.isArray(given.clients) || given.clients.length === 0) {
    throw new Error('"clients" must name at least one client');
  }
  const options = { ...PERSONAS[persona].options, ...given.options };
  const users = {};
  for (const [name, user] of Object.entries(given.users ?? DEFAULT_USERS)) {
    if (!user.password) throw new Error(`user "${name}" needs a password`);
    users[name] = { id: opaqueId(name), name, email: `${name}@example.com`, groups: [], ...user };
  }
  return {
    persona,
    host: given.host ?? 'localhost',
    port: given.port ?? 0,
    tls: given.tls,
    clients: given.clients.map((client) => readClient(client, options)),
    users,
    options,
    generation: given.generation ?? '',
    ttl: { ...DEFAULT_TTL, ...given.ttl },
  };
}
