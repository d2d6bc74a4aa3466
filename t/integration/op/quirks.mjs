// SPDX-License-Identifier: Apache-2.0
// What the personas do otherwise than oidc-provider, as middleware in front of it.
import { AsyncLocalStorage } from 'node:async_hooks';

import { resign } from './keys.mjs';

// Refused before the login page; RFC 6749 4.1.2.1 says how, the error codes are Authelia's.
function refusal(query, client) {
  if ((query.state ?? '').length < 8) return 'invalid_state';
  if (query.nonce !== undefined && query.nonce.length < 8) return 'insufficient_entropy';
  const registered = client.scope.split(' ');
  const asked = (query.scope ?? '').split(' ').filter(Boolean);
  return asked.every((scope) => registered.includes(scope)) ? undefined : 'invalid_scope';
}

function strictAuthorization({ issuer, settings, paths }) {
  return async (ctx, next) => {
    if (ctx.path !== paths.authorization || ctx.query.request_uri !== undefined) return next();
    const client = settings.clients.find(({ client_id: id }) => id === ctx.query.client_id);
    const error = client?.redirect_uris.includes(ctx.query.redirect_uri)
      && refusal(ctx.query, client);
    if (!error) return next();
    const target = new URL(ctx.query.redirect_uri);
    const answer = { error, iss: issuer, ...(ctx.query.state && { state: ctx.query.state }) };
    for (const [name, value] of Object.entries(answer)) target.searchParams.set(name, value);
    ctx.redirect(target.href);
    ctx.status = 303;
    return undefined;
  };
}

// Whoever asks for offline_access is asked for the consent, as if the client had asked for that too.
function offlineConsent(paths) {
  return async (ctx, next) => {
    const { scope, prompt } = ctx.query;
    if (ctx.path === paths.authorization && (scope ?? '').split(' ').includes('offline_access')) {
      ctx.query = { ...ctx.query, prompt: [prompt, 'consent'].filter(Boolean).join(' ') };
    }
    return next();
  };
}

// The library takes Basic and post for the same method; here only the registered one counts.
function strictClientAuthentication(provider) {
  const current = new AsyncLocalStorage();
  provider.use((ctx, next) => current.run(ctx, next));
  const compare = provider.Client.prototype.compareClientSecret;
  provider.Client.prototype.compareClientSecret = function compareClientSecret(secret) {
    const basic = current.getStore().headers.authorization !== undefined;
    const used = basic ? 'client_secret_basic' : 'client_secret_post';
    return used === this.clientAuthMethod && compare.call(this, secret);
  };
}

// A known path without its final slash: Django with APPEND_SLASH off knows no such page, and a form
// that is posted there meets the catch-all of the front end, which takes no POST.
function strictSlash(paths) {
  const known = new Set(Object.values(paths).filter((path) => path.endsWith('/')));
  return async (ctx, next) => {
    if (!known.has(`${ctx.path}/`)) return next();
    ctx.status = ctx.method === 'POST' ? 405 : 404;
    ctx.body = '';
    return undefined;
  };
}

// The library serves its metadata at the root, and its settings can only add members.
function metadata(path, options) {
  const changes = { ...options.discovery };
  if (options.keys.length === 0) changes.id_token_signing_alg_values_supported = ['HS256'];
  return async (ctx, next) => {
    if (ctx.path !== path) return next();
    ctx.path = '/.well-known/openid-configuration';
    await next();
    const members = Object.entries({ ...ctx.body, ...changes });
    ctx.body = Object.fromEntries(members.filter(([, value]) => value !== null));
    return undefined;
  };
}

function authorizationResponse(options) {
  return async (ctx, next) => {
    await next();
    const location = ctx.response.get('location');
    const { redirect_uri: target, scope } = ctx.oidc?.params ?? {};
    if (!location || !target || !location.startsWith(target)) return;
    const url = new URL(location);
    if (!options.issParameter) url.searchParams.delete('iss');
    if (options.scopeParameter && url.searchParams.has('code')) {
      url.searchParams.set('scope', scope);
    }
    ctx.set('location', url.href);
  };
}

function tokenResponse({ settings, paths, keys }) {
  const { options } = settings;
  return async (ctx, next) => {
    await next();
    if (ctx.path !== paths.token || ctx.method !== 'POST') return;
    if (options.badRequestOnly && ctx.status === 401) ctx.status = 400;
    if (options.audienceArray && ctx.body?.id_token) {
      const { clientId, clientSecret } = ctx.oidc.client;
      const token = await resign(ctx.body.id_token, { aud: [clientId] }, keys, clientSecret);
      ctx.body = { ...ctx.body, id_token: token };
    }
  };
}

function emptyKeySet(path) {
  return async (ctx, next) => {
    await next();
    if (ctx.path === path && ctx.status === 200) ctx.body = {};
  };
}

export function addQuirks(provider, { issuer, settings, persona, keys }) {
  const { options } = settings;
  const paths = { authorization: '/auth', token: '/token', jwks: '/jwks', ...persona.routes };
  if (options.strictSlash) provider.use(strictSlash(paths));
  provider.use(metadata(persona.discoveryPath, options));
  if (options.strict) {
    provider.use(strictAuthorization({ issuer, settings, paths }));
    strictClientAuthentication(provider);
  }
  if (options.offlineConsent) provider.use(offlineConsent(paths));
  if (!options.issParameter || options.scopeParameter) provider.use(authorizationResponse(options));
  if (options.audienceArray || options.badRequestOnly) {
    provider.use(tokenResponse({ settings, paths, keys }));
  }
  if (options.keys.length === 0) provider.use(emptyKeySet(paths.jwks));
}
