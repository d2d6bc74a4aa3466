// SPDX-License-Identifier: Apache-2.0
// The EspoCRM of t/espocrm/lab.sh, as its administrator.
import { direct, basic } from './http.mjs';

export async function api(method, path, data) {
  const answer = await direct(method, `/api/v1/${path}`, data,
    { Authorization: `Basic ${basic('admin', 'admin')}` });
  if (answer.status !== 200) {
    const why = answer.headers['x-status-reason'] ?? '';
    const text = answer.text.slice(0, 300);
    throw new Error(`EspoCRM: ${method} ${path}: ${answer.status} ${why} ${text}`);
  }
  return answer.json();
}

export const settings = (values) => api('PUT', 'Settings/1', values);

// Whether the release is an older one.
export async function isBefore(major, minor) {
  const { version } = await api('GET', 'Settings');
  const [is, point] = version.split('.').map(Number);
  return is < major || (is === major && point < minor);
}

// Settings for the time of one function.
export async function withSettings(values, before, run) {
  await settings(values);
  try {
    return await run();
  } finally {
    await settings(before);
  }
}

const where = (attribute, value) => 'where[0][type]=equals'
  + `&where[0][attribute]=${attribute}&where[0][value]=${encodeURIComponent(value)}`;

export async function findUser(userName) {
  const { list } = await api('GET', `User?${where('userName', userName)}`);
  return list.length ? api('GET', `User/${list[0].id}`) : undefined;
}

// The tokens of the user that are in force.
export async function activeTokens(userName) {
  const user = await findUser(userName);
  const { list } = await api('GET',
    `AuthToken?${where('userId', user.id)}&maxSize=200&orderBy=createdAt&order=desc`);
  return list.map(({ id, isActive }) => ({ id, isActive })).filter(({ isActive }) => isActive);
}

// Which token of the user a function has brought: its id.
export async function newToken(userName, act) {
  const known = await findUser(userName) ? await activeTokens(userName) : [];
  await act();
  return (await activeTokens(userName)).map(({ id }) => id)
    .find((id) => !known.some((token) => token.id === id));
}

// Without a role a user sees nothing, hence teams with one.
export async function prepare(origin, secret) {
  const all = { create: 'yes', read: 'all', edit: 'all', delete: 'no', stream: 'all' };
  const role = await api('POST', 'Role', {
    name: 'Everything',
    data: { Account: all, Lead: all, Document: all, Email: all, Calendar: true },
  });
  const teams = {};
  for (const [name, group] of [['Sales', 'sales'], ['Support', 'support']]) {
    teams[group] = await api('POST', 'Team', { name, rolesIds: [role.id] });
  }
  const entries = Object.entries(teams);
  await settings({
    siteUrl: origin,
    authenticationMethod: 'Oidc',
    oidcProxy: true,
    oidcProxySecret: secret,
    oidcProxyAutoSignIn: true,
    oidcFallback: true,
    oidcLogoutUrl: '/oidc/logout',
    oidcUsernameClaim: 'preferred_username',
    oidcCreateUser: true,
    oidcSync: true,
    // authentik's email_verified is false.
    oidcProxyUnverifiedEmail: true,
    oidcSyncTeams: true,
    oidcGroupClaim: 'groups',
    oidcAllowAdminUser: false,
    oidcTeamsIds: entries.map(([, team]) => team.id),
    oidcTeamsNames: Object.fromEntries(entries.map(([, team]) => [team.id, team.name])),
    oidcTeamsColumns: Object.fromEntries(entries.map(([group, team]) => [team.id, { group }])),
    // As of EspoCRM 9.2 a draft needs a sender, and a user has an address when he may send.
    outboundEmailFromAddress: 'crm@example.com',
    outboundEmailIsShared: true,
  });
  const account = await api('POST', 'Account', { name: `Deep Link ${Date.now()} Ltd` });
  return { teams, account, role };
}
