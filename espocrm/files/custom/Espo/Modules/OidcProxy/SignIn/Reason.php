<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\SignIn;

/**
 * Why somebody with a valid assertion is not signed in.
 */
enum Reason: string
{
    case SessionMissing = 'session-missing';
    case Provider = 'provider';
    case Identity = 'identity';
    case UsernameClaim = 'username-claim';
    case UsernameTooLong = 'username-too-long';
    case OtherSubject = 'other-subject';
    case NameAltered = 'name-altered';
    case NameTaken = 'name-taken';
    case EmailAmbiguous = 'email-ambiguous';
    case AdminUnbound = 'admin-unbound';
    case NoUser = 'no-user';
    case Inactive = 'inactive';
    case PortalUser = 'portal-user';
    case SuperAdmin = 'super-admin';
    case Admin = 'admin';
    case UserType = 'user-type';
    case SecondStep = 'second-step';
    case Denied = 'denied';
    case Forbidden = 'forbidden';
    case Maintenance = 'maintenance';
    case Failure = 'failure';
}
