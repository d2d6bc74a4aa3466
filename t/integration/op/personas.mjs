// SPDX-License-Identifier: Apache-2.0
// How the providers that this project is written for differ on the wire.
//
// Options (PERSONA_OPTIONS), each of which a test may set otherwise:
//   keys            signing algorithms with a key in the JWKS; none: HS256 only, the JWKS is {}
//   idToken         "thin": user claims only in userinfo; "full": in the ID token as well
//   subject         "uuid" (opaque) | "username"
//   authTime        auth_time in every ID token, asked for or not
//   emailVerified   value of email_verified
//   audienceArray   aud is an array with one element, even for one audience
//   issParameter    iss in the authorization response (RFC 9207)
//   scopeParameter  scope in the authorization response
//   endSession      RP-initiated logout is offered
//   strict          refuse a short state or nonce, unregistered scopes, and a client that
//                   authenticates by another method than the registered one
//   offlineConsent  offline_access asks for the consent by itself, where the library wants prompt=consent
//   strictSlash     answer known paths without their final slash with 404, a POST with 405
//   badRequestOnly  errors of the token endpoint are all 400
//   discovery       members of the metadata to replace; null: removed
export const PERSONA_OPTIONS = [
  'keys', 'idToken', 'subject', 'authTime', 'emailVerified', 'audienceArray', 'issParameter',
  'scopeParameter', 'endSession', 'strict', 'offlineConsent', 'strictSlash', 'badRequestOnly',
  'discovery',
];

const profile = ['name', 'given_name', 'family_name', 'preferred_username'];
const email = ['email', 'email_verified'];

export const PERSONAS = {
  // Nothing unusual: what the library does by itself.
  plain: {
    issuerPath: '',
    discoveryPath: '/.well-known/openid-configuration',
    routes: {},
    claims: { openid: ['sub'], profile, email, groups: ['groups'] },
    options: {
      keys: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      idToken: 'thin',
      subject: 'uuid',
      authTime: false,
      emailVerified: true,
      audienceArray: false,
      issParameter: true,
      scopeParameter: false,
      endSession: true,
      strict: false,
      offlineConsent: false,
      strictSlash: false,
      badRequestOnly: false,
      discovery: {},
    },
  },

  // Authelia 4.39. idToken "full" gives 4.38.
  authelia: {
    issuerPath: '',
    discoveryPath: '/.well-known/openid-configuration',
    routes: {
      authorization: '/api/oidc/authorization',
      token: '/api/oidc/token',
      userinfo: '/api/oidc/userinfo',
      jwks: '/jwks.json',
      revocation: '/api/oidc/revocation',
      introspection: '/api/oidc/introspection',
      pushed_authorization_request: '/api/oidc/pushed-authorization-request',
    },
    claims: {
      openid: ['sub', 'azp', 'amr', 'jti'],
      profile,
      email,
      groups: ['groups'],
    },
    options: {
      keys: ['RS256', 'ES256'],
      idToken: 'thin',
      subject: 'uuid',
      authTime: true,
      emailVerified: true,
      audienceArray: true,
      issParameter: true,
      scopeParameter: true,
      endSession: false,
      strict: true,
      offlineConsent: true,
      strictSlash: false,
      badRequestOnly: false,
      discovery: {
        id_token_signing_alg_values_supported: [
          'HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512',
          'ES256', 'ES384', 'ES512',
        ],
      },
    },
  },

  // authentik as its guide for EspoCRM sets it up: issuer per provider, sub = user name.
  authentik: {
    issuerPath: '/application/o/espocrm/',
    discoveryPath: '/application/o/espocrm/.well-known/openid-configuration',
    routes: {
      authorization: '/application/o/authorize/',
      token: '/application/o/token/',
      userinfo: '/application/o/userinfo/',
      revocation: '/application/o/revoke/',
      introspection: '/application/o/introspect/',
      jwks: '/application/o/espocrm/jwks/',
      end_session: '/application/o/espocrm/end-session/',
    },
    claims: {
      openid: ['sub'],
      profile: [...profile, 'nickname', 'groups'],
      email,
    },
    options: {
      keys: ['RS256'],
      idToken: 'full',
      subject: 'username',
      authTime: true,
      emailVerified: false,
      audienceArray: false,
      issParameter: false,
      scopeParameter: false,
      endSession: true,
      strict: false,
      offlineConsent: true,
      strictSlash: true,
      badRequestOnly: true,
      discovery: {
        authorization_response_iss_parameter_supported: null,
        claims_parameter_supported: false,
        acr_values_supported: ['goauthentik.io/providers/oauth2/default'],
        code_challenge_methods_supported: ['plain', 'S256'],
        token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
      },
    },
  },

  // Keycloak, as its guide for EspoCRM sets it up: only where it has what.
  keycloak: {
    issuerPath: '/realms/company',
    discoveryPath: '/realms/company/.well-known/openid-configuration',
    routes: {
      authorization: '/realms/company/protocol/openid-connect/auth',
      token: '/realms/company/protocol/openid-connect/token',
      userinfo: '/realms/company/protocol/openid-connect/userinfo',
      jwks: '/realms/company/protocol/openid-connect/certs',
      revocation: '/realms/company/protocol/openid-connect/revoke',
      introspection: '/realms/company/protocol/openid-connect/token/introspect',
      end_session: '/realms/company/protocol/openid-connect/logout',
    },
    claims: { openid: ['sub'], profile, email, groups: ['groups'] },
    options: {
      keys: ['RS256'],
      idToken: 'full',
      subject: 'uuid',
      authTime: true,
      emailVerified: true,
      audienceArray: false,
      issParameter: true,
      scopeParameter: false,
      endSession: true,
      strict: false,
      offlineConsent: false,
      strictSlash: false,
      badRequestOnly: true,
      discovery: {},
    },
  },
};
