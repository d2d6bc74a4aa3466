<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use Espo\Modules\OidcProxy\SignIn\LanguageChoice;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

final class LanguageChoiceTest extends TestCase
{
    public static function provide(): array
    {
        return [
            'nothing said' => [null, 'en_US', 'en_US'],
            'nothing said, of EspoCRM' => ['', 'sv_SE', 'sv_SE'],
            'anything' => ['*', 'de_DE', 'de_DE'],
            'a country of its own' => ['de-AT,de;q=0.9,en;q=0.8', 'en_US', 'de_DE'],
            'the first of equals' => ['fr, de', 'en_US', 'fr_FR'],
            'the preferred one' => ['en;q=0.3, pl-PL;q=0.7, it;q=0.5', 'en_US', 'pl_PL'],
            'none that is there' => ['ja, zh-CN;q=0.9', 'nl_NL', 'nl_NL'],
            'the next one that is there' => ['ja, es;q=0.1', 'nl_NL', 'es_ES'],
            'a country that is there' => ['es-MX', 'en_US', 'es_MX'],
            'Brazil' => ['pt-BR,pt;q=0.9', 'en_US', 'pt_BR'],
            'Portuguese' => ['pt', 'en_US', 'pt_PT'],
            'Portuguese, with EspoCRM in Brazil' => ['pt', 'pt_BR', 'pt_BR'],
            'English, with EspoCRM in Britain' => ['en-IE', 'en_GB', 'en_GB'],
            'capital letters' => ['DE-de', 'en_US', 'de_DE'],
            'blanks' => [' it ; q=0.5 , nl ;q=0.6', 'en_US', 'nl_NL'],
            'not wanted' => ['de;q=0, de-DE;q=0.000', 'en_US', 'en_US'],
            'no quality' => ['de;q=2, fr;q=x, it;q=1.5', 'en_US', 'en_US'],
            'no language' => ['../de_DE, de/../../x, "de"', 'en_US', 'en_US'],
            'too long' => [str_repeat('x,', 300) . 'de', 'en_US', 'en_US'],
        ];
    }

    /**
     * @dataProvider provide
     */
    #[DataProvider('provide')]
    public function testChoice(?string $header, string $default, string $expected): void
    {
        $this->assertSame($expected, LanguageChoice::choose($header, $default));
    }
}
