<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Assertion;

/**
 * Why an assertion is refused. The values are part of the log lines and of the error page.
 */
enum Reason: string
{
    case Missing = 'missing';
    case SecretNotSet = 'secret-not-set';
    case SiteUrl = 'site-url';
    case Malformed = 'malformed';
    case Algorithm = 'algorithm';
    case Signature = 'signature';
    case Issuer = 'issuer';
    case Audience = 'audience';
    case Subject = 'subject';
    case Expired = 'expired';
    case NotYetValid = 'not-yet-valid';
    case Lifetime = 'lifetime';
    case Id = 'id';
    case Replayed = 'replayed';
    case Storage = 'storage';
}
