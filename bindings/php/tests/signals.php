<?php
// A signal handler may throw at any time (pcntl_async_signals), as the time limit of a job does: the cache stays whole. Prints TAP; run.sh sets the path of the
// library.
declare(strict_types=1);

require __DIR__ . '/tap.php';

/** The functions of a file, each with its name and its instructions before PHP optimizes them. */
function instructions(string $file): array
{
    $options = ['opcache.enable_cli=1', 'opcache.file_cache=', 'opcache.opt_debug_level=0x10000', 'opcache.optimization_level=0',
        'opcache.file_update_protection=0']; // otherwise a file that is less than two seconds old is left out
    $command = escapeshellarg(PHP_BINARY) . ' -d ' . implode(' -d ', $options) . ' -l ' . escapeshellarg($file) . ' 2>&1';
    preg_match_all('/^(\S+):\n(?: +;.*\n)+((?:\d{4} .*\n)+)/m', shell_exec($command), $found);
    return array_map(fn (string $name, string $text) => [$name, explode("\n", trim($text))], $found[1], $found[2]);
}

/** The lines of a function's instructions that set an argument, and before which PHP may call a signal handler: after a call, and after a jump. */
function unsafeArguments(array $lines): array
{
    $isTarget = $unsafe = [];
    foreach ($lines as $line) {
        if (preg_match('/ (?:JMP|COALESCE|MATCH|SWITCH|FE_|CATCH|ASSERT_CHECK|BIND_INIT_STATIC)/', $line)) {
            preg_match_all('/ (\d{4})(?=[ ,]|$)/', $line, $targets);
            $isTarget += array_flip($targets[1]);
        }
    }
    foreach ($lines as $i => $line) {
        $isAfterCall = $i > 0 && preg_match('/ DO_(FCALL|ICALL|UCALL)/', $lines[$i - 1]);
        if (preg_match('/^(\d{4}) SEND_/', $line, $found) && ($isAfterCall || isset($isTarget[$found[1]]))) {
            $unsafe[] = $line;
        }
    }
    return $unsafe;
}

$scenarios = [];

$scenarios['l07 no result of a call, and no value after a jump, is an argument: PHP may free one that was never set'] = function () {
    $functions = 0;
    foreach (glob(PACKAGE . '/src/*.php') as $file) {
        foreach (instructions($file) as [$function, $lines]) {
            $functions++;
            equal(unsafeArguments($lines), [], "$function in " . basename($file));
        }
    }
    equal($functions > 100, true, 'whether the instructions were found');
};

/** The beginning of a program in which interrupt() runs a function, and has SIGALRM arrive at some time within it. */
const INTERRUPTS = <<<'PHP'
    $libc = FFI::cdef('typedef struct { long s, us; } span; typedef struct { span interval, value; } timer; int setitimer(int, const timer *, void *);', 'libc.so.6');
    $timer = $libc->new('timer[1]');
    $isAwaited = false;
    pcntl_async_signals(true);
    function interrupt(Closure $call): void
    {
        global $libc, $timer, $isAwaited;
        $us = (int) (2 ** (mt_rand(0, 100) / 10));
        $isAwaited = true;
        $timer[0]->value->us = $us;
        $libc->setitimer(0, $timer, null);
        try {
            $call();
        } finally {
            $isAwaited = false;
            $timer[0]->value->us = 0;
            $libc->setitimer(0, $timer, null);
        }
    }
    PHP;

$scenarios['l04 a signal handler that throws at any time loses no event and no value'] = function () {
    [$code, $output] = program(INTERRUPTS . <<<'PHP'

        final class TimeIsUp extends Exception {}
        pcntl_signal(SIGALRM, function () {
            global $isAwaited;
            if ($isAwaited) {
                $isAwaited = false;
                throw new TimeIsUp();
            }
        });
        $thrown = $created = $dropped = $reported = 0;
        $tasks = new Kvlight\Tasks(
            function (array $keys) use (&$created) {
                foreach ($keys as $key) {
                    $created++;
                    $rows[$key] = (object) ['key' => $key];
                }
                return $rows;
            },
            ['cache.capacity' => 20],
            dropped: function () use (&$dropped) { $dropped++; },
            onError: function () use (&$reported) { $reported++; },
        );
        $tasks->put('text', 'a text');
        // Each returns whether its result is right.
        $calls = [
            fn (int $i) => $tasks->fetch("key $i")->key === "key $i",
            fn (int $i) => $tasks->fetchAll(["one $i", "two $i"])[1]->key === "two $i",
            fn (int $i) => in_array($tasks->get('text'), ['a text', null], true),
            function (int $i) use ($tasks, &$created) {
                $created++;
                return $tasks->put("put $i", [1], ['ttl_ms' => 60_000, 'tags' => ['tag']]);
            },
            fn (int $i) => $tasks->fetch("key $i", ['timeout_ms' => 50_000])->key === "key $i",
            fn (int $i) => is_array($tasks->stats()) && is_int($tasks->removeTag('tag')),
            fn (int $i) => count(iterator_to_array($tasks->entries())) <= 20,
        ];
        foreach ($calls as $nth => $call) {
            for ($i = 0, $end = $thrown + 60; $thrown < $end; $i++) {
                try {
                    $number = $nth * 1_000_000 + $i;
                    $isRight = false;
                    interrupt(function () use ($call, $number, &$isRight) { $isRight = $call($number); });
                    if (!$isRight) { echo "call $nth: a wrong result"; exit(3); }
                } catch (TimeIsUp) {
                    $thrown++;
                }
            }
        }
        if ($tasks->fetch('last', ['timeout_ms' => 50_000])->key !== 'last') { echo 'the last fetch'; exit(4); }
        while ($tasks->poll() > 0);
        $now = $tasks->stats()['now'];
        $tasks->close();
        foreach ((array) $tasks as $name => $value) {
            if (str_ends_with($name, "\0objects") || str_ends_with($name, "\0fetches") || str_ends_with($name, "\0errors")) {
                if ($value !== []) { echo "$name: ", count($value); exit(5); }
            }
        }
        if ($now['in_flight'] + $now['running'] > 0) { echo json_encode($now); exit(6); }
        if ($created - $dropped > $reported + $thrown || $dropped > $created) { echo "$created created, $dropped dropped, $reported reported"; exit(7); }
        PHP);
    equal($code, 0, "the program: $output");
};

$scenarios['l01 a cache has loaded its classes before it is used: a signal handler could not use one that is being loaded'] = function () {
    [$code, $output] = program(<<<'PHP'
        final class Shelf implements Kvlight\SecondTier
        {
            private array $found = [];
            public function isConditional(): bool { return false; }
            public function grantsLeases(): bool { return false; }
            public function read(array $keys): array { return array_intersect_key($this->found, array_flip($keys)); }
            public function fill(array $entries): ?array
            {
                foreach ($entries as $entry) {
                    $this->found[$entry->key] = Kvlight\TierFound::entry($entry->data);
                }
                return null;
            }
            public function write(array $entries): void {}
            public function remove(array $keys): void {}
            public function clear(): void {}
        }
        $settings = ['cache.ttl_ms' => 60_000, 'stale.ttl_ms' => 60_000, 'l2.timeout_ms' => 50_000];
        $tasks = new Kvlight\Tasks(function (array $keys, Kvlight\Request $request) {
            foreach ($keys as $at => $key) {
                $request->stale($at);
                $key === 'bad' ? $request->fail($at, new Exception('bad')) : $request->resolve($at, [$key], ['version' => '1']);
            }
            $request->finish();
        }, $settings, secondTier: new Shelf(), dump: serialize(...), load: unserialize(...));
        spl_autoload_register(function (string $class) { echo "$class is loaded late"; exit(3); }, prepend: true);
        if ($tasks->fetch('a') !== ['a']) { exit(4); }
        $tasks->syncSecondTier(50_000);
        $tasks->invalidate(['a']);
        if ($tasks->results(['a'])[0]->source !== Kvlight\Native::SOURCE_L2) { exit(5); }
        $tasks->expire('a');
        $tasks->fetch('a', ['read' => 'refresh']);
        $tasks->results(['bad', 'none'], ['timeout_ms' => 50_000]);
        $tasks->put('b', ['b'], ['tags' => ['tag']]);
        $tasks->removeTag('tag');
        try { $tasks->fetch('a', ['read' => 'wrong']); } catch (Kvlight\Error) {}
        $tasks->close();
        PHP);
    equal([$code, $output], [0, ''], 'the program');
};

$scenarios['l01 a signal handler may call the cache at any time'] = function () {
    [$code, $output] = program(INTERRUPTS . <<<'PHP'

        $handled = $refused = 0;
        $tasks = new Kvlight\Tasks(fn (array $keys) => array_map(fn (string $key) => [$key], array_combine($keys, $keys)), ['cache.capacity' => 20]);
        pcntl_signal(SIGALRM, function () use ($tasks, &$handled, &$refused) {
            $handled++;
            $tasks->put('other', 'another text', ['ttl_ms' => 5]);
            if (!in_array($tasks->get('other'), ['another text', null], true)) { exit(3); }
            $tasks->stats();
            try {
                if ($tasks->fetch('handler ' . $handled) !== ['handler ' . $handled]) { exit(4); }
            } catch (Kvlight\Error $error) {
                if ($error->getCode() !== Kvlight\Native::ERR_REENTRANT) { throw $error; }
                $refused++;
            }
        });
        for ($i = 0; $handled < 500; $i++) {
            interrupt(function () use ($tasks, $i) {
                $tasks->put('text', 'a text', ['ttl_ms' => 60_000]);
                if ($tasks->get('text') !== 'a text') { exit(5); }
                if ($tasks->fetch("key $i") !== ["key $i"]) { exit(6); }
            });
        }
        $tasks->close();
        exit($refused < $handled / 2 ? 0 : 7);
        PHP);
    equal($code, 0, "the program: $output");
};

runScenarios($scenarios);
