<?php
// Fetches 100,000 keys while the interpreter is busy: single fetches, batches, objects, errors, cancels, late answers. Each key must
// settle exactly once. `php stress.php SEED`; `run.sh stress` starts it many times.
declare(strict_types=1);

require __DIR__ . '/tap.php';

use Kvlight\{Request, Result, Tasks};

const FETCHES = 100_000;
mt_srand((int) ($argv[1] ?? 1));

$started = $delivered = $errors = $created = $dropped = 0;
$later = $open = [];

$answer = function (Request $request) use (&$created) {
    foreach ($request->keys as $at => $key) {
        $number = mt_rand(1, 10);
        if ($number === 1) {
            $request->fail($at, new RuntimeException($key));
        } elseif ($number <= 3) {
            $created++;
            $request->resolve($at, [$key]);
        } elseif ($number <= 8) {
            $request->resolve($at, "value of $key");
        }
    }
    $request->finish();
};

$tasks = new Tasks(
    function (array $keys, Request $request) use ($answer, &$later) {
        if (mt_rand(1, 4) === 1) {
            $later[] = $request;
        } else {
            $answer($request);
        }
    },
    ['cache.capacity' => 2000, 'retry.count' => 1, 'tasks.max_running' => 64],
    function () use (&$dropped) { $dropped++; },
);

$onResult = function (Result $result) use (&$delivered, &$errors) {
    $delivered++;
    $errors += $result->error === null ? 0 : 1;
};

while ($delivered < FETCHES) {
    if ($started < FETCHES && mt_rand(1, 8) === 1) {
        $keys = [];
        for ($i = min(50, FETCHES - $started); $i > 0; $i--) {
            $keys[] = 'key ' . mt_rand(1, 5000);
        }
        $started += count($keys);
        $tasks->startAll($keys, function (array $results) use ($onResult) { array_map($onResult, $results); });
    } elseif ($started < FETCHES && $started - $delivered < 5000) {
        $started++;
        $open[] = $tasks->start('key ' . mt_rand(1, 5000), $onResult);
        if (count($open) > 20) {
            $open[mt_rand(0, 19)]->cancel();
            $open = [];
        }
    }
    for ($i = $sum = 0; $i < 100; $i++) {
        $sum = ($sum + $i * $delivered) % 1000003;
    }
    $tasks->poll();
    if (mt_rand(1, 3) === 1) {
        [$now, $later] = [$later, []];
        array_map($answer, $now);
    }
}
$tasks->close();
if ($started !== FETCHES || $delivered !== FETCHES || $created !== $dropped) {
    echo "$started started, $delivered delivered; $created objects created, $dropped dropped\n";
    exit(1);
}
echo "# $delivered fetches, $errors errors, $dropped objects dropped\n";
