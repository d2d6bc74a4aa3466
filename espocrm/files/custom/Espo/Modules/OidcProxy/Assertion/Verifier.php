<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Assertion;

use JsonException;
use stdClass;

/**
 * Verifies the assertion of the reverse proxy: a JWT, signed with the key that is set here, for this site, at most a
 * minute old, usable once.
 */
final class Verifier
{
    private const MAX_LENGTH = 16384;
    private const MAX_LIFETIME = 60;
    /** Seconds by which the clocks of proxy and EspoCRM may differ. */
    private const LEEWAY = 10;
    private const JTI_MAX_LENGTH = 256;

    public function __construct(
        private Key $key,
        private string $siteUrl,
        private JtiStore $jtiStore,
    ) {}

    /**
     * @throws Refused
     */
    public function verify(?string $assertion, int $now): Claims
    {
        if ($assertion === null || $assertion === '') {
            throw new Refused(Reason::Missing, "the request has no assertion");
        }

        $site = SiteUrl::parse($this->siteUrl);

        if (!$site) {
            throw new Refused(Reason::SiteUrl, "Site URL is not an absolute http or https URL");
        }

        $payload = $this->open($assertion);
        $claims = new Claims(get_object_vars($payload));

        try {
            $this->checkParties($payload, $site);
            $this->checkTimes($payload, $now);
            $this->checkId($payload, $now);
        } catch (Refused $e) {
            throw new Refused($e->getReason(), $e->getMessage(), $claims);
        }

        return $claims;
    }

    /**
     * Checks form, algorithm and signature.
     */
    private function open(string $assertion): stdClass
    {
        $parts = explode('.', $assertion);

        if (strlen($assertion) > self::MAX_LENGTH || count($parts) !== 3) {
            throw new Refused(Reason::Malformed, "the assertion is not a signed JWT");
        }

        [$headerPart, $payloadPart, $signaturePart] = $parts;

        $header = self::decodeObject($headerPart, 'header');

        if (property_exists($header, 'crit')) {
            throw new Refused(Reason::Malformed, "the header of the assertion demands extensions");
        }

        $this->key->verify(
            $header->alg ?? null,
            $header->kid ?? null,
            $headerPart . '.' . $payloadPart,
            self::decode($signaturePart, 'signature')
        );

        return self::decodeObject($payloadPart, 'payload');
    }

    private function checkParties(stdClass $payload, SiteUrl $site): void
    {
        $issuer = $payload->iss ?? null;

        if (!is_string($issuer) || !$site->isNamedBy($issuer, false)) {
            throw new Refused(Reason::Issuer,
                "the assertion comes from " . Refused::quote($issuer) . ", Site URL is at '{$site->getOrigin()}'");
        }

        $audience = $payload->aud ?? null;

        $list = is_array($audience) ? $audience : [$audience];

        foreach ($list as $item) {
            if (is_string($item) && $site->isNamedBy($item, true)) {
                $this->checkSubject($payload);

                return;
            }
        }

        throw new Refused(Reason::Audience,
            "the assertion is for " . Refused::quote($audience) . ", Site URL is '" .
            rtrim($site->getOrigin() . $site->getBasePath(), '/') . "'");
    }

    private function checkSubject(stdClass $payload): void
    {
        $subject = $payload->sub ?? null;

        if (!is_string($subject) || $subject === '') {
            throw new Refused(Reason::Subject, "the assertion names no subject");
        }
    }

    private function checkTimes(stdClass $payload, int $now): void
    {
        $issuedAt = $payload->iat ?? null;
        $expires = $payload->exp ?? null;
        $notBefore = $payload->nbf ?? $issuedAt;

        if (!is_int($issuedAt) || !is_int($expires) || !is_int($notBefore)) {
            throw new Refused(Reason::Lifetime, "iat and exp of the assertion must be whole numbers");
        }

        if ($expires <= $issuedAt || $expires - $issuedAt > self::MAX_LIFETIME) {
            throw new Refused(Reason::Lifetime,
                "the assertion is valid for " . ($expires - $issuedAt) . " s, allowed are 1 to " .
                self::MAX_LIFETIME . " s");
        }

        if ($expires + self::LEEWAY <= $now) {
            throw new Refused(Reason::Expired, "the assertion expired " . ($now - $expires) . " s ago");
        }

        $start = max($issuedAt, $notBefore);

        if ($start > $now + self::LEEWAY) {
            throw new Refused(Reason::NotYetValid, "the assertion is valid in " . ($start - $now) . " s");
        }
    }

    private function checkId(stdClass $payload, int $now): void
    {
        $id = $payload->jti ?? null;

        if (!is_string($id) || $id === '' || strlen($id) > self::JTI_MAX_LENGTH) {
            throw new Refused(Reason::Id, "the assertion has no usable jti");
        }

        if (!$this->jtiStore->use($id, $payload->exp + self::LEEWAY, $now)) {
            throw new Refused(Reason::Replayed, "the assertion has been used before");
        }
    }

    private static function decodeObject(string $part, string $name): stdClass
    {
        try {
            $data = json_decode(self::decode($part, $name), false, 32, JSON_THROW_ON_ERROR);
        } catch (JsonException) {
            $data = null;
        }

        if (!$data instanceof stdClass) {
            throw new Refused(Reason::Malformed, "the $name of the assertion is not a JSON object");
        }

        return $data;
    }

    /**
     * Base64url without padding, in the one spelling that an encoder makes.
     */
    private static function decode(string $part, string $name): string
    {
        $bytes = base64_decode(strtr($part, '-_', '+/'), true);

        if (
            $bytes === false ||
            $part === '' ||
            rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=') !== $part
        ) {
            throw new Refused(Reason::Malformed, "the $name of the assertion is not base64url");
        }

        return $bytes;
    }
}
