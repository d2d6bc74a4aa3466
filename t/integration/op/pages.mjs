// SPDX-License-Identifier: Apache-2.0
// What a person sees of the provider: sign-in, sign-out, signed out. No external resources.
const escape = (text) => String(text).replace(
  /[&<>"']/g,
  (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[char],
);

const page = (title, body) => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.5 system-ui, sans-serif; background: #eef1f5; color: #1d2733; margin: 0;
  min-height: 100vh; display: grid; place-items: center }
main { background: #fff; padding: 2rem; border-radius: 12px; width: 20rem;
  box-shadow: 0 4px 24px rgba(20, 40, 80, .12) }
h1 { font-size: 1.25rem; margin: 0 0 1rem }
label { display: block; margin: .75rem 0 0; font-size: .9rem }
input { width: 100%; box-sizing: border-box; font: inherit; padding: .5rem; margin-top: .25rem;
  border: 1px solid #b8c2cf; border-radius: 6px }
button { font: inherit; margin: 1rem .5rem 0 0; padding: .5rem 1.1rem; border: 0;
  border-radius: 6px; background: #2257bf; color: #fff; cursor: pointer }
button.quiet { background: #e3e8ef; color: #1d2733 }
.wrong { color: #a3182b }
</style></head><body><main>${body}</main></body></html>
`;

const loginPage = (client, wrong) => page('Sign in', `<h1>Sign in to ${escape(client)}</h1>
${wrong ? '<p class="wrong">User name or password is wrong.</p>' : ''}
<form method="post">
<label>User name <input name="username" autocomplete="username" autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password">
</label>
<button>Sign in</button><button class="quiet" name="cancel" value="yes">Cancel</button>
</form>`);

async function readForm(req) {
  let text = '';
  for await (const chunk of req) {
    text += chunk;
    if (text.length > 65536) throw new Error('form too large');
  }
  return new URLSearchParams(text);
}

function html(res, status, body) {
  res.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
  });
  res.end(body);
}

// GET shows the form, POST with username and password finishes the sign-in, POST with cancel
// refuses it (access_denied).
export async function handleLogin(provider, settings, req, res) {
  const { prompt, params } = await provider.interactionDetails(req, res);
  if (prompt.name === 'consent') {
    await provider.interactionFinished(req, res, { consent: {} }, {
      mergeWithLastSubmission: true,
    });
    return;
  }
  if (req.method !== 'POST') {
    html(res, 200, loginPage(params.client_id, false));
    return;
  }
  const form = await readForm(req);
  if (form.has('cancel')) {
    await provider.interactionFinished(req, res, {
      error: 'access_denied',
      error_description: 'the sign-in was cancelled',
    }, { mergeWithLastSubmission: false });
    return;
  }
  const name = form.get('username') ?? '';
  const user = Object.hasOwn(settings.users, name) ? settings.users[name] : undefined;
  if (!user || user.password !== form.get('password')) {
    html(res, 401, loginPage(params.client_id, true));
    return;
  }
  const accountId = settings.options.subject === 'uuid' ? user.id : name;
  await provider.interactionFinished(req, res, { login: { accountId, amr: ['pwd'] } }, {
    mergeWithLastSubmission: false,
  });
}

// The library's form carries its own anti-forgery value; it is sent without a question.
export function logoutPage(ctx, form) {
  ctx.body = page('Sign out', `<h1>Signing out</h1>${form}
<button form="op.logoutForm" name="logout" value="yes">Sign out</button>
<script>
const form = document.forms[0];
form.insertAdjacentHTML('beforeend', '<input type="hidden" name="logout" value="yes">');
form.submit();
</script>`);
}

export function signedOutPage(ctx) {
  ctx.body = page('Signed out', '<h1>You are signed out</h1><p>This window can be closed.</p>');
}

// For errors that cannot go back to the client.
export function errorPage(ctx, out) {
  const text = [out.error, out.error_description].filter(Boolean).map(escape).join(': ');
  ctx.type = 'html';
  ctx.body = page('Error', `<h1>This does not work</h1><p>${text}</p>`);
}
