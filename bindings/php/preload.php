<?php
// For web servers. By default PHP lets nobody but preloaded scripts use FFI there (ffi.enable=preload), so php.ini names these files:
//
//   ffi.preload=/path/to/kvlight/kvlight.ffi.h
//   opcache.preload=/path/to/kvlight/preload.php
//   opcache.preload_user=www-data
//
// A project that has a preload script of its own requires this file there.
declare(strict_types=1);

require_once __DIR__ . '/kvlight.php';

foreach (glob(__DIR__ . '/src/*.php') as $file) {
    require_once $file;
}
