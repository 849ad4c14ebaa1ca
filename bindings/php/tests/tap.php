<?php
// Helpers for scenarios, and their runner. Each scenario prints a line of TAP. The first scenarios, which every language has, are counted in a row for
// tests/tiers/hosts/run.
declare(strict_types=1);

/** The folder of the package, installed or in the checkout. */
define('PACKAGE', getenv('KVL_PACKAGE') ?: dirname(__DIR__));

require_once PACKAGE . '/kvlight.php';

use Kvlight\Tasks;

/** Keeps the interpreter busy, with non-blocking polls in between, until `$isDone()` returns true. */
function busyUntil(Tasks $tasks, callable $isDone): int
{
    $sum = 0;
    while (!$isDone()) {
        for ($i = 0; $i < 5000; $i++) {
            $sum = ($sum + $i * $i) % 1000003;
        }
        $tasks->poll();
    }
    return $sum;
}

function equal(mixed $got, mixed $wanted, string $what): void
{
    if ($got !== $wanted) {
        throw new Exception("$what: got " . substr(var_export($got, true), 0, 500) . ', wanted ' . substr(var_export($wanted, true), 0, 500));
    }
}

function thrown(callable $call): Throwable
{
    try {
        $call();
    } catch (Throwable $error) {
        return $error;
    }
    throw new Exception('nothing was thrown');
}

/** The number of bytes by which PHP's memory grows in a second round of the same work. */
function growth(callable $work): int
{
    $work();
    gc_collect_cycles();
    $before = memory_get_usage();
    $work();
    gc_collect_cycles();
    return memory_get_usage() - $before;
}

function residentKib(): int
{
    preg_match('/VmRSS:\s+(\d+)/', file_get_contents('/proc/self/status'), $found);
    return (int) $found[1];
}

/** Runs a program in a separate interpreter, for a minute at most, and returns its exit code and its output. */
function program(string $text): array
{
    $file = tempnam(sys_get_temp_dir(), 'kvlight');
    file_put_contents($file, "<?php require '" . PACKAGE . '/kvlight.php' . "';\n$text\n");
    exec('timeout 60 ' . escapeshellarg(PHP_BINARY) . ' ' . escapeshellarg($file) . ' 2>&1', $output, $code);
    unlink($file);
    return [$code, implode("\n", $output)];
}

/** How many scenarios every language has; they come first. */
const SHARED = 12;

/** Runs the scenarios, and exits. If `$printsRow`, also prints the row. */
function runScenarios(array $scenarios, bool $printsRow = false): never
{
    $failed = $sharedPassed = $i = 0;
    echo '1..', count($scenarios), "\n";
    foreach ($scenarios as $name => $run) {
        $i++;
        try {
            $run();
            echo "ok $i - $name\n";
            $sharedPassed += $i <= SHARED ? 1 : 0;
        } catch (Throwable $error) {
            echo "not ok $i - $name\n# ", str_replace("\n", "\n# ", (string) $error), "\n";
            $failed++;
        }
    }
    if ($printsRow) {
        echo 'ROW PHP | ', PHP_VERSION, " | next | $sharedPassed of ", SHARED, "\n";
    }
    exit($failed === 0 ? 0 : 1);
}
