<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use FilesystemIterator;
use PhpToken;
use PHPUnit\Framework\TestCase;
use RecursiveDirectoryIterator;
use RecursiveIteratorIterator;
use SplFileInfo;

/**
 * What holds for every PHP file of the extension and of its tests.
 */
final class SourcesTest extends TestCase
{
    /**
     * @return array<string, list<PhpToken>> By path, without white space and comments.
     */
    private static function sources(): array
    {
        $root = dirname(__DIR__, 3);
        $list = [];

        foreach (['espocrm', 't/espocrm'] as $folder) {
            $files = new RecursiveIteratorIterator(
                new RecursiveDirectoryIterator("$root/$folder", FilesystemIterator::SKIP_DOTS));

            /** @var SplFileInfo $file */
            foreach ($files as $file) {
                if ($file->getExtension() !== 'php') {
                    continue;
                }

                $tokens = PhpToken::tokenize((string) file_get_contents($file->getPathname()));

                $list[substr($file->getPathname(), strlen($root) + 1)] =
                    array_values(array_filter($tokens, fn (PhpToken $token) => !$token->isIgnorable() ||
                        $token->is(T_OPEN_TAG)));
            }
        }

        return $list;
    }

    public function testTypesAreStrict(): void
    {
        $sources = self::sources();

        $this->assertGreaterThan(60, count($sources));

        foreach ($sources as $path => $tokens) {
            $first = implode('', array_map(fn (PhpToken $token) => trim($token->text), array_slice($tokens, 0, 8)));

            $this->assertSame('<?phpdeclare(strict_types=1);', $first, $path);
        }
    }

    public function testClassesThatNothingExtendsAreFinal(): void
    {
        $open = [];
        $extended = [];

        foreach (self::sources() as $path => $tokens) {
            foreach ($tokens as $i => $token) {
                $before = $tokens[$i - 1] ?? null;

                if ($token->is(T_EXTENDS)) {
                    $extended[] = $tokens[$i + 1]->text;
                }

                // Neither `Name::class` nor `new class`.
                if (!$token->is(T_CLASS) || !$tokens[$i + 1]->is(T_STRING) || $before?->is([T_DOUBLE_COLON, T_NEW])) {
                    continue;
                }

                $start = $before?->is(T_READONLY) ? $tokens[$i - 2] : $before;

                if (!$start?->is([T_FINAL, T_ABSTRACT])) {
                    $open[$path] = $tokens[$i + 1]->text;
                }
            }
        }

        $this->assertSame([], array_diff($open, $extended));
    }
}
