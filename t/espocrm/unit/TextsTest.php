<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use Espo\Modules\OidcProxy\Assertion\Reason as AssertionReason;
use Espo\Modules\OidcProxy\SignIn\Reason as SignInReason;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

/**
 * What people read, in each language.
 */
final class TextsTest extends TestCase
{
    private const DIRECTORY = __DIR__ .
        '/../../../espocrm/files/custom/Espo/Modules/OidcProxy/Resources/i18n';

    private const FILES = ['ApiUser', 'OidcProxy', 'Settings', 'User'];

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

    public static function provideFiles(): array
    {
        $list = [];

        foreach (self::provideLanguages() as [$language]) {
            foreach (self::FILES as $file) {
                $list["$language/$file"] = [$language, $file];
            }
        }

        return $list;
    }

    /**
     * @dataProvider provideFiles
     */
    #[DataProvider('provideFiles')]
    public function testEachTextIsThere(string $language, string $file): void
    {
        $english = self::texts('en_US', $file);
        $texts = self::texts($language, $file);

        $this->assertSame(array_keys($english), array_keys($texts));

        foreach ($texts as $name => $text) {
            $this->assertNotSame('', trim($text), $name);
            $this->assertSame(trim($text), $text, $name);
            $this->assertSame(self::fixed($english[$name]), self::fixed($text), $name);

            // Short ones may be the same by chance.
            if (!str_starts_with($language, 'en_') && mb_strlen($text) > 24) {
                $this->assertNotSame($english[$name], $text, $name);
            }
        }
    }

    /**
     * Of the scripts of the page, which put them into attributes as well.
     *
     * @dataProvider provideLanguages
     */
    #[DataProvider('provideLanguages')]
    public function testTextsOfTheScripts(string $language): void
    {
        foreach (self::read($language, 'OidcProxy')['session'] as $name => $text) {
            $this->assertSame($name === 'signedOutAfter' ? 1 : 0, substr_count($text, '{time}'), $name);
            $this->assertDoesNotMatchRegularExpression('/[<>&]/', $text);
        }
    }

    public function testEachReasonOfARefusalHasAText(): void
    {
        $messages = self::read('en_US', 'OidcProxy')['messages'];
        $cases = [...SignInReason::cases(), ...AssertionReason::cases()];

        foreach ($cases as $reason) {
            if (!in_array($reason, [SignInReason::Denied, SignInReason::Failure], true)) {
                $this->assertArrayHasKey("$reason->value-admin", $messages);
            }
        }
    }

    /**
     * What is wrong with the key may be wrong with either.
     *
     * @dataProvider provideLanguages
     */
    #[DataProvider('provideLanguages')]
    public function testBothFieldsOfTheKeyAreNamed(string $language): void
    {
        $messages = self::read($language, 'OidcProxy')['messages'];
        $fields = self::read($language, 'Settings')['fields'];

        foreach ([AssertionReason::SecretNotSet, AssertionReason::Algorithm, AssertionReason::Signature] as $reason) {
            foreach (['oidcProxySecret', 'oidcProxyPublicKeys'] as $field) {
                $this->assertStringContainsString(substr($fields[$field], strlen('OIDC ')), $messages["$reason->value-admin"]);
            }
        }
    }

    /**
     * What must be the same in each language: placeholders, and names of the proxy's configuration.
     *
     * @return list<string>
     */
    private static function fixed(string $text): array
    {
        preg_match_all('/\{\w+\}|`[^`]+`|\b[a-z]+_[a-z_]+\b|\bX-[A-Za-z-]+|\bdata\/[a-z-]+/', $text, $matches);

        $list = $matches[0];

        sort($list);

        return $list;
    }

    /**
     * @return array<string, string> By their paths.
     */
    private static function texts(string $language, string $file): array
    {
        $list = [];
        $data = self::read($language, $file);

        array_walk_recursive($data, function (string $text) use (&$list) {
            $list[] = $text;
        });

        return array_combine(self::paths($data), $list);
    }

    /**
     * @return list<string>
     */
    private static function paths(array $data, string $prefix = ''): array
    {
        $list = [];

        foreach ($data as $name => $value) {
            array_push($list, ...(is_array($value) ? self::paths($value, "$prefix$name.") : ["$prefix$name"]));
        }

        return $list;
    }

    private static function read(string $language, string $file): array
    {
        return json_decode((string) file_get_contents(self::DIRECTORY . "/$language/$file.json"), true,
            flags: JSON_THROW_ON_ERROR);
    }
}
