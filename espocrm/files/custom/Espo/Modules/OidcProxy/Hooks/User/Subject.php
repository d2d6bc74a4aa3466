<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Hooks\User;

use Espo\Core\Exceptions\BadRequest;
use Espo\Core\Exceptions\Conflict;
use Espo\Core\Exceptions\Error\Body;
use Espo\Core\Hook\Hook\AfterSave;
use Espo\Core\Hook\Hook\BeforeSave;
use Espo\Core\Utils\Log;
use Espo\Entities\AuthToken;
use Espo\Entities\User;
use Espo\Modules\OidcProxy\Authentication\Identity;
use Espo\Modules\OidcProxy\Authentication\OrmAccountDirectory;
use Espo\ORM\Entity;
use Espo\ORM\EntityManager;
use Espo\ORM\Repository\Option\SaveOptions;

/**
 * An administrator enters, changes or takes away the subject of a user.
 *
 * @implements BeforeSave<User>
 * @implements AfterSave<User>
 * @noinspection PhpUnused
 */
final class Subject implements BeforeSave, AfterSave
{
    public function __construct(
        private OrmAccountDirectory $directory,
        private EntityManager $entityManager,
        private Log $log,
    ) {}

    public function beforeSave(Entity $entity, SaveOptions $options): void
    {
        if (
            !$entity->isAttributeChanged(Identity::FIELD_ISSUER) &&
            !$entity->isAttributeChanged(Identity::FIELD_SUBJECT)
        ) {
            return;
        }

        $issuer = (string) $entity->get(Identity::FIELD_ISSUER);
        $subject = (string) $entity->get(Identity::FIELD_SUBJECT);

        if ($issuer === '' && $subject === '') {
            $entity->setMultiple([
                Identity::FIELD_ISSUER => null,
                Identity::FIELD_SUBJECT => null,
                Identity::FIELD_KEY => null,
            ]);

            if (!$entity->isNew()) {
                $this->note($entity, "belongs to no subject from now on");
            }

            return;
        }

        $identity = Identity::create($issuer, $subject);

        if (!$identity) {
            throw BadRequest::createWithBody(
                "Issuer and subject belong together.",
                Body::create()->withMessageTranslation('oidcProxySubjectIncomplete', User::ENTITY_TYPE)
            );
        }

        $owner = $this->directory->findByIdentity($identity);

        if ($owner && $owner->getId() !== ($entity->hasId() ? $entity->getId() : null)) {
            throw Conflict::createWithBody(
                "Another user belongs to this subject.",
                Body::create()->withMessageTranslation('oidcProxySubjectTaken', User::ENTITY_TYPE,
                    ['userName' => $owner->getUserName()])
            );
        }

        $entity->set(Identity::FIELD_KEY, $identity->getKey());

        $this->note($entity, "belongs to {$identity->describe()} from now on");
    }

    /**
     * Whoever the user belonged to until now may be signed in.
     */
    public function afterSave(Entity $entity, SaveOptions $options): void
    {
        if (
            $entity->isNew() ||
            !$entity->getFetched(Identity::FIELD_KEY) ||
            !$entity->isAttributeChanged(Identity::FIELD_KEY)
        ) {
            return;
        }

        $tokens = $this->entityManager
            ->getRDBRepositoryByClass(AuthToken::class)
            ->where(['userId' => $entity->getId(), 'isActive' => true])
            ->find();

        foreach ($tokens as $token) {
            $token->set('isActive', false);

            $this->entityManager->saveEntity($token);
        }
    }

    private function note(Entity $entity, string $text): void
    {
        $this->log->warning("OidcProxy: The user '{$entity->get('userName')}' $text, entered in EspoCRM.");
    }
}
