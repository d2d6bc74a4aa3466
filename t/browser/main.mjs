// SPDX-License-Identifier: Apache-2.0
// The suite: node t/browser/main.mjs, started by ./build.sh browser.
import { after, before } from 'node:test';

import {
  identityCases, identityEverywhereCase, popupCases, webSocketCases,
} from './cases/doors.mjs';
import { endCases } from './cases/ends.mjs';
import { logoutCases } from './cases/logout.mjs';
import { checkVhostCases } from './cases/vhost.mjs';
import { outsiderCases, plainHttpCase } from './cases/outsiders.mjs';
import { peopleCases } from './cases/people.mjs';
import { refusalCases } from './cases/refusals.mjs';
import { sessionCases } from './cases/sessions.mjs';
import { signInCases } from './cases/sign_in.mjs';
import { tabCases } from './cases/tabs.mjs';
import { start, stop } from './stage.mjs';

before(start);
after(stop);

signInCases('authelia', 'anna');
signInCases('authentik', 'berta');
sessionCases();
tabCases();
endCases();
logoutCases();
peopleCases();
refusalCases();
popupCases();
webSocketCases();
for (const variant of ['fpm', 'proxy']) {
  outsiderCases(variant);
  identityCases(variant);
  checkVhostCases(variant);
}
plainHttpCase();
identityEverywhereCase();
