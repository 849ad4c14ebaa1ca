<?php
// kvlight for PHP: a loading cache. With Composer, require vendor/autoload.php; without it, copy this file and the folder src/.
//
//   require 'kvlight.php';
//
//   $users = new Kvlight\Tasks(
//       // Called with the keys that are missing. Returns [key => value]; keys left out are remembered as absent.
//       fn (array $ids) => $db->users($ids),
//       ['cache.capacity' => 10_000],            // any setting of docs/CONFIGURATION.md
//   );
//   echo $users->fetch('7');                     // a value, or null: there is no such record
//   $rows = $users->fetchAll(['7', '8', '7']);   // in the order of the keys; throws the first error
//   $users->close();
//
// All code of the program is called in poll(), on PHP's only thread. fetch() polls while it waits. A program with an event loop calls start() with a
// function, and polls. No PHP function is passed to the library: a call from one of its threads would crash PHP.
declare(strict_types=1);

spl_autoload_register(static function (string $class): void {
    $file = __DIR__ . '/src/' . str_replace('Kvlight\\', '', $class) . '.php';
    if (str_starts_with($class, 'Kvlight\\') && is_file($file)) {
        require $file;
    }
});
