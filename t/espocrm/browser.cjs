// The extension in Chromium, with proxy.py in front of the EspoCRM of lab.sh (extension installed).
// NODE_PATH=<where playwright-core is> SITE=http://127.0.0.1:8392 BACKEND=http://127.0.0.1:8391
// PROXY_USER_FILE=... PROXY_SECRET=... [SHOTS=dir] node browser.cjs
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const {chromium} = require('playwright-core');

const {SITE, BACKEND, PROXY_USER_FILE, PROXY_SECRET, SHOTS} = process.env;
const SIGNED_IN = '#navbar .navbar, #navbar .nav';

let browser;
let accountId;

const as = user => fs.writeFileSync(PROXY_USER_FILE, user);

async function api(method, path, data) {
    const response = await fetch(`${BACKEND}/api/v1/${path}`, {
        method: method,
        headers: {
            'Authorization': 'Basic ' + Buffer.from('admin:admin').toString('base64'),
            'Content-Type': 'application/json',
        },
        body: JSON.stringify(data),
    });
    const text = await response.text();
    assert.equal(response.status, 200, `${method} ${path} ${text}`);
    return JSON.parse(text);
}

const settings = values => api('PUT', 'Settings/1', values);

// Without a role a user sees nothing, hence a team with one.
async function prepare() {
    const all = {create: 'yes', read: 'all', edit: 'all', delete: 'no', stream: 'all'};
    const role = await api('POST', 'Role', {name: 'Tests', data: {Account: all, Lead: all, Calendar: true}});
    const team = await api('POST', 'Team', {name: 'Tests', rolesIds: [role.id]});
    await settings({
        oidcTeamsIds: [team.id], oidcTeamsNames: {[team.id]: 'Tests'},
        oidcTeamsColumns: {[team.id]: {group: 'sales'}}, oidcSyncTeams: true,
    });
    return (await api('POST', 'Account', {name: 'Deep Link ' + Date.now()})).id;
}

async function shot(page, name) {
    if (SHOTS) {
        await page.screenshot({path: `${SHOTS}/${name}.png`, fullPage: true});
    }
}

const signedIn = page => page.waitForSelector(SIGNED_IN, {state: 'attached', timeout: 30000});

const callbacks = page => {
    const list = [];
    page.on('request', r => r.url().includes('oauth-callback.php') && list.push(r.url()));
    return list;
};

const tests = {
    async 'deep link arrives at the record without a click'(page) {
        as('alice');
        await page.goto(`${SITE}/#Account/view/${accountId}`);
        await signedIn(page);
        assert.equal(page.url(), `${SITE}/#Account/view/${accountId}`);
        await page.waitForSelector('text=Deep Link');
        await page.goto(`${SITE}/#Calendar`);
        await page.reload();
        await signedIn(page);
        assert.equal(new URL(page.url()).hash, '#Calendar');
    },

    async 'second tab, and a sign-in of the same user that breaks no tab'(page, context) {
        as('alice');
        await page.goto(`${SITE}/#Account`);
        await signedIn(page);
        const token = (await context.cookies()).find(c => c.name === 'auth-token').value;
        const other = await context.newPage();
        await other.goto(`${SITE}/oauth-callback.php?return_to=${encodeURIComponent('/#Lead')}`);
        await signedIn(other);
        assert.equal(other.url(), `${SITE}/#Lead`);
        assert.equal((await context.cookies()).find(c => c.name === 'auth-token').value, token);
        await page.reload();
        await signedIn(page);
        assert.equal(page.url(), `${SITE}/#Account`);
    },

    async 'fragment of the address bar survives'(page) {
        as('alice');
        await page.goto(`${SITE}/oauth-callback.php#Calendar`);
        await signedIn(page);
        assert.equal(new URL(page.url()).hash, '#Calendar');
    },

    async 'token that ended leads back to the same route'(page, context) {
        as('alice');
        await page.goto(`${SITE}/#Account`);
        await signedIn(page);
        await page.evaluate(() => sessionStorage.removeItem('oidc-proxy-attempts'));
        await context.clearCookies();
        await page.goto(`${SITE}/#Lead`);
        await page.waitForRequest(r => r.url().includes('oauth-callback.php'), {timeout: 30000});
        await signedIn(page);
        assert.equal(new URL(page.url()).hash, '#Lead');
    },

    async 'log out goes to the proxy'(page) {
        as('alice');
        await page.goto(`${SITE}/#Account`);
        await signedIn(page);
        await page.click('#nav-menu-dropdown');
        await page.click('text="Log Out"');
        await page.waitForSelector('#signed-out');
        assert.equal(page.url(), `${SITE}/oidc/logout`);
        assert.equal(await page.evaluate(() => localStorage.getItem('espo-user-auth')), null);
    },

    async 'no assertion: error page, then a login page that stays'(page) {
        as('');
        const list = callbacks(page);
        await page.goto(`${SITE}/#Account`);
        await page.waitForSelector('.hint');
        assert.match(await page.textContent('main'), /without an assertion/);
        await shot(page, 'error-missing');
        assert.equal(new URL(await page.getAttribute('#retry', 'href'), SITE).searchParams.get('return_to'), '/#Account');
        await page.goto(`${SITE}/`);
        await page.waitForSelector('#sign-in');
        await page.waitForTimeout(1500);
        assert.equal(list.length, 1);
        await shot(page, 'login-page');
        as('alice');
        await page.click('#sign-in');
        await signedIn(page);
    },

    async 'error page leads to the password form, which works'(page) {
        as('');
        await page.goto(`${SITE}/`);
        await page.waitForSelector('.hint');
        await page.click('text=Sign in with a password');
        await page.waitForSelector('#field-userName', {state: 'visible'});
        await shot(page, 'password-form');
        await page.fill('#field-userName', 'admin');
        await page.fill('#field-password', 'admin');
        await page.click('#btn-login');
        await signedIn(page);
    },

    async 'a sign-in that does not help is not repeated for ever'(page) {
        as('alice');
        const list = callbacks(page);
        // The callback succeeds, but the API never takes the token.
        await page.route('**/api/v1/App/user**', route => route.fulfill({status: 401, body: ''}));
        await page.goto(`${SITE}/`);
        await page.waitForSelector('#sign-in', {timeout: 30000});
        await page.waitForTimeout(4000);
        assert.ok(list.length <= 1, `${list.length} callbacks`);
    },

    async 'wrong secret: page says what to check, and the button tries again'(page) {
        await settings({oidcProxySecret: 'x'.repeat(40)});
        try {
            as('alice');
            await page.goto(`${SITE}/`);
            await page.waitForSelector('.hint');
            assert.match(await page.textContent('.hint'), /Proxy Secret/);
            await shot(page, 'error-signature');
        } finally {
            await settings({oidcProxySecret: PROXY_SECRET});
        }
        await page.click('#retry');
        await signedIn(page);
    },

    async 'automatic sign-in off: a button'(page) {
        as('alice');
        await settings({oidcProxyAutoSignIn: false});
        try {
            const list = callbacks(page);
            await page.goto(`${SITE}/#Account`);
            await page.waitForSelector('#sign-in');
            await page.waitForTimeout(1000);
            assert.equal(list.length, 0);
            await page.click('#sign-in');
            await signedIn(page);
            assert.equal(page.url(), `${SITE}/#Account`);
        } finally {
            await settings({oidcProxyAutoSignIn: true});
        }
    },

    async 'settings panel'(page) {
        as('');
        await page.setViewportSize({width: 1200, height: 1400});
        await page.goto(`${SITE}/?signIn=password`);
        await page.waitForSelector('#field-userName', {state: 'visible'});
        await page.fill('#field-userName', 'admin');
        await page.fill('#field-password', 'admin');
        await page.click('#btn-login');
        await signedIn(page);
        await page.goto(`${SITE}/#Admin/authentication`);
        await page.waitForSelector('.cell[data-name="authenticationMethod"]');
        await page.click('text="OIDC" >> nth=0').catch(() => {});
        await page.waitForSelector('.cell[data-name="oidcProxy"]', {state: 'visible'});
        await page.waitForTimeout(800);
        await shot(page, 'settings');
        for (const [name, visible] of Object.entries({
            oidcProxyAutoSignIn: true, oidcProxySecret: true, oidcFallback: true, oidcUsernameClaim: true,
            oidcClientId: false, oidcTokenEndpoint: false, oidcScopes: false,
        })) {
            assert.equal(await page.isVisible(`.cell[data-name="${name}"] .field`), visible, name);
        }
        await page.fill('.field[data-name="oidcLogoutUrl"] input', '/oidc/logout/');
        const [response] = await Promise.all([
            page.waitForResponse(r => r.request().method() === 'PUT'),
            page.click('[data-action="save"]'),
        ]);
        assert.equal(response.status(), 200);
        await settings({oidcLogoutUrl: '/oidc/logout'});
    },
};

(async () => {
    browser = await chromium.launch({executablePath: '/usr/bin/chromium', args: ['--no-sandbox']});
    accountId = await prepare();
    let failed = 0;
    for (const [name, run] of Object.entries(tests)) {
        if (process.argv[2] && !name.includes(process.argv[2])) {
            continue;
        }
        const context = await browser.newContext({viewport: {width: 1100, height: 800}});
        const page = await context.newPage();
        try {
            await run(page, context);
            console.log('ok   ', name);
        } catch (e) {
            failed++;
            console.log('FAIL ', name, '\n', e.stack, '\n at', page.url());
            await shot(page, 'failed-' + failed);
        }
        await context.close();
    }
    await browser.close();
    process.exit(failed ? 1 : 0);
})();
