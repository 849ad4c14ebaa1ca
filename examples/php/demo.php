<?php
// A program that lists posts with their authors: `php examples/php/demo.php`. With Composer, require vendor/autoload.php instead.
declare(strict_types=1);

require __DIR__ . '/../../bindings/php/kvlight.php';

$authors = new Kvlight\Tasks(
    function (array $ids): array {
        printf("  the provider is asked for %d authors: %s\n", count($ids), implode(', ', $ids));
        $rows = [];
        foreach ($ids as $id) {
            // An array stays in PHP; 404 is left out, and so remembered as absent.
            if ($id !== '404') {
                $rows[$id] = ['id' => $id, 'name' => "author $id"];
            }
        }
        return $rows;
    },
    ['cache.capacity' => 1000, 'cache.ttl_ms' => 60_000],
);

$posts = ['7', '12', '7', '404', '12'];
foreach ([1, 2] as $round) {
    echo "round $round\n";
    foreach ($authors->fetchAll($posts) as $i => $author) {
        printf("  post %d by %s\n", $i + 1, $author['name'] ?? 'nobody');
    }
}

echo "one more, fetched alone: {$authors->fetch('99')['name']}\n";
$stats = $authors->stats();
echo "{$stats['requests']['formed']} requests for these lookups: ", json_encode($stats['lookups']), "\n";
$authors->close();
