<?php
require __DIR__ . '/../../bindings/php/kvlight.php';

$users = new Kvlight\Tasks(function (array $ids): array {
    echo 'asked for ', implode(', ', $ids), "\n";
    $found = array_diff($ids, ['404']); // 404 is left out, and remembered as absent
    return array_combine($found, array_map(fn (string $id) => ['id' => $id, 'name' => "user $id"], $found));
}, ['cache.capacity' => 10_000, 'cache.ttl_ms' => 60_000]);

echo $users->fetch('7')['name'], "\n";
foreach ($users->fetchAll(['7', '404', '7']) as $user) {
    echo $user['name'] ?? 'nobody', "\n";
}
$users->start('9', function (Kvlight\Result $result) { echo "later: {$result->value['name']}\n"; })->wait();
$users->close();
