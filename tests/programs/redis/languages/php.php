<?php
// A process with an engine of the PHP package and an `l2Url`, driven by commands on its input, like worker.c: `php.php URL`.
declare(strict_types=1);

require __DIR__ . '/../../../../bindings/php/kvlight.php';

$answer = 'nobody';
try {
    $tasks = new Kvlight\Tasks(
        function (array $keys) use (&$answer): array {
            return array_fill_keys($keys, ['from' => $answer]);
        },
        ['cache.ttl_ms' => 3_600_000, 'timeout_ms' => 20_000, 'l2.timeout_ms' => 10_000],
        dump: json_encode(...),
        load: fn (string $bytes) => json_decode($bytes, true),
        l2Url: $argv[1],
    );
} catch (\RuntimeException $error) {
    echo 'refused ', $error->getMessage(), "\n";
    exit;
}
echo "ready\n";
stream_set_blocking(STDIN, false);
while (!feof(STDIN)) {
    $line = fgets(STDIN);
    if ($line === false) {
        $tasks->poll(5); // runs what waits for the program's thread, such as fills
        continue;
    }
    [$command, $key, $value] = explode(' ', trim($line)) + ['', '', ''];
    if ($command === 'fetch') {
        $result = $tasks->results([$key])[0];
        echo "done $key 0 $result->source ", $result->value['from'] ?? '-', "\n";
    } elseif ($command === 'put') {
        $tasks->put($key, ['from' => $value]);
        echo "ok 0\n";
    } elseif ($command === 'auto') {
        $answer = $key;
        echo "ok 0\n";
    } elseif ($command === 'state') {
        echo 'state ', json_encode($tasks->l2State()), "\n";
    }
}
$tasks->close();
