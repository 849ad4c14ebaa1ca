<?php
// Preloads the package in a web server. By default only preloaded scripts may use FFI there (ffi.enable=preload), so php.ini must set:
//
//   ffi.preload=/path/to/kvlight/kvlight.ffi.h
//   opcache.preload=/path/to/kvlight/preload.php
//   opcache.preload_user=www-data
//
// A project that has a preload script requires this file in it.
declare(strict_types=1);

require_once __DIR__ . '/kvlight.php';

foreach (glob(__DIR__ . '/src/*.php') as $file) {
    require_once $file;
}
