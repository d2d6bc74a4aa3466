// SPDX-License-Identifier: Apache-2.0
// The OpenID providers of the integration tests, in this process: a test may change a user's claims
// between two sign-ins.
import crypto from 'node:crypto';
import https from 'node:https';

import { createApplication } from '../integration/op/application.mjs';
import { readSettings } from '../integration/op/settings.mjs';
import { tls } from './certificates.mjs';
import { freePort, HOSTS, secrets } from './environment.mjs';

export const PASSWORD = 'password';
export const CLIENT_ID = 'espocrm';

// Authelia's own logout page, which its users are sent to: ends the session, then goes on to `rd`.
function autheliaLogout(req, res) {
  const cookies = (req.headers.cookie ?? '').split('; ').map((cookie) => cookie.split('=')[0]);
  res.writeHead(302, {
    location: new URL(req.url, 'https://x').searchParams.get('rd'),
    'set-cookie': cookies.map((name) => `${name}=; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT`),
  }).end();
}

export class Provider {
  // `site`: origin of the relying party.
  static async start(persona, site, { redirect, postLogout, users }) {
    const provider = new Provider();
    const port = await freePort();
    provider.persona = persona;
    provider.origin = `https://${HOSTS[persona]}:${port}`;
    provider.settings = readSettings({
      persona,
      users,
      clients: [{
        client_id: CLIENT_ID,
        client_secret: secrets.client,
        scope: 'openid profile email groups offline_access',
        redirect_uris: [site + redirect],
        post_logout_redirect_uris: [site + postLogout],
      }],
    });
    const { issuer, handler, keys } = createApplication(provider.origin, provider.settings);
    provider.issuer = issuer;
    provider.keys = keys;
    provider.requests = [];
    // Cuts windows off from the page that has opened them.
    provider.isIsolated = false;
    provider.server = https.createServer(tls, (req, res) => {
      provider.requests.push(`${req.method} ${req.url.split('?')[0]}`);
      if (provider.isIsolated) res.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
      if (persona === 'authelia' && req.url.startsWith('/logout?')) autheliaLogout(req, res);
      else handler(req, res);
    });
    await new Promise((resolve) => provider.server.listen(port, '127.0.0.1', resolve));
    return provider;
  }

  user(name) {
    return this.settings.users[name];
  }

  // A logout token for the back-channel, signed as the ID tokens are.
  logoutToken(sub) {
    const key = this.keys.find(({ kty }) => kty === 'RSA');
    const now = Math.floor(Date.now() / 1000);
    const encode = (data) => Buffer.from(JSON.stringify(data)).toString('base64url');
    const text = `${encode({ alg: key.alg, kid: key.kid, typ: 'logout+jwt' })}.${encode({
      iss: this.issuer, aud: CLIENT_ID, sub, iat: now, exp: now + 60, jti: crypto.randomUUID(),
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    })}`;
    const privateKey = crypto.createPrivateKey({ key, format: 'jwk' });
    return `${text}.${crypto.sign('sha256', text, privateKey).toString('base64url')}`;
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
