<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Diagnosis;

use Espo\Modules\OidcProxy\Assertion\Reason;
use Espo\Modules\OidcProxy\Assertion\SharedSecret;
use Espo\Modules\OidcProxy\Assertion\SiteUrl;

/**
 * Finds out what keeps the proxy from signing users in, and what somebody should know who can change it.
 */
final class Examination
{
    /** Seconds. The assertion may be off by ten. */
    private const CLOCK_TOLERANCE = 10;
    private const AGE_TOLERANCE = 5;
    /** Bytes. Apache takes a line of 8,190 with its name, the proxy makes none of more than 8,000 unless told otherwise. */
    private const LARGE = 6000;

    private const SCHEME_SECURE = 'https://';

    /**
     * @return list<Check> The worst first.
     */
    public static function run(Facts $facts): array
    {
        $site = SiteUrl::parse($facts->siteUrl);
        $browser = SiteUrl::parse(self::withoutTail($facts->browserUrl));

        $list = array_values(array_filter([
            self::checkSwitch($facts),
            self::checkSiteUrl($facts, $site, $browser),
            self::checkScheme($facts, $browser),
            self::checkKey($facts),
            self::checkSession($facts),
            self::checkTokens($facts),
            self::checkAssertion($facts),
            self::checkUsername($facts),
            self::checkIssuer($facts),
            self::checkTakeOver($facts),
            self::checkSize($facts),
            self::checkClock($facts),
            self::checkAge($facts),
            self::checkLogout($facts, $site),
            self::checkFallback($facts),
            self::checkAddress($facts, $browser),
            self::checkStorage($facts),
        ]));

        $rank = fn (Check $check): int => (int) array_search($check->state, State::cases(), true);

        usort($list, fn ($a, $b) => $rank($a) <=> $rank($b));

        return $list;
    }

    private static function checkSwitch(Facts $facts): Check
    {
        return match (true) {
            !$facts->isMethodOidc => new Check(State::Warning, 'method'),
            !$facts->isSwitchedOn => new Check(State::Warning, 'switchOff'),
            default => new Check(State::Ok, 'switchOn'),
        };
    }

    private static function checkSiteUrl(Facts $facts, ?SiteUrl $site, ?SiteUrl $browser): ?Check
    {
        $values = ['siteUrl' => $facts->siteUrl, 'browserUrl' => $browser ? $browser->getOrigin() : ''];

        return match (true) {
            !$site => new Check(State::Error, 'siteUrlInvalid', $values),
            !$browser => null,
            $site->getOrigin() !== $browser->getOrigin() => new Check(State::Error, 'siteUrlDiffers', $values),
            default => new Check(State::Ok, 'siteUrlFits', $values),
        };
    }

    private static function checkScheme(Facts $facts, ?SiteUrl $browser): ?Check
    {
        return match (true) {
            !$browser => null,
            !str_starts_with($browser->getOrigin(), self::SCHEME_SECURE) => new Check(State::Warning, 'notSecure'),
            !$facts->isSecureAtServer => new Check(State::Warning, 'notSecureAtServer'),
            default => new Check(State::Ok, 'secure'),
        };
    }

    private static function checkKey(Facts $facts): Check
    {
        if ($facts->keyAlgorithms !== null) {
            return $facts->keyAlgorithms ?
                new Check(State::Ok, 'keys', [
                    'count' => (string) count($facts->keyAlgorithms),
                    'algorithms' => implode(', ', array_unique($facts->keyAlgorithms)),
                ]) :
                new Check(State::Error, 'keysUnreadable');
        }

        return match ($facts->secretState) {
            'none' => new Check(State::Error, 'secretNone'),
            'short' => new Check(State::Error, 'secretShort', ['length' => (string) SharedSecret::MIN_LENGTH]),
            default => new Check(State::Ok, 'secret'),
        };
    }

    private static function checkSession(Facts $facts): Check
    {
        return $facts->hasSession ? new Check(State::Ok, 'session') : new Check(State::Error, 'sessionNone');
    }

    /**
     * A token that is no record of EspoCRM's has no place for the sessions that it belongs to.
     */
    private static function checkTokens(Facts $facts): ?Check
    {
        return $facts->keepsTokens ? null : new Check(State::Warning, 'tokensElsewhere');
    }

    private static function checkAssertion(Facts $facts): ?Check
    {
        $probe = $facts->probe;

        if (!$probe) {
            return null;
        }

        if ($probe->status === 401) {
            return new Check(State::Error, 'assertionUnauthorized');
        }

        if (!$probe->isAnswer) {
            return new Check(State::Error, 'assertionUnreachable', ['status' => (string) $probe->status]);
        }

        if ($probe->reason !== null) {
            $name = Reason::tryFrom($probe->reason)?->value ?? 'default';

            // The text of the page that a user would see.
            return new Check(State::Error, "$name-admin", [], 'messages', $probe->detail);
        }

        return new Check(State::Ok, 'assertion',
            ['userName' => $probe->name ?? '?', 'issuer' => $probe->issuer ?? '?']);
    }

    private static function checkUsername(Facts $facts): ?Check
    {
        $claim = $facts->usernameClaim ?? '';
        $probe = $facts->probe;

        return match (true) {
            $probe?->name !== null && !$probe->hasUsername => new Check(State::Error, 'usernameMissing', ['claim' => $claim]),
            $claim === 'sub' => new Check(State::Warning, 'usernameSub'),
            $probe?->name !== null => new Check(State::Ok, 'username', ['claim' => $claim]),
            default => null,
        };
    }

    private static function checkIssuer(Facts $facts): ?Check
    {
        $pinned = $facts->pinnedIssuer;
        $issuer = $facts->probe?->issuer;
        $values = ['pinned' => $pinned ?? '', 'issuer' => $issuer ?? ''];

        return match (true) {
            $pinned === null => new Check(State::Warning, $issuer === null ? 'issuerAny' : 'issuerAnyKnown', $values),
            $issuer !== null && $issuer !== $pinned => new Check(State::Error, 'issuerOther', $values),
            default => new Check(State::Ok, 'issuer', $values),
        };
    }

    /**
     * After an upgrade it is so, and nobody is reminded to change it.
     */
    private static function checkTakeOver(Facts $facts): ?Check
    {
        return $facts->takesOverByName ? new Check(State::Warning, 'takeOverName') : null;
    }

    private static function checkSize(Facts $facts): ?Check
    {
        $length = $facts->probe?->length ?? 0;

        if ($length === 0) {
            return null;
        }

        return new Check(
            $length > self::LARGE ? State::Warning : State::Ok,
            $length > self::LARGE ? 'sizeLarge' : 'size',
            ['length' => (string) $length]
        );
    }

    private static function checkClock(Facts $facts): ?Check
    {
        if ($facts->clockDifference === null) {
            return null;
        }

        $seconds = abs($facts->clockDifference);

        return new Check(
            $seconds > self::CLOCK_TOLERANCE ? State::Warning : State::Ok,
            $seconds > self::CLOCK_TOLERANCE ? 'clockDiffers' : 'clock',
            ['seconds' => (string) $seconds]
        );
    }

    private static function checkAge(Facts $facts): ?Check
    {
        $age = $facts->probe?->age;

        if ($age === null) {
            return null;
        }

        return new Check(
            abs($age) > self::AGE_TOLERANCE ? State::Warning : State::Ok,
            abs($age) > self::AGE_TOLERANCE ? 'proxyClockDiffers' : 'proxyClock',
            ['seconds' => (string) abs($age)]
        );
    }

    private static function checkLogout(Facts $facts, ?SiteUrl $site): Check
    {
        $url = $facts->logoutUrl;

        if ($url === null) {
            return new Check($facts->signsInAutomatically ? State::Error : State::Warning, 'logoutNone');
        }

        $isOfSite =
            str_starts_with($url, '/') && !str_starts_with($url, '//') ||
            $site && SiteUrl::parse(self::withoutTail($url))?->getOrigin() === $site->getOrigin();

        return $isOfSite ?
            new Check(State::Ok, 'logout', ['url' => $url]) :
            new Check(State::Warning, 'logoutElsewhere', ['url' => $url]);
    }

    private static function checkFallback(Facts $facts): Check
    {
        return $facts->hasFallback ? new Check(State::Ok, 'fallback') : new Check(State::Error, 'fallbackOff');
    }

    /**
     * The proxy's own address instead of the user's: a limit of failed logins would then hold for all together.
     */
    private static function checkAddress(Facts $facts, ?SiteUrl $browser): ?Check
    {
        if ($facts->address === '') {
            return null;
        }

        $values = ['address' => $facts->address];

        $isOther = $facts->statedAddress !== null && $facts->statedAddress !== $facts->address;
        $isNobodys = self::isLoopback($facts->address) && $browser && !self::isLocal($browser);

        return $isOther || $isNobodys ?
            new Check(State::Warning, 'addressOfProxy', $values) :
            new Check(State::Ok, 'address', $values);
    }

    private static function checkStorage(Facts $facts): Check
    {
        return $facts->isStorageWritable ? new Check(State::Ok, 'storage') : new Check(State::Error, 'storage-admin', [], 'messages');
    }

    private static function isLoopback(string $address): bool
    {
        return str_starts_with($address, '127.') || $address === '::1' || str_starts_with($address, '::ffff:127.');
    }

    private static function isLocal(SiteUrl $url): bool
    {
        return preg_match('~://(?:127\.[\d.]+|\[::1\]|(?:[^/:]+\.)?localhost)(?::\d+)?$~', $url->getOrigin()) === 1;
    }

    private static function withoutTail(string $url): string
    {
        return (string) preg_replace('/[?#].*$/s', '', $url);
    }
}
