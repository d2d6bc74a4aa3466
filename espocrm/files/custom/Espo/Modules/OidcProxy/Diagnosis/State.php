<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Diagnosis;

enum State: string
{
    case Error = 'error';
    case Warning = 'warning';
    case Ok = 'ok';
}
