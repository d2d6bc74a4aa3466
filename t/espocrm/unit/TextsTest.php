<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

/**
 * What users are told about the end of a session, in each language.
 */
class TextsTest extends TestCase
{
    private const DIRECTORY = __DIR__ .
        '/../../../espocrm/files/custom/Espo/Modules/OidcProxy/Resources/i18n';

    public static function provideLanguages(): array
    {
        $list = [];

        foreach (['en', 'de', 'fr', 'es', 'pl', 'it', 'nl', 'pt'] as $language) {
            foreach (glob(self::DIRECTORY . "/{$language}_*") as $path) {
                $list[basename($path)] = [basename($path)];
            }
        }

        return $list;
    }

    public function testEightLanguages(): void
    {
        $this->assertCount(8, array_unique(array_map(fn ($it) => substr($it, 0, 2), array_keys(self::provideLanguages()))));
    }

    /**
     * @dataProvider provideLanguages
     */
    #[DataProvider('provideLanguages')]
    public function testComplete(string $language): void
    {
        $data = self::read($language);

        $this->assertSame(array_keys(self::read('en_US')['session']), array_keys($data['session']));
        $this->assertNotSame('', $data['messages']['closing']);

        foreach ($data['session'] as $name => $text) {
            $this->assertSame($name === 'signedOutAfter' ? 1 : 0, substr_count($text, '{time}'), $name);
            $this->assertDoesNotMatchRegularExpression('/[<>&]/', $text);

            if ($language !== 'en_US') {
                $this->assertNotSame(self::read('en_US')['session'][$name], $text, $name);
            }
        }
    }

    private static function read(string $language): array
    {
        return json_decode((string) file_get_contents(self::DIRECTORY . "/$language/OidcProxy.json"), true,
            flags: JSON_THROW_ON_ERROR);
    }
}
