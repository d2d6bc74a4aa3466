<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\EntryPoints;

use Espo\Core\Api\Request;
use Espo\Core\Api\Response;
use Espo\Core\EntryPoint\EntryPoint;
use Espo\Core\EntryPoint\Traits\NoAuth;
use Espo\Core\Utils\Log;
use Espo\EntryPoints\OauthCallback as StockOauthCallback;
use Espo\Modules\OidcProxy\Assertion\Claims;
use Espo\Modules\OidcProxy\Assertion\FileJtiStore;
use Espo\Modules\OidcProxy\Assertion\Refused as AssertionRefused;
use Espo\Modules\OidcProxy\Assertion\SiteUrl;
use Espo\Modules\OidcProxy\Assertion\Verifier;
use Espo\Modules\OidcProxy\Authentication\Params;
use Espo\Modules\OidcProxy\Diagnosis\Callback as DiagnosisCallback;
use Espo\Modules\OidcProxy\Session\SessionHeader;
use Espo\Modules\OidcProxy\Session\TokenSessions;
use Espo\Modules\OidcProxy\Session\TokenStore;
use Espo\Modules\OidcProxy\SignIn\PageFactory;
use Espo\Modules\OidcProxy\SignIn\Reason;
use Espo\Modules\OidcProxy\SignIn\Refused;
use Espo\Modules\OidcProxy\SignIn\ReturnTarget;
use Espo\Modules\OidcProxy\SignIn\Service;
use Espo\Modules\OidcProxy\SignIn\Visitor;
use Throwable;

/**
 * The callback of OAuth popups, and the sign-in of the users whom the reverse proxy vouches for.
 *
 * @noinspection PhpUnused
 */
final class OauthCallback implements EntryPoint
{
    use NoAuth;

    private const HEADER_ASSERTION = 'X-Oidc-Assertion';
    private const HEADER_RETURN_TO = 'X-Oidc-Return-To';
    private const PARAM_RETURN_TO = 'return_to';
    private const STATUS_SEE_OTHER = 303;

    public function __construct(
        private StockOauthCallback $stockOauthCallback,
        private Params $params,
        private Service $service,
        private PageFactory $pageFactory,
        private TokenStore $tokenStore,
        private TokenSessions $tokenSessions,
        private DiagnosisCallback $diagnosisCallback,
        private Log $log,
    ) {}

    public function run(Request $request, Response $response): void
    {
        if (DiagnosisCallback::isMeant($request)) {
            $this->diagnosisCallback
                ->run($request, $response, $request->getHeader(self::HEADER_ASSERTION) ?? '', new FileJtiStore());

            return;
        }

        if (!$this->params->isEnabled() || $this->isPopup($request)) {
            $this->stockOauthCallback->run($request, $response);

            return;
        }

        $target = $this->getTarget($request);

        if ($this->params->hasFallback() && ReturnTarget::asksForPassword($target)) {
            // Whoever wants to type a password must not be signed in on the way to the form.
            $this->endTokenOfAnotherSession($request, $response);

            $response
                ->setStatus(self::STATUS_SEE_OTHER)
                ->setHeader('Location', $target)
                ->setHeader('Cache-Control', 'no-store');

            return;
        }

        $claims = null;

        try {
            $claims = (new Verifier($this->params->getKey(), $this->params->getSiteUrl(), new FileJtiStore()))
                ->verify($request->getHeader(self::HEADER_ASSERTION), time());

            $session = $this->service->signIn($claims, $request, $response);
        } catch (AssertionRefused $e) {
            $this->refuse($request, $response, $e->getReason()->value, $e->getMessage(), $target, $e->getClaims());

            return;
        } catch (Refused $e) {
            $this->refuse($request, $response, $e->getReason()->value, $e->getMessage(), $target, $claims, $e);

            return;
        } catch (Throwable $e) {
            $this->refuse($request, $response, Reason::Failure->value, self::describe($e), $target, $claims);

            return;
        }

        $this->pageFactory
            ->create($request)
            ->writeSignedIn($response, $session, $target, ReturnTarget::closesWindow($target));
    }

    /**
     * An answer of an external account: the window that opened the popup reads the address.
     */
    private function isPopup(Request $request): bool
    {
        return $request->hasQueryParam('code') || $request->hasQueryParam('error');
    }

    private function getTarget(Request $request): string
    {
        $basePath = SiteUrl::parse($this->params->getSiteUrl())?->getBasePath() ?? '/';

        return (new ReturnTarget($basePath, $this->params->getLogoutUrl()))->choose(
            $request->getHeader(self::HEADER_RETURN_TO),
            $request->getQueryParam(self::PARAM_RETURN_TO)
        );
    }

    private function refuse(
        Request $request,
        Response $response,
        string $reason,
        string $message,
        string $target,
        ?Claims $claims,
        ?Refused $refused = null
    ): void {

        $level = $reason === Reason::Failure->value ? Log::LEVEL_ERROR : Log::LEVEL_WARNING;

        // A claim may hold anything, a log line must stay one.
        $message = preg_replace('/[\x00-\x1f\x7f]+/', ' ', $message);

        $this->log->log($level, "OidcProxy: Sign-in refused ($reason): $message.");

        $ended = $this->endTokenOfAnotherSession($request, $response);

        $visitor = $claims ? Visitor::fromClaims($claims, $this->params->getUsernameClaim()) : null;

        $this->pageFactory
            ->create($request)
            ->writeRefused($response, $reason, $target, $ended, $visitor, $refused, SessionHeader::read($request));
    }

    /**
     * Whoever is not signed in must not go on as the one who was here before. A token of the very session that asks
     * stays: a link to the callback ends nobody's work.
     */
    private function endTokenOfAnotherSession(Request $request, Response $response): bool
    {
        try {
            $held = $this->tokenStore->findHeld($request);

            if (!$held || $this->tokenSessions->isOf($held, SessionHeader::read($request))) {
                return false;
            }

            $this->tokenStore->end($held);
        } catch (Throwable $e) {
            $this->log->error("OidcProxy: The token of the browser cannot be ended: " . self::describe($e) . ".");
        }

        $this->tokenStore->expireCookies($response);

        return true;
    }

    private static function describe(Throwable $e): string
    {
        return get_class($e) . ' ' . rtrim($e->getMessage(), '.') . " at {$e->getFile()}:{$e->getLine()}";
    }
}
