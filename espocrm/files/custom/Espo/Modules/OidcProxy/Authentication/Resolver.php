<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Core\Authentication\Oidc\ConfigDataProvider;
use Espo\Core\Authentication\Oidc\UserProvider\Sync;
use Espo\Entities\User;
use Espo\Modules\OidcProxy\Assertion\Claims;
use Espo\Modules\OidcProxy\SignIn\Reason;
use Espo\Modules\OidcProxy\SignIn\Refused;
use Espo\ORM\EntityManager;

/**
 * Says whose user an assertion means. Reads only.
 */
final class Resolver
{
    public function __construct(
        private Params $params,
        private ConfigDataProvider $configDataProvider,
        private Sync $sync,
        private OrmAccountDirectory $directory,
        private EntityManager $entityManager,
    ) {}

    /**
     * @throws Refused
     */
    public function resolve(Claims $claims): Decision
    {
        $identity = $this->getIdentity($claims);
        $username = $this->getUsername($claims);
        $emailAddress = (new Profile($claims))->getVerifiedEmailAddress();

        try {
            return (new Rules($this->directory, $this->getPolicy()))->decide($identity, $username, $emailAddress);
        } catch (Refused $e) {
            if ($e->getReason() !== Reason::UsernameClaim) {
                throw $e;
            }

            throw new Refused(Reason::UsernameClaim,
                "the assertion has no claim '{$this->configDataProvider->getUsernameClaim()}' with a username",
                $identity);
        }
    }

    /**
     * For one request of a program.
     *
     * @throws Refused
     */
    public function resolveForProgram(Claims $claims): Account
    {
        return (new Rules($this->directory, $this->getPolicy()))->decideForProgram($this->getIdentity($claims));
    }

    /**
     * A name for the auth log of EspoCRM, whoever it is.
     */
    public function getNameForLog(Claims $claims): string
    {
        return Text::fit($this->getUsername($claims)?->getNormalized() ?? '?', $this->getUserNameMaxLength());
    }

    /**
     * @throws Refused
     */
    private function getIdentity(Claims $claims): Identity
    {
        $identity = Identity::fromClaims($claims);

        if (!$identity) {
            throw new Refused(Reason::Identity,
                "idp and sub of the assertion must be text of 1 to " . Identity::MAX_LENGTH . " characters");
        }

        $this->checkProvider($identity);

        return $identity;
    }

    private function checkProvider(Identity $identity): void
    {
        $expected = $this->params->getProviderIssuer();

        if ($expected !== null && $expected !== $identity->getIssuer()) {
            throw new Refused(Reason::Provider,
                "the assertion is about somebody of '{$identity->getIssuer()}', Provider Issuer is '$expected'",
                $identity);
        }
    }

    private function getUsername(Claims $claims): ?Username
    {
        $raw = $claims->getText((string) $this->configDataProvider->getUsernameClaim());

        return $raw === null ? null : Username::create($raw, $this->sync->normalizeUsername($raw));
    }

    private function getPolicy(): Policy
    {
        return new Policy(
            $this->params->getTakeOver(),
            $this->configDataProvider->createUser(),
            $this->configDataProvider->allowAdminUser(),
            $this->getUserNameMaxLength(),
        );
    }

    private function getUserNameMaxLength(): ?int
    {
        return $this->entityManager
            ->getDefs()
            ->getEntity(User::ENTITY_TYPE)
            ->getAttribute('userName')
            ->getLength();
    }
}
