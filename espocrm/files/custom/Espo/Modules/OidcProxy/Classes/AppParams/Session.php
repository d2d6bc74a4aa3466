<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Classes\AppParams;

use Espo\Core\ApplicationState;
use Espo\Core\Utils\Language;
use Espo\Modules\OidcProxy\Authentication\Params;
use Espo\Tools\App\AppParam;

/**
 * What the scripts of the page need for the end of a session: they are loaded before EspoCRM's own, and must not
 * depend on those. In portals they only tell the proxy whether somebody is there, so there are no texts.
 *
 * @noinspection PhpUnused
 */
final class Session implements AppParam
{
    private const SCOPE = 'OidcProxy';

    private const TEXT_LIST = [
        'ended',
        'signIn',
        'again',
        'anotherUser',
        'reload',
        'signedOut',
        'signedOutAfter',
    ];

    public function __construct(
        private Params $params,
        private ApplicationState $applicationState,
        private Language $language,
    ) {}

    /**
     * @return ?array{language: string, texts: ?array<string, string>}
     */
    public function get(): ?array
    {
        $isPortal = $this->applicationState->isPortal();

        if (!$isPortal && !$this->params->isEnabled()) {
            return null;
        }

        return [
            'language' => str_replace('_', '-', $this->language->getLanguage()),
            'texts' => $isPortal ? null : $this->getTexts(),
        ];
    }

    /**
     * @return array<string, string>
     */
    private function getTexts(): array
    {
        $texts = [];

        foreach (self::TEXT_LIST as $name) {
            $texts[$name] = $this->language->translateLabel($name, 'session', self::SCOPE);
        }

        return $texts;
    }
}
