<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\SignIn;

/**
 * Where the browser goes after sign-in: a path of this origin, nothing else.
 */
final class ReturnTarget
{
    private const MAX_LENGTH = 8192;
    private const MAX_WRAPS = 4;
    private const LOGOUT_ROUTE = '#logout';
    private const CALLBACK_PATTERN = '~/(oauth-callback\.php|oauth/callback)(/|$)~i';

    /**
     * @param string $basePath The path of the site, with a slash at both ends.
     * @param ?string $logoutUrl Never a target: a link to the callback must not sign anybody out.
     */
    public function __construct(
        private string $basePath,
        private ?string $logoutUrl = null,
    ) {}

    /**
     * @param ?string $fromProxy X-Oidc-Return-To.
     * @param ?string $fromQuery The argument `return_to`.
     */
    public function choose(?string $fromProxy, ?string $fromQuery): string
    {
        foreach ([$fromProxy, $fromQuery] as $candidate) {
            $target = $this->unwrap($candidate ?? '');

            if ($target !== null) {
                return $target;
            }
        }

        return $this->basePath;
    }

    /**
     * The login page with the password form, as its link and the client-side handler know it.
     */
    public static function asksForPassword(string $target): bool
    {
        [, $query] = self::split($target);

        return ($query['signIn'] ?? null) === 'password';
    }

    /**
     * No page at all: the window was opened by one that stays, see page/session.js.
     */
    public static function closesWindow(string $target): bool
    {
        [, $query] = self::split($target);

        return ($query['oidcProxyWindow'] ?? null) === 'close';
    }

    /**
     * A session that ends under an open page leads to a target that is the callback itself,
     * with the page as its `return_to`.
     */
    private function unwrap(string $target): ?string
    {
        for ($i = 0; $i < self::MAX_WRAPS; $i++) {
            if (!self::isSafe($target)) {
                return null;
            }

            [$path, $query, $fragment] = self::split($target);

            if (!self::isCallback($path, $query)) {
                return $this->isLogout($path, $fragment) ? null : $target;
            }

            $inner = $query['return_to'] ?? null;

            if (!is_string($inner)) {
                return null;
            }

            // The fragment of the address bar belongs to the page that is wrapped.
            $target = str_contains($inner, '#') ? $inner : $inner . $fragment;
        }

        return null;
    }

    private static function isSafe(string $target): bool
    {
        return
            strlen($target) <= self::MAX_LENGTH &&
            str_starts_with($target, '/') &&
            !str_starts_with($target, '//') &&
            !preg_match('/[\x00-\x20\x7f\\\\]/', $target) &&
            mb_check_encoding($target, 'UTF-8');
    }

    /**
     * @return array{string, array<int|string, mixed>, string}
     */
    private static function split(string $target): array
    {
        [$rest, $fragment] = explode('#', $target, 2) + [1 => null];
        [$path, $rawQuery] = explode('?', $rest, 2) + [1 => ''];

        parse_str($rawQuery, $query);

        return [$path, $query, $fragment === null ? '' : '#' . $fragment];
    }

    /**
     * @param array<int|string, mixed> $query
     */
    private static function isCallback(string $path, array $query): bool
    {
        $entryPoint = $query['entryPoint'] ?? null;

        return
            preg_match(self::CALLBACK_PATTERN, self::normalize($path)) ||
            is_string($entryPoint) && strcasecmp($entryPoint, 'oauthCallback') === 0;
    }

    private function isLogout(string $path, string $fragment): bool
    {
        if ($fragment === self::LOGOUT_ROUTE) {
            return true;
        }

        $logoutPath = parse_url($this->logoutUrl ?? '', PHP_URL_PATH);

        if (!is_string($logoutPath) || trim($logoutPath, '/') === '') {
            return false;
        }

        return strcasecmp(
            rtrim(self::normalize($path), '/'),
            rtrim(self::normalize($logoutPath), '/')
        ) === 0;
    }

    /**
     * As a server reads it: decoded, without double slashes and dot segments.
     */
    private static function normalize(string $path): string
    {
        $list = [];

        foreach (explode('/', rawurldecode($path)) as $segment) {
            if ($segment === '..') {
                array_pop($list);
            } elseif ($segment !== '' && $segment !== '.') {
                $list[] = $segment;
            }
        }

        return '/' . implode('/', $list);
    }
}
