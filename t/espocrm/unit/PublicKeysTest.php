<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use Espo\Modules\OidcProxy\Assertion\PublicKeys;
use Espo\Modules\OidcProxy\Assertion\Reason;
use Espo\Modules\OidcProxy\Assertion\Refused;
use Espo\Modules\OidcProxy\Assertion\SharedSecret;
use Espo\Modules\OidcProxy\Assertion\Verifier;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

require_once __DIR__ . '/AssertionFactory.php';
require_once __DIR__ . '/MemoryJtiStore.php';

final class PublicKeysTest extends TestCase
{
    /** RFC 7515 A.3 */
    private const P256 = '{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",' .
        '"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}';
    private const ES256_INPUT = 'eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt' .
        'cGxlLmNvbS9pc19yb290Ijp0cnVlfQ';
    private const ES256_SIGNATURE =
        'DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q';

    /** RFC 8037 A.4 */
    private const ED25519 = '{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}';
    private const EDDSA_INPUT = 'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc';
    private const EDDSA_SIGNATURE =
        'hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg';

    private static function decode(string $text): string
    {
        return (string) base64_decode(strtr($text, '-_', '+/'), true);
    }

    /**
     * A pair of OpenSSL, whose private key signs as the proxy does.
     *
     * @return array{string, callable(string): string} The public key in PEM, and r and s of a signature.
     */
    private static function makeP256(): array
    {
        $key = openssl_pkey_new(['private_key_type' => OPENSSL_KEYTYPE_EC, 'curve_name' => 'prime256v1']);

        $sign = function (string $input) use ($key): string {
            openssl_sign($input, $der, $key, OPENSSL_ALGO_SHA256);

            // SEQUENCE { INTEGER r, INTEGER s }, all lengths below 128.
            $r = substr($der, 4, ord($der[3]));
            $s = substr($der, 4 + strlen($r) + 2);

            return implode('', array_map(
                fn ($number) => str_pad(ltrim($number, "\0"), 32, "\0", STR_PAD_LEFT), [$r, $s]));
        };

        return [openssl_pkey_get_details($key)['key'], $sign];
    }

    private static function jwk(string $pem, string $id): string
    {
        $ec = openssl_pkey_get_details(openssl_pkey_get_public($pem))['ec'];

        return (string) json_encode([
            'crv' => 'P-256', 'kty' => 'EC', 'kid' => $id, 'use' => 'sig', 'alg' => 'ES256',
            'x' => AssertionFactory::encode(str_pad($ec['x'], 32, "\0", STR_PAD_LEFT)),
            'y' => AssertionFactory::encode(str_pad($ec['y'], 32, "\0", STR_PAD_LEFT)),
        ]);
    }

    private function assertRefused(Reason $reason, callable $function): void
    {
        try {
            $function();
        } catch (Refused $e) {
            $this->assertSame($reason, $e->getReason(), $e->getMessage());

            return;
        }

        $this->fail("Not refused, expected: $reason->value");
    }

    public function testExamplesOfTheStandards(): void
    {
        foreach ([self::P256, '{"keys":[' . self::P256 . ']}', '{"keys":[' . self::ED25519 . ',' . self::P256 . ']}'] as $text) {
            $keys = PublicKeys::parse($text);

            $this->assertNotNull($keys);
            $keys->verify('ES256', null, self::ES256_INPUT, self::decode(self::ES256_SIGNATURE));
            $keys->verify('ES256', 'any, the key has none', self::ES256_INPUT, self::decode(self::ES256_SIGNATURE));
        }

        $keys = PublicKeys::parse("\n" . self::ED25519 . "\n");

        $this->assertNotNull($keys);
        $keys->verify('EdDSA', null, self::EDDSA_INPUT, self::decode(self::EDDSA_SIGNATURE));
    }

    public function testEveryOtherSignatureIsRefused(): void
    {
        foreach ([
            ['ES256', self::P256, self::ES256_INPUT, self::decode(self::ES256_SIGNATURE)],
            ['EdDSA', self::ED25519, self::EDDSA_INPUT, self::decode(self::EDDSA_SIGNATURE)],
        ] as [$algorithm, $text, $input, $signature]) {
            $keys = PublicKeys::parse($text);
            $wrong = ['', 'x', substr($signature, 0, -1), $signature . "\0", strrev($signature), str_repeat("\0", 64),
                str_repeat("\xff", 64)];

            for ($i = 0; $i < 64; $i++) {
                $changed = $signature;
                $changed[$i] = chr(ord($changed[$i]) ^ 1);
                $wrong[] = $changed;
            }

            foreach ($wrong as $other) {
                $this->assertRefused(Reason::Signature, fn () => $keys->verify($algorithm, null, $input, $other));
            }

            $this->assertRefused(Reason::Signature, fn () => $keys->verify($algorithm, null, $input . 'x', $signature));
        }
    }

    public function testAPublicKeyIsNeverASecret(): void
    {
        foreach ([self::P256, self::ED25519, self::makeP256()[0]] as $text) {
            $keys = PublicKeys::parse($text);

            foreach (['HS256', 'none', 'es256', 'RS256', 'ES384', '', null, true, ['ES256']] as $algorithm) {
                $this->assertRefused(Reason::Algorithm,
                    fn () => $keys->verify($algorithm, null, 'input', hash_hmac('sha256', 'input', $text, true)));
            }
        }

        // Each key is for one algorithm.
        $this->assertRefused(Reason::Algorithm,
            fn () => PublicKeys::parse(self::P256)->verify('EdDSA', null, self::EDDSA_INPUT, self::decode(self::EDDSA_SIGNATURE)));
        $this->assertRefused(Reason::Algorithm,
            fn () => (new SharedSecret(AssertionFactory::SECRET))->verify('ES256', null, 'input', 'signature'));
    }

    public function testManyKeysOfOpenssl(): void
    {
        // Numbers with leading zeros are among so many.
        for ($i = 0; $i < 40; $i++) {
            [$old] = self::makeP256();
            [$pem, $sign] = self::makeP256();

            PublicKeys::parse("$old\n$pem")->verify('ES256', 'any', "input $i", $sign("input $i"));

            $set = PublicKeys::parse('{"keys":[' . self::jwk($old, 'old') . ',' . self::jwk($pem, 'new') . ']}');

            $set->verify('ES256', 'new', "input $i", $sign("input $i"));

            foreach (['old', 'unknown', null, ['new']] as $id) {
                $this->assertRefused(Reason::Signature, fn () => $set->verify('ES256', $id, "input $i", $sign("input $i")));
            }
        }
    }

    public function testAWholeAssertion(): void
    {
        [$pem, $sign] = self::makeP256();

        [, $payload] = explode('.', AssertionFactory::create());
        $input = AssertionFactory::encode('{"alg":"ES256","typ":"JWT","kid":"k"}') . '.' . $payload;
        $assertion = $input . '.' . AssertionFactory::encode($sign($input));

        $verifier = new Verifier(PublicKeys::parse($pem), AssertionFactory::SITE, new MemoryJtiStore());

        $this->assertSame('alice', $verifier->verify($assertion, AssertionFactory::NOW)->getText('preferred_username'));
        $this->assertRefused(Reason::Algorithm,
            fn () => $verifier->verify(AssertionFactory::create([], secret: $pem), AssertionFactory::NOW));
    }

    /**
     * @return array<string, array{string}>
     */
    public static function provideNoPublicKeys(): array
    {
        $private = openssl_pkey_new(['private_key_type' => OPENSSL_KEYTYPE_EC, 'curve_name' => 'prime256v1']);
        openssl_pkey_export($private, $privatePem);
        $rsa = openssl_pkey_get_details(openssl_pkey_new(['private_key_bits' => 2048]))['key'];
        $p384 = openssl_pkey_get_details(
            openssl_pkey_new(['private_key_type' => OPENSSL_KEYTYPE_EC, 'curve_name' => 'secp384r1']))['key'];
        [$good] = self::makeP256();

        return [
            'nothing' => [''],
            'blanks' => [" \n "],
            'a word' => ['secret'],
            'a private key' => [$privatePem],
            'a private key beside' => ["$good\n$privatePem"],
            'a private JWK' => [str_replace('"kty"', '"d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE","kty"', self::P256)],
            'RSA' => [$rsa],
            'RSA beside' => ["$good\n$rsa"],
            'P-384' => [$p384],
            'cut' => [substr($good, 0, -5)],
            'text behind' => ["$good\nmore"],
            'an empty set' => ['{"keys":[]}'],
            'keys that are no list' => ['{"keys":"none"}'],
            'a set with something else' => ['{"keys":[' . self::P256 . ',1]}'],
            'a symmetric JWK' => ['{"kty":"oct","k":"' . str_repeat('A', 43) . '"}'],
            'a point that is not on the curve' => [str_replace('"y":"x', '"y":"y', self::P256)],
            'half a JWK' => ['{"kty":"EC","crv":"P-256"}'],
            'no JSON' => ['{"kty":'],
            'too many' => ['{"keys":[' . implode(',', array_fill(0, 17, self::P256)) . ']}'],
        ];
    }

    /**
     * @dataProvider provideNoPublicKeys
     */
    #[DataProvider('provideNoPublicKeys')]
    public function testNoPublicKeys(string $text): void
    {
        $this->assertNull(PublicKeys::parse($text));
    }
}
