<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Assertion;

/**
 * The Site URL of EspoCRM, taken apart. Immutable.
 */
final class SiteUrl
{
    private const DEFAULT_PORTS = ['http' => 80, 'https' => 443];

    private function __construct(
        private string $origin,
        private string $path,
    ) {}

    /**
     * @return ?self Null if it is not an absolute http or https URL.
     */
    public static function parse(string $url): ?self
    {
        $parts = parse_url(trim($url));

        if (!is_array($parts) || isset($parts['user']) || isset($parts['pass'])) {
            return null;
        }

        $scheme = strtolower($parts['scheme'] ?? '');
        $host = strtolower($parts['host'] ?? '');

        if (!isset(self::DEFAULT_PORTS[$scheme]) || $host === '') {
            return null;
        }

        $origin = $scheme . '://' . $host;
        $port = $parts['port'] ?? null;

        if ($port !== null && $port !== self::DEFAULT_PORTS[$scheme]) {
            $origin .= ':' . $port;
        }

        return new self($origin, rtrim($parts['path'] ?? '', '/'));
    }

    /**
     * Scheme, host and port, if it is not the default one.
     */
    public function getOrigin(): string
    {
        return $this->origin;
    }

    /**
     * Begins and ends with a slash.
     */
    public function getBasePath(): string
    {
        return $this->path . '/';
    }

    /**
     * Is it the origin of the site, or, where paths are allowed, the site itself?
     */
    public function isNamedBy(string $value, bool $withPath): bool
    {
        $other = self::parse($value);

        if (!$other || str_contains($value, '?') || str_contains($value, '#')) {
            return false;
        }

        if ($other->origin !== $this->origin) {
            return false;
        }

        return $other->path === '' || $withPath && $other->path === $this->path;
    }
}
