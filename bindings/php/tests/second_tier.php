<?php
// The second tier: a store that several caches share (rules T01 to T15). Prints TAP; run.sh sets the path of the library.
declare(strict_types=1);

require_once __DIR__ . '/tap.php';

use Kvlight\Native;
use Kvlight\SecondTier;
use Kvlight\Tasks;
use Kvlight\TierFound;

/** A store in memory that grants leases and compares tokens. */
class MemoryTier implements SecondTier
{
    /** @var array<string, array{string, ?Kvlight\TierEntry}> */
    private array $rows = [];
    private int $tokens = 0;
    public array $calls = [];

    public function isConditional(): bool
    {
        return true;
    }

    public function grantsLeases(): bool
    {
        return true;
    }

    public function read(array $keys): array
    {
        $this->calls[] = 'read';
        $found = [];
        foreach ($keys as $key) {
            [$token, $entry] = $this->rows[$key] ?? [null, null];
            if ($token === null) {
                $this->rows[$key] = [$token = $this->newToken(), null];
                $found[$key] = TierFound::nothing($token);
            } else {
                $found[$key] = $entry === null ? TierFound::leased() : TierFound::entry($entry->data, $entry->ttlMs, $token);
            }
        }
        return $found;
    }

    public function fill(array $entries): ?array
    {
        $this->calls[] = 'fill';
        return array_map(function ($entry) {
            $isAsRead = ($this->rows[$entry->key][0] ?? null) === $entry->token;
            if ($isAsRead) {
                $this->rows[$entry->key] = [$this->newToken(), $entry];
            }
            return $isAsRead;
        }, $entries);
    }

    public function write(array $entries): void
    {
        $this->calls[] = 'write';
        foreach ($entries as $entry) {
            $this->rows[$entry->key] = [$this->newToken(), $entry];
        }
    }

    public function remove(array $keys): void
    {
        $this->calls[] = 'remove';
        foreach ($keys as $key) {
            unset($this->rows[$key]);
        }
    }

    public function clear(): void
    {
        $this->calls[] = 'clear';
        $this->rows = [];
    }

    public function has(string $key): bool
    {
        return isset($this->rows[$key][1]);
    }

    private function newToken(): string
    {
        return 'token ' . ++$this->tokens;
    }
}

const PATIENT = ['l2.timeout_ms' => 60_000, 'l2.wait_ms' => 60_000];

function sharing(SecondTier $tier, callable $provider, mixed ...$more): Tasks
{
    return new Tasks($provider, PATIENT, ...$more, secondTier: $tier, dump: serialize(...), load: unserialize(...));
}

$scenarios = [];

$scenarios['t02 a second cache finds the strings, arrays and absences that the first one loaded'] = function () {
    $tier = new MemoryTier();
    $rows = ['7' => 'text', 'array' => ['deep' => [1.5, true]], 'absent' => null];
    [$one, $other] = [sharing($tier, fn () => $rows), sharing($tier, fn () => [])];
    $keys = array_map(strval(...), array_keys($rows));
    equal($one->fetchAll($keys), array_values($rows), 'loaded');
    equal($one->syncSecondTier(60_000), true, 'filled');
    $found = $other->results($keys);
    equal(array_map(fn ($result) => [$result->value, $result->source], $found), array_map(fn ($row) => [$row, Native::SOURCE_L2], array_values($rows)), 'found');
    $one->put('put', ['by' => 'one']);
    $one->remove('7');
    equal([$one->syncSecondTier(60_000), $tier->has('put'), $tier->has('7')], [true, true, false], 'written');
    equal($other->fetch('put'), ['by' => 'one'], 'a put');
    $one->clear();
    equal([$one->syncSecondTier(60_000), $tier->has('put')], [true, false], 'cleared');
    equal($other->stats()['l2']['hits'], 4, 'hits');
    $one->close();
    $other->close();
};

$scenarios['t02 a value that cannot be dumped stays in the process, and the older entry is removed'] = function () {
    $tier = new MemoryTier();
    $tasks = new Tasks(fn () => [], PATIENT, secondTier: $tier);
    $tasks->put('k', 'bytes');
    equal([$tasks->syncSecondTier(60_000), $tier->has('k')], [true, true], 'bytes');
    $tasks->put('k', ['an array']);
    equal([$tasks->syncSecondTier(60_000), $tier->has('k'), $tasks->get('k')], [true, false, ['an array']], 'an array');
    $tasks->close();
};

$scenarios['l08 memory does not grow with what is read and stored'] = function () {
    $tier = new MemoryTier();
    $tasks = sharing($tier, fn (array $keys) => array_fill_keys($keys, 'row'));
    $work = function () use ($tasks, $tier) {
        for ($i = 0; $i < 5_000; $i++) {
            $tasks->put("put $i", ['a', $i]);
            $tasks->fetch("key $i");
        }
        equal([$tasks->syncSecondTier(60_000), $tier->has('put 1'), $tier->has('key 1')], [true, true, true], 'stored');
        $tasks->clear();
        equal([$tasks->syncSecondTier(60_000), $tier->has('put 1')], [true, false], 'cleared');
        $tier->calls = [];
    };
    equal(abs($growth = growth($work)) < 100_000, true, "PHP's memory has grown by $growth bytes");
    $before = residentKib();
    $work();
    $work();
    equal(residentKib() - $before < 4000, true, 'the process has grown by ' . (residentKib() - $before) . ' KiB');
    $tasks->close();
};

$scenarios['t03 a write beats an older load'] = function () {
    $tier = new MemoryTier();
    $request = null;
    $loader = sharing($tier, function (array $keys, $theRequest) use (&$request) { $request = $theRequest; });
    $writer = sharing($tier, fn () => []);
    $fetch = $loader->start('k');
    while ($request === null) {
        $loader->poll(100);
    }
    $writer->put('k', 'new');
    equal($writer->syncSecondTier(60_000), true, 'written');
    $loader->invalidate(['k']);
    $request->resolve(0, 'old');
    $request->finish();
    equal([$fetch->wait()->value(), $loader->fetch('k'), in_array('fill', $tier->calls, true)], ['old', 'new', false], 'the loads');
    $loader->close();
    $writer->close();
};

$scenarios['t01 no caller sees what the second tier does wrong'] = function () {
    $wrong = [new RuntimeException('down'), ['k' => 7], ['k' => 'no entry'], ['k' => TierFound::entry('no entry', -7)], ['k' => new RuntimeException('this key')]];
    foreach ($wrong as $nth => $answer) {
        $tier = new class($answer) extends MemoryTier {
            public function __construct(private mixed $answer)
            {
            }

            public function read(array $keys): array
            {
                return is_array($this->answer) ? $this->answer : throw $this->answer;
            }

            public function fill(array $entries): ?array
            {
                return [true, true, true];
            }
        };
        $reported = [];
        $tasks = sharing($tier, fn () => ['k' => 'loaded'], onError: function (Throwable $error) use (&$reported) { $reported[] = $error; });
        equal($tasks->fetch('k'), 'loaded', "the fetch ($nth)");
        $tasks->close();
        equal($answer instanceof Throwable ? $reported[0] : null, $answer instanceof Throwable ? $answer : null, "what is reported ($nth)");
    }
};

$scenarios['t07 what could not be written is written again'] = function () {
    $tier = new class extends MemoryTier {
        private bool $isDown = true;

        public function write(array $entries): void
        {
            if ($this->isDown) {
                $this->isDown = false;
                throw new RuntimeException('down once');
            }
            parent::write($entries);
        }
    };
    $reported = [];
    $tasks = new Tasks(fn () => [], ['l2.break_ms' => 1], onError: function ($error) use (&$reported) { $reported[] = $error->getMessage(); }, secondTier: $tier);
    $tasks->put('k', 'v');
    equal([$tasks->syncSecondTier(60_000), $tier->has('k'), $reported], [true, true, ['down once']], 'the write');
    $tasks->close();
};

$scenarios['t07 a sync waits for what was loaded'] = function () {
    $tier = new MemoryTier();
    $request = null;
    $tasks = sharing($tier, function (array $keys, $theRequest) use (&$request) { $request = $theRequest; });
    $fetch = $tasks->start('k');
    while ($request === null) {
        $tasks->poll(100);
    }
    $request->resolve(0, 'row');
    $request->finish();
    equal([$tasks->syncSecondTier(60_000), $tier->has('k'), $fetch->wait()->value()], [true, true, 'row'], 'the fill');
    $tasks->close();
};

$scenarios['l09 incomplete settings of a second tier are refused'] = function () {
    equal(thrown(fn () => new Tasks(fn () => [], dump: serialize(...), load: unserialize(...))) instanceof InvalidArgumentException, true, 'a codec without a second tier');
    equal(thrown(fn () => new Tasks(fn () => [], secondTier: new MemoryTier(), dump: serialize(...))) instanceof InvalidArgumentException, true, 'half of a codec');
};

runScenarios($scenarios);
