<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Diagnosis;

use Espo\Core\Api\Request;
use Espo\Core\Api\Response;
use Espo\Modules\OidcProxy\Assertion\JtiStore;
use Espo\Modules\OidcProxy\Assertion\Refused;
use Espo\Modules\OidcProxy\Assertion\Verifier;
use Espo\Modules\OidcProxy\Authentication\Params;

/**
 * Answers a request of the settings page to the callback: says what a sign-in would make of the assertion that came
 * with it, and signs nobody in.
 */
final class Callback
{
    private const HEADER = 'X-Espo-Oidc-Proxy-Test';

    public function __construct(private Params $params) {}

    public static function isMeant(Request $request): bool
    {
        return $request->hasHeader(self::HEADER);
    }

    public function run(Request $request, Response $response, string $assertion, JtiStore $jtiStore): void
    {
        $response
            ->setHeader('Content-Type', 'application/json')
            ->setHeader('Cache-Control', 'no-store');

        $secret = $this->params->getOwnSecret();
        $now = time();

        if ($secret === null || !Ticket::isGood($secret, $request->getHeader(self::HEADER) ?? '', $now)) {
            $response
                ->setStatus(403)
                ->writeBody('{}');

            return;
        }

        $claims = null;
        $refused = null;

        try {
            $claims = (new Verifier($this->params->getKey(), $this->params->getSiteUrl(), $jtiStore))
                ->verify($assertion, $now);
        } catch (Refused $e) {
            $refused = $e;
        }

        $probe = Probe::take($assertion, $claims, $refused, $this->params->getUsernameClaim(), $now);

        $response->writeBody(json_encode($probe, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE));
    }
}
