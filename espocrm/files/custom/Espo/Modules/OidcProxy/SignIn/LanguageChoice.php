<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\SignIn;

/**
 * The language of a page for somebody whom EspoCRM does not know: the one that the browser prefers among those that
 * the extension speaks, otherwise that of EspoCRM.
 */
final class LanguageChoice
{
    /** The first one of a language stands for its countries. */
    private const LIST = [
        'en_US', 'de_DE', 'fr_FR', 'es_ES', 'es_MX', 'pl_PL', 'it_IT', 'nl_NL', 'pt_PT', 'pt_BR',
    ];

    private const MAX_LENGTH = 512;
    private const PATTERN = '/^\s*([a-z]{2,3})(?:-([a-z0-9-]{1,32}))?\s*(?:;\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?$/i';

    /**
     * @param ?string $header Accept-Language (RFC 9110, 12.5.4).
     * @param string $default The language of EspoCRM.
     */
    public static function choose(?string $header, string $default): string
    {
        $best = $default;
        $bestQuality = 0.0;

        foreach (explode(',', substr($header ?? '', 0, self::MAX_LENGTH)) as $item) {
            if (!preg_match(self::PATTERN, $item, $matches)) {
                continue;
            }

            $quality = (float) ($matches[3] ?? '1');
            $language = self::find(strtolower($matches[1]), strtoupper($matches[2] ?? ''), $default);

            if ($language !== null && $quality > $bestQuality) {
                $best = $language;
                $bestQuality = $quality;
            }
        }

        return $best;
    }

    private static function find(string $language, string $region, string $default): ?string
    {
        $exact = "{$language}_$region";

        if (in_array($exact, self::LIST, true)) {
            return $exact;
        }

        $own = array_values(array_filter(self::LIST, fn ($it) => str_starts_with($it, "{$language}_")));

        // The variety that EspoCRM is set up with, where the browser does not say which.
        return $own && str_starts_with($default, "{$language}_") ? $default : $own[0] ?? null;
    }
}
