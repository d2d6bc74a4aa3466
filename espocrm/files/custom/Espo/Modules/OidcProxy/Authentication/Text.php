<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

/**
 * Text that comes from a provider.
 */
final class Text
{
    public static function hasControls(string $text): bool
    {
        return preg_match('/[\x00-\x1f\x7f]/', $text) === 1;
    }

    /**
     * One line without blanks at its ends, of at most so many characters.
     */
    public static function fit(string $text, ?int $maxLength): string
    {
        $text = trim((string) preg_replace('/[\x00-\x1f\x7f]+/', ' ', $text));

        if ($maxLength === null || mb_strlen($text, 'UTF-8') <= $maxLength) {
            return $text;
        }

        return rtrim(mb_substr($text, 0, $maxLength, 'UTF-8'));
    }

    /**
     * Lower case where it loses nothing: A to Z alone. Beyond ASCII, letters that are different fall together.
     */
    public static function lower(string $text): string
    {
        return strtr($text, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz');
    }
}
