<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\SignIn;

use Espo\Core\Api\Request;
use Espo\Core\InjectableFactory;
use Espo\Core\Utils\Config;
use Espo\Core\Utils\Language;

/**
 * Makes the pages in the language of whoever asks for them.
 */
final class PageFactory
{
    public function __construct(
        private InjectableFactory $injectableFactory,
        private Config $config,
        private Language $defaultLanguage,
    ) {}

    public function create(Request $request): Page
    {
        $default = $this->defaultLanguage->getLanguage();
        $name = LanguageChoice::choose($request->getHeader('Accept-Language'), $default);

        $language = $name === $default ?
            $this->defaultLanguage :
            $this->injectableFactory->createWith(Language::class, [
                'language' => $name,
                'useCache' => (bool) $this->config->get('useCache'),
            ]);

        return $this->injectableFactory->createWith(Page::class, ['language' => $language]);
    }
}
