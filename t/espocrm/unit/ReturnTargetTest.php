<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use Espo\Modules\OidcProxy\SignIn\ReturnTarget;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

final class ReturnTargetTest extends TestCase
{
    private static function wrap(string $target, string $callback = '/oauth-callback.php'): string
    {
        return $callback . (str_contains($callback, '?') ? '&' : '?') . 'return_to=' . rawurlencode($target);
    }

    public static function provideGood(): array
    {
        return [
            ['/'],
            ['/#Account/view/64f0c1'],
            ['/?entryPoint=download&id=1'],
            ['/index.php?x=1#Lead/list?a=b'],
            ['/#Account/list/primaryFilter=%C3%BC'],
            ['/wiki/logout'],
        ];
    }

    /**
     * @dataProvider provideGood
     */
    #[DataProvider('provideGood')]
    public function testGood(string $target): void
    {
        $chooser = new ReturnTarget('/', '/oidc/logout');

        $this->assertSame($target, $chooser->choose($target, null));
        $this->assertSame($target, $chooser->choose(null, $target));
        $this->assertSame($target, $chooser->choose($target, '/#Other'));
        $this->assertSame($target, $chooser->choose(self::wrap($target), null));
        $this->assertSame($target, $chooser->choose(self::wrap(self::wrap($target)), null));
    }

    public static function provideBad(): array
    {
        return [
            [''],
            ['Account'],
            ['https://evil.example/'],
            ['javascript:alert(1)'],
            ['//evil.example/'],
            ['///evil.example/'],
            ['/\\evil.example/'],
            ['/x\\y'],
            ["/\t/evil.example"],
            ["/\n/evil.example"],
            ["/a b"],
            ["/a\0b"],
            ["/\x7f"],
            ["/\xff\xfe"],
            ['/' . str_repeat('x', 9000)],
            [' /x'],
            // the callback itself
            ['/oauth-callback.php'],
            ['/oauth-callback.php#Calendar'],
            ['/OAUTH-callback.php/x'],
            ['/%6fauth-callback.php'],
            ['/x/..//oauth-callback.php'],
            ['/oauth/callback'],
            ['/oauth/callback/?x=1'],
            ['/oauth/callback/index.php'],
            ['/portal/oauth-callback.php'],
            ['/?entryPoint=oauthCallback'],
            ['/?entryPoint=x&entry%50oint=OauthCallback'],
            // signing out
            ['/oidc/logout'],
            ['/oidc/logout?x=1#y'],
            ['/OIDC/./logout/'],
            ['/oidc/%6cogout'],
            ['/#logout'],
            ['/?x=1#logout'],
        ];
    }

    /**
     * @dataProvider provideBad
     */
    #[DataProvider('provideBad')]
    public function testBad(string $target): void
    {
        $chooser = new ReturnTarget('/', 'https://crm.example.com/oidc/logout?x');

        $this->assertSame('/', $chooser->choose($target, null));
        $this->assertSame('/', $chooser->choose(null, $target));
        $this->assertSame('/', $chooser->choose(self::wrap($target), null));
        $this->assertSame('/#Lead', $chooser->choose($target, '/#Lead'));
    }

    public function testFallsBackToTheSite(): void
    {
        $this->assertSame('/crm/', (new ReturnTarget('/crm/'))->choose(null, null));
        $this->assertSame('/crm/', (new ReturnTarget('/crm/'))->choose('/crm/oauth-callback.php', null));
    }

    public function testEveryDoorIsUnwrapped(): void
    {
        $doors = ['/oauth/callback/', '/portal/oauth-callback.php', '/?entryPoint=oauthCallback', '/crm/oauth-callback.php'];

        foreach ($doors as $door) {
            $this->assertSame('/#Lead', (new ReturnTarget('/'))->choose(self::wrap('/#Lead', $door), null));
        }
    }

    public function testFragmentOfTheAddressBarGoesAlong(): void
    {
        $chooser = new ReturnTarget('/');

        $this->assertSame('/#Calendar', $chooser->choose(self::wrap('/') . '#Calendar', null));
        $this->assertSame('/#Lead', $chooser->choose(self::wrap('/#Lead') . '#Calendar', null));
    }

    public function testWrapsAreNotFollowedForever(): void
    {
        $target = '/#Lead';

        for ($i = 0; $i < 6; $i++) {
            $target = self::wrap($target);
        }

        $this->assertSame('/', (new ReturnTarget('/'))->choose($target, null));
    }

    public function testListInsteadOfText(): void
    {
        $this->assertSame('/', (new ReturnTarget('/'))->choose('/oauth-callback.php?return_to[]=/x', null));
    }

    public function testPasswordForm(): void
    {
        $this->assertTrue(ReturnTarget::asksForPassword('/?signIn=password'));
        $this->assertTrue(ReturnTarget::asksForPassword('/crm/?x=1&signIn=password#Lead'));

        foreach (['/', '/?signIn=', '/?signIn=proxy', '/?signIn[]=password', '/#?signIn=password'] as $target) {
            $this->assertFalse(ReturnTarget::asksForPassword($target), $target);
        }
    }

    public function testLogoutAtTheRootBlocksNothing(): void
    {
        $this->assertSame('/', (new ReturnTarget('/crm/', 'https://idp.example.com/'))->choose('/', null));
    }

    public static function provideClosing(): array
    {
        return [
            ['/?oidcProxyWindow=close', true],
            ['/crm/?x=1&oidcProxyWindow=close', true],
            ['/?oidcProxyWindow=close#Account', true],
            ['/?oidcProxyWindow=open', false],
            ['/?oidcProxyWindow[]=close', false],
            ['/#oidcProxyWindow=close', false],
            ['/#Account?oidcProxyWindow=close', false],
            ['/', false],
        ];
    }

    /**
     * @dataProvider provideClosing
     */
    #[DataProvider('provideClosing')]
    public function testClosesWindow(string $target, bool $closes): void
    {
        $this->assertSame($closes, ReturnTarget::closesWindow($target));
    }
}
