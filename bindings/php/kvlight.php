<?php
// kvlight for PHP: a loading cache. Without Composer: copy this file and the folder src/ into your project.
//
//   require 'kvlight.php';
//
//   $users = new Kvlight\Tasks(
//       fn (array $ids) => $db->users($ids),     // called with the keys that the cache lacks; [key => value], and keys left
//       ['cache.capacity' => 10_000],            // out are remembered as absent
//   );
//   echo $users->fetch('7');                     // a value, or null: there is no such record
//   $rows = $users->fetchAll(['7', '8', '7']);   // in the order asked; throws the first error
//   $users->close();
//
// Everything happens in poll(), on PHP's one thread: fetch() polls while it waits; a program with a loop of its own calls start()
// with a function, and polls. No PHP function is ever handed to the library: a call from one of its threads would crash PHP.
declare(strict_types=1);

foreach (['Header', 'Library', 'Error', 'Permanent', 'Result', 'Request', 'Fetch', 'Tasks'] as $class) {
    require_once __DIR__ . "/src/$class.php";
}
