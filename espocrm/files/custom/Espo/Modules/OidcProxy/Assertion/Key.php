<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Assertion;

/**
 * What an assertion is verified with.
 */
interface Key
{
    /**
     * @param mixed $algorithm The member `alg` of the header, whatever it is.
     * @param mixed $id The member `kid` of the header, whatever it is.
     * @param string $input What was signed (RFC 7515 5.2).
     * @param string $signature The bytes of the signature.
     * @throws Refused It was not signed with this key, or with an algorithm that the key is not for.
     */
    public function verify(mixed $algorithm, mixed $id, string $input, string $signature): void;
}
