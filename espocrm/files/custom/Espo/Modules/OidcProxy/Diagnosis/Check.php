<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Diagnosis;

/**
 * One finding. Immutable.
 */
final class Check
{
    /**
     * @param string $text The name of the text: a category and a name, as in the language files.
     * @param array<string, string> $values What the text names in braces.
     * @param string $detail What is said in addition, in English, as in the log.
     */
    public function __construct(
        public readonly State $state,
        public readonly string $text,
        public readonly array $values = [],
        public readonly string $category = 'test',
        public readonly string $detail = '',
    ) {}
}
