<?php
// Tags, versions, and records that have not changed. Prints TAP; run.sh passes the place of the library.
declare(strict_types=1);

require_once __DIR__ . '/tap.php';

use Kvlight\Native;
use Kvlight\Request;
use Kvlight\Tasks;

$scenarios = [];

$scenarios['r11 a tag removes its entries'] = function () {
    $tasks = new Tasks(fn () => []);
    $tasks->put('1', [1], ['tags' => ['odd', 'small']]);
    $tasks->put('2', 'two', ['tags' => ['small']]);
    $tasks->put('3', [3], ['tags' => ['odd']]);
    equal([$tasks->removeTag('odd'), iterator_to_array($tasks->entries())], [2, [2 => 'two']], 'removed');
    equal([$tasks->removeTag('odd'), $tasks->removeTag('not there')], [0, 0], 'again');
    $tasks->put('2', 'zwei'); // a new value has the tags of its own put
    equal([$tasks->removeTag('small'), $tasks->get('2'), $tasks->stats()['removed']['tag']], [0, 'zwei', 2], 'a new value');
    $tasks->close();
};

$scenarios['r11 an answer has tags, and a running load with a removed tag is not stored'] = function () {
    $open = null;
    $tasks = new Tasks(function (array $keys, Request $request) use (&$open) { $open = $request; });
    foreach ([true, false] as $isRemoved) {
        $open = null;
        $fetch = $tasks->start('a');
        while ($open === null) {
            $tasks->poll(100);
        }
        if ($isRemoved) {
            equal($tasks->removeTag('shelf'), 0, 'nothing is stored yet');
        }
        $open->resolve(0, ['answer'], ['tags' => ['shelf']]);
        $open->finish();
        equal([$fetch->wait()->value(), $tasks->get('a')], [['answer'], $isRemoved ? null : ['answer']], 'the fetch and the store');
    }
    equal($tasks->removeTag('shelf'), 1, 'the second is stored');
    $tasks->close();
};

$scenarios['r12 tags and all entries expire and stay as fallbacks'] = function () {
    $isDown = false;
    $tasks = new Tasks(function (array $keys, Request $request) use (&$isDown) {
        if ($isDown) {
            throw new RuntimeException('down');
        }
        foreach ($keys as $at => $key) {
            $request->resolve($at, "value of $key", ['tags' => [$key < 'c' ? 'early' : 'late']]);
        }
        $request->finish();
    }, ['cache.ttl_ms' => 60_000, 'stale.ttl_ms' => 60_000]);
    $tasks->fetchAll(['a', 'b', 'c']);
    $isDown = true;
    equal([$tasks->expireTag('early'), $tasks->get('a'), $tasks->get('c')], [2, null, 'value of c'], 'a tag');
    equal(array_map(fn ($result) => $result->isStale, $tasks->results(['a', 'b', 'c'])), [true, true, false], 'fallbacks');
    $tasks->expireAll();
    equal([$tasks->get('c'), $tasks->fetch('c')], [null, 'value of c'], 'all');
    $tasks->close();
};

$scenarios['r06 a record that has not changed keeps its value'] = function () {
    $seen = [];
    $source = ['a' => new ArrayObject(['first']), 'b' => 'other'];
    $versions = ['a' => 'v1', 'b' => 'w1'];
    $tasks = new Tasks(function (array $keys, Request $request) use (&$seen, &$source, &$versions) {
        foreach ($keys as $at => $key) {
            $held = $request->stale($at);
            $seen[] = $held;
            if ($held?->version === $versions[$key]) {
                equal($request->notModified($at, ['ttl_ms' => 50_000]), true, 'in time');
            } else {
                $request->resolve($at, $source[$key], ['version' => $versions[$key], 'tags' => ['t']]);
            }
        }
        $request->finish();
    }, ['cache.ttl_ms' => 10_000, 'stale.ttl_ms' => 60_000]);
    [$first] = $tasks->fetchAll(['a', 'b']);
    equal($seen, [null, null], 'nothing is held');
    $tasks->expireAll();
    $versions['b'] = 'w2';
    $source['b'] = 'changed';
    [$same, $changed] = $tasks->results(['a', 'b']);
    equal([$seen[2]->value, $seen[2]->version, $seen[2]->ageMs >= 0], [$first, 'v1', true], 'the object that is held');
    equal([$seen[3]->value, $seen[3]->version], ['other', 'w1'], 'the string that is held');
    equal([$same->value, $same->isStale, $same->source, $same->ttlLeftMs > 40_000], [$first, false, Native::SOURCE_PROVIDER, true], 'the same value');
    equal([$changed->value, $tasks->removeTag('t')], ['changed', 2], 'it kept its tags');
    $tasks->close();
};

$scenarios['r06 notModified without a value throws and answers nothing'] = function () {
    $why = null;
    $tasks = new Tasks(function (array $keys, Request $request) use (&$why) {
        $why = thrown(fn () => $request->notModified(0));
        $request->resolve(0, null);
        $request->finish();
    });
    equal([$tasks->fetch('a'), $why->getCode()], [null, Native::MISS], 'the key');
    $tasks->close();
};

$scenarios['r11 labels that are none are refused'] = function () {
    $tasks = new Tasks(fn () => []);
    foreach ([['tags' => 'word'], ['tags' => [1]], ['version' => 1]] as $terms) {
        equal(thrown(fn () => $tasks->put('a', 'one', $terms)) instanceof InvalidArgumentException, true, 'no label');
    }
    $long = str_repeat('x', 256);
    foreach ([['tags' => ['']], ['tags' => [$long]], ['tags' => array_fill(0, 17, 't')], ['version' => $long]] as $terms) {
        equal(thrown(fn () => $tasks->put('a', 'one', $terms))->getCode(), Native::ERR_BAD_VALUE, 'a label');
    }
    equal(thrown(fn () => $tasks->removeTag(''))->getCode(), Native::ERR_INVALID_ARG, 'an empty tag');
    $most = array_map(fn (int $i) => "t$i", range(1, 16));
    equal([$tasks->get('a'), $tasks->put('a', 'one', ['tags' => $most, 'version' => substr($long, 1)])], [null, true], 'the longest');
    equal([$tasks->put('b', 'two', ['ttl_ms' => 1000]), $tasks->removeTag('t1'), $tasks->get('b')], [true, 1, 'two'], 'no labels after some');
    $tasks->close();
};

$scenarios['l09b settings that contradict each other are refused in a sentence'] = function () {
    $why = thrown(fn () => new Tasks(fn () => [], ['stale.ttl_ms' => 5]));
    equal([$why->getCode(), str_contains($why->getMessage(), 'no entry expires')], [Native::ERR_BAD_VALUE, true], (string) $why);
};

runScenarios($scenarios);
