<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Assertion;

/**
 * One empty file for each used ID. Creating a file that must not exist yet is atomic, over all PHP processes.
 * The name says when the file may go, so that no clock of a file system matters.
 */
final class FileJtiStore implements JtiStore
{
    /** Below the directory of EspoCRM. */
    public const DIRECTORY = 'data/oidc-proxy/jti';

    private const NAME_PATTERN = '/^(\d{10,19})-[0-9a-f]{64}$/';

    /** To look through all files is too much for each of many requests. */
    private const FREQUENT_CLEANING = 32;

    /**
     * @param bool $isFrequent One of many uses looks for what may go, and not each.
     */
    public function __construct(
        private string $directory = self::DIRECTORY,
        private bool $isFrequent = false,
    ) {}

    public function isWritable(): bool
    {
        try {
            $this->prepareDirectory();
        } catch (Refused) {
            return false;
        }

        return is_writable($this->directory);
    }

    public function use(string $jti, int $expires, int $now): bool
    {
        $this->prepareDirectory();

        $file = sprintf('%s/%010d-%s', $this->directory, $expires, hash('sha256', $jti));

        $handle = @fopen($file, 'x');

        if ($handle === false) {
            clearstatcache(true, $file);

            if (file_exists($file)) {
                return false;
            }

            throw new Refused(Reason::Storage, "a file cannot be created in '$this->directory'");
        }

        fclose($handle);

        if (!$this->isFrequent || random_int(1, self::FREQUENT_CLEANING) === 1) {
            $this->clean($now);
        }

        return true;
    }

    private function prepareDirectory(): void
    {
        if (is_dir($this->directory)) {
            return;
        }

        if (!@mkdir($this->directory, 0775, true) && !is_dir($this->directory)) {
            throw new Refused(Reason::Storage, "the directory '$this->directory' cannot be created");
        }
    }

    private function clean(int $now): void
    {
        $names = @scandir($this->directory) ?: [];

        foreach ($names as $name) {
            if (!preg_match(self::NAME_PATTERN, $name, $matches)) {
                continue;
            }

            if ((int) $matches[1] < $now) {
                // Another process may have been faster.
                @unlink($this->directory . '/' . $name);
            }
        }
    }
}
