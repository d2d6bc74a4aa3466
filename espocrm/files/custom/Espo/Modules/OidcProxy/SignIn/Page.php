<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\SignIn;

use Espo\Core\Api\Response;
use Espo\Core\Utils\Language;
use Espo\Modules\OidcProxy\Assertion\SiteUrl;
use Espo\Modules\OidcProxy\Authentication\Identity;
use Espo\Modules\OidcProxy\Authentication\Params;

/**
 * The pages of the callback. They load nothing and run only their own script.
 */
final class Page
{
    private const STATUS_REFUSED = 403;
    private const STATUS_MAINTENANCE = 503;
    private const SCOPE = 'OidcProxy';

    private const JSON_FLAGS =
        JSON_HEX_TAG | JSON_HEX_AMP | JSON_HEX_APOS | JSON_HEX_QUOT | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR;

    /**
     * Leaves the browser as EspoCRM's own login does, see its app.js.
     */
    private const SIGNED_IN_SCRIPT = <<<'JS'
        var target = data.target;

        // See Mask.
        var unmask = function (text) {
            var bytes = (text.match(/../g) || []).map(function (pair) { return parseInt(pair, 16); });
            var length = bytes.length / 2;

            return String.fromCharCode.apply(null, bytes.slice(length).map(function (byte, index) {
                return byte ^ bytes[index];
            }));
        };

        if (localStorage.getItem('espo-user-lastUserId') !== data.userId) {
            Object.keys(localStorage)
                .filter(function (key) { return /^cache.*-app-(metadata|language)/.test(key); })
                .forEach(function (key) { localStorage.removeItem(key); });
        }

        localStorage.setItem('espo-user-auth', unmask(data.auth));
        localStorage.setItem('espo-user-lastUserId', data.userId);
        localStorage.removeItem('espo-user-anotherUser');
        localStorage.removeItem('oidc-proxy-logged-out');

        document.cookie = 'auth-token=' + unmask(data.token) + '; SameSite=Lax; path=/; expires=' +
            new Date(Date.now() + 1000 * 24 * 3600 * 1000).toUTCString() +
            (location.protocol === 'https:' ? '; Secure' : '');

        sessionStorage.removeItem('oidc-proxy-hold');
        sessionStorage.removeItem('oidc-proxy-ended');

        if (window.BroadcastChannel) {
            new BroadcastChannel('app').postMessage('logged-in');
        }

        if (target.indexOf('#') === -1 && location.hash !== '#logout') {
            target += location.hash;
        }

        if (data.closing) {
            // Where the provider has cut the tie to the page that opened the window, only its user can close it.
            document.querySelector('p').textContent = data.closing;
            window.close();

            return;
        }

        location.replace(target);
        JS;

    /**
     * Keeps the login page from signing in by itself again, in this tab, until somebody asks for it.
     */
    private const REFUSED_SCRIPT = <<<'JS'
        sessionStorage.setItem('oidc-proxy-hold', '1');

        var retry = document.getElementById('retry');

        if (location.hash && retry.search.indexOf('%23') === -1) {
            retry.search += encodeURIComponent(location.hash);
            retry.hash = location.hash;
        }
        JS;

    /**
     * The owner of a user binds it: the password goes to EspoCRM, together with the ticket that says who was refused.
     */
    private const BIND_SCRIPT = <<<'JS'
        var form = document.getElementById('bind');

        form.addEventListener('submit', function (event) {
            event.preventDefault();

            var note = document.getElementById('bind-note');
            var code = form.elements.code;
            var bytes = new TextEncoder().encode(data.userName + ':' + form.elements.password.value);
            var headers = {
                'Authorization': 'Basic ' + btoa(String.fromCharCode.apply(null, bytes)),
                'Content-Type': 'application/json',
                'X-Requested-With': 'XMLHttpRequest'
            };

            if (code.value) {
                headers['Espo-Authorization-Code'] = code.value;
            }

            form.elements.button.disabled = true;
            note.textContent = '';

            fetch(data.url, {method: 'POST', headers: headers, body: JSON.stringify({ticket: data.ticket})})
                .then(function (response) {
                    if (response.ok) {
                        location.replace(retry.href);

                        return;
                    }

                    form.elements.button.disabled = false;

                    if (response.headers.get('X-Status-Reason') === 'second-step-required') {
                        code.parentNode.hidden = false;
                        code.focus();

                        return;
                    }

                    note.textContent = response.status === 401 ? data.wrong : data.failed;
                })
                .catch(function () {
                    form.elements.button.disabled = false;
                    note.textContent = data.failed;
                });
        });
        JS;

    /**
     * What the pages of EspoCRM keep of the one who was here before.
     */
    private const ENDED_SCRIPT = <<<'JS'
        localStorage.removeItem('espo-user-auth');
        localStorage.removeItem('espo-user-anotherUser');

        if (window.BroadcastChannel) {
            new BroadcastChannel('app').postMessage('logged-out');
        }

        JS;

    private const STYLE = <<<'CSS'
        body { margin: 0; background: #f1f3f5; color: #27303a; font: 15px/1.5 system-ui, sans-serif; }
        main { max-width: 38em; margin: 8vh auto; padding: 1.5em 2em; background: #fff; border-radius: 6px;
            border: 1px solid #d9dee3; }
        h1 { margin: 0 0 .6em; font-size: 1.35em; }
        #who { overflow-wrap: anywhere; }
        .hint { margin: 1.4em 0; padding: .8em 1em; background: #f6f8fa; border-left: 3px solid #8a97a6; }
        .hint h2 { margin: 0 0 .3em; font-size: 1em; }
        .hint p { margin: 0; }
        code { font-size: .93em; overflow-wrap: anywhere; }
        dt { font-weight: 600; }
        dd { margin: 0 0 .4em; overflow-wrap: anywhere; }
        label { display: block; margin: .6em 0; }
        label[hidden] { display: none; }
        input, button { font: inherit; padding: .25em .5em; }
        .links a { display: inline-block; margin-right: 1.4em; color: #2a5d94; }
        @media (prefers-color-scheme: dark) {
            body { background: #1d2126; color: #d7dce2; }
            main { background: #262b31; border-color: #3a424b; }
            .hint { background: #20252a; }
            .links a { color: #8db9ea; }
        }
        CSS;

    public function __construct(
        private Params $params,
        private Language $language,
    ) {}

    /**
     * @param bool $closes Whether a page that is still open waits for this window to be closed, see page/session.js.
     */
    public function writeSignedIn(Response $response, Session $session, string $target, bool $closes): void
    {
        $data = [
            'auth' => Mask::put(base64_encode($session->getUserName() . ':' . $session->getToken())),
            'token' => Mask::put($session->getToken()),
            'userId' => $session->getUserId(),
            'target' => $target,
            'closing' => $closes ? $this->translate('closing') : '',
        ];

        $title = $this->text('signingIn');
        $noScript = $this->text('noScript');

        $this->write($response, $title, "<p>$title</p><noscript><p>$noScript</p></noscript>",
            self::SIGNED_IN_SCRIPT, $data);
    }

    /**
     * @param bool $ended Whether the browser's token of another session has been ended.
     * @param ?Visitor $visitor Who has been refused, as far as the proxy has said it.
     * @param ?Refused $refused Null if the assertion itself is refused: then nobody knows who it is about.
     * @param ?string $session The session of the proxy that is refused.
     */
    public function writeRefused(
        Response $response,
        string $reason,
        string $target,
        bool $ended,
        ?Visitor $visitor = null,
        ?Refused $refused = null,
        ?string $session = null
    ): void {

        $response->setStatus($reason === Reason::Maintenance->value ? self::STATUS_MAINTENANCE : self::STATUS_REFUSED);

        $title = $this->text('title');
        $values = $refused?->getValues() ?? [];
        $data = $this->getBindData($refused, $session);

        $body =
            "<h1>$title</h1>" .
            "<p>{$this->text("$reason-user", 'user', $values)}</p>" .
            $this->composeVisitor($visitor) .
            ($data ? $this->composeForm($data) : '') .
            "<div class=\"hint\"><h2>{$this->text('forAdmin')}</h2>" .
            "<p>{$this->text("$reason-admin", 'admin', $values)}</p>" .
            $this->composeIdentity($refused?->getIdentity()) . "</div>" .
            "<p>{$this->text('reason')} <code>" . self::escape($reason) . "</code></p>" .
            "<p class=\"links\">" . $this->composeLinks($target) . "</p>";

        $script = ($ended ? self::ENDED_SCRIPT : '') . self::REFUSED_SCRIPT . ($data ? "\n" . self::BIND_SCRIPT : '');

        $this->write($response, $title, $body, $script, $data);
    }

    /**
     * People have several accounts, and share computers.
     */
    private function composeVisitor(?Visitor $visitor): string
    {
        if (!$visitor) {
            return '';
        }

        $text = $this->text('who', '', ['userName' => $visitor->getName(), 'issuer' => $visitor->getIssuer()]);

        return "<p id=\"who\">$text</p>";
    }

    /**
     * What an administrator has to enter to let this person in.
     */
    private function composeIdentity(?Identity $identity): string
    {
        if (!$identity) {
            return '';
        }

        return
            "<dl><dt>{$this->text('issuer')}</dt><dd><code>" . self::escape($identity->getIssuer()) . "</code></dd>" .
            "<dt>{$this->text('subject')}</dt><dd><code>" . self::escape($identity->getSubject()) . "</code></dd></dl>";
    }

    /**
     * @return array<string, string> For the form that binds a user. Empty if there is none to be bound.
     */
    private function getBindData(?Refused $refused, ?string $session): array
    {
        $account = $refused?->getClaimed();
        $identity = $refused?->getIdentity();

        $secret = $this->params->getOwnSecret();

        if (!$account || !$identity || $session === null || $secret === null || !$this->params->hasPassword($account)) {
            return [];
        }

        return [
            'url' => $this->getBasePath() . 'api/v1/OidcProxy/bind',
            'userName' => $account->getUserName(),
            'ticket' => BindTicket::make($secret, $account->getId(), $identity, $session, time()),
            'wrong' => $this->translate('bindWrong'),
            'failed' => $this->translate('bindFailed'),
        ];
    }

    /**
     * @param array<string, string> $data
     */
    private function composeForm(array $data): string
    {
        return
            "<form id=\"bind\"><p>{$this->text('bind', '', ['userName' => $data['userName']])}</p>" .
            "<label>{$this->text('bindPassword')}<br>" .
            "<input name=\"password\" type=\"password\" autocomplete=\"current-password\" required></label>" .
            "<label hidden>{$this->text('bindCode')}<br>" .
            "<input name=\"code\" inputmode=\"numeric\" autocomplete=\"one-time-code\"></label>" .
            "<button name=\"button\">{$this->text('bindButton')}</button> " .
            "<span id=\"bind-note\" role=\"alert\"></span></form>";
    }

    private function getBasePath(): string
    {
        return SiteUrl::parse($this->params->getSiteUrl())?->getBasePath() ?? '/';
    }

    private function composeLinks(string $target): string
    {
        $basePath = $this->getBasePath();

        $list = [
            self::composeLink(
                // The fragment stands beside it as well: the proxy keeps that one, if it has to sign in first.
                $basePath . 'oauth-callback.php?return_to=' . rawurlencode($target) . strstr($target, '#'),
                $this->text('retry'),
                'retry'
            ),
        ];

        if ($this->params->hasFallback()) {
            $list[] = self::composeLink($basePath . '?signIn=password', $this->text('password'));
        }

        $logoutUrl = $this->params->getLogoutUrl();

        if ($logoutUrl && preg_match('~^(https?://[^{}\s]+|/[^/\\\\{}\s][^{}\s]*)$~', $logoutUrl)) {
            $list[] = self::composeLink($logoutUrl, $this->text('signOut'));
        }

        return implode(' ', $list);
    }

    private static function composeLink(string $url, string $label, ?string $id = null): string
    {
        $idPart = $id ? " id=\"$id\"" : '';

        return "<a href=\"" . self::escape($url) . "\"$idPart>$label</a>";
    }

    /**
     * @param array<string, string> $data
     */
    private function write(Response $response, string $title, string $body, string $script, array $data = []): void
    {
        $nonce = base64_encode(random_bytes(16));
        $json = json_encode((object) $data, self::JSON_FLAGS);
        $language = self::escape(str_replace('_', '-', $this->language->getLanguage()));
        $style = self::STYLE;

        // No compression, neither here nor on the way: links bring text into this page, see Mask.
        ini_set('zlib.output_compression', '0');

        $response
            ->setHeader('Content-Type', 'text/html; charset=utf-8')
            ->setHeader('Cache-Control', 'no-store, no-transform')
            ->setHeader('Referrer-Policy', 'no-referrer')
            ->setHeader('X-Content-Type-Options', 'nosniff')
            ->setHeader('Content-Security-Policy',
                "default-src 'none'; script-src 'nonce-$nonce'; style-src 'nonce-$nonce'; " .
                (isset($data['ticket']) ? "connect-src 'self'; " : '') .
                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
            ->writeBody(<<<HTML
                <!DOCTYPE html>
                <html lang="$language">
                <head>
                <meta charset="utf-8">
                <meta name="viewport" content="width=device-width, initial-scale=1">
                <meta name="robots" content="noindex">
                <title>$title</title>
                <style nonce="$nonce">
                $style
                </style>
                </head>
                <body>
                <main>$body</main>
                <script nonce="$nonce">
                (function (data) {
                $script
                })($json);
                </script>
                </body>
                </html>

                HTML);
    }

    /**
     * @param string $category A fallback, for reasons without a text of their own.
     * @param array<string, string> $values What the text names in braces.
     */
    private function text(string $name, string $category = '', array $values = []): string
    {
        $text = $this->translate($name);

        if ($text === $name && $category !== '') {
            $text = $this->translate("default-$category");
        }

        // All at once: a value may look like the name of another one.
        $names = array_map(fn ($name) => '{' . $name . '}', array_keys($values));

        return self::escape(strtr($text, array_combine($names, $values)));
    }

    private function translate(string $name): string
    {
        return $this->language->translateLabel($name, 'messages', self::SCOPE);
    }

    private static function escape(string $text): string
    {
        return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE | ENT_HTML5, 'UTF-8');
    }
}
