// SPDX-License-Identifier: Apache-2.0
// The provider itself: oidc-provider, configured for a persona, with its quirks and login page.
import crypto from 'node:crypto';

import Provider, { errors } from 'oidc-provider';

import { makeKey } from './keys.mjs';
import { errorPage, handleLogin, logoutPage, signedOutPage } from './pages.mjs';
import { PERSONAS } from './personas.mjs';
import { addQuirks } from './quirks.mjs';

export const randomHex = () => crypto.randomBytes(32).toString('hex');

// The user that a subject names, with the claims that any scope may ask for.
function findUser(settings, subject) {
  const { options, users } = settings;
  const found = Object.entries(users).find(
    ([name, user]) => subject === (options.subject === 'uuid' ? user.id : name),
  );
  if (!found) return undefined;
  const [name, { password, id, ...claims }] = found;
  return {
    ...claims,
    sub: subject,
    preferred_username: name,
    nickname: name,
    email_verified: options.emailVerified,
  };
}

// Everybody may use every client: there is no consent page.
async function grantEverything(provider, ctx) {
  const { client, session, requestParamScopes, requestParamClaims } = ctx.oidc;
  const id = session.grantIdFor(client.clientId);
  const grant = (id && (await provider.Grant.find(id)))
    || new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope([...requestParamScopes].join(' '));
  for (const resource of Object.keys(ctx.oidc.resourceServers ?? {})) {
    grant.addResourceScope(resource, [...requestParamScopes].join(' '));
  }
  grant.addOIDCClaims([...(requestParamClaims ?? [])]);
  await grant.save();
  return grant;
}

// One resource server, whose access tokens are not for UserInfo.
const resources = {
  defaultResource: () => undefined,
  useGrantedResource: () => true,
  getResourceServerInfo(ctx, resource) {
    if (resource !== 'https://api.example') throw new errors.InvalidTarget();
    return { scope: 'openid profile email groups', accessTokenFormat: 'jwt' };
  },
};

function configuration(settings, persona, keys, holder, cookieKey) {
  const { clients, options } = settings;
  const algorithms = new Set(options.keys);
  for (const client of clients) algorithms.add(client.id_token_signed_response_alg ?? 'RS256');

  return {
    clients,
    jwks: { keys },
    routes: persona.routes,
    cookies: { keys: [cookieKey] },
    scopes: ['openid', 'profile', 'email', 'groups', 'offline_access'],
    claims: persona.claims,
    conformIdTokenClaims: options.idToken === 'thin',
    subjectTypes: ['public'],
    pkce: { methods: ['S256'], required: () => false },
    enabledJWA: {
      idTokenSigningAlgValues: [...algorithms],
      userinfoSigningAlgValues: ['RS256', 'ES256'].filter((alg) => options.keys.includes(alg)),
    },
    ttl: settings.ttl,
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: options.endSession },
      claimsParameter: { enabled: settings.persona !== 'authentik' },
      encryption: { enabled: clients.some((c) => c.id_token_encrypted_response_alg) },
      introspection: { enabled: true },
      // It wants a key for the algorithm of every client's responses, RS256 unless said otherwise.
      jwtResponseModes: { enabled: clients.some((c) => c.authorization_signed_response_alg) },
      jwtUserinfo: { enabled: options.keys.length > 0 },
      pushedAuthorizationRequests: { enabled: settings.persona !== 'authentik' },
      requestObjects: { request: settings.persona === 'plain', requestUri: false },
      resourceIndicators: { enabled: settings.persona === 'plain', ...resources },
      revocation: { enabled: true },
      rpInitiatedLogout: {
        enabled: options.endSession,
        logoutSource: logoutPage,
        postLogoutSuccessSource: signedOutPage,
      },
    },
    renderError: errorPage,
    interactions: { url: (ctx, interaction) => `/login/${interaction.uid}` },
    loadExistingGrant: (ctx) => grantEverything(holder.provider, ctx),
    findAccount(ctx, subject) {
      const user = findUser(settings, subject);
      return user && {
        accountId: subject,
        claims: (use) => (use === 'id_token'
          ? { ...user, azp: ctx.oidc.client.clientId, amr: ['pwd'], jti: crypto.randomUUID() }
          : user),
      };
    },
  };
}

// What the library keeps in memory is the process's: an application made anew finds it again.
export function createApplication(origin, settings, cookieKey = randomHex()) {
  const persona = PERSONAS[settings.persona];
  const issuer = origin + persona.issuerPath;
  // Without keys of its own the library would make up public ones; this one is never published.
  const keys = (settings.options.keys.length > 0 ? settings.options.keys : ['RS256'])
    .map((alg) => makeKey(alg, settings.generation));

  const holder = {};
  const provider = new Provider(issuer, configuration(settings, persona, keys, holder, cookieKey));
  holder.provider = provider;
  provider.on('server_error', (ctx, error) => console.error('op: server error:', error));
  addQuirks(provider, { issuer, settings, persona, keys });

  const oidc = provider.callback();
  const handler = (req, res) => {
    if (req.url.startsWith('/login/')) {
      handleLogin(provider, settings, req, res).catch((error) => {
        console.error('op: login page:', error.message);
        if (!res.headersSent) res.writeHead(400, { 'content-type': 'text/plain' });
        res.end('This sign-in is no longer open. Start again at the application.\n');
      });
    } else {
      oidc(req, res);
    }
  };
  return { issuer, discovery: origin + persona.discoveryPath, handler, keys };
}
