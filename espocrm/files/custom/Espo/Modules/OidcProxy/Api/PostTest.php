<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Api;

use Espo\Core\Api\Action;
use Espo\Core\Api\Request;
use Espo\Core\Api\Response;
use Espo\Core\Api\ResponseComposer;
use Espo\Core\Api\Util as ApiUtil;
use Espo\Core\Authentication\AuthToken\EspoManager;
use Espo\Core\Authentication\AuthToken\Manager as AuthTokenManager;
use Espo\Core\Exceptions\Forbidden;
use Espo\Core\Utils\Language;
use Espo\Entities\User;
use Espo\Modules\OidcProxy\Assertion\FileJtiStore;
use Espo\Modules\OidcProxy\Authentication\Params;
use Espo\Modules\OidcProxy\Authentication\TakeOver;
use Espo\Modules\OidcProxy\Diagnosis\Check;
use Espo\Modules\OidcProxy\Diagnosis\Examination;
use Espo\Modules\OidcProxy\Diagnosis\Facts;
use Espo\Modules\OidcProxy\Diagnosis\Probe;
use Espo\Modules\OidcProxy\Session\SessionHeader;

/**
 * The button "Test" of the settings: what is wrong with the sign-in by the proxy, as far as EspoCRM can see.
 *
 * @noinspection PhpUnused
 */
final class PostTest implements Action
{
    private const SCOPE = 'OidcProxy';

    public function __construct(
        private User $user,
        private Params $params,
        private ApiUtil $apiUtil,
        private Language $language,
        private AuthTokenManager $authTokenManager,
    ) {}

    public function process(Request $request): Response
    {
        if (!$this->user->isAdmin()) {
            throw new Forbidden();
        }

        $checks = Examination::run($this->gather($request));

        return ResponseComposer::json(['checks' => array_map(fn (Check $check) => $this->present($check), $checks)]);
    }

    private function gather(Request $request): Facts
    {
        $body = $request->getParsedBody();

        $url = $body->url ?? null;
        $clock = $body->clock ?? null;

        return new Facts(
            isSwitchedOn: $this->params->isSwitchedOn(),
            isMethodOidc: $this->params->isMethodOidc(),
            siteUrl: $this->params->getSiteUrl(),
            secretState: $this->params->getSecretState(),
            keyAlgorithms: $this->params->getKeyAlgorithms(),
            pinnedIssuer: $this->params->getProviderIssuer(),
            takesOverByName: $this->params->getTakeOver() === TakeOver::UserName,
            usernameClaim: $this->params->getUsernameClaim(),
            logoutUrl: $this->params->getLogoutUrl(),
            signsInAutomatically: $this->params->signsInAutomatically(),
            hasFallback: $this->params->hasFallback(),
            isStorageWritable: (new FileJtiStore())->isWritable(),
            hasSession: SessionHeader::read($request) !== null,
            keepsTokens: $this->authTokenManager instanceof EspoManager,
            isSecureAtServer: self::isSecure($request),
            address: $this->apiUtil->obtainIpFromRequest($request) ?? '',
            statedAddress: $request->getHeader('X-Real-IP'),
            browserUrl: is_string($url) ? $url : '',
            clockDifference: is_int($clock) ? $clock - time() : null,
            probe: isset($body->probe) ? Probe::fromBrowser($body->probe->status ?? null, $body->probe->data ?? null) : null,
        );
    }

    /**
     * As EspoCRM finds it out for its cookies.
     */
    private static function isSecure(Request $request): bool
    {
        $https = $request->getServerParam('HTTPS');

        return
            $https && strtolower((string) $https) !== 'off' ||
            $request->getServerParam('REQUEST_SCHEME') === 'https' ||
            $request->getHeader('X-Forwarded-Proto') === 'https';
    }

    /**
     * @return array{state: string, text: string, detail: string}
     */
    private function present(Check $check): array
    {
        $text = $this->language->translateLabel($check->text, $check->category, self::SCOPE);
        $names = array_map(fn ($name) => '{' . $name . '}', array_keys($check->values));

        return [
            'state' => $check->state->value,
            'text' => strtr($text, array_combine($names, $check->values)),
            'detail' => $check->detail,
        ];
    }
}
