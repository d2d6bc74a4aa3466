<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use Espo\Modules\OidcProxy\SignIn\Mask;
use PHPUnit\Framework\TestCase;

final class MaskTest extends TestCase
{
    public function testIsUndone(): void
    {
        foreach (['', 'a', 'token-' . str_repeat('0', 32), random_bytes(99)] as $text) {
            $bytes = (string) hex2bin(Mask::put($text));
            $length = strlen($text);

            $this->assertSame(2 * $length, strlen($bytes));
            $this->assertSame($text, substr($bytes, 0, $length) ^ substr($bytes, $length));
        }
    }

    /**
     * No guess of a part of it makes a page shorter.
     */
    public function testIsAnotherOneEachTime(): void
    {
        $first = Mask::put('same text');
        $second = Mask::put('same text');

        $this->assertNotSame($first, $second);
        $this->assertNotSame(substr($first, 0, 18), substr($second, 0, 18));
        $this->assertNotSame(substr($first, 18), substr($second, 18));
        $this->assertMatchesRegularExpression('/^[0-9a-f]{36}$/D', $first);
    }
}
