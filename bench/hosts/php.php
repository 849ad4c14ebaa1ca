<?php
// Compares kvlight for PHP with APCu: prints lines of work, library and CPU nanoseconds for each key.
declare(strict_types=1);

require $argv[1];

define('KEYS', (int) (getenv('KVL_BENCH_KEYS') ?: 100_000));
const ROUNDS = 5;
const ABSENT = 1_000;

/** CPU seconds of all threads. */
function used(): float
{
    $usage = getrusage();
    return $usage['ru_utime.tv_sec'] + $usage['ru_stime.tv_sec'] + ($usage['ru_utime.tv_usec'] + $usage['ru_stime.tv_usec']) / 1e6;
}

$row = fn (string $key): array => ['id' => $key];
$tasks = new Kvlight\Tasks(fn (array $keys) => array_combine($keys, array_map($row, $keys)),
    ['cache.capacity' => 2 * KEYS, 'batch.max_keys' => 64]);
$order = array_map(fn (int $i) => "key $i", range(0, KEYS - 1));
foreach ($order as $name) {
    $tasks->put($name, $row($name));
    apcu_store($name, $row($name));
}
mt_srand(1);
shuffle($order);

$figures = [];
$measured = function (string $work, string $library, int $keys, callable $call) use (&$figures): void {
    $begun = used();
    $call();
    $figures["$work\t$library"][] = (used() - $begun) * 1e9 / $keys;
};
for ($turn = 0; $turn < ROUNDS; $turn++) {
    $measured('resident get', 'kvlight', KEYS, function () use ($tasks, $order) { foreach ($order as $name) { $tasks->get($name); } });
    $measured('resident get', 'APCu', KEYS, function () use ($order) { foreach ($order as $name) { apcu_fetch($name); } });
    $measured('resident fetch', 'kvlight', KEYS, function () use ($tasks, $order) { foreach ($order as $name) { $tasks->fetch($name); } });
    $measured('resident fetch', 'APCu', KEYS, function () use ($order, $row) { foreach ($order as $name) { apcu_entry($name, $row); } });
    $batches = array_map(fn (int $batch) => array_map(fn (int $i) => "absent $turn $batch $i", range(1, ABSENT)), range(1, 20));
    $measured('1,000 absent keys, 64 a request', 'kvlight', 20 * ABSENT, function () use ($tasks, $batches) {
        foreach ($batches as $keys) {
            $tasks->fetchAll($keys);
        }
    });
    $measured('1,000 absent keys, 64 a request', 'APCu', 20 * ABSENT, function () use ($batches, $row) {
        foreach ($batches as $keys) {
            apcu_fetch($keys);
            foreach (array_chunk($keys, 64) as $some) {
                apcu_store(array_combine($some, array_map($row, $some)));
            }
        }
    });
}
foreach ($figures as $name => $costs) {
    sort($costs);
    printf("%s\t%.0f\n", $name, $costs[intdiv(ROUNDS, 2)]);
}
$tasks->close();
