<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\SignIn;

use SensitiveParameter;

/**
 * Writes a secret otherwise in each answer, so that the length of a compressed page says nothing of it (BREACH).
 */
final class Mask
{
    /**
     * @return string Random bytes, then the text under them; hexadecimal. The script of the page undoes it.
     */
    public static function put(#[SensitiveParameter] string $text): string
    {
        $pad = $text === '' ? '' : random_bytes(strlen($text));

        return bin2hex($pad . ($pad ^ $text));
    }
}
