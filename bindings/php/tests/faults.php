<?php
// Functions that throw and caches that are never closed affect no other fetch; memory does not grow. Also fallbacks, the circuit breaker, retries,
// iteration and files. Prints TAP; run.sh sets the path of the library.
declare(strict_types=1);

require __DIR__ . '/tap.php';

use Kvlight\{Native, Request, Result, RetryAfter, Tasks, TierFound};

function echoTasks(mixed ...$named): Tasks
{
    return new Tasks(fn (array $keys) => array_combine($keys, array_map(fn ($key) => [(string) $key], $keys)), ...$named);
}

$scenarios = [];

foreach (['Exception' => fn () => throw new Exception('mine'), 'Error' => fn () => intdiv(1, 0)] as $kind => $fail) {
    $scenarios["a function given to start that throws an $kind"] = function () use ($fail) {
        $failures = [];
        $tasks = echoTasks(onError: function (Throwable $error) use (&$failures) { $failures[] = $error; });
        $tasks->start('a', $fail);
        $tasks->startAll(['b', 'c'], $fail);
        equal($tasks->fetch('d'), ['d'], 'a fetch that polls');
        equal($tasks->fetchAll(['e', 'f']), [['e'], ['f']], 'a batch');
        while ($tasks->poll() > 0);
        equal(count($failures), 2, 'reported exceptions');
        $tasks->close();
    };

    $scenarios["`dropped` that throws an $kind"] = function () use ($fail) {
        $dropped = $reported = 0;
        $tasks = echoTasks(
            settings: ['cache.capacity' => 1],
            dropped: function () use (&$dropped, $fail) { $dropped++; $fail(); },
            onError: function () use (&$reported) { $reported++; },
        );
        foreach (['a', 'b', 'c'] as $key) {
            equal($tasks->fetch($key), [$key], 'a value');
        }
        $tasks->close();
        equal([$dropped, $reported], [3, 3], 'the numbers of calls and of reported exceptions');
    };

    $scenarios["a provider that throws an $kind"] = function () use ($fail) {
        $tasks = new Tasks(fn (array $keys) => $keys === ['bad'] ? $fail() : array_combine($keys, $keys), ['tasks.max_running' => 1]);
        $bad = $tasks->start('bad');
        equal($tasks->fetch('a'), 'a', 'another fetch');
        equal($bad->wait()->status, Native::ERR_PROVIDER, 'the status of the failed fetch');
        $tasks->close();
    };
}

$scenarios['an exception of a function given to start is logged if onError throws or is missing'] = function () {
    [$code, $output] = program(<<<'PHP'
        ini_set('error_log', '/dev/stderr');
        foreach ([null, fn () => throw new Exception('again')] as $onError) {
            $tasks = new Kvlight\Tasks(fn (array $keys) => array_combine($keys, $keys), onError: $onError);
            $tasks->start('a', fn () => throw new Exception('in a function'));
            if ($tasks->fetch('b') !== 'b') { exit(3); }
            $tasks->close();
        }
        PHP);
    equal([$code, substr_count($output, 'in a function'), substr_count($output, 'again') > 0], [0, 2, true], $output);
};

$scenarios['a provider\'s result that is no answer is rejected'] = function () {
    foreach (['text', 7, new stdClass(), ['a row'], ['a row', 'another']] as $wrong) {
        $tasks = new Tasks(fn (array $keys) => $wrong);
        equal(thrown(fn () => $tasks->fetch('a'))::class, TypeError::class, 'the exception');
        equal(thrown(fn () => $tasks->fetch('1'))::class, TypeError::class, 'the exception for a key that is a number');
        $tasks->close();
    }
    $tasks = new Tasks(fn (array $keys) => array_combine($keys, $keys));
    equal($tasks->fetchAll(['0', '1']), ['0', '1'], 'keys with which the answer is a list');
    $tasks->close();
    $tasks = new Tasks(function (array $keys): void {});
    equal(thrown(fn () => $tasks->fetch('a'))->getCode(), Native::ERR_UNANSWERED, 'a request that is never answered');
    $tasks->close();
};

$scenarios['a function given to start may close the cache'] = function () {
    $tasks = echoTasks();
    $delivered = [];
    $tasks->start('a', function () use ($tasks) { $tasks->close(); });
    $tasks->start('b', function (Result $result) use (&$delivered) { $delivered[] = $result->status; });
    while ($delivered === []) {
        $tasks->poll();
    }
    equal(count($delivered), 1, 'how often the other fetch was delivered');
    $tasks->close();
};

$scenarios['a provider may suspend its fiber while other fibers fetch its key and another'] = function () {
    $tasks = new Tasks(function (array $keys) {
        for ($i = 0; $i < 5; $i++) {
            Fiber::suspend();
        }
        return array_combine($keys, $keys);
    }, ['timeout_ms' => 20_000]);
    $values = $fibers = [];
    foreach (['a', 'a', 'b'] as $key) {
        $fibers[] = new Fiber(function () use ($tasks, $key, &$values) { $values[] = $tasks->fetch($key); });
    }
    array_walk($fibers, fn (Fiber $fiber) => $fiber->start());
    for ($round = 0; $round < 1000 && array_filter($fibers, fn (Fiber $fiber) => !$fiber->isTerminated()); $round++) {
        foreach ($fibers as $fiber) {
            $fiber->isTerminated() || $fiber->resume();
        }
    }
    sort($values);
    equal($values, ['a', 'a', 'b'], 'values');
    $tasks->close();
};

$scenarios['a fetch waits through the function of an event loop'] = function () {
    $waits = 0;
    $requests = [];
    $tasks = null;
    $tasks = new Tasks(
        function (array $keys, Request $request) use (&$requests) { $requests[] = $request; },
        wait: function () use (&$waits, &$requests, &$tasks) {
            $waits++;
            $tasks->poll();
            if ($waits === 3) {
                $requests[0]->answer(['a' => 'A']);
            }
        },
    );
    equal($tasks->fetch('a'), 'A', 'the value');
    equal($waits >= 3, true, 'whether the function was called');
    $stream = fopen('php://fd/' . $tasks->fd(), 'r');
    $late = $tasks->start('b');
    [$read, $write, $except] = [[$stream], null, null];
    equal(stream_select($read, $write, $except, 20), 1, 'whether the descriptor is readable as a stream');
    $tasks->poll();
    $requests[1]->answer([]);
    equal($late->wait()->status, Native::NULL, 'a null');
    $tasks->close();
};

$scenarios['caches that are never closed leak no thread and no descriptor'] = function () {
    $count = fn () => [count(glob('/proc/self/task/*')), count(glob('/proc/self/fd/*'))];
    $before = $count();
    for ($i = 0; $i < 40; $i++) {
        $tasks = null;
        $tasks = new Tasks(function (array $keys) use (&$tasks) { return array_combine($keys, array_fill(0, count($keys), [$tasks])); }, dropped: fn () => $tasks);
        $tasks->fetch('a');
        $tasks->fd();
        $tasks->start('b', fn () => $tasks);
    }
    $tasks = null;
    gc_collect_cycles();
    equal($count()[0] <= $before[0] && $count()[1] <= $before[1], true, 'threads and descriptors: ' . json_encode([$before, $count()]));
};

$scenarios['two copies of the package may be required in one process'] = function () {
    $copy = sys_get_temp_dir() . '/kvlight-copy-' . getmypid();
    mkdir("$copy/src", recursive: true);
    foreach ([...glob(PACKAGE . '/*.*'), ...glob(PACKAGE . '/src/*')] as $file) {
        copy($file, $copy . (str_contains($file, '/src/') ? '/src/' : '/') . basename($file));
    }
    [$code, $output] = program("require '$copy/kvlight.php'; echo (new Kvlight\\Tasks(fn (array \$keys) => ['a' => 'A']))->fetch('a');");
    array_map(unlink(...), [...glob("$copy/src/*"), ...glob("$copy/*.*")]);
    rmdir("$copy/src") && rmdir($copy);
    equal([$code, $output], [0, 'A'], 'the program');
};

$scenarios['a thousand fetches at once are answered with the default settings'] = function () {
    $tasks = echoTasks();
    $fetches = array_map(fn (int $i) => $tasks->start("key $i"), range(1, 1000));
    equal(array_map(fn ($fetch) => $fetch->wait()->value(), $fetches), array_map(fn (int $i) => ["key $i"], range(1, 1000)), 'values');
    $tasks->close();
};

$scenarios['s18 iteration returns all entries, and a save writes them'] = function () {
    $tasks = echoTasks();
    for ($i = 0; $i < 100; $i++) {
        $tasks->put("key $i", $i % 2 === 0 ? "text $i" : [$i]);
    }
    $tasks->put('none', null);
    $count = 0;
    $entries = [];
    foreach ($tasks->entries() as $key => $value) {
        $count += (int) ($key !== 'key 7');
        $entries[$key] = $value;
        $tasks->remove('key 7');
    }
    equal([$count, $entries['key 4'], $entries['key 5'], $entries['none']], [100, 'text 4', [5], null], 'entries');
    $path = tempnam(sys_get_temp_dir(), 'kvlight');
    equal($tasks->save($path), 51, 'the saved entries: texts, and one key known to be absent');
    $other = echoTasks();
    equal([$other->load($path), $other->get('key 4'), $other->get('key 5')], [51, 'text 4', null], 'the loaded entries');
    file_put_contents($path, 'something else');
    $status = 0;
    try {
        $other->load($path);
    } catch (Kvlight\Error $error) {
        $status = $error->getCode();
    }
    equal($status, Native::ERR_CORRUPT, 'a file that is no saved cache');
    unlink($path);
    $message = '';
    try {
        $other->load($path);
    } catch (Kvlight\Error $error) {
        $message = $error->getMessage();
    }
    equal([str_contains($message, 'KVL_ERR_IO'), str_contains($message, $path)], [true, true], "no file: $message");
    $other->close();
    $tasks->close();
};

$scenarios['r02 a fallback is served when the provider fails'] = function () {
    $answers = ['a' => 'one', 'b' => 'two', 'c' => 'three'];
    $tasks = new Tasks(function (array $keys) use (&$answers) { return array_intersect_key($answers, array_flip($keys)); },
        ['cache.ttl_ms' => 60_000, 'stale.ttl_ms' => 60_000]);
    equal($tasks->fetchAll(['a', 'b', 'c']), ['one', 'two', 'three'], 'values');
    $tasks->put('b', 'two', ['stale_ttl_ms' => -1]);
    $lost = new RuntimeException('lost');
    $answers = ['a' => $lost, 'b' => $lost, 'c' => new Kvlight\Gone('for good')];
    equal(array_map($tasks->expire(...), ['a', 'b', 'c', 'd']), [true, true, true, false], 'expired');
    equal([$tasks->get('a'), $tasks->fetch('a')], [null, 'one'], 'the fallback');
    $result = $tasks->results(['a'], ['read' => 'refresh'])[0];
    equal([$result->value(), $result->isStale, $result->error === $lost, $result->source, $result->ttlLeftMs],
        ['one', true, true, Native::SOURCE_STALE, 0], 'the result');
    foreach (['b' => 'lost', 'c' => 'for good'] as $key => $message) {
        equal($tasks->results([$key])[0]->error->getMessage(), $message, "no fallback for $key");
    }
    $answers['a'] = 'new';
    $result = $tasks->results(['a'], ['read' => 'refresh'])[0];
    equal([$result->value(), $result->isStale, $result->error, $result->attempts, $result->ttlLeftMs > 0], ['new', false, null, 1, true], 'a fresh value');
    $answers['a'] = 'newer';
    $tasks->refresh(['a']);
    for ($i = 0; $i < 100 && $tasks->get('a') !== 'newer'; $i++) {
        $tasks->poll(100);
    }
    equal($tasks->get('a'), 'newer', 'refreshed');
    $tasks->close();
};

$scenarios['r04 a fetch states how long it waits before it is served a fallback'] = function () {
    $tasks = new Tasks(fn (array $keys) => array_fill_keys($keys, 'new'), ['cache.ttl_ms' => 60_000, 'stale.ttl_ms' => 60_000]);
    $tasks->put('a', 'old');
    $tasks->expire('a');
    $result = $tasks->results(['a'], ['stale.timeout_ms' => 0])[0];
    equal([$result->value(), $result->isStale, $result->error], ['old', true, null], 'the fallback at once');
    equal([$tasks->fetch('a'), $tasks->get('a')], ['new', 'new'], 'the load continued and is stored');
    $error = thrown(fn () => $tasks->fetch('b', ['stale.timeout_ms' => 5, 'timeout_ms' => 5]));
    equal([$error->getCode(), str_contains($error->getMessage(), 'stale.timeout_ms')], [Native::ERR_BAD_VALUE, true], (string) $error);
    $tasks->close();
};

$scenarios['f19 an engine with read = refresh reloads stored keys'] = function () {
    $loads = 0;
    $tasks = new Tasks(function (array $keys) use (&$loads) { return [$keys[0] => 'row ' . ++$loads]; }, ['read' => 'refresh']);
    equal([$tasks->fetch('a'), $tasks->fetch('a'), $tasks->fetch('a', ['read' => 'normal'])], ['row 1', 'row 2', 'row 2'], 'values');
    $tasks->close();
};

$scenarios['r07 the circuit breaker can be read and forced'] = function () {
    $tasks = new Tasks(fn () => throw new RuntimeException('down'), ['breaker.consecutive' => 1]);
    equal($tasks->breaker(), 'closed', 'at first');
    equal($tasks->results(['a'])[0]->error->getMessage(), 'down', 'a failure');
    equal([$tasks->breaker(), $tasks->results(['b'])[0]->status], ['open', Native::ERR_UNAVAILABLE], 'after a failure');
    $states = array_map(function (?string $state) use ($tasks) { $tasks->forceBreaker($state); return $tasks->breaker(); }, ['closed', 'open', null]);
    equal($states, ['closed', 'open', 'closed'], 'forced states');
    $isRejected = false;
    try {
        $tasks->forceBreaker('ajar');
    } catch (InvalidArgumentException) {
        $isRejected = true;
    }
    equal($isRejected, true, 'whether an unknown state is rejected');
    $tasks->close();
};

$scenarios['f11a a provider sets the pause before a retry'] = function () {
    $begun = [];
    $tasks = new Tasks(function (array $keys) use (&$begun) {
        $begun[] = hrtime(true);
        return count($begun) === 1 ? throw new Kvlight\RetryAfter('later', 60) : array_combine($keys, $keys);
    }, ['retry.count' => 1, 'retry.fixed_ms' => 1]);
    equal([$tasks->fetch('a'), $begun[1] - $begun[0] > 59_000_000], ['a', true], 'the pause');
    $tasks->close();
};

$scenarios['l04 an object that owns a handle cannot be cloned, serialized or unserialized'] = function () {
    $tasks = new Tasks(function (array $keys, Request $request) use (&$seen) {
        $seen = thrown(fn () => clone $request);
        return ['a' => 'A'];
    });
    $fetch = $tasks->start('a');
    foreach ([$tasks, $fetch] as $object) {
        equal(thrown(fn () => clone $object)::class, LogicException::class, 'a clone');
        equal(thrown(fn () => serialize($object))::class, LogicException::class, 'a serialization');
    }
    foreach (['Tasks', 'Fetch', 'Request', 'RedisTier', 'TierRequest'] as $name) {
        $error = thrown(fn () => unserialize('O:' . strlen("Kvlight\\$name") . ":\"Kvlight\\$name\":0:{}"));
        equal(str_contains($error->getMessage(), "a Kvlight\\$name cannot be unserialized"), true, $error->getMessage());
    }
    equal([$fetch->wait()->value(), $seen::class, $tasks->get('a')], ['A', LogicException::class, 'A'], 'the original');
    $tasks->close();
};

$scenarios['f21 a wait inside a provider that could never end is refused'] = function () {
    $tasks = null;
    $tasks = new Tasks(function (array $keys) use (&$tasks) {
        foreach ($keys as $key) {
            $rows[$key] = match ($key) {
                'self' => $tasks->fetch('self'),
                'a' => $tasks->fetch('b'),
                'b' => $tasks->fetchAll(['other', 'a']),
                'peek' => $tasks->results(['peek'], ['read' => 'cache_only'])[0]->status,
                'answered' => $tasks->put('answered', 'put') && $tasks->fetch('answered'),
                default => is_numeric($key) && $key > 0 ? $tasks->fetch((string) ($key - 1)) + 1 : 0,
            };
        }
        return $rows;
    }, ['tasks.max_running' => 4, 'batch.max_keys' => 1]);
    foreach (['self' => '"self"', 'a' => '"a"', '4' => 'all 4 slots'] as $key => $reason) {
        $error = thrown(fn () => $tasks->fetch((string) $key, ['timeout_ms' => 50_000]));
        equal([$error->getCode(), str_contains($error->getMessage(), $reason)], [Native::ERR_REENTRANT, true], $error->getMessage());
    }
    $tasks->clear();
    equal([$tasks->fetch('3'), $tasks->fetch('4'), $tasks->fetch('peek'), $tasks->fetch('answered')], [3, 4, Native::MISS, true], 'waits that end');
    $tasks->close();
};

$scenarios['f21 a wait for what a cancelled request was to load is refused only if that request holds the slot'] = function () {
    $values = function (array $settings, array $wanted, bool $isTimeout): array {
        $tasks = $first = null;
        $isFirst = true;
        $tasks = new Tasks(function (array $keys, Request $request) use (&$tasks, &$first, &$isFirst, &$values, $wanted, $isTimeout) {
            if ($isFirst) {
                $isFirst = false;
                $isTimeout || $first->cancel();
                while (!$request->isCancelled()) {
                    usleep(1000);
                }
                foreach ($wanted as $key) {
                    try {
                        $values[] = $tasks->fetch($key, ['timeout_ms' => 50_000]);
                    } catch (Kvlight\Error $error) {
                        $values[] = $error->getCode();
                    }
                }
            }
            return array_combine($keys, $keys);
        }, $settings + ['load.on_cancel' => 'cancel', 'attempt_timeout_ms' => $isTimeout ? 50 : -1, 'retry.count' => 1000, 'retry.fixed_ms' => 1]);
        $values = [];
        $first = $tasks->start('a');
        $first->wait();
        $tasks->close();
        return $values;
    };
    $refused = Native::ERR_REENTRANT;
    equal($values(['tasks.max_running' => 1], ['b', 'a'], true), ['b', 'a'], 'a request that has timed out holds no slot');
    equal($values(['tasks.max_running' => 1, 'tasks.max_abandoned' => 0], ['b', 'a'], true), [$refused, $refused], 'unless max_abandoned forbids that');
    equal($values(['tasks.max_running' => 1], ['b', 'a'], false), [$refused, $refused], 'a request that nobody wants holds its slot');
    equal($values(['tasks.max_running' => 2], ['b', 'a'], false), ['b', 'a'], 'and there is another slot');
};

$scenarios['f21 a provider that has timed out may wait while another fiber has the slot'] = function () {
    $tasks = $fiber = $outcome = null;
    $calls = [];
    $settings = ['tasks.max_running' => 1, 'batch.max_keys' => 1, 'attempt_timeout_ms' => 500, 'retry.count' => 1000, 'retry.fixed_ms' => 60_000];
    $tasks = new Tasks(function (array $keys, Request $request) use (&$tasks, &$fiber, &$calls, &$outcome) {
        $calls[] = $keys[0];
        if ($calls === ['a']) {
            while (!$request->isCancelled()) {
                usleep(1000);
            }
            $fiber = new Fiber(fn () => $tasks->fetch('c'));
            $fiber->start();
            try {
                $outcome = $tasks->fetch('b');
            } catch (Throwable $error) {
                $outcome = $error->getMessage();
            }
        } elseif ($calls === ['a', 'c']) {
            Fiber::suspend();
        }
        return array_combine($keys, $keys);
    }, $settings, wait: function () use (&$tasks, &$fiber) {
        $fiber?->isSuspended() ? $fiber->resume() : $tasks->poll(10);
    });
    $tasks->start('a');
    while ($outcome === null) {
        $tasks->poll(10);
    }
    equal([$outcome, $calls], ['b', ['a', 'c', 'b']], 'the value, and the calls of the provider');
    $tasks->close();
};

$scenarios['l09 a term of a wrong type or out of range is refused and changes nothing'] = function () {
    $dropped = 0;
    $tasks = new Tasks(function (array $keys, Request $request) use (&$refused) {
        $refused = thrown(fn () => $request->resolve(0, 'A', ['ttl_ms' => '60s']))->getMessage();
        thrown(fn () => $request->resolve(0, 'A', ['only_if' => 'absent']));
        thrown(fn () => $request->notModified(0, ['cost' => 'much']));
        return ['a' => 'A'];
    }, dropped: function () use (&$dropped) { $dropped++; });
    $tasks->put('k', 'old');
    $wrong = [
        'ttl_ms' => ['60s', '5', 'forever', NAN, INF, 1.5, true, [], -3, PHP_INT_MIN],
        'stale_ttl_ms' => ['5', 1.5, -2],
        'cost' => [NAN, 1.5, '7', [1], -2],
        'priority' => ['high', NAN, [], true],
        'keep_ttl' => ['no', 1, 'false'],
        'only_if' => ['missing', true],
        'version' => [7, []],
        'tags' => ['word', [7]],
    ];
    foreach ($wrong as $name => $values) {
        foreach ($values as $value) {
            $error = thrown(fn () => $tasks->put('k', ['new'], [$name => $value]));
            $isRefused = $error instanceof InvalidArgumentException || $error->getCode() === Native::ERR_BAD_VALUE;
            equal([$isRefused, str_contains($error->getMessage(), "the term $name takes")], [true, true], (string) $error);
        }
    }
    equal(str_contains(thrown(fn () => $tasks->put('k', 'new', ['ttl_ms' => '60s']))->getMessage(), '"60s"'), true, 'the value in the message');
    equal(thrown(fn () => $tasks->touch('k', -3))->getCode(), Native::ERR_BAD_VALUE, 'a touch');
    equal([$tasks->get('k'), $tasks->fetch('a'), str_contains($refused, 'ttl_ms'), $dropped], ['old', 'A', true, 0], 'what is stored');
    equal([$tasks->put('k', 'new', ['ttl_ms' => null, 'priority' => 1, 'cost' => -1]), $tasks->get('k')], [true, 'new'], 'right terms');
    $tasks->close();
};

$scenarios['s11 dropped is called with an object once it is stored under no key'] = function () {
    $dropped = [];
    $tasks = new Tasks(fn () => [], dropped: function (mixed $value) use (&$dropped) { $dropped[] = $value; });
    [$one, $other] = [new ArrayObject(['one']), new ArrayObject(['other'])];
    foreach (['a' => $one, 'b' => $one, 'c' => $other, 'd' => [1], 'e' => [1]] as $key => $value) {
        $tasks->put($key, $value);
    }
    $tasks->put('a', $one);
    $tasks->remove('a');
    $tasks->remove('d');
    while ($tasks->poll() > 0);
    equal($dropped, [[1]], 'dropped while the object is still stored');
    $tasks->remove('b');
    while ($tasks->poll() > 0);
    equal($dropped, [[1], $one], 'dropped after the last key');
    $tasks->put('a', $one);
    $tasks->close();
    sort($dropped);
    equal([count($dropped), count(array_keys($dropped, $one, true))], [5, 2], 'stored again, and closed');
};

$scenarios['l09 a NUL byte in a path, a setting or a URL is refused'] = function () {
    $path = sys_get_temp_dir() . '/kvlight-nul-' . getmypid();
    $tasks = new Tasks(fn () => []);
    $calls = [
        fn () => $tasks->save("$path\0more"),
        fn () => $tasks->load("$path\0more"),
        fn () => new Tasks(fn () => [], ["cache.capacity\0more" => 5]),
        fn () => new Tasks(fn () => [], ['cache.policy' => "lru\0more"]),
        fn () => $tasks->fetch('a', ['read' => "cache_only\0more"]),
        fn () => new Tasks(fn () => [], l2Url: "redis://127.0.0.1:1/\0more"),
    ];
    foreach ($calls as $nth => $call) {
        $error = thrown($call);
        equal([$error::class, str_contains($error->getMessage(), 'NUL')], [InvalidArgumentException::class, true], "call $nth: $error");
    }
    equal(file_exists($path), false, 'a file of the cut name');
    $tasks->close();
};

$scenarios['l09 a boolean is refused where a setting takes a number'] = function () {
    $error = thrown(fn () => new Tasks(fn () => [], ['cache.capacity' => true]));
    equal(str_contains($error->getMessage(), 'cache.capacity'), true, "$error");
    $tasks = new Tasks(fn () => [], ['batch.omitted_is_null' => true, 'provider.idempotent' => false]);
    $error = thrown(fn () => $tasks->fetch('a', ['retry.count' => false]));
    equal(str_contains($error->getMessage(), 'retry.count'), true, "$error");
    $tasks->close();
};

$scenarios['l09 a time that would be cut to another meaning is refused'] = function () {
    $tasks = new Tasks(fn () => []);
    $calls = [
        'the term ttl_ms takes' => fn (float $time) => $tasks->touch('a', $time),
        'timeoutMs is a number' => fn (float $time) => $tasks->poll($time),
        'afterMs is a number' => fn (float $time) => new RetryAfter('later', $time),
        'ttlLeftMs is a whole number' => fn (float $time) => TierFound::entry('data', $time),
    ];
    foreach ($calls as $message => $call) {
        foreach ([-0.5, -1.5, NAN, INF] as $time) {
            $error = thrown(fn () => $call($time));
            equal(str_contains($error->getMessage(), $message), true, "$time: $error");
        }
    }
    equal(thrown(fn () => $tasks->syncSecondTier(NAN)) instanceof InvalidArgumentException, true, 'a sync');
    equal([$tasks->poll(0.5), (new RetryAfter('later', 0.5))->afterMs, TierFound::entry('data', -1)->ttlLeftMs], [0, 1, -1], 'what is a time');
    // Without strict_types PHP converts the arguments.
    $weak = eval('return fn ($tasks) => $tasks->poll(-1.5);');
    equal(thrown(fn () => $weak($tasks)) instanceof InvalidArgumentException, true, 'a program without strict_types');
    $tasks->close();
};

$scenarios['f20 an error that a provider throws after all its answers is reported'] = function () {
    $reported = [];
    foreach ([fn () => throw new LogicException('late'), fn () => false] as $end) {
        $tasks = new Tasks(function (array $keys, Request $request) use ($end) {
            $request->resolve(0, 'A');
            return $end();
        }, onError: function (Throwable $error) use (&$reported) { $reported[] = $error::class; });
        equal($tasks->fetch('a'), 'A', 'the value');
        $tasks->close();
    }
    equal($reported, [LogicException::class, TypeError::class], 'what is reported');
    $tasks = new Tasks(function (array $keys, Request $request) {
        $request->resolve(0, 'A');
        throw new LogicException('early');
    }, onError: function (Throwable $error) use (&$reported) { $reported[] = $error; });
    [$a, $b] = $tasks->results(['a', 'b']);
    equal([$a->value(), $b->error->getMessage(), count($reported)], ['A', 'early', 2], 'a key without an answer receives it');
    $tasks->close();
};

$scenarios['l05 a provider that closes the cache after its answers raises nothing'] = function () {
    $reported = [];
    foreach ([['a' => 'again'], ['a' => ['again']], ['a' => new Exception('again')], [], null] as $rows) {
        $tasks = null;
        $tasks = new Tasks(function (array $keys, Request $request) use (&$tasks, $rows) {
            $request->resolve(0, 'A');
            $tasks->close();
            return $rows;
        }, onError: function (Throwable $error) use (&$reported) { $reported[] = $error; });
        equal($tasks->fetch('a'), 'A', 'the value');
        equal($tasks->poll(), 0, 'events after the close');
    }
    equal($reported, [], 'what is reported');
    $tasks = null;
    $tasks = new Tasks(function (array $keys) use (&$tasks) {
        $tasks->close();
        return ['a' => 'A'];
    }, onError: function (Throwable $error) use (&$reported) { $reported[] = $error; });
    equal([thrown(fn () => $tasks->fetch('a'))->getCode(), $reported], [Native::ERR_CLOSED, []], 'a key without an answer');
};

$scenarios['f15 a second answer returns false and fails no key'] = function () {
    $taken = [];
    $tasks = new Tasks(function (array $keys, Request $request) use (&$taken) {
        $taken = [
            $request->resolve(0, 'first'), $request->resolve(0, ['second']), $request->fail(0, new Exception('third')), $request->resolve(0, null),
            $request->notModified(0),
        ];
        return ['a' => 'fourth', 'b' => 'B'];
    });
    equal($tasks->fetchAll(['a', 'b']), ['first', 'B'], 'values');
    equal($taken, [true, false, false, false, false], 'whether each answer was taken');
    $tasks->close();
    $tasks = new Tasks(function (array $keys, Request $request) use (&$taken) {
        $request->resolve(0, 'first');
        $request->finish();
        $request->finish();
        $request->finishError(new Exception('late'));
        $taken = [$request->resolve(0, 'second'), $request->resolve(1, 'second')];
    });
    equal([$tasks->fetchAll(['a', 'b']), $taken], [['first', null], [false, false]], 'answers after the end');
    $tasks->close();
};

$scenarios['l09 a wrong answer, a wrong key and a setting without a name are described'] = function () {
    foreach ([false, 7, new ArrayObject(['a' => 1]), (function () { yield 'a' => 1; })()] as $wrong) {
        $tasks = new Tasks(fn () => $wrong);
        $error = thrown(fn () => $tasks->fetch('a'));
        equal([$error::class, str_contains($error->getMessage(), 'the provider must return [key => value]')], [TypeError::class, true], $error->getMessage());
        equal(str_contains($error->getMessage(), get_debug_type($wrong)), true, $error->getMessage());
        $tasks->close();
    }
    $calls = 0;
    $tasks = new Tasks(function (array $keys) use (&$calls) {
        $calls++;
        return array_fill_keys($keys, 'v');
    });
    foreach ([null, true, 1.5, ['x'], new stdClass()] as $wrong) {
        foreach ([$tasks->fetchAll(...), $tasks->refresh(...), $tasks->invalidate(...), fn (array $keys) => $tasks->startAll($keys)] as $call) {
            equal(thrown(fn () => $call(['right', $wrong]))::class, InvalidArgumentException::class, 'a key that is ' . get_debug_type($wrong));
        }
    }
    equal([$calls, $tasks->fetchAll([1, '01'])], [0, ['v', 'v']], 'right keys');
    $error = thrown(fn () => $tasks->fetch('a', ['cache_only']));
    equal([$error::class, str_contains($error->getMessage(), '"cache_only"')], [InvalidArgumentException::class, true], $error->getMessage());
    $tasks->close();
};

$scenarios['l09 a list is taken for rows only if its indexes are keys that were asked for'] = function () {
    foreach ([[['0', '5'], ['x', 'y']], [['0', '1'], ['x', 'y', 'z']], [['5', '0'], ['x', 'y']]] as [$keys, $list]) {
        $tasks = new Tasks(fn () => $list);
        equal(thrown(fn () => $tasks->fetchAll($keys))::class, TypeError::class, 'a list of values for ' . implode(', ', $keys));
        $tasks->close();
    }
    $tasks = new Tasks(fn () => ['x', 'y']);
    equal($tasks->fetchAll(['1', '0']), ['y', 'x'], 'rows');
    $tasks->close();
};

$scenarios['memory does not grow'] = function () {
    $tasks = new Tasks(function (array $keys, Request $request) {
        foreach ($keys as $at => $key) {
            str_starts_with($key, 'bad') ? $request->fail($at, new Exception($key)) : $request->resolve($at, [$key], ['ttl_ms' => 60_000]);
        }
        $request->finish();
    }, ['cache.capacity' => 100]);
    $last = 0;
    $many = function (string $prefix) use (&$last) { return array_map(function () use ($prefix, &$last) { return $prefix . ++$last; }, range(1, 100)); };
    $tasks->put('a', 'bytes');
    $tasks->put('b', ['an object']);
    // How often the frequent operations are repeated, if it is set: `make test-packages` sets a million.
    $calls = (int) getenv('KVL_CALLS');
    $work = [
        'gets' => function () use ($tasks, $calls) { for ($i = 0, $n = $calls ?: 200_000; $i < $n; $i++) { $tasks->get('a'); $tasks->get('b'); $tasks->get('none'); } },
        'hits of fetch' => function () use ($tasks, $calls) { for ($i = 0, $n = $calls ?: 100_000; $i < $n; $i++) { $tasks->fetch('a'); } },
        'puts' => function () use ($tasks, $calls) { for ($i = 0, $n = $calls ?: 50_000; $i < $n; $i++) { $tasks->put('p', 'value', ['ttl_ms' => 1000]); $tasks->put('o', [$i]); } },
        'single loads' => function () use ($tasks, $calls, &$last) { for ($i = 0, $n = $calls ?: 20_000; $i < $n; $i++) { $tasks->fetch('key ' . ++$last); } },
        'loads' => function () use ($tasks, $calls, $many) { for ($i = 0, $n = ($calls ?: 50_000) / 100; $i < $n; $i++) { $tasks->fetchAll($many('key ')); } },
        'failures' => function () use ($tasks, $calls, $many) { for ($i = 0, $n = ($calls ?: 50_000) / 100; $i < $n; $i++) { $tasks->results($many('bad ')); } },
        'entries' => function () use ($tasks) { for ($i = 0; $i < 1_000; $i++) { foreach ($tasks->entries() as $value); } },
        'writes' => function () use ($tasks) {
            for ($i = 0; $i < 20_000; $i++) {
                $tasks->put('w', 'v', ['stale_ttl_ms' => 5]);
                $tasks->expire('w');
                $tasks->forceBreaker(null);
                $tasks->breaker();
            }
        },
        'files' => function () use ($tasks) {
            $path = sys_get_temp_dir() . '/kvlight-flat-' . getmypid();
            for ($i = 0; $i < 200; $i++) {
                $tasks->save($path);
                $tasks->load($path);
            }
            unlink($path);
        },
        'options' => function () use ($tasks, $calls) { for ($i = 1, $n = $calls ?: 20_000; $i < $n; $i++) { $tasks->fetch('a', ['timeout_ms' => $i + 1000]); } },
        'other calls' => function () use ($tasks) { for ($i = 0; $i < 2_000; $i++) { $tasks->fd(); $tasks->stats(); $tasks->touch('a'); $tasks->remove('none'); } },
    ];
    foreach ($work as $name => $operation) {
        equal(abs($growth = growth($operation)) < 100_000, true, "$name: PHP's memory has grown by $growth bytes");
    }
    $before = residentKib();
    array_walk($work, fn (callable $operation) => $operation());
    equal(residentKib() - $before < 4000, true, 'the process has grown by ' . (residentKib() - $before) . ' KiB');
    $tasks->close();
};

runScenarios($scenarios);
