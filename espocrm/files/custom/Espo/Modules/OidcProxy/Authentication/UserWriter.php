<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Core\Acl\Cache\Clearer as AclCacheClearer;
use Espo\Core\Authentication\Oidc\ConfigDataProvider;
use Espo\Core\Authentication\Oidc\UserProvider\UserRepository;
use Espo\Core\Utils\Id\RecordIdGenerator;
use Espo\Core\Utils\Log;
use Espo\Core\Utils\PasswordHash;
use Espo\Core\Utils\Util;
use Espo\Entities\User;
use Espo\Modules\OidcProxy\Assertion\Claims;
use Espo\ORM\EntityManager;
use PDOException;
use stdClass;

/**
 * Creates and updates the user of a decision. What the provider did not send, and what EspoCRM cannot hold, stays out.
 */
final class UserWriter
{
    public function __construct(
        private EntityManager $entityManager,
        private UserRepository $userRepository,
        private OrmAccountDirectory $directory,
        private ConfigDataProvider $configDataProvider,
        private Params $params,
        private FieldRules $fieldRules,
        private RecordIdGenerator $recordIdGenerator,
        private PasswordHash $passwordHash,
        private AclCacheClearer $aclCacheClearer,
        private Log $log,
    ) {}

    /**
     * The user that is to be signed in. Nothing is written: a new user is not in the database yet.
     */
    public function load(Decision $decision): User
    {
        $account = $decision->getAccount();

        if ($account) {
            return $this->entityManager->getRDBRepositoryByClass(User::class)->getById($account->getId()) ??
                throw new Overtaken("The user '{$account->getUserName()}' is gone.");
        }

        $user = $this->userRepository->getNew();

        $user->setMultiple([
            'type' => User::TYPE_REGULAR,
            'userName' => $decision->getUserName(),
            'id' => $this->recordIdGenerator->generate(),
            'password' => $this->passwordHash->hash(Util::generatePassword(10, 4, 2, true)),
        ]);

        return $user;
    }

    /**
     * To be called when nothing can refuse the sign-in any more.
     *
     * @throws Overtaken
     */
    public function write(User $user, Decision $decision, Claims $claims): void
    {
        $isNew = $user->isNew();

        $this->prepare($user, $decision, $claims);

        $teamsChanged = $user->isAttributeChanged('teamsIds');

        if (!$isNew && !$this->isChanged($user)) {
            return;
        }

        try {
            $this->entityManager->getTransactionManager()->run(fn () => $this->save($user, $decision));
        } catch (PDOException $e) {
            // A unique index: another tab has created the user, or another user has got the subject.
            throw new Overtaken("The user '{$decision->getUserName()}' could not be written: {$e->getMessage()}", 0, $e);
        }

        if ($decision->isToBind() && !$isNew) {
            $this->log->warning("OidcProxy: The user '{$decision->getUserName()}' belongs to " .
                "{$decision->getIdentity()->describe()} from now on.");
        }

        if ($teamsChanged && !$isNew) {
            $this->aclCacheClearer->clearForUser($user);
        }
    }

    private function prepare(User $user, Decision $decision, Claims $claims): void
    {
        if ($decision->isToBind()) {
            $identity = $decision->getIdentity();

            $user->setMultiple([
                Identity::FIELD_ISSUER => $identity->getIssuer(),
                Identity::FIELD_SUBJECT => $identity->getSubject(),
                Identity::FIELD_KEY => $identity->getKey(),
            ]);
        }

        $profile = new Profile($claims);

        if ($user->isNew()) {
            $this->setProfile($user, $profile, $profile->getValuesForNew($decision->getUserName()));
            $this->setTeams($user, $claims, []);

            return;
        }

        if ($this->configDataProvider->sync()) {
            $this->setProfile($user, $profile, $profile->getValues());
        }

        if ($this->configDataProvider->syncTeams()) {
            $user->loadLinkMultipleField('teams');

            $this->setTeams($user, $claims, $user->getLinkMultipleIdList('teams'));
        }
    }

    /**
     * @param array<string, string> $values
     */
    private function setProfile(User $user, Profile $profile, array $values): void
    {
        foreach ($values as $attribute => $value) {
            if ($this->isSame($attribute, (string) $user->get($attribute), $value)) {
                continue;
            }

            $adapted = $this->fieldRules->adapt($attribute, $value);

            $obstacle = match (true) {
                $adapted === null => "EspoCRM does not allow such a value",
                $attribute === Profile::EMAIL_ADDRESS => $this->findObstacle($user, $profile, $adapted),
                default => null,
            };

            if ($obstacle !== null) {
                $this->log->warning("OidcProxy: '$attribute' of the user '{$user->getUserName()}' stays as it is, the " .
                    "one that the provider sent is left out: $obstacle.");

                continue;
            }

            $user->set($attribute, $adapted);
        }
    }

    /**
     * EspoCRM has one spelling of an address, whoever writes it.
     */
    private function isSame(string $attribute, string $current, string $value): bool
    {
        return $attribute === Profile::EMAIL_ADDRESS ?
            Text::lower($current) === Text::lower($value) :
            $current === $value;
    }

    private function findObstacle(User $user, Profile $profile, string $address): ?string
    {
        if (!$profile->isEmailVerified() && !$this->params->allowsUnverifiedEmail()) {
            return "the provider does not say that it is verified";
        }

        foreach ($this->directory->findUsersByEmailAddress($address) as $other) {
            if ($other->getId() !== $user->getId()) {
                return "the user '{$other->getUserName()}' has it";
            }
        }

        return null;
    }

    /**
     * @param string[] $currentIds
     */
    private function setTeams(User $user, Claims $claims, array $currentIds): void
    {
        $mappedIds = $this->configDataProvider->getTeamIds() ?? [];
        $claimName = $this->configDataProvider->getGroupClaim();

        if ($mappedIds === []) {
            return;
        }

        $groups = Groups::fromClaims($claims, (string) $claimName);

        if ($claimName && !$groups->areKnown()) {
            $this->log->warning("OidcProxy: The assertion has no list of groups in '$claimName', the user " .
                "'{$user->getUserName()}' keeps the teams.");
        }

        $columns = $this->configDataProvider->getTeamColumns() ?? new stdClass();
        $ids = $groups->chooseTeamIds($currentIds, $mappedIds, $columns);

        if ($user->isNew() || array_diff($ids, $currentIds) || array_diff($currentIds, $ids)) {
            $user->set('teamsIds', $ids);
        }
    }

    private function isChanged(User $user): bool
    {
        $attributes = [
            Identity::FIELD_KEY, 'firstName', 'middleName', 'lastName', 'gender', 'phoneNumber',
            Profile::EMAIL_ADDRESS, 'teamsIds',
        ];

        foreach ($attributes as $attribute) {
            if ($user->hasAttribute($attribute) && $user->isAttributeChanged($attribute)) {
                return true;
            }
        }

        return false;
    }

    private function save(User $user, Decision $decision): void
    {
        if (!$user->isNew()) {
            $this->lock($user, $decision);
        }

        $this->userRepository->save($user);
    }

    /**
     * Two subjects may want the same user at the same moment, or an administrator releases it just now.
     */
    private function lock(User $user, Decision $decision): void
    {
        $current = $this->directory->lock($user->getId());

        $isAsDecided = $current && (
            $decision->isToBind() ?
                $current->get(Identity::FIELD_KEY) === null :
                OrmAccountDirectory::belongsTo($current, $decision->getIdentity())
        );

        if (!$isAsDecided) {
            throw new Overtaken("The user '{$decision->getUserName()}' was changed by another request.");
        }
    }
}
