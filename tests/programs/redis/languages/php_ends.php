<?php
// Ends without a close, so that PHP destroys the objects in its own order: `php_ends.php URL cycle|exit`.
declare(strict_types=1);

require __DIR__ . '/../../../../bindings/php/kvlight.php';

/** An object that has tasks whose provider refers to the object: a cycle. */
final class Rows
{
    public Kvlight\Tasks $tasks;

    public function __construct(string $url)
    {
        $this->tasks = new Kvlight\Tasks(fn (array $keys) => $this->load($keys), ['l2.timeout_ms' => 1], dump: serialize(...), load: unserialize(...), l2Url: $url);
    }

    private function load(array $keys): array
    {
        return array_fill_keys($keys, 'a row');
    }
}

[, $url, $how] = $argv;
$rows = [];
for ($nth = 0; $nth < 8; $nth++) {
    $rows[] = new Rows($url);
    if ($rows[$nth]->tasks->fetch('k') !== 'a row') {
        exit('no row');
    }
}
if ($how === 'cycle') {
    $rows = null;
    if (gc_collect_cycles() === 0) {
        exit('nothing was collected');
    }
}
$another = $one = new Rows($url);
echo "ends\n";
