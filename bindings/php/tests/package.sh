#!/bin/sh
# Installs the package of a folder into an empty project, with Composer, and runs the program of docs/HOSTS.md, the scenarios and the tests there:
# `package.sh FOLDER`. The checkout's own copy of the package is not loaded.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset KVL_LIBRARY LD_LIBRARY_PATH
mkdir "$work/package" "$work/project"
tar -xzf "$1"/kvlight-php-*.tar.gz -C "$work/package" --strip-components 1
cd "$work/project"
cat >composer.json <<JSON
{
    "repositories": [{ "type": "path", "url": "../package", "options": { "symlink": false } }, { "packagist.org": false }],
    "require": { "kvlight/kvlight": "*" }
}
JSON
COMPOSER_ALLOW_SUPERUSER=1 COMPOSER_DISABLE_NETWORK=1 COMPOSER_HOME=$work/composer composer install --quiet --no-interaction
rm -r "$work/package"
KVL_PACKAGE=$work/project/vendor/kvlight/kvlight
export KVL_PACKAGE
# The example requires the checkout's copy; a user's program requires the project's autoloader.
sed "s#require .*kvlight.php';#require '$work/project/vendor/autoload.php';#" "$top/examples/php/hello.php" >hello.php
"$top/bindings/hello.sh" PHP php hello.php
cp -r "$here" "$work/tests"
php "$work/tests/scenarios.php"
php "$work/tests/faults.php"
php "$work/tests/labels.php"
php "$work/tests/signals.php"
php "$work/tests/second_tier.php"
"$top/packaging/tools" php-fpm libfcgi-bin
"$work/tests/web.sh"
