<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use Espo\Modules\OidcProxy\Session\SessionList;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

final class SessionListTest extends TestCase
{
    private const ONE = '0123456789abcdef';
    private const TWO = 'fedcba9876543210';

    public function testEmpty(): void
    {
        foreach ([null, '', ' ', '   '] as $text) {
            $list = SessionList::parse($text);

            $this->assertTrue($list->isEmpty());
            $this->assertFalse($list->has(''));
            $this->assertFalse($list->has(self::ONE));
            $this->assertSame('', $list->toString());
        }
    }

    public function testTheLatestIsFirst(): void
    {
        $list = SessionList::parse(null)->with(self::ONE)->with(self::TWO);

        $this->assertSame(self::TWO . ' ' . self::ONE, $list->toString());
        $this->assertFalse($list->isEmpty());
        $this->assertTrue($list->has(self::ONE));
        $this->assertTrue($list->has(self::TWO));
        $this->assertSame(self::ONE . ' ' . self::TWO, $list->with(self::ONE)->toString());
        $this->assertSame($list->toString(), SessionList::parse($list->toString())->toString());
    }

    public function testWithLeavesTheOldOneAsItIs(): void
    {
        $list = SessionList::parse(self::ONE);
        $list->with(self::TWO);

        $this->assertSame(self::ONE, $list->toString());
    }

    public function testTheOldestGoesFirstAndTheTextFitsTheColumn(): void
    {
        $list = SessionList::parse(null);

        for ($i = 0; $i < 100; $i++) {
            $list = $list->with(sprintf('%016x', $i));
        }

        $this->assertTrue($list->has(sprintf('%016x', 99)));
        $this->assertTrue($list->has(sprintf('%016x', 92)));
        $this->assertFalse($list->has(sprintf('%016x', 91)));
        $this->assertLessThanOrEqual(150, strlen($list->toString()));
    }

    /**
     * @dataProvider provideOther
     */
    #[DataProvider('provideOther')]
    public function testNoId(string $text): void
    {
        $this->assertFalse(SessionList::isId($text));
        $this->assertTrue(SessionList::parse($text)->isEmpty());
        $this->assertFalse(SessionList::parse(self::ONE)->has($text));
    }

    /**
     * @return iterable<array{string}>
     */
    public static function provideOther(): iterable
    {
        yield ['0123456789abcde'];
        yield ['0123456789abcdef0'];
        yield ['0123456789ABCDEF'];
        yield ["0123456789abcdef\n"];
        yield ["\n0123456789abcdef"];
        yield ['0123456789abcdeg'];
        yield ['0123456789abcde%'];
        yield ['................'];
        yield ['0123456789abcdef,fedcba9876543210'];
        yield ["0123456789abcde\u{0661}"];
    }
}
