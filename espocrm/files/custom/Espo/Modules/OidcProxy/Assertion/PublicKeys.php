<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Assertion;

use JsonException;
use phpseclib3\Crypt\Common\PublicKey;
use phpseclib3\Crypt\EC\Formats\Signature\ASN1;
use phpseclib3\Crypt\EC\PublicKey as EcPublicKey;
use phpseclib3\Crypt\PublicKeyLoader;
use phpseclib3\Math\BigInteger;
use Throwable;

/**
 * The public keys of the proxy (ES256, EdDSA). Nobody can make assertions with them.
 */
final class PublicKeys implements Key
{
    private const ES256 = 'ES256';
    private const EDDSA = 'EdDSA';
    private const ALGORITHMS = ['secp256r1' => self::ES256, 'Ed25519' => self::EDDSA];
    private const P256_BYTES = 32;
    private const MAX_KEYS = 16;

    /**
     * @param non-empty-list<array{algorithm: string, id: ?string, key: EcPublicKey}> $list
     */
    private function __construct(private array $list) {}

    /**
     * @param string $text What `oidc_jwks` answers (a JWK Set, RFC 7517), a single JWK, or public keys in PEM.
     * @return ?self Null: a part of it is no public key of P-256 or Ed25519, or there is none.
     */
    public static function parse(string $text): ?self
    {
        $text = trim($text);
        $list = [];

        foreach (str_starts_with($text, '{') ? self::splitJson($text) : self::splitPem($text) as [$part, $id]) {
            $key = self::load($part);
            $algorithm = $key ? self::ALGORITHMS[$key->getCurve()] ?? null : null;

            if (!$key || !$algorithm) {
                return null;
            }

            $list[] = ['algorithm' => $algorithm, 'id' => $id, 'key' => $key];
        }

        return $list && count($list) <= self::MAX_KEYS ? new self($list) : null;
    }

    /**
     * @return non-empty-list<string> One for each key.
     */
    public function getAlgorithms(): array
    {
        return array_column($this->list, 'algorithm');
    }

    public function verify(mixed $algorithm, mixed $id, string $input, string $signature): void
    {
        $known = $this->getAlgorithms();

        if (!in_array($algorithm, $known, true)) {
            throw new Refused(Reason::Algorithm,
                "the assertion is signed with " . Refused::quote($algorithm) . ", the public keys set here are for " .
                implode(', ', array_unique($known)));
        }

        foreach ($this->list as $item) {
            $fits = $item['algorithm'] === $algorithm && ($item['id'] === null || $item['id'] === $id);

            if ($fits && self::isSignedBy($item['key'], $algorithm, $input, $signature)) {
                return;
            }
        }

        throw new Refused(Reason::Signature,
            "the signature was not made with a key of the proxy that is set here, its kid is " . Refused::quote($id));
    }

    /**
     * @return list<array{string, ?string}> Each key by itself, and its kid.
     */
    private static function splitJson(string $text): array
    {
        try {
            $data = json_decode($text, true, 8, JSON_THROW_ON_ERROR);
        } catch (JsonException) {
            return [['', null]];
        }

        $list = [];
        $keys = is_array($data) ? $data['keys'] ?? [$data] : null;

        foreach (is_array($keys) ? $keys : [null] as $jwk) {
            // `d` is what a private key has beside; the coordinates phpseclib reads unseen.
            $isPublic = is_array($jwk) && !array_key_exists('d', $jwk) && is_string($jwk['x'] ?? null) &&
                (($jwk['kty'] ?? null) === 'OKP' || is_string($jwk['y'] ?? null));
            $id = $isPublic ? $jwk['kid'] ?? null : null;

            $list[] = [$isPublic ? (string) json_encode($jwk) : '', is_string($id) ? $id : null];
        }

        return $list;
    }

    /**
     * @return list<array{string, null}>
     */
    private static function splitPem(string $text): array
    {
        $parts = preg_split('/(?<=-----END PUBLIC KEY-----)\s*/', $text, -1, PREG_SPLIT_NO_EMPTY) ?: [];
        $whole = '/^-----BEGIN PUBLIC KEY-----[\sA-Za-z0-9+\/=]+-----END PUBLIC KEY-----$/D';

        return array_map(fn ($part) => [preg_match($whole, $part) ? $part : '', null], $parts);
    }

    private static function load(string $part): ?EcPublicKey
    {
        try {
            $key = PublicKeyLoader::load($part);
        } catch (Throwable) {
            return null;
        }

        return $key instanceof PublicKey && $key instanceof EcPublicKey ? $key : null;
    }

    private static function isSignedBy(EcPublicKey $key, string $algorithm, string $input, string $signature): bool
    {
        try {
            if ($algorithm === self::EDDSA) {
                return (bool) $key->verify($input, $signature);
            }

            if (strlen($signature) !== 2 * self::P256_BYTES) {
                return false;
            }

            // RFC 7518 3.4: r and s, one after the other.
            [$r, $s] = array_map(fn ($half) => new BigInteger($half, 256), str_split($signature, self::P256_BYTES));

            return (bool) $key->withHash('sha256')->withSignatureFormat('ASN1')->verify($input, ASN1::save($r, $s));
        } catch (Throwable) {
            // Of a wrong length, or a number out of range.
            return false;
        }
    }
}
