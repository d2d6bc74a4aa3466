// SPDX-License-Identifier: Apache-2.0
// The whole stage: EspoCRM prepared, both providers, nginx in front.
import { startBrowser, stopBrowser } from './browser.mjs';
import { results, secrets } from './environment.mjs';
import { prepare } from './espocrm.mjs';
import { PASSWORD, Provider } from './provider.mjs';
import * as site from './site.mjs';
import { startWebSocket } from './websocket.mjs';

const person = (name, given, family, groups = ['sales']) => [name, {
  password: PASSWORD,
  name: `${given} ${family}`,
  given_name: given,
  family_name: family,
  email: `${name}@example.com`,
  groups,
}];

// Fresh copies for each provider: tests change them.
const people = () => Object.fromEntries([
  person('anna', 'Anna', 'Åkesson'),
  person('berta', 'Berta', 'Bühler'),
  person('carl', 'Carl', 'Carlsson'),
  person('fritz', 'Fritz', 'Fischer'),
  person('greta', 'Greta', 'Green'),
  person('stranger', 'Nobody', 'Known'),
  person('idle', 'Ina', 'Inactive'),
  person('admin', 'The', 'Administrator'),
  person('customer', 'Carla', 'Customer'),
]);

let prepared;
const providers = {};

// The stand-in for EspoCRM's WebSocket server.
export let webSocket;

export async function start() {
  prepared = await prepare(site.origin, secrets.assertion);
  for (const persona of ['authelia', 'authentik']) {
    providers[persona] = await Provider.start(persona, site.origin, {
      redirect: '/oauth-callback.php', postLogout: '/signed-out', users: people(),
    });
  }
  webSocket = await startWebSocket(site.websocketPort);
  await startBrowser();
}

export async function stop() {
  await stopBrowser();
  await site.stop();
  await webSocket?.stop();
  site.keepLogs(results);
  await Promise.all(Object.values(providers).map((provider) => provider.stop()));
}

// The site with this provider; `options`: see site.mjs.
export async function useProvider(persona, options = {}) {
  const provider = providers[persona];
  await site.serve({ ...options, provider });
  return { origin: site.origin, provider, ...prepared };
}
