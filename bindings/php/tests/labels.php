<?php
// Tags, versions, and records that have not changed. Prints TAP; run.sh sets the path of the library.
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

$scenarios['r11 an answer has tags, and is not stored if one of them was removed during the load'] = function () {
    $request = null;
    $tasks = new Tasks(function (array $keys, Request $theRequest) use (&$request) { $request = $theRequest; });
    foreach ([true, false] as $isRemoved) {
        $request = null;
        $fetch = $tasks->start('a');
        while ($request === null) {
            $tasks->poll(100);
        }
        if ($isRemoved) {
            equal($tasks->removeTag('shelf'), 0, 'the number of removed entries before the answer');
        }
        $request->resolve(0, ['answer'], ['tags' => ['shelf']]);
        $request->finish();
        equal([$fetch->wait()->value(), $tasks->get('a')], [['answer'], $isRemoved ? null : ['answer']], 'the fetch and the store');
    }
    equal($tasks->removeTag('shelf'), 1, 'the number of removed entries after it');
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
    $entries = [];
    $source = ['a' => new ArrayObject(['first']), 'b' => 'other'];
    $versions = ['a' => 'v1', 'b' => 'w1'];
    $tasks = new Tasks(function (array $keys, Request $request) use (&$entries, &$source, &$versions) {
        foreach ($keys as $at => $key) {
            $stale = $request->stale($at);
            $entries[] = $stale;
            if ($stale?->version === $versions[$key]) {
                equal($request->notModified($at, ['ttl_ms' => 50_000]), true, 'whether the answer was in time');
            } else {
                $request->resolve($at, $source[$key], ['version' => $versions[$key], 'tags' => ['t']]);
            }
        }
        $request->finish();
    }, ['cache.ttl_ms' => 10_000, 'stale.ttl_ms' => 60_000]);
    [$first] = $tasks->fetchAll(['a', 'b']);
    equal($entries, [null, null], 'the stored entries before the first load');
    $tasks->expireAll();
    $versions['b'] = 'w2';
    $source['b'] = 'changed';
    [$same, $changed] = $tasks->results(['a', 'b']);
    equal([$entries[2]->value, $entries[2]->version, $entries[2]->ageMs >= 0], [$first, 'v1', true], 'the stored object');
    equal([$entries[3]->value, $entries[3]->version], ['other', 'w1'], 'the stored string');
    equal([$same->value, $same->isStale, $same->source, $same->ttlLeftMs > 40_000], [$first, false, Native::SOURCE_PROVIDER, true], 'the same value');
    equal([$changed->value, $tasks->removeTag('t')], ['changed', 2], 'the changed value, and the number of entries that kept the tag');
    $tasks->close();
};

$scenarios['r06 notModified without a value throws and answers nothing'] = function () {
    $error = null;
    $tasks = new Tasks(function (array $keys, Request $request) use (&$error) {
        $error = thrown(fn () => $request->notModified(0));
        $request->resolve(0, null);
        $request->finish();
    });
    equal([$tasks->fetch('a'), $error->getCode()], [null, Native::MISS], 'the key');
    $tasks->close();
};

$scenarios['r11 invalid labels are rejected'] = function () {
    $tasks = new Tasks(fn () => []);
    foreach ([['tags' => 'word'], ['tags' => [1]], ['version' => 1]] as $terms) {
        equal(thrown(fn () => $tasks->put('a', 'one', $terms)) instanceof InvalidArgumentException, true, 'an invalid label');
    }
    $long = str_repeat('x', 256);
    foreach ([['tags' => ['']], ['tags' => [$long]], ['tags' => array_fill(0, 17, 't')], ['version' => $long]] as $terms) {
        equal(thrown(fn () => $tasks->put('a', 'one', $terms))->getCode(), Native::ERR_BAD_VALUE, 'a label of a wrong size');
    }
    equal(thrown(fn () => $tasks->removeTag(''))->getCode(), Native::ERR_INVALID_ARG, 'an empty tag');
    $labels = array_map(fn (int $i) => "t$i", range(1, 16));
    equal([$tasks->get('a'), $tasks->put('a', 'one', ['tags' => $labels, 'version' => substr($long, 1)])], [null, true], 'labels of the maximum size');
    equal([$tasks->put('b', 'two', ['ttl_ms' => 1000]), $tasks->removeTag('t1'), $tasks->get('b')], [true, 1, 'two'], 'a put without labels after one with labels');
    $tasks->close();
};

$scenarios['l09b contradictory settings are rejected with a message'] = function () {
    $error = thrown(fn () => new Tasks(fn () => [], ['stale.ttl_ms' => 5]));
    equal([$error->getCode(), str_contains($error->getMessage(), 'no entry expires')], [Native::ERR_BAD_VALUE, true], (string) $error);
};

runScenarios($scenarios);
