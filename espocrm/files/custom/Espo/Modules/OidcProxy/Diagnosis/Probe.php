<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Diagnosis;

use Espo\Modules\OidcProxy\Assertion\Claims;
use Espo\Modules\OidcProxy\Assertion\Refused;
use Espo\Modules\OidcProxy\SignIn\Visitor;
use stdClass;

/**
 * What became of an assertion that the proxy sent with a request to the callback, which signed nobody in. Immutable.
 */
final class Probe
{
    private const MAX_LENGTH = 1000;

    /**
     * @param int $status The HTTP status. 0: there was no answer.
     * @param ?string $reason Why the assertion is refused. Null if it is not, or never came so far.
     * @param ?int $age How many seconds before its arrival the proxy says to have made it.
     */
    private function __construct(
        public readonly int $status,
        public readonly bool $isAnswer,
        public readonly ?string $reason = null,
        public readonly string $detail = '',
        public readonly int $length = 0,
        public readonly ?int $age = null,
        public readonly ?string $name = null,
        public readonly ?string $issuer = null,
        public readonly bool $hasUsername = false,
    ) {}

    /**
     * At the callback.
     */
    public static function take(string $assertion, ?Claims $claims, ?Refused $refused, ?string $usernameClaim, int $now): self
    {
        $claims ??= $refused?->getClaims();
        $visitor = $claims ? Visitor::fromClaims($claims, $usernameClaim) : null;
        $issuedAt = $claims?->get('iat');

        return new self(
            status: 200,
            isAnswer: true,
            reason: $refused?->getReason()->value,
            detail: $refused ? self::line($refused->getMessage()) : '',
            length: strlen($assertion),
            age: is_int($issuedAt) ? $now - $issuedAt : null,
            name: $visitor?->getName(),
            issuer: $visitor?->getIssuer(),
            hasUsername: $claims?->getText($usernameClaim ?? '') !== null,
        );
    }

    /**
     * What the browser of the administrator hands on.
     */
    public static function fromBrowser(mixed $status, mixed $data): self
    {
        $status = is_int($status) ? $status : 0;

        if (!$data instanceof stdClass || $status !== 200) {
            return new self($status, false);
        }

        $text = fn (string $name): ?string => is_string($data->$name ?? null) ? self::line($data->$name) : null;
        $number = fn (string $name): ?int => is_int($data->$name ?? null) ? $data->$name : null;

        return new self(
            status: $status,
            isAnswer: true,
            reason: $text('reason'),
            detail: $text('detail') ?? '',
            length: $number('length') ?? 0,
            age: $number('age'),
            name: $text('name'),
            issuer: $text('issuer'),
            hasUsername: ($data->hasUsername ?? null) === true,
        );
    }

    private static function line(string $text): string
    {
        return mb_strcut((string) preg_replace('/[\x00-\x1f\x7f]+/', ' ', $text), 0, self::MAX_LENGTH);
    }
}
