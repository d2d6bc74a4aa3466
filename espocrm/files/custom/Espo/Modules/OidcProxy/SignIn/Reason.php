<?php
// SPDX-License-Identifier: Apache-2.0

namespace Espo\Modules\OidcProxy\SignIn;

/**
 * Why somebody with a valid assertion is not signed in.
 */
enum Reason: string
{
    case UsernameClaim = 'username-claim';
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
