<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Core\Authentication\Oidc\UserProvider\UserRepository;
use Espo\Entities\EmailAddress;
use Espo\Entities\User;
use Espo\ORM\EntityManager;

/**
 * The users in the database.
 */
final class OrmAccountDirectory implements AccountDirectory
{
    public function __construct(
        private EntityManager $entityManager,
        private UserRepository $userRepository,
    ) {}

    public function findByIdentity(Identity $identity): ?Account
    {
        $user = $this->entityManager
            ->getRDBRepositoryByClass(User::class)
            ->where([Identity::FIELD_KEY => $identity->getKey()])
            ->findOne();

        return $user && self::belongsTo($user, $identity) ? self::toAccount($user) : null;
    }

    public function findByUserName(string $userName): ?Account
    {
        $user = $this->userRepository->findByUsername($userName);

        return $user ? self::toAccount($user) : null;
    }

    public function findByEmailAddress(string $address): array
    {
        $list = [];

        foreach ($this->findUsersByEmailAddress($address) as $user) {
            if (Text::lower((string) $user->get(Profile::EMAIL_ADDRESS)) === Text::lower($address)) {
                $list[] = self::toAccount($user);
            }
        }

        return $list;
    }

    /**
     * @return User[] Those who have the address, be it their primary one or not.
     */
    public function findUsersByEmailAddress(string $address): array
    {
        $ids = [];

        $addressList = $this->entityManager
            ->getRDBRepository(EmailAddress::ENTITY_TYPE)
            ->where(['lower' => strtolower($address)])
            ->find();

        foreach ($addressList as $entity) {
            // The database takes `jose@` for `josé@`.
            if (Text::lower((string) $entity->get('name')) === Text::lower($address)) {
                $ids[] = $entity->getId();
            }
        }

        if ($ids === []) {
            return [];
        }

        $rows = $this->entityManager
            ->getRDBRepositoryByClass(User::class)
            ->distinct()
            ->select('id')
            // EspoCRM joins the primary address by itself, under the name of the relation.
            ->join('emailAddresses', 'ownAddresses')
            ->where(['ownAddresses.id' => $ids])
            ->find();

        $users = [];

        foreach ($rows as $row) {
            $user = $this->entityManager->getRDBRepositoryByClass(User::class)->getById($row->getId());

            if ($user) {
                $users[] = $user;
            }
        }

        return $users;
    }

    /**
     * Within a transaction: nobody else changes the user until its end.
     *
     * @return ?User With the identity alone. Its joins could not be locked on PostgreSQL.
     */
    public function lock(string $id): ?User
    {
        return $this->entityManager
            ->getRDBRepositoryByClass(User::class)
            ->forUpdate()
            ->select(['id', Identity::FIELD_ISSUER, Identity::FIELD_SUBJECT, Identity::FIELD_KEY])
            ->where(['id' => $id])
            ->findOne();
    }

    public static function belongsTo(User $user, Identity $identity): bool
    {
        return
            $user->get(Identity::FIELD_ISSUER) === $identity->getIssuer() &&
            $user->get(Identity::FIELD_SUBJECT) === $identity->getSubject();
    }

    private static function toAccount(User $user): Account
    {
        return new Account(
            $user->getId(),
            (string) $user->getUserName(),
            (string) $user->getType(),
            $user->isActive(),
            $user->get(Identity::FIELD_KEY) !== null,
        );
    }
}
