<?php
// The scenarios that every language has, and tests specific to PHP. The interpreter stays busy: nothing waits inside a C call, except where a scenario is
// about waiting. Prints TAP; run.sh sets the path of the library.
declare(strict_types=1);

require __DIR__ . '/tap.php';

use Kvlight\{Error, Native, Permanent, Request, Result, Tasks};

/** The keys, or the requests, that a provider was called with. */
final class ProviderCalls
{
    public array $keys = [];
    /** @var list<Request> */
    public array $requests = [];
}

/** Returns an engine whose provider answers "user <key>" for every key that does not begin with "no", and notes the keys. */
function userTasks(array $settings = [], ?ProviderCalls $calls = null): Tasks
{
    return new Tasks(function (array $keys) use ($calls): array {
        $rows = [];
        foreach ($keys as $key) {
            if ($calls !== null) {
                $calls->keys[] = $key;
            }
            if (!str_starts_with($key, 'no')) {
                $rows[$key] = "user $key";
            }
        }
        return $rows;
    }, $settings);
}

/** Returns an engine whose provider leaves its requests unanswered, and notes them for the test to answer. */
function unansweredTasks(ProviderCalls $calls, array $settings = []): Tasks
{
    return new Tasks(function (array $keys, Request $request) use ($calls): void {
        $calls->requests[] = $request;
    }, $settings);
}

function resultOf(Tasks $tasks, string $key, array $options = []): Result
{
    $delivered = null;
    $tasks->start($key, function (Result $result) use (&$delivered) { $delivered = $result; }, $options);
    busyUntil($tasks, function () use (&$delivered) { return $delivered !== null; });
    return $delivered;
}

function resultsOf(Tasks $tasks, array $keys, array $options = []): array
{
    $delivered = null;
    $tasks->startAll($keys, function (array $results) use (&$delivered) { $delivered = $results; }, $options);
    busyUntil($tasks, function () use (&$delivered) { return $delivered !== null; });
    return $delivered;
}

$scenarios = [];

$scenarios['hit'] = function () {
    $tasks = userTasks([], $calls = new ProviderCalls());
    equal(resultOf($tasks, '7')->value, 'user 7', 'loaded');
    equal($tasks->fetch('7'), 'user 7', 'from the store');
    equal($calls->keys, ['7'], 'keys loaded');
    equal($tasks->stats()['lookups']['hits'], 1, 'hits');
    equal($tasks->put('8', 'put'), true, 'put');
    equal($tasks->fetch('8'), 'put', 'the value of the put');
    $tasks->close();
};

$scenarios['null hit'] = function () {
    $tasks = userTasks([], $calls = new ProviderCalls());
    equal(resultOf($tasks, 'nobody')->status, Native::NULL, 'loaded');
    equal($tasks->fetch('nobody'), null, 'from the store');
    equal($calls->keys, ['nobody'], 'keys loaded');
    equal($tasks->stats()['lookups']['null_hits'], 1, 'null hits');
    $tasks->close();
};

$scenarios['miss'] = function () {
    $tasks = userTasks([], $calls = new ProviderCalls());
    equal($tasks->get('7'), null, 'a lookup');
    equal(resultOf($tasks, '7', ['read' => 'cache_only'])->status, Native::MISS, 'a cache-only fetch');
    equal($calls->keys, [], 'keys loaded');
    equal(resultOf($tasks, '7')->source, Native::SOURCE_PROVIDER, 'a fetch');
    equal($calls->keys, ['7'], 'keys loaded');
    $tasks->close();
};

$scenarios['batch with duplicates'] = function () {
    $tasks = userTasks([], $calls = new ProviderCalls());
    $results = resultsOf($tasks, ['1', '2', '1', 'nobody', '2']);
    equal(array_column($results, 'value'), ['user 1', 'user 2', 'user 1', null, 'user 2'], 'values');
    equal(array_column($results, 'key'), ['1', '2', '1', 'nobody', '2'], 'keys');
    equal(count($calls->keys), 3, 'keys loaded');
    equal($tasks->fetchAll([]), [], 'a batch of none');
    $tasks->close();
};

$scenarios['one failing key in a batch'] = function () {
    $broken = new DomainException('b is broken');
    $tasks = new Tasks(fn () => ['a' => 'A', 'b' => $broken, 'c' => 'C']);
    $results = resultsOf($tasks, ['a', 'b', 'c', 'b']);
    equal([$results[0]->value, $results[2]->value], ['A', 'C'], 'those that do not fail');
    equal($results[1]->status, Native::ERR_PROVIDER, 'the one that fails');
    equal([$results[1]->error, $results[3]->error], [$broken, $broken], 'the same error');
    equal(thrown(fn () => $tasks->fetchAll(['a', 'b'])), $broken, 'the error that fetchAll throws');
    $tasks->close();
};

$scenarios['retry then success'] = function () {
    $attempts = 0;
    $tasks = new Tasks(function () use (&$attempts) {
        return ++$attempts < 3 ? throw new Exception('not yet') : ['a' => 'at last'];
    }, ['retry.count' => 5]);
    $result = resultOf($tasks, 'a');
    equal($result->value, 'at last', 'value');
    equal($result->attempts, 3, 'attempts');
    equal($attempts, 3, 'calls of the provider');
    $tasks->close();
};

$scenarios['timeout'] = function () {
    $tasks = unansweredTasks($calls = new ProviderCalls());
    equal(resultOf($tasks, 'a', ['timeout_ms' => 500])->error->name, 'KVL_ERR_TIMEOUT', 'the error');
    equal(thrown(fn () => $tasks->fetch('b', ['timeout_ms' => 20]))->getCode(), Native::ERR_TIMEOUT, 'the error that fetch throws');
    equal($calls->requests[0]->isCancelled(), false, 'the load continues for the next fetch');
    $tasks->close();
    $broken = new DomainException('not now');
    $failing = new Tasks(fn () => throw $broken, ['retry.count' => 1, 'retry.fixed_ms' => 60000]);
    // Time enough for the first attempt, also on a busy machine.
    $result = resultOf($failing, 'a', ['timeout_ms' => 1000]);
    equal([$result->error->name, $result->attempts], ['KVL_ERR_TIMEOUT', 1], 'the error');
    equal($result->error->getPrevious(), $broken, 'the error of the failed attempt');
    $failing->close();
};

$scenarios['cancel'] = function () {
    $tasks = unansweredTasks($calls = new ProviderCalls());
    $one = $tasks->start('a');
    $other = $tasks->start('a');
    busyUntil($tasks, fn () => $calls->requests !== []);
    $one->cancel();
    busyUntil($tasks, $one->isDone(...));
    equal($one->wait()->status, Native::ERR_CANCELLED, 'the cancelled fetch');
    equal($other->isDone(), false, 'the other fetch still waits');
    $calls->requests[0]->answer(['a' => 'A']);
    busyUntil($tasks, $other->isDone(...));
    equal($other->wait()->value, 'A', 'the other fetch');
    $one->cancel();
    $tasks->close();
};

$scenarios['close while loading'] = function () {
    $tasks = unansweredTasks($calls = new ProviderCalls(), ['tasks.max_running' => 1]);
    $delivered = [];
    for ($i = 0; $i < 3; $i++) {
        $tasks->start("key $i", function (Result $result) use (&$delivered) { $delivered[] = $result->status; });
    }
    busyUntil($tasks, fn () => $calls->requests !== []);
    $tasks->close();
    equal($delivered, array_fill(0, 3, Native::ERR_CLOSED), 'the outcome of each fetch');
    equal(thrown(fn () => $tasks->fetch('a'))->getCode(), Native::ERR_CLOSED, 'a later fetch');
    equal(thrown(fn () => $calls->requests[0]->resolve(0, 'late'))->getCode(), Native::ERR_CLOSED, 'a later answer');
    $tasks->close();
};

$scenarios['10,000 keys'] = function () {
    $tasks = userTasks(['cache.capacity' => 20_000, 'batch.max_keys' => 500], $calls = new ProviderCalls());
    $keys = array_map(fn (int $i) => "key $i", range(1, 10_000));
    $wanted = array_map(fn (string $key) => "user $key", $keys);
    equal(array_column(resultsOf($tasks, $keys), 'value'), $wanted, 'values');
    equal(count($calls->keys), 10_000, 'keys loaded');
    equal($tasks->fetchAll($keys), $wanted, 'hits');
    equal(count($calls->keys), 10_000, 'keys loaded, unchanged');
    $tasks->close();
};

$scenarios['callback that fetches'] = function () {
    $tasks = userTasks();
    $inner = $waited = null;
    $tasks->start('a', function (Result $first) use ($tasks, &$inner, &$waited) {
        $tasks->start("$first->value once more", function (Result $second) use (&$inner) { $inner = $second->value; });
        $waited = $tasks->fetch('b');
    });
    busyUntil($tasks, function () use (&$inner) { return $inner !== null; });
    equal($waited, 'user b', 'a blocking fetch inside a callback');
    equal($inner, 'user user a once more', 'a fetch started inside a callback');
    $tasks->close();
};

$scenarios['object value whose destructor is counted'] = function () {
    $created = [];
    $dropped = [];
    $tasks = new Tasks(
        function (array $keys) use (&$created) {
            foreach ($keys as $key) {
                $rows[$key] = $created[] = (object) ['name' => $key];
            }
            return $rows;
        },
        ['cache.capacity' => 10],
        function (object $value) use (&$dropped) { $dropped[] = spl_object_id($value); },
    );
    $first = resultOf($tasks, 'key 1')->value;
    equal($tasks->fetch('key 1'), $first, 'the same object');
    for ($i = 1; $i <= 100; $i++) {
        equal(resultOf($tasks, "key $i")->value->name, "key $i", 'name');
    }
    $tasks->remove('key 100');
    $tasks->close();
    equal(count($dropped), count($created), 'objects dropped');
    equal(count(array_unique($dropped)), count($created), 'distinct objects dropped');
};

// -- Specific to PHP -------------------------------------------------------------------------------------------------------------

$scenarios['a callback that the library would call is rejected with a message'] = function () {
    foreach (['validator', 'removal_listener'] as $name) {
        $error = thrown(fn () => new Tasks(fn () => [], [$name => fn () => 1]));
        equal(str_contains($error->getMessage(), $name), true, $error->getMessage());
    }
    $error = thrown(fn () => new Tasks(fn () => [], delivery: 'thread'));
    equal(str_contains($error->getMessage(), 'another thread'), true, $error->getMessage());
};

$scenarios['a wrong setting is rejected with a message'] = function () {
    $error = thrown(fn () => new Tasks(fn () => [], ['cache.capacty' => 10]));
    equal(str_contains($error->getMessage(), 'cache.capacity'), true, $error->getMessage());
    $tasks = userTasks();
    $error = thrown(fn () => $tasks->fetch('a', ['timeout_ms' => 0]));
    equal(str_contains($error->getMessage(), 'timeout_ms'), true, $error->getMessage());
    $tasks->close();
};

$scenarios['a permanent error is not retried'] = function () {
    $calls = 0;
    $tasks = new Tasks(function () use (&$calls) {
        $calls++;
        throw new Permanent('gone for good');
    }, ['retry.count' => 5]);
    equal(resultOf($tasks, 'a')->error->getMessage(), 'gone for good', 'the error');
    equal($calls, 1, 'calls of the provider');
    $tasks->close();
};

$scenarios['puts may have a condition, and a touch gives an entry a new TTL'] = function () {
    $tasks = userTasks();
    equal($tasks->put('a', 'new', ['only_if' => 'present']), false, 'only if present, without an entry');
    equal($tasks->put('a', 'first', ['only_if' => 'absent']), true, 'only if absent');
    equal($tasks->put('a', 'second', ['only_if' => 'absent']), false, 'only if absent, with an entry');
    equal($tasks->get('a'), 'first', 'the unchanged value');
    equal($tasks->put('a', 'third', ['keep_ttl' => true, 'only_if' => 'present', 'ttl_ms' => 5000]), true, 'only if present');
    equal([$tasks->touch('a', 60_000), $tasks->touch('nobody')], [true, false], 'touched');
    equal(str_contains(thrown(fn () => $tasks->put('a', 'b', ['tll_ms' => 5]))->getMessage(), 'tll_ms'), true, 'an unknown term');
    $tasks->close();
};

$scenarios['keys and values may have any bytes'] = function () {
    $tasks = new Tasks(fn (array $keys) => [$keys[0] => "$keys[0]\0\xff"]);
    foreach (['', "a\0b", "\xff\xfe", str_repeat('x', 65535)] as $key) {
        equal(resultOf($tasks, $key)->value, "$key\0\xff", 'value');
        equal($tasks->fetch($key), "$key\0\xff", 'hit');
    }
    equal(thrown(fn () => $tasks->fetch(str_repeat('x', 65536)))->getCode(), Native::ERR_KEY_TOO_LONG, 'a key that is too long');
    $tasks->close();
};

$scenarios['an engine that becomes unreachable is collected and ended'] = function () {
    for ($i = 0; $i < 50; $i++) {
        $tasks = unansweredTasks(new ProviderCalls());
        $tasks->start('a');
        $tasks->poll();
    }
    unset($tasks);
    gc_collect_cycles();
    equal(count(glob('/proc/self/task/*')), 1, 'remaining threads');
};

$scenarios['after a fork the parent continues, and the child needs an engine of its own'] = function () {
    [$code, $output] = program(<<<'PHP'
        $requests = [];
        $tasks = new Kvlight\Tasks(function ($keys, $request) use (&$requests) { $requests[] = $request; });
        $fetch = $tasks->start('a');
        while ($requests === []) { $tasks->poll(); }
        $child = pcntl_fork();
        if ($child === 0) {
            try {
                $tasks->fetch('b');
                exit(3);
            } catch (Kvlight\Error $error) {
                if ($error->getCode() !== Kvlight\Native::ERR_FORKED) { exit(4); }
            }
            $own = new Kvlight\Tasks(fn ($keys) => ['b' => 'B']);
            exit($own->fetch('b') === 'B' ? 7 : 5);
        }
        pcntl_waitpid($child, $status);
        if (!pcntl_wifexited($status) || pcntl_wexitstatus($status) !== 7) { echo "the child: $status"; exit(6); }
        $requests[0]->answer(['a' => 'A']);
        $value = $fetch->wait()->value;
        $tasks->close();
        exit($value === 'A' ? 0 : 8);
        PHP);
    equal($code, 0, "the program, with the output: $output");
};

$scenarios['the interpreter exits with fetches in progress'] = function () {
    $inProgress = <<<'PHP'
        $tasks = new Kvlight\Tasks(function ($keys, $request) {
            global $kept;
            $kept = $request;
            return in_array('a', $keys) ? ['a' => [1]] : null;
        });
        $tasks->fetch('a');
        for ($i = 0; $i < 20; $i++) { $tasks->start("key $i", fn () => null); }
        $tasks->poll();
        PHP;
    foreach (
        [
            '' => 0, 'exit(0);' => 0, 'unset($tasks); gc_collect_cycles();' => 0, '$kept = null; $tasks = null;' => 0,
            'register_shutdown_function(fn () => $tasks->close());' => 0, 'throw new Exception("while exiting");' => 255,
            '$tasks->start("a", fn () => exit(9)); $tasks->fetchAll(["a", "a"]); while (true) { $tasks->poll(); }' => 9,
            'set_time_limit(1); while (true) { $tasks->poll(); }' => 255, 'posix_kill(posix_getpid(), SIGTERM); while (true) {}' => 143,
        ] as $ending => $wanted
    ) {
        [$code, $output] = program("$inProgress\n$ending");
        equal($code, $wanted, "$ending: $output");
    }
};

runScenarios($scenarios, printsRow: true);
