// SPDX-License-Identifier: Apache-2.0
// An OpenID provider that answers at once and remembers nothing: the code carries the nonce, so any
// number of logins can be under way. For measurements only.
//   node stub_op.mjs PORT [--tls cert.pem key.pem]
// GET /stall/on and /stall/off make the token endpoint wait, /expires/N gives access tokens N
// seconds and a refresh token, /bearer/NAME answers with a JWT access token for NAME; GET /counts
// tells what was asked. Whose name begins with "member500-"
// is in 500 groups.
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';

const port = Number(process.argv[2]);
const tls = process.argv[3] === '--tls';
const issuer = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
const { privateKey, publicKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'RS256', use: 'sig' };
const counts = { discovery: 0, jwks: 0, token: 0, refresh: 0, userinfo: 0, connections: 0 };
const waiting = [];
const many = Array.from({ length: 500 }, (_, number) => `group${number}`);
let stalled = false;
let expires = 3600;
let renewable = false;

const metadata = {
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  userinfo_endpoint: `${issuer}/userinfo`,
  jwks_uri: `${issuer}/jwks`,
  end_session_endpoint: `${issuer}/logout`,
  id_token_signing_alg_values_supported: ['RS256'],
  token_endpoint_auth_methods_supported: ['client_secret_basic'],
  code_challenge_methods_supported: ['S256'],
};
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
// JWS of a JSON payload.
function signed(typ, payload) {
  const input = `${encode({ alg: 'RS256', kid: 'bench', typ })}.${encode(payload)}`;
  return `${input}.${crypto.sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`;
}

function idToken(sub, nonce) {
  const now = Math.floor(Date.now() / 1000);
  return signed('JWT', { iss: issuer, sub, aud: 'bench', exp: now + 3600, iat: now, nonce });
}

// RFC 9068, 2.2.
function accessToken(sub) {
  const now = Math.floor(Date.now() / 1000);
  return signed('at+jwt', {
    iss: issuer, sub, aud: 'https://bench.example', exp: now + 3600, iat: now, jti: crypto.randomUUID(), client_id: 'job',
  });
}

function answer(response, value, status = 200) {
  const body = JSON.stringify(value);
  response.writeHead(status, {
    'content-type': 'application/json', 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store',
  });
  response.end(body);
}

function token(request, response) {
  let body = '';
  request.on('data', (chunk) => { body += chunk; });
  request.on('end', () => {
    const form = new URLSearchParams(body);
    const refresh = form.get('refresh_token');
    if (refresh) counts.refresh += 1;
    const [sub, nonce] = refresh ? [refresh.replace('rt-', '')]
      : Buffer.from(form.get('code') ?? '', 'base64url').toString().split(' ');
    const send = () => answer(response, {
      access_token: `at-${sub}`, token_type: 'Bearer', expires_in: expires, id_token: idToken(sub, nonce),
      ...(renewable ? { refresh_token: `rt-${sub}` } : {}),
    });
    if (stalled) waiting.push(send); else send();
  });
}

function handle(request, response) {
  const path = request.url.split('?')[0];
  if (path === '/token') { counts.token += 1; token(request, response); return; }
  if (path === '/userinfo') {
    counts.userinfo += 1;
    const sub = (request.headers.authorization ?? '').replace('Bearer at-', '');
    answer(response, {
      sub, preferred_username: sub, email: `${sub}@example.com`, email_verified: true, name: `Person ${sub}`,
      given_name: 'Person', family_name: sub, groups: sub.startsWith('member500-') ? many : ['sales', 'support'],
    });
    return;
  }
  if (path === '/.well-known/openid-configuration') { counts.discovery += 1; answer(response, metadata); return; }
  if (path === '/jwks') { counts.jwks += 1; answer(response, { keys: [jwk] }); return; }
  if (path === '/counts') { answer(response, counts); return; }
  if (path.startsWith('/bearer/')) { answer(response, { access_token: accessToken(path.slice(8)) }); return; }
  if (path.startsWith('/expires/')) {
    expires = Number(path.slice(9));
    renewable = true;
    answer(response, {});
    return;
  }
  if (path === '/stall/on') { stalled = true; answer(response, {}); return; }
  if (path === '/stall/off') {
    stalled = false;
    answer(response, { released: waiting.length });
    for (const send of waiting.splice(0)) send();
    return;
  }
  answer(response, { error: 'not_found' }, 404);
}

const server = tls
  ? https.createServer({ cert: fs.readFileSync(process.argv[4]), key: fs.readFileSync(process.argv[5]) }, handle)
  : http.createServer(handle);
server.on(tls ? 'secureConnection' : 'connection', () => { counts.connections += 1; });
server.keepAliveTimeout = 120000;
server.listen(port, '127.0.0.1', 4096, () => console.log(`ready ${issuer}`));
