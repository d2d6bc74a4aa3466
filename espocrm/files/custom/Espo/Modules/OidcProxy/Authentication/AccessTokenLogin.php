<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Core\Api\Request;
use Espo\Core\Authentication\Login as LoginInterface;
use Espo\Core\Authentication\Login\Data;
use Espo\Core\Authentication\Result;
use Espo\Core\Authentication\Result\FailReason;
use Espo\Core\Utils\Log;
use Espo\Entities\User;
use Espo\Modules\OidcProxy\Assertion\FileJtiStore;
use Espo\Modules\OidcProxy\Assertion\Refused as AssertionRefused;
use Espo\Modules\OidcProxy\Assertion\Verifier;
use Espo\Modules\OidcProxy\Session\SessionHeader;
use Espo\Modules\OidcProxy\SignIn\Refused;
use Espo\ORM\EntityManager;

/**
 * The method `OidcAccessToken`: one request of a program, whose access token the proxy has verified. The user who
 * belongs to the subject is let in for this request alone. EspoCRM makes no token, and nothing is written about a user.
 *
 * @noinspection PhpUnused
 */
final class AccessTokenLogin implements LoginInterface
{
    /** EspoCRM takes the method by the same name, in its metadata. The callback hears another one. */
    private const HEADER_ASSERTION = 'X-Oidc-Api-Assertion';

    public function __construct(
        private Params $params,
        private Resolver $resolver,
        private EntityManager $entityManager,
        private Log $log,
    ) {}

    public function login(Data $data, Request $request): Result
    {
        if (!$this->params->isEnabled()) {
            return $this->refuse('switch', "the proxy does not do the sign-in", FailReason::METHOD_NOT_ALLOWED);
        }

        if (SessionHeader::read($request) !== null) {
            // Other sites can have a browser send these. EspoCRM's own token they cannot.
            return $this->refuse('session', "it came with X-Oidc-Session, so it is one of a browser");
        }

        try {
            $user = $this->findUser($request);
        } catch (AssertionRefused|Refused $e) {
            return $this->refuse($e->getReason()->value, $e->getMessage());
        }

        return (new IdentityLogin($user))->login($data, $request);
    }

    /**
     * @throws AssertionRefused
     * @throws Refused
     */
    private function findUser(Request $request): ?User
    {
        $store = new FileJtiStore(isFrequent: true);

        $claims = (new Verifier($this->params->getKey(), $this->params->getSiteUrl(), $store))
            ->verify($request->getHeader(self::HEADER_ASSERTION), time());

        return $this->entityManager
            ->getRDBRepositoryByClass(User::class)
            ->getById($this->resolver->resolveForProgram($claims)->getId());
    }

    /**
     * @param FailReason::* $failReason
     */
    private function refuse(
        string $reason,
        string $message,
        string $failReason = FailReason::WRONG_CREDENTIALS
    ): Result {

        // A claim may hold anything, a log line must stay one.
        $message = rtrim((string) preg_replace('/[\x00-\x1f\x7f]+/', ' ', $message), '.');

        $this->log->warning("OidcProxy: Request of a program refused ($reason): $message.");

        return Result::fail($failReason);
    }
}
