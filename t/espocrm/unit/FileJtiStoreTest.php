<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use Espo\Modules\OidcProxy\Assertion\FileJtiStore;
use Espo\Modules\OidcProxy\Assertion\Reason;
use Espo\Modules\OidcProxy\Assertion\Refused;
use PHPUnit\Framework\TestCase;

final class FileJtiStoreTest extends TestCase
{
    private string $directory;

    protected function setUp(): void
    {
        $this->directory = sys_get_temp_dir() . '/oidc-proxy-' . bin2hex(random_bytes(8));
    }

    protected function tearDown(): void
    {
        foreach (glob($this->directory . '/*/*') ?: [] as $file) {
            unlink($file);
        }

        foreach (glob($this->directory . '/*') ?: [] as $file) {
            is_dir($file) ? rmdir($file) : unlink($file);
        }

        if (is_dir($this->directory)) {
            rmdir($this->directory);
        }
    }

    private function store(): FileJtiStore
    {
        return new FileJtiStore($this->directory . '/jti');
    }

    public function testOnce(): void
    {
        $this->assertTrue($this->store()->use('a', 2000000060, 2000000000));
        $this->assertFalse($this->store()->use('a', 2000000060, 2000000000));
        $this->assertTrue($this->store()->use('b', 2000000060, 2000000000));
    }

    public function testAnyTextIsAnId(): void
    {
        foreach (['../../x', "a\0b", "a\nb", str_repeat('ü', 200), '/'] as $id) {
            $this->assertTrue($this->store()->use($id, 2000000060, 2000000000));
            $this->assertFalse($this->store()->use($id, 2000000060, 2000000000));
        }

        $this->assertCount(5, glob($this->directory . '/jti/*'));
    }

    public function testForgetsWhatHasExpiredAndNothingElse(): void
    {
        $this->store()->use('old', 2000000000, 1999999990);
        $this->store()->use('young', 2000000100, 1999999990);
        touch($this->directory . '/jti/note.txt');

        $this->store()->use('new', 2000000110, 2000000001);

        $this->assertCount(3, glob($this->directory . '/jti/*'));
        $this->assertFalse($this->store()->use('young', 2000000100, 2000000001));
        $this->assertFileExists($this->directory . '/jti/note.txt');
    }

    public function testOneOfManyUsesLooksForWhatHasExpired(): void
    {
        $store = new FileJtiStore($this->directory . '/jti', true);
        $looked = 0;

        $store->use('first', 2000000110, 2000000001);
        $stale = $this->directory . '/jti/2000000000-' . str_repeat('0', 64);

        for ($i = 0; $i < 1000; $i++) {
            touch($stale);
            $this->assertTrue($store->use("new-$i", 2000000110, 2000000001));
            $this->assertFalse($store->use("new-$i", 2000000110, 2000000001));

            clearstatcache(true, $stale);
            $looked += file_exists($stale) ? 0 : 1;
        }

        $this->assertGreaterThan(0, $looked);
        $this->assertLessThan(500, $looked);
    }

    public function testOneOfManyProcessesWins(): void
    {
        $code = 'require $argv[1]; while (microtime(true) < (float) $argv[3]) {} ' .
            'echo (new Espo\Modules\OidcProxy\Assertion\FileJtiStore($argv[2]))->use("x", 2000000060, 2000000000) ' .
            '? "1" : "0";';

        $start = (string) (microtime(true) + 0.7);
        $processes = [];

        for ($i = 0; $i < 8; $i++) {
            $process = proc_open(
                [PHP_BINARY, '-r', $code, '--', dirname(__DIR__) . '/bootstrap.php', $this->directory . '/jti', $start],
                [1 => ['pipe', 'w']], $pipes);

            $processes[] = [$process, $pipes[1]];
        }

        $answers = '';

        foreach ($processes as [$process, $pipe]) {
            $answers .= stream_get_contents($pipe);
            proc_close($process);
        }

        $this->assertSame(8, strlen($answers));
        $this->assertSame(1, substr_count($answers, '1'));
    }

    public function testCannotStore(): void
    {
        mkdir($this->directory);
        touch($this->directory . '/jti');

        try {
            $this->store()->use('a', 2000000060, 2000000000);
        } catch (Refused $e) {
            $this->assertSame(Reason::Storage, $e->getReason());

            return;
        }

        $this->fail("Stored without a directory.");
    }
}
